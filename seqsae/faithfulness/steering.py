"""What the model predicts with one feature changed, token by token."""

from typing import Any, NamedTuple

import numpy as np
import polars as pl
import torch
from torch import Tensor

from seqsae import schema
from seqsae.errors import SeqsaeError
from seqsae.faithfulness.changes import Change
from seqsae.faithfulness.differences import kl, log_softmax
from seqsae.faithfulness.objectives import Laid
from seqsae.faithfulness.pushing import Bench, Look, Push, look, pushed
from seqsae.faithfulness.shown import Shown, groups
from seqsae.models.contract import SequenceModel
from seqsae.progress import track


class Steer(NamedTuple):
    """What is changed, and where."""

    feature: int
    change: Change
    where: str | tuple[int, ...] = "fires"
    """Rows: those where it fires (of the kind the SAE was trained on), all, hidden or observed ones, or a list of events."""

    def by(self, bench: Bench, seen: Look, sample: int) -> Tensor:
        """[r] what is added to the feature's value at each row of a sample."""
        rows = slice(seen.bounds[sample], seen.bounds[sample + 1])
        f = seen.values(sample, self.feature)
        return torch.where(self._places(seen, sample, rows, f), self.change.new(f) - f, 0)

    def _places(self, seen: Look, sample: int, rows: slice, f: Tensor) -> Tensor:
        if self.where == "fires":
            return (f > 0) & seen.own[rows]
        if isinstance(self.where, str):
            return seen.laid.rows(self.where).to(f.device)[rows]
        events = seen.laid.batch.samples[sample].event
        return torch.from_numpy(np.isin(np.asarray(events, np.int64), self.where)).to(f.device)


@torch.no_grad()
def steered_table(bench: Bench, told: Shown, asked: Steer) -> pl.DataFrame:
    """Schema `steered`: a row a scored position.

    Raises:
        SeqsaeError: no position is scored, or the model says NaN or infinite values, before or after the change.
    """
    turns, parts = bench.objective.turns(told), []
    for group in track(list(groups(bench.model, [turn.sample for turn in turns], bench.budget)), "steer"):
        chosen = [turns[i] for i in group]
        seen = look(bench, chosen)
        by = [asked.by(bench, seen, i) for i in range(len(chosen))]
        output, _ = pushed(bench, [Push(turn, asked.feature, one) for turn, one in zip(chosen, by, strict=True)])
        whole = torch.cat([seen.values(i, asked.feature) for i in range(len(chosen))])
        places = np.array([turn.place for turn in chosen])
        parts.append(_rows(bench, told, seen, _After(output, torch.cat(by), whole, asked), places))
    if not sum(map(len, parts)):
        raise SeqsaeError(
            f"model {bench.model.name!r}: none of the tokens shown is one it predicts; give longer records, or more subjects"
        )
    table = pl.concat(parts).sort("sample", "position")
    return schema.check_table(table, "steered", "steered")


class _After(NamedTuple):
    """What comes of a change."""

    output: Any
    by: Tensor
    """[r] what was added to the feature's value at each row."""
    f: Tensor
    """[r] its value before."""
    asked: Steer


def _rows(bench: Bench, told: Shown, seen: Look, after: _After, places: np.ndarray) -> pl.DataFrame:
    laid, by, f = seen.laid, after.by, after.f
    wanted = laid.wanted >= 0
    at = laid.wanted[wanted][:, None]
    p = said(bench, seen.output, laid, None)
    q = said(bench, after.output, laid, after.asked)
    moved = kl(p, q)
    if not moved.isfinite().all():
        raise not_finite(bench, after.asked)
    sample, row, said_at = _identity(laid, wanted, bench.model.attention == "causal")
    of = [laid.batch.samples[i] for i in sample]
    return pl.DataFrame(
        {
            "subject": told.subjects[places[sample]],
            "sample": told.numbers[places[sample]],
            "event": [int(one.event[i]) for one, i in zip(of, row, strict=True)],
            "position": [int(one.position[i]) for one, i in zip(of, row, strict=True)],
            "token": [str(one.token[i]) for one, i in zip(of, row, strict=True)],
            "changed": np.where(said_at >= 0, (by.cpu().numpy() != 0)[said_at], False),
            "activation": np.where(said_at >= 0, f.cpu().double().numpy()[said_at], 0.0),
            "probability": p.gather(1, at)[:, 0].exp().numpy(),
            "probability_steered": q.gather(1, at)[:, 0].exp().numpy(),
            "top": names_of(bench.model, p.argmax(1)),
            "top_steered": names_of(bench.model, q.argmax(1)),
            "kl": moved.numpy(),
        },
        schema_overrides={"token": pl.String, "top": pl.String, "top_steered": pl.String},
    )


def said(bench: Bench, output: Any, laid: Laid, asked: Steer | None) -> Tensor:
    """[P, V] float64 log-probabilities at the P scored positions, on the CPU.

    A logit of -inf is a token that is never said, and is let pass; not so where that token stands.

    Raises:
        SeqsaeError: NaN or infinite values. It says whether before (`asked` is None) or after the change.
    """
    wanted = laid.wanted >= 0
    logits = bench.objective.logits(output, laid)
    found = log_softmax(logits[wanted.to(logits.device)]).cpu()
    if found.isnan().any() or found.gather(1, laid.wanted[wanted][:, None]).isinf().any():
        raise not_finite(bench, asked)
    return found


def not_finite(bench: Bench, asked: Steer | None) -> SeqsaeError:
    """The refusal of what the model says before (`asked` is None) or after a change."""
    name = bench.model.name
    if asked is None:
        return SeqsaeError(
            f"model {name!r}: its logits are NaN or infinite before steering; look at its weights and at what logits gives"
        )
    return SeqsaeError(
        f"model {name!r}: its logits are NaN or infinite after steering feature {asked.feature} ({asked.change.told}); "
        "change it by less, or see whether the model is the same in every pass (seqsae doctor)"
    )


def _identity(laid: Laid, wanted: Tensor, causal: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each scored position: its sample, the row of the sample that is predicted, and the row of the batch that predicts (-1: none)."""
    mask = laid.batch.mask.cpu()
    number = torch.where(mask, mask.flatten().cumsum(0).view(mask.shape) - 1, -1)
    within = mask.cumsum(1) - 1
    sample, position = wanted.nonzero(as_tuple=True)
    return sample.numpy(), within[sample, position + causal].numpy(), number[sample, position].numpy()


def names_of(model: SequenceModel, ids: Tensor) -> list[str]:
    """Tokens of ids [n]; the numbers themselves without a vocabulary."""
    words = model.vocabulary
    return [str(i) if words is None or i >= len(words) else str(words[i]) for i in ids.tolist()]
