"""What is fitted on SAE-train subjects before anything is judged: rows of each kind, their mean and components, how features fire.

Rows are read in the same turns, with the same share hidden, in which held-out subjects are judged later.
"""

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from seqsae.errors import SeqsaeError
from seqsae.faithfulness.objectives import Objective
from seqsae.faithfulness.shown import Shown, groups, plainly
from seqsae.models.contract import SequenceModel
from seqsae.progress import track
from seqsae.sae.base import SAE

ROWS = 32_768  # of a kind that are kept, at most
BLOCK = 4_096  # rows at a time


class Fit:
    """Rows [n, d] float32 of one kind, of SAE-train subjects."""

    def __init__(self, rows: Tensor):
        self.rows = rows

    @cached_property
    def mean(self) -> Tensor:
        """[d] float32."""
        return self.rows.double().mean(0).float()

    @cached_property
    def components(self) -> Tensor:
        """[d, d] principal directions, columns by falling variance; float64 covariance."""
        outer = torch.zeros(self.rows.shape[1], self.rows.shape[1], dtype=torch.float64, device=self.rows.device)
        centre = self.rows.double().mean(0)
        for block in self.rows.split(BLOCK):
            away = block.double() - centre
            outer.addmm_(away.T, away)
        return torch.linalg.eigh(outer / max(1, len(self.rows)))[1].flip(1).float()


class Habits:
    """How the features of an SAE fire on rows [n, d] of SAE-train subjects."""

    def __init__(self, sae: SAE, rows: Tensor):
        counts = torch.zeros(sae.width, dtype=torch.float64, device=rows.device)
        totals = torch.zeros_like(counts)
        with torch.no_grad():
            for block in rows.split(BLOCK):
                values, indices = sae.encode(block)
                counts.index_add_(0, indices.flatten(), (values > 0).double().flatten())
                totals.index_add_(0, indices.flatten(), values.double().flatten())
        self.rate = (counts / max(1, len(rows))).cpu().numpy()
        """[width] share of rows in which each feature is on."""
        self.mean = (totals / max(1, len(rows))).cpu().numpy()
        """[width] mean activation over all rows, normalised units."""

    @property
    def l0(self) -> float:
        """Mean number of active features a row."""
        return float(self.rate.sum())


@torch.no_grad()
def fitted(model: SequenceModel, site: str, objective: Objective, told: Shown, budget: int) -> dict[str, Fit]:
    """Kind of rows to its Fit, over the train subjects in `told`.

    Raises:
        SeqsaeError: the model's activations at the site are not finite.
    """
    turns, kept = objective.turns(told), {kind: [] for kind in objective.kinds}
    had = dict.fromkeys(kept, 0)
    order = np.random.default_rng(len(turns)).permutation(len(turns))  # not the shortest first: they alone may fill it
    batches = [order[i : i + 64] for i in range(0, len(order), 64)]
    for part in track(batches, "read train subjects"):
        if all(n >= ROWS for n in had.values()):
            break
        chosen = [turns[i] for i in part]
        for group in groups(model, [turn.sample for turn in chosen], budget):
            laid = objective.lay([chosen[i] for i in group])
            with plainly(f"model {model.name!r} fails"):
                rows = model.capture(laid.batch, [site])[site].float()
            check_finite(rows, model, site)
            for kind in kept:
                of_kind = rows[laid.rows(kind).to(rows.device)][: ROWS - had[kind]]
                kept[kind].append(of_kind)
                had[kind] += len(of_kind)
    return {kind: Fit(torch.cat(parts)) for kind, parts in kept.items()}


def check_finite(rows: Tensor, model: SequenceModel, site: str) -> None:
    """Raises SeqsaeError if rows [n, d] hold NaN or infinite values."""
    if not torch.isfinite(rows).all():
        raise SeqsaeError(
            f"site {site!r} of model {model.name!r}: activations that are NaN or infinite; look at the model's input and weights"
        )
