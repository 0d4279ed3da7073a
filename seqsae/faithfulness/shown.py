"""What the model is shown when it is judged: the samples of some subjects of a split."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import polars as pl

from seqsae.activations.batches import bucketed
from seqsae.activations.views import view_of
from seqsae.errors import NoObjective, SeqsaeError
from seqsae.models.contract import Sample, SequenceModel
from seqsae.records.data import Dataset


@dataclass(frozen=True)
class Shown:
    """S samples of a view, those without a row left out."""

    samples: list[Sample]
    numbers: np.ndarray
    """[S] number of each sample in its view."""
    subjects: np.ndarray
    """[S] subject of each sample."""
    clusters: np.ndarray
    """[S] int, which cluster each sample is of; samples of one cluster are no independent witnesses."""

    def __len__(self) -> int:
        return len(self.samples)


def shown(model: SequenceModel, data: Dataset, view: str, split: str, n_subjects: int, seed: int) -> Shown:
    """The samples of at most `n_subjects` subjects of a split, drawn with a seed.

    Raises:
        SeqsaeError: no such view, nobody in the split, or records without a row; whatever the model says of a record.
        NoObjective: a record takes several windows.
    """
    seen = view_of(data, view)
    there = np.intersect1d(data.in_split(split), seen.subjects)
    if not len(there):
        raise SeqsaeError(f"view {view!r}: no subject in the {split} split; choose another split, or give more data")
    drawn = np.sort(np.random.default_rng([seed, len(there)]).permutation(there)[:n_subjects])
    numbers = np.flatnonzero(np.isin(seen.subjects, drawn))
    with plainly(f"model {model.name!r} fails on a record of the {split} split"):
        samples = [model.prepare(seen.record(data, int(number))) for number in numbers]
    if any(sample.parts > 1 for sample in samples):
        raise NoObjective(
            f"model {model.name!r} reads long records in windows, whose predictions are not judged yet; give it shorter ones, or truncate"
        )
    kept = np.array([len(sample) > 0 for sample in samples], bool)
    if not kept.any():
        raise SeqsaeError(f"view {view!r}: the subjects of the {split} split have no rows; are their records empty?")
    numbers = numbers[kept]
    subjects = seen.subjects[numbers].astype(np.int64)
    return Shown([samples[i] for i in np.flatnonzero(kept)], numbers, subjects, _clusters(data, subjects))


def groups(model: SequenceModel, samples: Sequence[Sample], budget: int) -> Iterator[np.ndarray]:
    """Indices of `samples` in batches of at most `budget` padded positions, shortest first."""
    lengths = np.array([sample.length for sample in samples], dtype=np.int64)
    return bucketed(lengths, budget, not model.pad_invariant)


@contextmanager
def plainly(what: str) -> Iterator[None]:
    """Whatever a stranger's code raises, as one line that begins with `what`."""
    try:
        yield
    except (SeqsaeError, OSError):
        raise
    except Exception as cause:  # a stranger's code can raise anything
        raise SeqsaeError(f"{what}: {type(cause).__name__}: {cause}; seqsae.testing.check_model shows where") from cause


def _clusters(data: Dataset, subjects: np.ndarray) -> np.ndarray:
    names = data.subjects["cluster"].cast(pl.String).to_numpy()[subjects]
    return np.unique(names, return_inverse=True)[1].astype(np.int64)
