"""What is drawn for all persons at once, so that margins come out nearly exact: clusters, splits, and spans of life."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from synthetic_lives import like_draw as draw

EVENTS, YEAR, AGE = 10.0, 2000.0, 40.0
"""Events a person, year and age of the first one, where a profile may not tell them."""
YEARS = (1701, 2248)
"""Calendar years that a time can lie in, wherever a profile's outer bins reach."""


@dataclass(frozen=True)
class Span:
    """How much of a life is recorded, an entry a person."""

    events: np.ndarray
    """Dated events, births and deaths apart."""
    year_first: np.ndarray
    """Calendar year of the first event."""
    year_last: np.ndarray
    """Calendar year of the last."""
    age_first: np.ndarray
    """Years since birth at the first event; nan where ages are unknown."""
    born: np.ndarray
    """Whether the record holds a birth."""
    dead: np.ndarray
    """Whether it holds a death."""

    def part(self, low: int, high: int) -> "Span":
        """The span of persons low to high-1."""
        return Span(*(getattr(self, name)[low:high] for name in self.__dataclass_fields__))


def spans(events: dict, n: int, rng: np.random.Generator) -> Span:
    """Spans of n persons. First and last year share a rank, so that no record ends before it begins."""
    count = draw.numbers(events["per_subject"], draw.ranks(n, rng), least=0.0, middle=EVENTS)
    year, age = draw.ranks(n, rng), draw.ranks(n, rng)
    lived = events["at_once"]["subjects"] if events["at_once"] else events["subjects"]
    years = [draw.numbers(events[name], year, missing=False, middle=YEAR) for name in ("year_first", "year_last")]
    return Span(
        np.nan_to_num(count).astype(np.int64),
        *(np.clip(np.nan_to_num(found, nan=YEAR), *YEARS).astype(np.int64) for found in years),
        draw.numbers(events["age_first"], age, least=0.0, missing=False, middle=AGE),
        *(draw.ranks(n, rng) < events[end] / max(lived, 1) for end in ("birth", "death")),
    )


def clusters(margin: dict | None, n: int, rng: np.random.Generator) -> np.ndarray:
    """[n] the cluster of each person, numbered in order; members follow one another."""
    if margin is None:
        return np.arange(n)
    by_person = draw.numbers(margin, draw.ranks(n, rng), least=1.0, missing=False)
    sizes = np.nan_to_num(by_person, nan=1.0).clip(max=n).astype(np.int64)
    # Drawn by person, a cluster of size s comes up s times too often: keep one in s.
    kept = sizes[rng.random(n) < 1.0 / sizes]
    kept = np.concatenate([kept, np.ones(max(n - kept.sum(), 0), dtype=np.int64)])
    return np.repeat(np.arange(len(kept)), kept)[:n]


def write_splits(
    folder: Path, margin: dict | None, ids: np.ndarray, cluster: np.ndarray, rng: np.random.Generator
) -> None:
    """metadata/subject_splits.parquet; clusters stay whole, and persons of an unnamed split have none."""
    if margin is None:
        return
    of_cluster = draw.categories(margin, draw.ranks(int(cluster.max()) + 1, rng))
    named = [None if split == "other" else split for split in of_cluster]
    table = pl.DataFrame({"subject_id": ids, "split": pl.Series([named[one] for one in cluster], dtype=pl.String)})
    table.drop_nulls("split").write_parquet(folder / "metadata" / "subject_splits.parquet")


def write_subjects(folder: Path, margin: dict | None, ids: np.ndarray | list[str], cluster: np.ndarray) -> None:
    """subjects.parquet with the clusters, where the profile has any."""
    if margin is not None:
        names = pl.Series(cluster).cast(pl.String).str.zfill(7)
        pl.DataFrame({"subject_id": ids, "cluster": "cluster-" + names}).write_parquet(folder / "subjects.parquet")
