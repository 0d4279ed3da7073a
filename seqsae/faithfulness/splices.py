"""What is put in the place of the activations: the SAE's reconstruction, and what it is held against."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from seqsae.faithfulness.fitting import Fit
from seqsae.sae.base import SAE
from seqsae.sae.quality.shrinkage import Shrinkage, base_of
from seqsae.sae.random import random_dictionary

L0_ROWS = 4_096  # rows on which a random dictionary is given its SAE's L0 and its best gain
ABLATIONS = ("zero", "mean")
OTHERS = ("pca", "random-dictionary")


class Splice(NamedTuple):
    """One replacement of rows."""

    source: str
    """identity, zero, mean, sae, seed (the SAE of another seed), pca, random-dictionary."""
    unit: str
    """Which one of its kind."""
    change: Callable[[Tensor], Tensor]
    """[n, d] -> [n, d]."""


def splices_of(
    saes: Sequence[SAE], names: Sequence[str], fit: Fit, l0: float, seed: int, others: Sequence[str] = OTHERS
) -> list[Splice]:
    """Everything that is put in for rows of one kind.

    Args:
        saes: the first is the one that is judged, the others are other seeds of it; on the model's device.
        fit: train rows of that kind; mean, components and the random dictionary's gain are taken from them.
        l0: mean active latents a row of the first SAE: the rank of the PCA.
        others: which of OTHERS stand beside the SAEs and the ablations.
    """
    rank = min(max(1, round(l0)), fit.rows.shape[1])
    own = [Splice("sae" if not i else "seed", name, sae) for i, (sae, name) in enumerate(zip(saes, names, strict=True))]
    return [
        Splice("zero", "zeros", torch.zeros_like),
        Splice("mean", "mean of train rows", lambda x: fit.mean.expand_as(x)),
        *own,
        *([Splice("pca", f"{rank} components", _low_rank(fit, rank))] if "pca" in others else []),
        *([_random(saes[0], fit, seed)] if "random-dictionary" in others else []),
    ]


def _random(sae: SAE, fit: Fit, seed: int) -> Splice:
    return Splice("random-dictionary", f"{sae.width} random directions", random_of(sae, fit, seed))


def identity() -> Splice:
    """The rows themselves: it must change nothing."""
    return Splice("identity", "the rows themselves", lambda x: x)


def random_of(sae: SAE, fit: Fit, seed: int) -> Callable[[Tensor], Tensor]:
    """A random dictionary of the SAE's width and L0, its output times the one factor that fits train rows best.

    Without that factor, which no SAE is given, directions that overlap would be counted several times over.
    """
    few = fit.rows[:: max(1, len(fit.rows) // L0_ROWS)]
    dictionary = random_dictionary(sae, seed, few)
    seen = Shrinkage()
    seen.update(few, dictionary(few), base_of(dictionary, few))
    gamma = seen.gamma()
    gain = 1 / gamma if gamma > 0 else 1.0

    def change(x: Tensor) -> Tensor:
        base = base_of(dictionary, x)
        return base + gain * (dictionary(x) - base)

    return change


def _low_rank(fit: Fit, rank: int) -> Callable[[Tensor], Tensor]:
    mean, axes = fit.mean, fit.components[:, :rank]
    return lambda x: mean + ((x - mean) @ axes) @ axes.T
