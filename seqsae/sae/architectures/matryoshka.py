"""Matryoshka: nested dictionaries, each of which reconstructs alone, so that early latents stay general."""

from itertools import accumulate, pairwise
from typing import ClassVar

import torch
from torch import Tensor

from seqsae.errors import SeqsaeError
from seqsae.sae.architectures.batchtopk import BatchTopK
from seqsae.sae.base import Recipe
from seqsae.sae.products.sparse import Ragged


class Matryoshka(BatchTopK):
    """Bussmann, Nabeshima, Karvonen & Nanda 2025, "Learning multi-level features with Matryoshka sparse autoencoders"
    (arXiv 2503.17547), over BatchTopK.

        x_hat_m = z[:m] W_dec[:m] + b_dec    for each prefix of m latents
        L       = sum over prefixes of mean (x - x_hat_m)^2 + AuxK

    Codes, threshold and AuxK, which works on what all latents leave over, are those of `BatchTopK`.

    Options: groups, how many latents each prefix adds to the one before: whole numbers that sum to the width, or shares of it
    that sum to 1; and those of BatchTopK. By default each group is twice as wide as the one before, the last takes the rest.
    """

    OPTIONS: ClassVar = {**BatchTopK.OPTIONS, "groups": [1 / 32, 1 / 16, 1 / 8, 1 / 4, 17 / 32]}

    def __init__(self, recipe: Recipe):
        super().__init__(recipe)
        self.prefixes = _prefixes(recipe, self.options["groups"])

    @property
    def group_sizes(self) -> list[int]:
        """Latents that each prefix adds to the one before."""
        return [last - first for first, last in pairwise([0, *self.prefixes])]

    def _misses(self, values: Tensor, target: Tensor, pattern: Ragged) -> tuple[Tensor, Tensor, Tensor]:
        errors, left = _Nested.apply(values, self.W_dec, self.b_dec, target, pattern, self.prefixes)
        return errors[-1], errors[:-1].sum(), left


class _Nested(torch.autograd.Function):
    """The mean squared error [groups] of each prefix, and what all latents leave over [n, d], as data.

    A row's places lie in the order of their latents, hence group by group: with each (row, group) taken for a row of its
    own, the codes are again a listed pattern. With e_m what prefix m leaves over and g its gradient, a latent of the group
    that m was the first to hold has dC = -2 / (n d) W_dec . sum over m' >= m of g_m' e_m', and so on as without groups.
    """

    @staticmethod
    def forward(ctx, values, W_dec, b_dec, target, pattern, prefixes):
        split = _split(pattern, prefixes)
        left = split.gather_sum(values, W_dec).view(len(target), len(prefixes), -1).neg_()
        left[:, 0] += target
        for group in range(1, len(prefixes)):
            left[:, group] += left[:, group - 1]
        ctx.save_for_backward(values, W_dec, left)
        ctx.split = split
        last = left[:, -1].contiguous()
        ctx.mark_non_differentiable(last)
        ctx.set_materialize_grads(False)
        return left.square().mean((0, 2)) if len(target) else left.new_zeros(len(prefixes)), last

    @staticmethod
    def backward(ctx, g, _):
        values, W_dec, left = ctx.saved_tensors
        pull = left * (-2 * g / max(1, left[:, 0].numel()))[:, None]
        for group in reversed(range(pull.shape[1] - 1)):
            pull[:, group] += pull[:, group + 1]
        flat = pull.view(-1, pull.shape[2])
        along = ctx.split.dots(flat, W_dec)
        return along, ctx.split.scatter_sum(values, flat), pull[:, 0].sum(0), None, None, None


def _split(pattern: Ragged, prefixes: list[int]) -> Ragged:
    """The pattern with each group of each row as a row of its own; its latents are in order within each row."""
    place = pattern.rows.long() * pattern.width + pattern.latents
    firsts = torch.tensor([0, *prefixes[:-1]], device=place.device)
    row = torch.arange(len(pattern.starts) - 1, device=place.device)
    begins = torch.searchsorted(place, (row[:, None] * pattern.width + firsts).flatten(), out_int32=True)
    return Ragged(pattern.latents, torch.cat([begins, pattern.starts[-1:]]), pattern.width)


def _prefixes(recipe: Recipe, groups: list) -> list[int]:
    """The latents of each prefix, the last the width. Raises SeqsaeError if the groups do not add up."""
    fine = isinstance(groups, list | tuple) and all(type(group) in (int, float) and group > 0 for group in groups)
    whole = fine and all(isinstance(group, int) for group in groups)
    total = sum(groups) if fine else None
    if not fine or (total != recipe.width if whole else abs(total - 1) > 1e-6):
        raise SeqsaeError(
            f"SAE {recipe.architecture!r}: groups are {groups!r}; give whole numbers that sum to the width {recipe.width}, "
            "or shares that sum to 1"
        )
    ends = list(accumulate(groups))
    ends = ends if whole else [max(1, round(end * recipe.width)) for end in ends]
    return sorted({*ends[:-1], recipe.width})
