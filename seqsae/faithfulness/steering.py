"""What the model predicts with one feature changed, token by token."""

from typing import NamedTuple

import numpy as np
import polars as pl
import torch
from torch import Tensor

from seqsae import schema
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
    """Schema `steered`: a row a scored position."""
    turns, parts = bench.objective.turns(told), []
    for group in track(list(groups(bench.model, [turn.sample for turn in turns], bench.budget)), "steer"):
        chosen = [turns[i] for i in group]
        seen = look(bench, chosen)
        by = [asked.by(bench, seen, i) for i in range(len(chosen))]
        output, _ = pushed(bench, [Push(turn, asked.feature, one) for turn, one in zip(chosen, by, strict=True)])
        whole = torch.cat([seen.values(i, asked.feature) for i in range(len(chosen))])
        places = np.array([turn.place for turn in chosen])
        parts.append(_rows(bench, told, seen, (output, torch.cat(by), whole), places))
    table = pl.concat(parts).sort("sample", "position")
    return schema.check_table(table, "steered", "steered")


def _rows(bench: Bench, told: Shown, seen: Look, after: tuple, places: np.ndarray) -> pl.DataFrame:
    output, by, f = after
    laid = seen.laid
    wanted = laid.wanted >= 0
    ids = laid.wanted[wanted].tolist()
    p, q = (
        log_softmax(bench.objective.logits(one, laid)[wanted.to(_where(bench, one))]).cpu()
        for one in (seen.output, output)
    )
    sample, row, said_at = _identity(laid, wanted, bench.model.attention == "causal")
    of = [laid.batch.samples[i] for i in sample]
    at = torch.tensor(ids)[:, None]
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
            "kl": kl(p, q).numpy(),
        },
        schema_overrides={"token": pl.String, "top": pl.String, "top_steered": pl.String},
    )


def _where(bench: Bench, output) -> torch.device:
    return bench.model.logits(output).device


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
