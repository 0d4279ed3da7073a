"""What is a row of a life, where it can be read, and what may be hidden: the same for the reference and original networks."""

import numpy as np
import torch
from torch import Tensor

from seqsae.errors import SeqsaeError
from seqsae.models.contract import Batch, Sample
from seqsae.records.record import Record
from seqsae_life2vec.tokenizer import PREFIX, Encoded

ROWS = ("events", "person")


def block_sites(i: int, d_model: int, d_hidden: int) -> dict[str, int]:
    """The sites of block i and their widths."""
    widths = {"": d_model, ".attention": d_model, ".mlp": d_model, ".mlp.hidden": d_hidden}
    return {f"blocks.{i}{part}": width for part, width in widths.items()}


def event_sample(life: Encoded, record: Record, length: int) -> Sample:
    """A row an event, and one a background row, which has no time."""
    row = life.row
    time = np.asarray(record.time).astype("datetime64[us]")[life.event[row]]
    time[life.moment[row] == PREFIX] = np.datetime64("NaT")
    return Sample(life, life.name, life.event[row], np.flatnonzero(row), length, time)


def person_sample(life: Encoded, length: int) -> Sample:
    """One row a life: its [CLS]."""
    nothing = np.zeros(1, np.int64)
    time = np.full(1, np.datetime64("NaT", "us"))
    return Sample(life, np.array(["[CLS]"]), nothing, nothing, length, time, role="pooled")


def check_rows(rows: str) -> None:
    """Raises SeqsaeError unless `rows` is one of ROWS."""
    if rows not in ROWS:
        raise SeqsaeError(f"life2vec: rows = {rows!r}; it must be 'events' or 'person'")


def check_where(batch: Batch, where: Tensor) -> None:
    """Raises SeqsaeError unless `where` is a bool tensor that is True on rows only."""
    if where.shape != batch.mask.shape or where.dtype != torch.bool or (where & ~batch.mask).any():
        raise SeqsaeError(
            "life2vec: hide(batch, where) takes a bool tensor [batch, positions] that is True on rows only"
        )
