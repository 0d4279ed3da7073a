"""Survival covariates: when each subject came under observation, when that ended, and whether by the event."""

import polars as pl

from seqsae.errors import SeqsaeError
from seqsae.progress import say
from seqsae.records.columns import as_numbers, listed, plain, short, tidy

PARTS = ("time", "event", "entry", "competing")
MEANT = {"time": "years or days", "entry": "years or days", "event": "1 and 0", "competing": "1 and 0"}
MISSING = {
    "time": "a time",
    "entry": "an entry",
    "event": "word of the event",
    "competing": "word of a competing event",
}
YES_AND_NO = {"true": 1.0, "1": 1.0, "1.0": 1.0, "yes": 1.0, "false": 0.0, "0": 0.0, "0.0": 0.0, "no": 0.0}


def column_of(name: str, part: str) -> str:
    """Where a part of a survival covariate stands in the table of covariates."""
    return f"{name}.{part}"


def columns_of(entry: dict) -> list[str]:
    """Where the parts that a survival entry names stand in the table of covariates."""
    return [column_of(str(entry.get("name")), part) for part in PARTS if entry.get(part)]


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
        SeqsaeError: a column that is not there or holds no numbers (times) or no yes and no (events), a time of zero or less, a
            subject who leaves no later than it enters or has both events, or no event at all; with the first row.
    """
    told, found = f"{where}: survival covariate {entry['name']!r}", {}
    for part in PARTS:
        if entry.get(part) is None:
            continue
        column = entry[part]
        if column not in table.columns:
            raise SeqsaeError(f"{told}: no column {column!r} for its {part}; found {listed(table.columns, 8)}")
        if not plain(table[column]):
            raise SeqsaeError(f"{told}, column {column!r} is {table[column].dtype}; give {MEANT[part]}")
        read = _times if part in ("time", "entry") else _events
        found[part] = read(tidy(table[column]), told, part).alias(column_of(entry["name"], part))
    _check_together(found, told)
    _say_left_out(found, told)
    return list(found.values())


def _check_together(found: dict[str, pl.Series], told: str) -> None:
    time, event, entered = found["time"], found["event"], found.get("entry")
    if entered is None:
        _refuse(time == 0, time, told, "is no time under observation; leave it empty, or give half a unit")
    else:
        late = entered >= time
        what = "is no later than the entry ({}); leave empty the time of who was never under observation"
        _refuse(
            late, time, told, what.format(entered.filter(late.fill_null(False)).head(1).item() if late.any() else "")
        )
    if "competing" in found:
        both = (event == 1) & (found["competing"] == 1)
        _refuse(both, time, told, "ends by the event and by a competing one; say yes to the first of them alone")
    seen = (event == 1) & time.is_not_null()
    if not seen.any():
        raise SeqsaeError(f"{told}: nobody has the event; take it out of the schema")


def _say_left_out(found: dict[str, pl.Series], told: str) -> None:
    """Tells of subjects of whom a part is known and another is not: nothing can be said of them."""
    known = pl.DataFrame([values.is_not_null().alias(part) for part, values in found.items()])
    half = known.filter(pl.any_horizontal(pl.all()) & ~pl.all_horizontal(pl.all()))
    if len(half):
        gaps = ", ".join(f"{(~half[part]).sum():,} without {MISSING[part]}" for part in found if not half[part].all())
        say(f"{told}: {len(half):,} of {len(known):,} subjects are left out, of whom a part is missing: {gaps}")


def _times(column: pl.Series, told: str, part: str) -> pl.Series:
    """[n] float64."""
    values = as_numbers(column).fill_nan(None) if not column.dtype.is_temporal() else pl.Series([None] * len(column))
    lost = column.is_not_null() & values.is_null()
    if lost.any():
        row = lost.arg_max()
        raise SeqsaeError(
            f"{told}, column {column.name!r}, row {row}: {short(column[row])!r} is no number; give {MEANT[part]}"
        )
    _refuse(values < 0, values, told, "is negative; count time from an origin before all entries")
    _refuse(values.is_infinite(), values, told, "is infinite; give the end of observation")
    return values


def _events(column: pl.Series, told: str, part: str) -> pl.Series:
    """[n] 1.0 or 0.0."""
    text = column.cast(pl.String).str.strip_chars().str.to_lowercase()
    text = pl.select(pl.when(text != "nan").then(text)).to_series()
    coded = text.replace_strict(YES_AND_NO, default=None, return_dtype=pl.Float64)
    wrong = text.is_not_null() & coded.is_null()
    if wrong.any():
        row = wrong.arg_max()
        raise SeqsaeError(
            f"{told}, column {column.name!r}, row {row}: {short(column[row])!r} is neither yes nor no; give {MEANT[part]}"
        )
    return coded


def _refuse(wrong: pl.Series, values: pl.Series, told: str, what: str) -> None:
    wrong = wrong.fill_null(False)
    if wrong.any():
        row = wrong.arg_max()
        raise SeqsaeError(f"{told}, row {row} ({wrong.sum()} in all): {values[row]} {what}")
