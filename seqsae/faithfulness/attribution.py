"""How much of a number in the output is due to each feature, by gradients: a cheap guess at what ablating it would do.

With g_r the gradient of that number at row r, f_rj the value of feature j there and D_j what it writes (raw units), the
guess is A_j = sum over rows of f_rj (g_r . D_j): gradient times activation takes g at the activations themselves; integrated
gradients (Sundararajan et al. 2017, arXiv 1703.01365) the mean of g along the straight path from no feature (f = 0, the SAE's
error kept) to all of them. The latter then sum over features to what ablating all at once changes (completeness). For an output
linear in the activations both are exact.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from seqsae.errors import SeqsaeError
from seqsae.faithfulness.objectives import Laid, Objective, Tokens, token_classes
from seqsae.faithfulness.pushing import Bench, Look
from seqsae.sae.quality.shrinkage import base_of


class Target:
    """The number that is attributed: a sample's loss, or the summed mean logit of a token class at its scored positions.

    Args:
        name: `loss`, or a token or class.
    """

    def __init__(self, objective: Objective, name: str = "loss", classes: Mapping[str, str] | None = None):
        self.objective, self.name, self.classes = objective, name, classes
        if name != "loss" and not isinstance(objective, Tokens):
            raise SeqsaeError(f'output = "{name}": a task head has no tokens; give output = "loss"')

    def __call__(self, output: Any, laid: Laid) -> Tensor:
        """[B] float64, differentiable."""
        if self.name == "loss":
            return self.objective.cost(output, laid).total
        logits = self.objective.logits(output, laid)
        names, of = token_classes(self.objective.model.vocabulary, logits.shape[2], self.classes)
        if self.name not in names:
            raise SeqsaeError(
                f"output = {self.name!r}: neither 'loss' nor a token or class of model {self.objective.model.name!r}; "
                f"it has {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}"
            )
        chosen = logits[..., (of == names.index(self.name)).to(logits.device)].double().mean(-1)
        return torch.where((laid.wanted >= 0).to(chosen.device), chosen, 0).sum(1)


class Slopes(NamedTuple):
    """Gradients of the target at each row, raw units."""

    gradient: Tensor
    """[n, d] at the activations."""
    integrated: Tensor
    """[n, d] mean along the path."""


def slopes(bench: Bench, seen: Look, target: Target, steps: int) -> Slopes:
    """Gradients at a batch, `steps` midpoints along the path; one backward pass each and one more.

    Raises:
        SeqsaeError: no gradient flows from the output to the site.
    """
    explained = torch.zeros_like(seen.x)
    with torch.no_grad():
        explained[seen.own] = (bench.sae.decode(seen.codes, seen.x) - base_of(bench.sae, seen.x))[seen.own].to(seen.x)
    here = _gradient(bench, seen, target, seen.x)
    total = torch.zeros_like(here)
    for step in range(steps):
        total += _gradient(bench, seen, target, seen.x - explained * (1 - (step + 0.5) / steps))
    return Slopes(here, total / steps)


def guessed(bench: Bench, slope: Tensor, x: Tensor, feature: int, by: Tensor) -> float:
    """The change of the target to first order when a feature changes by `by` [r] at rows x [r, d] with gradients [r, d]."""
    along = (slope @ bench.writer.rows[feature].to(slope)) * bench.writer.size(x)[:, 0]
    return (along.double() * by.double()).sum().item()


def _gradient(bench: Bench, seen: Look, target: Target, at: Tensor) -> Tensor:
    """[n, d] of the summed target with respect to the rows, at rows `at`."""
    leaf = at.detach().clone().requires_grad_()
    try:
        with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):  # its recurrent layers need training mode
            output = bench.model.replace(seen.laid.batch, bench.site, lambda x: leaf.to(x.dtype))
            [found] = torch.autograd.grad(target(output, seen.laid).sum(), leaf)
    except RuntimeError as cause:
        raise SeqsaeError(
            f"model {bench.model.name!r}: no gradient from its output to site {bench.site!r} ({cause}); attribution needs a "
            "forward pass without no_grad or in-place changes; or give ig_steps = 0"
        ) from None
    if not found.isfinite().all():
        raise SeqsaeError(
            f"model {bench.model.name!r}: the gradient of {target.name!r} is NaN or infinite; in loss= mask the labels before the "
            "arithmetic, not its result; or give ig_steps = 0"
        )
    return found.detach()
