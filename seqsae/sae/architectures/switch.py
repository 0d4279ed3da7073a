"""Switch: a router sends each row to one of several small TopK dictionaries."""

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from seqsae.errors import SeqsaeError
from seqsae.sae.architectures import checks
from seqsae.sae.architectures.auxiliary import check_auxiliary, dead_latents
from seqsae.sae.architectures.dense import picked
from seqsae.sae.base import SAE, Codes, Loss, Recipe, TrainingState, weight_seed
from seqsae.sae.normalise import Normaliser
from seqsae.sae.products.sparse import Picked, Ragged, encode_at, miss_at


class _Routed(NamedTuple):
    """Rows in the order of their experts."""

    order: Tensor
    """[n] int64, which row stands where."""
    sizes: list[int]
    """Rows of each expert."""
    share: Tensor
    """[n] probability of each row's expert, in the new order."""
    chances: Tensor
    """[n, experts] probabilities, in the old order."""


class Switch(SAE):
    """Mudide et al. 2024, "Efficient dictionary learning with switch sparse autoencoders" (arXiv 2410.08201), section 3.

        p     = softmax((x - b_router) W_router^T),   i = argmax p
        z     = p_i TopK(relu((x - b_dec) W_enc + b_enc)) within the latents of expert i, 0 elsewhere
        x_hat = z W_dec + b_dec
        L     = mean (x - x_hat)^2 + balance * experts * sum_i f_i P_i + AuxK

    with f_i the share of rows sent to expert i and P_i the mean of p_i over all rows: 1 when the load is even (Fedus et al.
    2022, arXiv 2101.03961, equation 4). Latents are numbered expert by expert: expert i has those from i width / experts on. A
    row costs one expert's product, not all. The paper has no encoder bias and no AuxK; here AuxK runs over the dead latents of a
    row's own expert, weighted by p_i as the living ones are.

    Options: experts, which divide the width; balance, per number of a normalised row; aux_k, aux_weight as in
    `seqsae.sae.architectures.auxiliary`.
    """

    OPTIONS: ClassVar = {"experts": 8, "balance": 0.1, "aux_k": None, "aux_weight": 1 / 32}
    default_k = 32
    foldable = False

    def __init__(self, recipe: Recipe):
        checks.a_k(recipe)
        super().__init__(recipe)
        check_auxiliary(self)
        self._check()
        generator = torch.Generator().manual_seed(weight_seed(recipe.seed) + 1)
        router = torch.randn(self.options["experts"], recipe.d_model, generator=generator) / recipe.d_model**0.5
        self.W_router = nn.Parameter(router)
        self.b_router = nn.Parameter(torch.zeros(recipe.d_model))

    def _check(self) -> None:
        recipe, options = self.config, self.options
        checks.whole(recipe, options, "experts", 1)
        checks.number(recipe, options, "balance", 0)
        experts = options["experts"]
        if recipe.width % experts:
            raise SeqsaeError(
                f"SAE {recipe.architecture!r}: {experts} experts do not divide a width of {recipe.width}; "
                "give a width that is a multiple of experts"
            )
        if recipe.k > recipe.width // experts:
            raise SeqsaeError(
                f"SAE {recipe.architecture!r}: k is {recipe.k}, but each of {experts} experts has "
                f"{recipe.width // experts} latents; give a smaller k or fewer experts"
            )

    @torch.no_grad()
    def set_normaliser(self, normaliser: Normaliser) -> None:
        """Store a fitted normaliser and start b_dec and b_router where it says."""
        super().set_normaliser(normaliser)
        self.b_router.copy_(self.b_dec)

    def codes(self, x: Tensor) -> Codes:
        routed = self._routed(x)
        read = (x - self.b_dec if self.options["subtract_b_dec"] else x)[routed.order]
        values, indices = [], []
        for rows, own in self._groups(read, routed.sizes):
            found = torch.addmm(self.b_enc[own], rows, self.W_enc[:, own]).topk(self.k, sorted=False)
            values.append(found.values.relu())
            indices.append(found.indices + own.start)
        back = routed.order.argsort()
        return Codes((torch.cat(values) * routed.share[:, None])[back], torch.cat(indices)[back])

    def loss(self, x: Tensor, state: TrainingState) -> Loss:
        routed = self._routed(x)
        x = x[routed.order]  # from here on rows stand expert by expert
        centred, dead = self.centred(x), dead_latents(self, state)
        pattern, pre, revived = self._found(centred, routed.sizes, dead, state.precision)
        share = routed.share[:, None]
        values = encode_at(centred, self.encoder_weights(), pre, pattern).relu() * share
        target = centred if self.options["subtract_b_dec"] else x - self.b_dec.detach()
        reconstruction, left = miss_at(values, self.W_dec, self.b_dec, target, pattern)
        sent = torch.tensor(routed.sizes, dtype=x.dtype, device=x.device) / max(1, len(x))
        even = sent * routed.chances.mean(0)
        extra = self.options["balance"] * self.options["experts"] * even.sum()
        if revived is not None:
            extra = extra + self._auxiliary(centred, left, share.detach(), *revived)
        fired = pattern.latent_sum(values.detach()) > 0
        return Loss(reconstruction + extra, reconstruction.detach(), extra.detach(), fired)

    def _routed(self, x: Tensor) -> _Routed:
        with torch.autocast(x.device.type, enabled=False):
            chances = ((x - self.b_router) @ self.W_router.T).softmax(1)
        share, expert = chances.max(1)
        order = expert.argsort(stable=True)
        sizes = torch.bincount(expert, minlength=self.options["experts"]).tolist()
        return _Routed(order, sizes, share[order], chances)

    def _groups(self, rows: Tensor, sizes: list[int]) -> list[tuple[Tensor, slice]]:
        """The rows [m, d] of each expert, and its latents."""
        each = self.width // self.options["experts"]
        return [(part, slice(i * each, (i + 1) * each)) for i, part in enumerate(rows.split(sizes))]

    @torch.no_grad()
    def _found(
        self, centred: Tensor, sizes: list[int], dead: Tensor, precision: str
    ) -> tuple[Picked, Tensor, tuple[Ragged, Tensor] | None]:
        """The k latents of each row and their pre-activations [n, k]; likewise, if any are dead, the aux_k dead ones."""
        indices, pre, latents, dead_pre, counts = [], [], [], [], []
        for rows, own in self._groups(centred, sizes):
            among = dead[(dead >= own.start) & (dead < own.stop)]
            found = picked(rows, self.W_enc[:, own], self.b_enc[own], self.k, precision, among - own.start)
            indices.append(found.pattern.indices + own.start)
            pre.append(found.pre)
            best = found.also.topk(min(self.options["aux_k"] or max(1, self.d_model // 2), len(among)), sorted=False)
            latents.append(among[best.indices].flatten())
            dead_pre.append(best.values.flatten())
            counts.append(best.values.shape[1])
        pattern = Picked(torch.cat(indices), self.width)
        if not len(dead):
            return pattern, torch.cat(pre), None
        each = torch.tensor(counts).repeat_interleave(torch.tensor(sizes)).to(centred.device)
        starts = torch.nn.functional.pad(each.cumsum(0), (1, 0))
        return pattern, torch.cat(pre), (Ragged(torch.cat(latents), starts, self.width), torch.cat(dead_pre))

    def _auxiliary(self, centred: Tensor, left: Tensor, share: Tensor, pattern: Ragged, pre: Tensor) -> Tensor:
        """[] the weighted AuxK term, over the dead latents of each row's expert."""
        values = encode_at(centred, (self.W_enc, self.b_enc, None), pre, pattern)
        values = (values + (values.relu() - values).detach()) * share[pattern.rows.long(), 0]
        return self.options["aux_weight"] * miss_at(values, self.W_dec, self.b_dec.detach(), left, pattern)[0]
