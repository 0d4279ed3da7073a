"""Events of a block of persons, drawn from the margins of a profile."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from synthetic_lives import like_draw as draw
from synthetic_lives.like_people import Span

DAY = 86_400.0
"""Seconds."""
YEAR = 365.25 * DAY
"""Seconds."""
GAP = 30.0
"""Days between two times with events, where a profile may not tell them."""
OLDEST = 100.0
"""Years of age at which records end, where a profile may not tell it."""
EARLIEST = int(np.datetime64("1700-01-01", "s").astype(np.int64))
"""Second before which nobody is born, so that every time is a possible one."""
SCHEMA = pa.schema(
    [
        pa.field("subject_id", pa.int64(), nullable=False),
        pa.field("time", pa.timestamp("us")),
        pa.field("code", pa.string(), nullable=False),
        pa.field("numeric_value", pa.float32()),
    ]
)


@dataclass(frozen=True)
class Times:
    """Dated events of all persons of a block, one after the other."""

    owner: np.ndarray
    """[events] person."""
    second: np.ndarray
    """[events] int64 seconds since 1970."""
    birth: np.ndarray
    """[persons] seconds since 1970 of the birth."""


def write_block(path: Path, events: dict, span: Span, first_id: int, rng: np.random.Generator) -> pl.DataFrame:
    """One MEDS data file of the persons first_id, first_id + 1, ...; returns its table."""
    static = _static(events, len(span.events), rng)
    alone = np.setdiff1d(np.flatnonzero(span.events == 0), static["owner"].to_numpy())
    span.events[alone] = 1  # a person without any row would be in no file
    times = _times(events, span, rng)
    lived = pl.DataFrame({"owner": times.owner, "second": times.second, "rank": np.ones(len(times.owner), np.int64)})
    lived = lived.with_columns(*_coded(events["codes"], len(lived), rng))
    table = pl.concat([static, _ends(span, times), lived])
    table = table.sort("owner", pl.col("second").is_not_null(), "second", "rank", maintain_order=True)
    micro = (pl.col("second") * 1_000_000).cast(pl.Datetime("us"))
    table = table.select((pl.col("owner") + first_id).alias("subject_id"), micro.alias("time"), "code", "numeric_value")
    pq.write_table(table.to_arrow().cast(SCHEMA), path, compression="zstd")
    return table


def _static(events: dict, n: int, rng: np.random.Generator) -> pl.DataFrame:
    """Rows without a time: each code for its share of persons, whatever else they have."""
    owners, codes = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for index, entry in enumerate(events["static_codes"]):
        has = np.flatnonzero(rng.random(n) < entry["subjects"] / max(events["subjects"], 1))
        owners.append(has)
        codes.append(np.full(len(has), index))
    owner, code = np.concatenate(owners), np.concatenate(codes)
    frame = pl.DataFrame({"owner": owner, "second": pl.Series([None] * len(owner), dtype=pl.Int64)})
    return frame.with_columns(pl.lit(0, pl.Int64).alias("rank"), *_named(events["static_codes"], code, rng))


def _times(events: dict, span: Span, rng: np.random.Generator) -> Times:
    """When: gaps and events at one time as drawn, stretched or squeezed where a record would not end in its last year."""
    some = span.events > 0
    owner = np.repeat(np.arange(len(some)), span.events)
    start = np.cumsum(span.events) - span.events
    new = _moments(events, span, start, rng)
    gap = np.nan_to_num(draw.numbers(events["gap_days"], rng.random(len(owner)), least=0.0, middle=GAP)) * DAY
    gap[start[some]] = 0.0
    run = np.cumsum(np.where(new, gap, 0.0))
    offset = run - np.repeat(run[start[some]], span.events[some])
    full = np.zeros(len(some))
    full[some] = offset[(start + span.events - 1)[some]]
    first, length = _frame(events, span, full, rng)
    scale = length / np.maximum(full, 1.0)
    second = first[owner] + np.floor(offset * scale[owner]).astype(np.int64)
    if _whole_days(events):
        second = second // int(DAY) * int(DAY)
    age = np.nan_to_num(span.age_first) + rng.random(len(some))
    birth = np.maximum(first - (age * YEAR).astype(np.int64), EARLIEST)
    return Times(owner, second, birth // int(DAY) * int(DAY))


def _whole_days(events: dict) -> bool:
    return events["gap_days"] is None or events["gap_days"]["integer"]


def _moments(events: dict, span: Span, start: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """[events] whether an event stands at a time of its own, or is the first of those that share one."""
    total = int(span.events.sum())
    size = np.nan_to_num(draw.numbers(events["at_once"], rng.random(total), least=1.0, middle=1.0), nan=1.0).astype(
        np.int64
    )
    before = np.cumsum(size) - size
    some = span.events > 0
    place = before - np.repeat(before[start[some]], span.events[some])  # where in its record such a group begins
    begins = np.repeat(start, span.events) + place
    new = np.zeros(total, dtype=bool)
    new[begins[place < np.repeat(span.events, span.events)]] = True
    return new


def _frame(events: dict, span: Span, full: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """[persons] second of the first event, and seconds from there to the last, as near to `full` as years and ages allow.

    The first event falls where in its year a record of `full` seconds ends in its last year, if there is such a place.
    """
    year, last = _new_year(span.year_first), _new_year(np.maximum(span.year_last, span.year_first))
    most = 365 * DAY - 1
    low, high = (year + np.clip(end - full - year, 0.0, most) for end in (last, last + most))
    nowhere = high <= low
    low, high = np.where(nowhere, year, low), np.where(nowhere, year + most, high)
    first = (low + rng.random(len(full)) * (high - low)).astype(np.int64)
    if _whole_days(events):
        first = np.maximum(first // int(DAY) * int(DAY), year)
    oldest = draw.numbers(events["age_last"], np.array([1 - 1e-9]), missing=False, middle=OLDEST)[0] + 1
    by_age = np.where(span.born, np.maximum(oldest - span.age_first, 0.0) * YEAR, np.nan)
    # A record ends in whole days: one more, so that it is not cut back into the year before.
    least = np.where(last > first, last - first + DAY, 0.0)
    length = np.clip(full, least, np.maximum(last + most - first, least))
    return first, np.where(full > 0, np.minimum(length, np.nan_to_num(by_age, nan=np.inf)), 0.0)


def _new_year(year: np.ndarray) -> np.ndarray:
    """Second at which a calendar year begins."""
    return (year - 1970).astype("datetime64[Y]").astype("datetime64[s]").astype(np.int64)


def _ends(span: Span, times: Times) -> pl.DataFrame:
    """Births before, deaths with the last event of a record."""
    last = np.full(len(span.events), np.iinfo(np.int64).min)
    np.maximum.at(last, times.owner, times.second)
    dead = np.flatnonzero(span.dead & (span.events > 0))
    born = np.flatnonzero(span.born)
    return pl.DataFrame(
        {
            "owner": np.concatenate([born, dead]),
            "second": np.concatenate([times.birth[born], last[dead]]),
            "rank": np.concatenate([np.zeros(len(born), np.int64), np.full(len(dead), 2)]),
            "code": pl.Series(["MEDS_BIRTH"] * len(born) + ["MEDS_DEATH"] * len(dead), dtype=pl.String),
            "numeric_value": pl.Series([None] * (len(born) + len(dead)), dtype=pl.Float32),
        }
    )


def _coded(entries: list[dict], n: int, rng: np.random.Generator) -> list[pl.Series]:
    """code and numeric_value of n events, each code in proportion to its occurrences."""
    entries = entries or [
        {"code": "OTHER", "subjects": 1, "per_subject": None, "values": None}
    ]  # no code of the data may be named
    weight = np.array([entry["subjects"] * (entry["per_subject"] or 1.0) for entry in entries])
    at, _ = draw.pick(weight, rng.random(n))
    return _named(entries, at, rng)


def _named(entries: list[dict], at: np.ndarray, rng: np.random.Generator) -> list[pl.Series]:
    """code and numeric_value of the entries at `at`."""
    value = np.full(len(at), np.nan)
    order = np.argsort(at, kind="stable")
    bounds = np.searchsorted(at[order], np.arange(len(entries) + 1))
    for index, entry in enumerate(entries):
        margin = entry["values"]
        if margin:
            here = order[bounds[index] : bounds[index + 1]]
            drawn = draw.numbers(margin, rng.random(len(here)))
            value[here] = np.where(rng.random(len(here)) < margin["share"], drawn, np.nan)
    value = np.clip(value, -draw.FLOAT32, draw.FLOAT32)
    names = pl.Series("code", [entry["code"] for entry in entries], dtype=pl.String)
    return [
        names.gather(at) if len(at) else names.clear(),
        pl.Series("numeric_value", value.astype(np.float32)).fill_nan(None),
    ]
