"""What blind ratings say: mean rating by source, agreement between raters, and whether the SAE's features are rated above the others."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from seqsae import schema, shelf
from seqsae.errors import SeqsaeError
from seqsae.pages.lines import aligned
from seqsae.pages.rating import SCALE, set_of
from seqsae.pages.rating_agreement import krippendorff
from seqsae.pages.rating_units import SOURCES

DRAWS = 4999
AGAIN = "export it again"


class Scores(NamedTuple):
    """What was rated and what it comes to."""

    ratings: pl.DataFrame
    """Schema `ratings`."""
    by_source: pl.DataFrame
    """Schema `rating_scores`."""
    alpha: float | None
    """Krippendorff's, ordinal; None with one rater."""


def score(folder: Path | str, files: Sequence[Path | str], *, seed: int = 0) -> Scores:
    """Read exported ratings of the set in `folder`, and write `ratings.parquet` and `scores.parquet` beside it, in `<folder>-scores`.

    Raises:
        SeqsaeError: a file is none of this set, or rates twice for one rater, or no unit was rated.
    """
    if not (Path(folder) / shelf.MANIFEST).is_file():
        raise SeqsaeError(f"{folder}: no set to rate there; make its pages first, with seqsae rate and no --score")
    artefact = shelf.open_artefact(folder, "rating")
    key = schema.check_table(artefact.table("key.parquet"), "rating_key", str(folder))
    rated = gathered(key, files)
    found = Scores(rated, by_source(rated, seed), alpha(rated))
    inputs = {"rating": artefact, "ratings": shelf.hash_table(rated)}

    def write(work: Path) -> None:
        shelf.write_table(work / "ratings.parquet", found.ratings)
        shelf.write_table(work / "scores.parquet", found.by_source)

    shelf.stage(Path(f"{artefact.path}-scores"), "rating-scores", {"seed": seed, "alpha": found.alpha}, inputs, write)
    return found


def gathered(key: pl.DataFrame, files: Sequence[Path | str]) -> pl.DataFrame:
    """Schema `ratings`: every rating of the files, with what was rated."""
    rows, seen = [], {}
    for path in map(Path, files):
        document = schema.check_document(_whole(shelf.read_json(path, AGAIN), path), "rating_file", str(path))
        if document["set"] != set_of(key):
            raise SeqsaeError(
                f"{path}: rates set {document['set']}, and this one is {set_of(key)}; give ratings of its pages"
            )
        if document["rater"] in seen:
            raise SeqsaeError(
                f"{path}: rater {document['rater']} has rated already, in {seen[document['rater']]}; give one file a rater"
            )
        seen[document["rater"]] = path
        rows += [
            (code, document["rater"], one["rating"], one.get("label") or None)
            for code, one in document["ratings"].items()
        ]
    table = pl.DataFrame(
        rows, schema={"code": pl.String, "rater": pl.Int32, "rating": pl.Int32, "label": pl.String}, orient="row"
    )
    strange = table.join(key, on="code", how="anti")
    if len(strange):
        raise SeqsaeError(
            f"ratings: there is no unit {strange['code'][0]!r} in the key; give files of this set's pages"
        )
    if table.is_empty():
        raise SeqsaeError("ratings: no unit was rated in any of the files; rate some and export again")
    return schema.check_table(
        table.join(key.select("code", "source", "unit"), on="code").sort("code", "rater"), "ratings", "ratings"
    )


def _whole(document: object, path: Path) -> object:
    """`document` itself. Raises SeqsaeError for signs that no text can hold, halves of a pair."""
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise SeqsaeError(f"{path}: holds half a sign, which is no text; {AGAIN}") from None
    return document


def alpha(rated: pl.DataFrame) -> float | None:
    """Krippendorff's alpha of the ratings, by order."""
    wide = rated.pivot("code", index="rater", values="rating").drop("rater")
    return krippendorff(wide.cast(pl.Float64).fill_null(float("nan")).to_numpy())


def by_source(rated: pl.DataFrame, seed: int = 0) -> pl.DataFrame:
    """Schema `rating_scores`: units are what is averaged, drawn anew for the intervals and permuted, not ratings."""
    rng = np.random.default_rng([seed, 11])
    mean = rated.group_by("code", "source", maintain_order=True).agg(rating=pl.col("rating").mean())
    of = {source: mean.filter(pl.col("source") == source)["rating"].to_numpy() for source in SOURCES}
    rows = []
    for source, values in of.items():
        if len(values):
            low, high = _interval(values, rng)
            less, p = (None, None) if source == "sae" or not len(of["sae"]) else _against(of["sae"], values, rng)
            rows.append((source, len(values), float(values.mean()), low, high, less, p))
    names = list(schema.columns("rating_scores"))
    return schema.check_table(
        pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None), "rating_scores", "scores"
    )


def _interval(values: np.ndarray, rng: np.random.Generator) -> tuple[float | None, float | None]:
    """95% percentile interval of the mean over draws of units; none of a single unit."""
    if len(values) < 2:
        return None, None
    draws = values[rng.integers(0, len(values), (DRAWS, len(values)))].mean(1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)


def _against(sae: np.ndarray, other: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """Mean of the features less that of the others, and its two-sided p over permutations of which unit is of which source."""
    both, n, seen = np.concatenate([sae, other]), len(sae), sae.mean() - other.mean()
    drawn = rng.permuted(np.tile(both, (DRAWS, 1)), axis=1)
    gap = drawn[:, :n].mean(1) - drawn[:, n:].mean(1)
    return float(seen), float((1 + (np.abs(gap) >= abs(seen) - 1e-12).sum()) / (1 + DRAWS))


def told(found: Scores) -> str:
    """In words and a table, for the terminal."""
    rows = [
        [
            row["source"], f"{row['units']}", f"{row['mean']:.2f}",
            "-" if row["ci_low"] is None else f"[{row['ci_low']:.2f}, {row['ci_high']:.2f}]",
            "-" if row["sae_less"] is None else f"{row['sae_less']:+.2f}", "-" if row["p"] is None else f"{row['p']:.4f}",
        ]
        for row in found.by_source.iter_rows(named=True)
    ]  # fmt: skip
    raters = found.ratings["rater"].n_unique()
    agreed = (
        "one rater: agreement unknown"
        if found.alpha is None
        else f"Krippendorff's alpha {found.alpha:.2f} (by order; 0: chance, 1: full)"
    )
    head = f"Ratings from 0 ({SCALE[0]}) to 3 ({SCALE[3]}) of {found.ratings['code'].n_unique()} units by {raters} raters; {agreed}."
    return head + "\n" + aligned(["source", "units", "mean", "95% interval", "SAE less it", "p"], rows)
