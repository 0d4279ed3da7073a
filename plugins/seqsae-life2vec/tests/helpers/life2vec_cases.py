"""Records, vocabularies and small networks that several tests use."""

import numpy as np
import torch
from seqsae_life2vec.layout import Layout
from seqsae_life2vec.network import Life2VecEncoder
from seqsae_life2vec.shape import Shape, Start
from seqsae_life2vec.vocabulary import SPECIALS, Vocabulary

from seqsae.records.record import Record

CODES = ["A", "B", "C", "SEX//F"]
BORN = np.datetime64("1980-01-01", "us")
PLAIN = Layout(64, separators=False, birth_tokens=False, whole_units=False)


def record(codes, years, subject_id: int = 7, values=None) -> Record:
    """A record whose times are years of 365.25 days since BORN, None for a static row."""
    time = [
        np.datetime64("NaT", "us") if year is None else BORN + np.timedelta64(round(year * 31_557_600_000_000), "us")
        for year in years
    ]
    values = np.full(len(codes), np.nan) if values is None else np.array(values, float)
    return Record(0, subject_id, np.array(time, "datetime64[us]"), np.array(codes, object), values.astype(np.float32))


def life(n: int, subject_id: int = 7) -> Record:
    """A static row, a birth, then n events half a year apart."""
    return record(
        ["SEX//F", "MEDS_BIRTH"] + [CODES[i % 3] for i in range(n)],
        [None, 0] + [20 + i / 2 for i in range(n)],
        subject_id,
    )


def words(*more: str) -> Vocabulary:
    return Vocabulary([*SPECIALS, *CODES, *more])


def network(seed: int = 0, **shape) -> Life2VecEncoder:
    """Small, untrained, with open gates, so that every part of it shows in the output."""
    sizes = {
        "d_model": 16,
        "n_blocks": 2,
        "n_heads": 2,
        "d_hidden": 32,
        "days_per_unit": 365.25,
        "dropout": 0.0,
    } | shape
    torch.manual_seed(seed)
    return Life2VecEncoder(Shape(n_tokens=len(words()), **sizes), Start(1.0, 0.5, 0.5, True))
