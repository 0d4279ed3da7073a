"""One feature changed in one sample, many such pairs in one batch; everything else about the model stays as it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from seqsae.faithfulness.changes import Writer, moved, value_of
from seqsae.faithfulness.fitting import check_finite
from seqsae.faithfulness.objectives import Laid, Objective, Turn
from seqsae.faithfulness.shown import plainly
from seqsae.models.contract import SequenceModel
from seqsae.sae.base import SAE, Codes


@dataclass(frozen=True)
class Bench:
    """A model with an SAE at one of its sites, and what the model is judged by."""

    model: SequenceModel
    site: str
    sae: SAE
    objective: Objective
    kind: str
    """Rows at which features are changed: all, hidden or observed."""
    budget: int
    """Padded positions in one forward pass, at most."""

    @cached_property
    def writer(self) -> Writer:
        return Writer(self.sae)


@dataclass(frozen=True)
class Look:
    """A batch of turns with nothing changed."""

    laid: Laid
    output: Any
    x: Tensor
    """[n, d] float32, the rows at the site."""
    codes: Codes
    """Of those rows."""
    own: Tensor
    """[n] bool, rows of the bench's kind."""

    @cached_property
    def bounds(self) -> list[int]:
        """Sample b has the rows from bounds[b] to bounds[b + 1]."""
        return [0, *self.laid.batch.mask.sum(1).cumsum(0).tolist()]

    def values(self, sample: int, feature: int) -> Tensor:
        """[r] the feature's value at each row of a sample."""
        rows = slice(self.bounds[sample], self.bounds[sample + 1])
        part = Codes(self.codes.values[rows], self.codes.indices[rows])
        which = torch.full((len(part.values),), feature, device=part.indices.device)
        return value_of(part, which)

    def own_values(self, sample: int, feature: int) -> Tensor:
        """The same, 0 at rows that are not of the bench's kind."""
        return self.values(sample, feature) * self.own[self.bounds[sample] : self.bounds[sample + 1]]


class Push(NamedTuple):
    """A change of one feature in one turn."""

    turn: Turn
    feature: int
    by: Tensor
    """[r] what is added to the feature's value at each row of the sample."""


@torch.no_grad()
def look(bench: Bench, turns: Sequence[Turn]) -> Look:
    """The model's output, its rows at the site and their codes, in one forward pass."""
    laid, held = bench.objective.lay(turns), []
    with plainly(f"model {bench.model.name!r} fails"):
        output = bench.model.replace(laid.batch, bench.site, lambda x: held.append(x) or x)
    check_finite(held[0], bench.model, bench.site)
    x = held[0].float()
    return Look(laid, output, x, bench.sae.encode(x), laid.rows(bench.kind).to(x.device))


@torch.no_grad()
def pushed(bench: Bench, pushes: Sequence[Push]) -> tuple[Any, Laid]:
    """The model's output for the turns of several pushes as one batch, each with its own feature changed."""
    laid = bench.objective.lay([push.turn for push in pushes])
    by = torch.cat([push.by for push in pushes])
    counts = torch.tensor([len(push.by) for push in pushes], device=by.device)
    features = torch.tensor([push.feature for push in pushes], device=by.device).repeat_interleave(counts)
    with plainly(f"model {bench.model.name!r} fails with features changed at {bench.site}"):
        output = bench.model.replace(laid.batch, bench.site, lambda x: moved(x, bench.writer.shift(x, features, by)))
    return output, laid
