"""The model run with its activations replaced, and what that costs each sample."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seqsae.errors import SeqsaeError
from seqsae.faithfulness.objectives import Cost, Laid, Objective, Tokens
from seqsae.faithfulness.shown import Shown, groups, plainly
from seqsae.faithfulness.splices import Splice, identity
from seqsae.models.contract import SequenceModel
from seqsae.progress import track
from seqsae.sae.quality.metrics import Unexplained

Key = tuple[str, str, str]
"""source, unit, kind of rows replaced."""
CLEAN: Key = ("clean", "nothing replaced", "all")


@dataclass
class Costs:
    """What S samples cost under one objective."""

    objective: Objective
    count: np.ndarray
    """[S] how much is scored of each sample, all its turns together."""
    total: dict[Key, np.ndarray] = field(default_factory=dict)
    """[S] float64 sums for each replacement, and for `CLEAN`."""
    unexplained: dict[Key, Unexplained] = field(default_factory=dict)
    """Fraction of variance of the replaced rows that the replacement leaves unexplained."""
    identity_error: float | None = None
    """Largest relative L2 difference of the output when rows are replaced by themselves; None: not measured."""


@torch.no_grad()
def costs(
    model: SequenceModel,
    site: str,
    objective: Objective,
    told: Shown,
    splices: Mapping[str, Sequence[Splice]],
    budget: int,
) -> Costs:
    """Every sample under every replacement. One forward pass a batch and replacement, and one clean; the identity once,
    at the widest kind of rows.

    Args:
        splices: kind of rows to what is put in their place.
    """
    turns, found = objective.turns(told), Costs(objective, np.zeros(len(told)))
    widest = next((kind for kind in objective.kinds if kind in splices), None)
    batches = list(groups(model, [turn.sample for turn in turns], budget))
    for group in track(batches, f"loss recovered ({objective.name})"):
        chosen = [turns[i] for i in group]
        laid, places = objective.lay(chosen), np.array([turn.place for turn in chosen])
        with plainly(f"model {model.name!r} fails"):
            clean = model.forward(laid.batch)
        cost = _noted(found, CLEAN, objective.cost(clean, laid), places, model)
        np.add.at(found.count, places, cost.count.cpu().numpy())
        for kind, several in splices.items():
            for splice in [identity(), *several] if kind == widest else several:
                output = _replaced(model, site, laid, kind, splice, found)
                again = _noted(found, (*splice[:2], kind), objective.cost(output, laid), places, model)
                if splice.source == "identity":
                    off = _difference(objective, laid, (clean, output), (cost, again))
                    found.identity_error = max(found.identity_error or 0.0, off)
    return found


def _replaced(model: SequenceModel, site: str, laid: Laid, kind: str, splice: Splice, found: Costs) -> Any:
    def change(x: Tensor) -> Tensor:
        if splice.source == "identity":  # not even through another number format
            return x.clone()
        which = laid.rows(kind).to(x.device)
        wide = x.float()
        new = splice.change(wide[which]) if which.any() else wide[which]
        found.unexplained.setdefault((*splice[:2], kind), Unexplained()).update(wide[which].cpu(), new.cpu())
        return x.clone().masked_scatter_(which[:, None], new.to(x.dtype))

    with plainly(f"model {model.name!r} fails with {splice.source} at {site}"):
        return model.replace(laid.batch, site, change)


def _noted(found: Costs, key: Key, cost: Cost, places: np.ndarray, model: SequenceModel) -> Cost:
    total = cost.total.cpu().numpy()
    if not np.isfinite(total).all():
        what = "nothing replaced" if key == CLEAN else f"{key[0]} in the place of {key[2]} rows"
        raise SeqsaeError(
            f"model {model.name!r}: its {found.objective.name} loss is not finite with {what}; look at the model's input, or at the loss"
        )
    np.add.at(found.total.setdefault(key, np.zeros(len(found.count))), places, total)
    return cost


def _difference(objective: Objective, laid: Laid, outputs: tuple[Any, Any], costs: tuple[Cost, Cost]) -> float:
    """Relative L2 difference of two outputs at the rows: of the logits, or of a task's loss."""
    if isinstance(objective, Tokens):
        before, after = (_at_rows(objective.logits(output, laid), laid) for output in outputs)
    else:
        before, after = (cost.total for cost in costs)
    before, after = (value.double().nan_to_num(0.0, 0.0, 0.0) for value in (before, after))
    scale = before.norm().item()
    return (before - after).norm().item() / scale if scale else float((before - after).norm().item() > 0)


def _at_rows(logits: Tensor, laid: Laid) -> Tensor:
    """[n, V] the logits at the rows."""
    return logits[laid.batch.mask.to(logits.device)]
