"""One row a subject: the rows of a record drawn together behind the same interface."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seqsae.errors import NoObjective, SeqsaeError
from seqsae.models import layout, masks
from seqsae.models.contract import Batch, Sample, SequenceModel
from seqsae.models.sites import POOLS, locate, parse
from seqsae.records.record import Record

TOKEN = "[pooled]"


@dataclass(frozen=True)
class PooledBatch(Batch):
    """A batch with one row a subject; `inner` is the same batch with a row a position."""

    inner: Batch | None = None


class Pooled(SequenceModel):
    """Another model with one row a subject, of role `pooled`, at position 0 and without a time.

    Its sites end in how rows become one: `@mean` is the mean of a subject's rows, `@last` its last row, `@cls` the state at
    the first position that the model attends to (special tokens count), `@pooled` what the module itself gives, [B, d].
    A record without rows has no pooled row.

    What is put in the place of a mean shifts every row of the subject by the new mean less the old one, so that the mean is
    the new one and the rows keep what sets them apart; the others stand where they were read.
    """

    def __init__(self, inner: SequenceModel, sites: Iterable[str]):
        self.inner = inner
        options = {"name": inner.name, "pad_invariant": inner.pad_invariant, "vocabulary": inner.vocabulary}
        options |= {"config": inner.config, "device": inner.device, "batch_first": inner.batch_first}
        super().__init__(inner.module, sites, attention="bidirectional", **options)
        self.options = inner.options

    def check_spelling(self, site: str) -> None:
        if locate(self.module, site)[1].pool is None:
            raise SeqsaeError(
                f"site {site!r}: a row a position stands beside no row a subject; give all sites of a model an @, or none"
            )

    @property
    def preparation(self) -> str:
        return f"pooled {self.inner.preparation}"

    def prepare(self, record: Record) -> Sample:
        sample = self.inner.prepare(record)
        n = min(1, len(sample))
        nothing, token = np.zeros(n, np.int64), np.full(n, TOKEN, dtype=object)
        return Sample(sample, token, nothing, nothing, sample.length, role="pooled", parts=sample.parts)

    def collate(self, samples: list[Sample]) -> PooledBatch:
        inner = self.inner.collate([sample.inputs for sample in samples])
        mask = torch.zeros(len(inner.mask), 1, dtype=torch.bool)
        mask[_first_parts(samples)] = True
        return PooledBatch(inner.inputs, mask, samples, inner)

    def ids(self, batch: Batch) -> Tensor:
        raise NoObjective(f"model {self.name!r}: a pooled row says no tokens; give loss=")

    def logits(self, output: Any) -> Tensor:
        return self.inner.logits(output)

    def account(self) -> list[str]:
        return self.inner.account()

    def read(self, site: str, value: Any, batch: PooledBatch) -> Tensor:
        pool = parse(site).pool
        if pool == "pooled":
            return layout.wide(self._vectors(site, value, batch)[_first_parts(batch.samples)])
        if pool == "cls":
            return layout.wide(self._padded(site, value, batch.inner.mask)[_first_positions(batch)])
        rows, counts = self.inner.read(site, value, batch.inner), _counts(batch)
        if pool == "last":
            return rows[np.cumsum(counts) - 1]
        return torch.stack([part.mean(0) for part in rows.split(counts)]) if counts else rows

    def write(self, site: str, value: Any, batch: PooledBatch, rows: Tensor) -> Any:
        pool = parse(site).pool
        if pool == "pooled":
            changed = self._vectors(site, value, batch).clone()
            changed[_first_parts(batch.samples)] = rows.to(changed)
            return changed.view_as(value)
        if pool == "cls":
            changed = self._padded(site, value, batch.inner.mask).clone()
            changed[_first_positions(batch)] = rows.to(changed)
            return layout.back(changed, value, self.batch_first)
        old, counts = self.inner.read(site, value, batch.inner), _counts(batch)
        if pool == "last":
            new = old.clone()
            new[np.cumsum(counts) - 1] = rows.to(old)
        else:
            shift = rows.to(old) - self.read(site, value, batch)
            new = old + shift.repeat_interleave(torch.tensor(counts, device=old.device), 0)
        return self.inner.write(site, value, batch.inner, new)

    def _vectors(self, site: str, value: Any, batch: PooledBatch) -> Tensor:
        """[B, d] of a module that gives one vector a sequence. Raises SeqsaeError for any other shape."""
        n = len(batch.inner.mask)
        if isinstance(value, Tensor) and value.is_floating_point() and value.numel() and value.numel() % n == 0:
            squeezed = value.reshape(-1, value.shape[-1])
            if len(squeezed) == n:
                return squeezed
        shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise SeqsaeError(
            f"site {site!r} of model {self.name!r} gives {shape}, expected ({n}, width), a vector a sequence; for a row a "
            "position say @mean, @last or @cls, for one of several layers choose it, as in gru:out.1.-1@pooled"
        )


def pooled(model: SequenceModel, how: str) -> Pooled:
    """`model` with one row a subject at each of its sites. Raises SeqsaeError unless `how` is mean, cls, last or pooled."""
    if how not in POOLS:
        raise SeqsaeError(f"model {model.name!r}: pool = {how!r}; it must be one of {', '.join(POOLS)}")
    return Pooled(model, [f"{site}@{how}" for site in model.sites])


def _counts(batch: PooledBatch) -> list[int]:
    """Rows of each subject that has any."""
    return [len(sample.inputs) for sample in batch.samples if len(sample)]


def _first_parts(samples: list[Sample]) -> np.ndarray:
    """Row of the module's batch at which each subject with rows begins."""
    starts = np.cumsum([0, *(sample.parts for sample in samples)])[:-1]
    return starts[[len(sample) > 0 for sample in samples]]


def _first_positions(batch: PooledBatch) -> tuple[np.ndarray, Tensor | int]:
    """Where in [B, T] the first attended position of each subject with rows is."""
    rows, real = _first_parts(batch.samples), masks.real(batch.inputs)
    if real is None or real.shape != batch.inner.mask.shape:
        return rows, 0
    return rows, real.int().argmax(1)[rows]
