"""Survival covariates: when each subject came under observation, when that ended, and whether by the event."""

import polars as pl

from seqsae.errors import SeqsaeError

PARTS = ("time", "event", "entry", "competing")


def column_of(name: str, part: str) -> str:
    """Where a part of a survival covariate stands in the table of covariates."""
    return f"{name}.{part}"


def check_entry(entry: dict, where: str) -> None:
    """Raises SeqsaeError for a survival covariate that names no times, or holds for less than a subject; others pass."""
    if entry["type"] != "survival":
        return
    name = entry["name"]
    if entry["level"] != "subject":
        raise SeqsaeError(
            f"{where}: survival covariate {name!r} is of level {entry['level']}; it holds for whole subjects"
        )
    absent = [part for part in ("time", "event") if not entry.get(part)]
    if absent:
        raise SeqsaeError(f"{where}: survival covariate {name!r} names no column {absent[0]!r}; add it")


def follow_up(table: pl.DataFrame, entry: dict, where: str) -> list[pl.Series]:
    """`NAME.time`, `NAME.event` and, where the schema names them, `NAME.entry` and `NAME.competing`, all float64; null where missing.

    Raises:
        SeqsaeError: a column that is not there or holds no numbers (times) or no yes and no (events), a negative time, a subject who
            leaves no later than it enters, or no event at all; with the first row.
    """
    name, found = entry["name"], {}
    for part in PARTS:
        if entry.get(part) is None:
            continue
        column = entry[part]
        if column not in table.columns:
            raise SeqsaeError(
                f"{where}: survival covariate {name!r}: no column {column!r} for its {part}; found {', '.join(table.columns[:8])}"
            )
        read = _times if part in ("time", "entry") else _events
        found[part] = read(table[column], name, where).alias(column_of(name, part))
    time, entered = found["time"], found.get("entry")
    if entered is not None:
        _refuse(
            entered >= time,
            time,
            name,
            where,
            "enters at or after the end of its time; drop who was never under observation",
        )
    if not (found["event"] == 1).any():
        raise SeqsaeError(f"{where}: survival covariate {name!r}: nobody has the event; take it out of the schema")
    return list(found.values())


def _times(column: pl.Series, name: str, where: str) -> pl.Series:
    values = column.cast(pl.Float64, strict=False).fill_nan(None) if not column.dtype.is_temporal() else None
    lost = (
        None
        if values is None
        else column.is_not_null()
        & values.is_null()
        & ~(column.is_nan() if column.dtype.is_float() else pl.Series([False] * len(column)))
    )
    if values is None or lost.any():
        row = 0 if values is None else lost.arg_max()
        raise SeqsaeError(
            f"{where}: survival covariate {name!r}, column {column.name!r}, row {row}: {column[row]!r} is no number; give years or days"
        )
    _refuse(values < 0, values, name, where, "is negative; count time from an origin before all entries")
    _refuse(values.is_infinite(), values, name, where, "is infinite; give the end of observation")
    return values


def _events(column: pl.Series, name: str, where: str) -> pl.Series:
    text = column.cast(pl.String).str.to_lowercase()
    coded = text.replace_strict(
        {"true": 1.0, "1": 1.0, "1.0": 1.0, "yes": 1.0, "false": 0.0, "0": 0.0, "0.0": 0.0, "no": 0.0, "nan": None},
        default=-1.0,
        return_dtype=pl.Float64,
    )
    coded = pl.select(pl.when(text.is_null()).then(None).otherwise(coded)).to_series()
    wrong = (coded < 0).fill_null(False)
    if wrong.any():
        row = wrong.arg_max()
        raise SeqsaeError(
            f"{where}: survival covariate {name!r}, column {column.name!r}, row {row}: {column[row]!r} is neither yes nor no; give 1 and 0"
        )
    return coded


def _refuse(wrong: pl.Series, values: pl.Series, name: str, where: str, what: str) -> None:
    wrong = wrong.fill_null(False)
    if wrong.any():
        row = wrong.arg_max()
        raise SeqsaeError(
            f"{where}: survival covariate {name!r}, row {row} ({wrong.sum()} in all): {values[row]} {what}"
        )
