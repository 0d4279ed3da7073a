"""Features and region tables as annotations: a row a stretch of residues, counted from 0 in the sequence as given."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from seqsae.errors import SeqsaeError
from seqsae.progress import say
from seqsae.records.companions_spans import with_places
from seqsae.shelf import read_parquet
from seqsae_protein import asked
from seqsae_protein.categories import REPORTS, category, pieces
from seqsae_protein.feature_table import KEYS, Feature, span

COLUMNS = {
    "subject_id": pl.String,
    "start": pl.UInt32,
    "end": pl.UInt32,
    "covariate": pl.String,
    "value": pl.String,
    "instance": pl.Int64,
}
REGION_COLUMNS = [name for name in COLUMNS if name != "instance"]


def annotations(
    found: list[Feature], lengths: dict[str, int], wanted: Callable[[str], bool], uncertain: str = "take"
) -> pl.DataFrame:
    """A row a feature (two for a bond), in `COLUMNS`; `instance` numbers the features. What is left out is said.

    Args:
        lengths: residues of each sequence, by accession.
        wanted: whether a kind is to be kept.
        uncertain: `take` an end like `<1` at its number, or `leave` the feature out.
    Raises:
        SeqsaeError: a position that cannot be read, or outside its sequence.
    """
    rows, told = [], Counter()
    for number, feature in enumerate(found):
        if feature.accession not in lengths:
            told["of proteins that are not in the data: left out"] += 1
        elif not wanted(feature.kind):
            told["of kinds that are not asked for: left out"] += 1
        else:
            rows += _rows(feature, number, lengths[feature.accession], uncertain, told)
    for what, n in sorted(told.items()):
        say(f"{n:,} of {len(found):,} features {what}")
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


def _rows(feature: Feature, number: int, length: int, uncertain: str, told: Counter) -> list[tuple]:
    place = span(feature, length)
    if isinstance(place, str):
        told[f"{place}: left out"] += 1
        return []
    if not place.certain:
        told["with an uncertain end: " + ("taken at the number" if uncertain == "take" else "left out")] += 1
        if uncertain == "leave":
            return []
    value = category(feature)
    return [(feature.accession, *ends, feature.kind, value, number) for ends in pieces(feature, place)]


def regions(path: Path, lengths: dict[str, int], first: int) -> pl.DataFrame:
    """A region table (`subject_id, start, end, covariate, value`; from 0, half open), its rows numbered from `first` on.

    Raises SeqsaeError naming a column that is missing, the column and row of what is no place or not filled, or a region that
    ends outside its sequence.
    """
    table = read_parquet(path)
    missing = [name for name in REGION_COLUMNS if name not in table.columns]
    if missing:
        raise SeqsaeError(f"{path}: no column {missing[0]!r}; a region table has {', '.join(REGION_COLUMNS)}")
    table = with_places(table.select(REGION_COLUMNS), str(path))
    table = table.with_columns([_words(table[name], path) for name in ("subject_id", "covariate", "value")])
    known = pl.DataFrame(
        {"subject_id": list(lengths), "length": list(lengths.values())}, schema_overrides={"subject_id": pl.String}
    )
    joined = table.with_columns(instance=pl.int_range(first, first + pl.len(), dtype=pl.Int64)).join(
        known, on="subject_id", how="inner", maintain_order="left"
    )
    bad = joined.filter(pl.col("end") > pl.col("length"))
    if len(bad):
        name, start, end, covariate, _, number, length = bad.row(0)
        raise SeqsaeError(
            f"{path}, row {number - first + 1}: {covariate!r} from {start} to {end} in {name!r}, which has {length:,} residues; "
            "positions count from 0, ends are one past the last"
        )
    if len(joined) < len(table):
        say(f"{path}: {len(table) - len(joined):,} regions are of proteins that are not in the data: left out")
    return joined.drop("length")


def _words(column: pl.Series, path: Path) -> pl.Series:
    """The column as text. Raises SeqsaeError if it holds lists or bytes, or a row of it is empty."""
    if column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object):
        raise SeqsaeError(f"{path}, row 1: column {column.name!r} is {column.dtype}, not text; convert it first")
    words = column.cast(pl.String)
    empty = words.is_null() | (words == "") & (column.name != "value")
    if empty.any():
        row = int(empty.arg_max()) + 1
        raise SeqsaeError(f"{path}, row {row}: column {column.name!r} is empty; have every column filled in every row")
    return words


def kinds(features: Sequence[str] | str) -> Callable[[str], bool]:
    """Whether a kind of feature is asked for: by name or key, "all", or, of an empty list, all but `REPORTS`.

    Raises SeqsaeError for one that UniProt has not.
    """
    if features == "all":
        return lambda kind: True
    names = asked.texts("source proteins", "features", features, 'a list of kinds, as ["Domain", "BINDING"], or "all"')
    if not names:
        return lambda kind: kind not in REPORTS
    by_name = {name.lower(): kind for key, kind in KEYS.items() for name in (key, kind)}
    unknown = [name for name in names if name.lower() not in by_name]
    if unknown:
        raise SeqsaeError(f"source proteins: no kind of feature {unknown[0]!r}; UniProt has {', '.join(KEYS.values())}")
    chosen = {by_name[name.lower()] for name in names}
    return lambda kind: kind in chosen
