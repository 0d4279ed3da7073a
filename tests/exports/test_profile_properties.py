"""What every profile promises, on many small random cohorts."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from seqsae.disclosure.policy import Policy
from seqsae.exports.profile import profile
from seqsae.records.data import Dataset, subjects_table

COVARIATES = {"covariates": [
    {"name": "group", "type": "categorical", "level": "subject", "role": "target"},
    {"name": "dose", "type": "continuous", "level": "subject", "role": "target"},
    {"name": "stage", "type": "ordinal", "level": "subject", "role": "target"},
]}  # fmt: skip
COUNTS = {"subjects", "missing", "other", "birth", "death"}


def cohort(seed: int, n: int, home: int) -> Dataset:
    """A random cohort: codes from everybody's to one person's, ties and gaps, missing values, households."""
    rng = np.random.default_rng(seed)
    rows = []
    for who in range(n):
        when = datetime(int(rng.integers(1990, 1994)), 1, 1)
        odds = 1.0 if seed % 2 else 0.93
        if rng.random() < odds:
            rows.append((who, datetime(1950 + int(rng.integers(30)), 1, 1), "MEDS_BIRTH", None))
        if rng.random() < 0.9:
            rows.insert(len(rows) - (len(rows) and rows[-1][0] == who), (who, None, f"S//{int(rng.integers(3))}", None))
        for _ in range(int(rng.geometric(0.2)) - int(rng.random() < 0.3)):
            when += timedelta(days=int(rng.integers(0, 3)) * int(rng.integers(1, 400)))
            code = int(rng.integers(1 + int(rng.integers(30))))
            rows.append(
                (
                    who,
                    when,
                    f"{'AB'[code % 2]}//{code}",
                    float(rng.normal()) if code == 0 and rng.random() < 0.7 else None,
                )
            )
    kinds = {"subject": pl.UInt32, "time": pl.Datetime("us"), "code": pl.String, "numeric_value": pl.Float32}
    table = pl.DataFrame(rows, schema=kinds, orient="row").with_columns(
        pl.int_range(pl.len(), dtype=pl.UInt32).over("subject").alias("event")
    )
    hole = rng.random() * 0.4
    covariates = pl.DataFrame({
        "subject": pl.Series(range(n), dtype=pl.UInt32),
        "group": [None if rng.random() < hole else "abcdef"[int(6 * rng.random() ** 3)] for _ in range(n)],
        "dose": [None if rng.random() < hole else float(rng.choice([0.0, 1.0, rng.normal(40, 20)])) for _ in range(n)],
        "stage": [None if rng.random() < hole else float(min(rng.geometric(0.4), 6)) for _ in range(n)],
    }, schema_overrides={"group": pl.String, "dose": pl.Float64, "stage": pl.Float64})  # fmt: skip
    subjects = subjects_table(list(range(n)), "random", [f"h{who // home}" for who in range(n)])
    return Dataset("events", subjects, table.select("subject", "event", "time", "code", "numeric_value"),
                   covariate_table=covariates, covariate_schema=COVARIATES)  # fmt: skip


def counts_in(document, name: str = "") -> list[int]:
    """Every count of subjects anywhere in a profile."""
    if isinstance(document, dict):
        return [number for key, value in document.items() if key != "policy" for number in counts_in(value, key)]
    if isinstance(document, list):
        return [number for value in document for number in counts_in(value)]
    return [document] if name in COUNTS else []


def partitions(known: dict) -> list[dict]:
    """Every margin whose cells hold each subject once."""
    events = known["events"]
    found = [margin for entry in known["covariates"] for margin in entry["margins"].values()]
    found += [events[name] for name in ("per_subject", "year_first", "year_last", "age_first", "age_last")]
    return found + ([known["clusters"]] if known["clusters"] else [])


def cells(margin: dict) -> list[int]:
    rows = [row["subjects"] for row in margin.get("bins", margin.get("levels"))]
    return [number for number in [*rows, margin.get("other", 0), margin.get("missing", 0)] if number]


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.integers(12, 90), st.integers(1, 2), st.sampled_from([(5, 5), (10, 5), (6, 3)]))
def test_no_count_and_no_difference_is_below_the_threshold(seed, n, home, thresholds):
    least, base = thresholds
    policy = Policy(min_subjects=least, min_clusters=5, round_to=base)
    data = cohort(seed, n, home)
    known = profile(data, policy)
    total = known["subjects"]
    for number in counts_in(known):
        assert number == 0 or number >= least and number % base == 0
        assert total - number == 0 or total - number >= least, "those left out of a cell are nobody or enough"
    for margin in partitions(known):
        slack = base * (len(cells(margin)) + 1) / 2
        assert abs(sum(cells(margin)) - total) <= slack, "the cells hold every subject, up to rounding"
    events = known["events"]
    lived = events["at_once"]["subjects"] if events["at_once"] else total
    gaps = [events["gap_days"]["subjects"]] if events["gap_days"] else []
    for number in [events["birth"], events["death"], *gaps, *(entry["subjects"] for entry in events["codes"])]:
        assert lived - number == 0 or lived - number >= least, "of those with dated events, too"
    for entry in events["codes"]:
        inside = [entry["values"]] if entry["values"] else []
        for part in [row for values in inside for row in [values, *values["bins"]]]:
            rest = entry["subjects"] - part["subjects"]
            assert rest == 0 or rest >= least


@settings(max_examples=12, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.integers(12, 90))
def test_what_a_cell_stands_for_was_truly_enough(seed, n):
    policy = Policy(min_subjects=5, min_clusters=5)
    data = cohort(seed, n, 1)
    known = profile(data, policy)
    dated = data.table.filter(pl.col("time").is_not_null())
    for entry in known["events"]["codes"]:
        mine = dated.filter(pl.col("code") == entry["code"])["subject"].n_unique()
        assert mine >= 5 or entry["code"].endswith("OTHER")
        assert entry["code"].endswith("OTHER") or abs(entry["subjects"] - mine) <= 4
    margins = {entry["schema"]["name"]: entry["margins"][entry["schema"]["name"]] for entry in known["covariates"]}
    for level in margins["group"]["levels"]:
        assert (data.covariate_table["group"] == level["value"]).sum() >= 5
    for row in margins["dose"]["bins"]:
        low, high = (row["low"], row["high"])
        inside = data.covariate_table["dose"].drop_nulls()
        inside = inside.filter(
            (inside >= (-np.inf if low is None else low)) & (inside < (np.inf if high is None else high))
        )
        assert len(inside) >= 5


@settings(max_examples=5, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.integers(20, 60))
def test_names_and_order_of_subjects_leave_no_trace(seed, n):
    data = cohort(seed, n, 1)
    turned = data.subjects.with_columns(pl.col("subject_id").reverse() + 10**6, pl.lit("elsewhere").alias("dataset"),
                                        pl.format("home of {}", "cluster").alias("cluster"))  # fmt: skip
    other = Dataset("events", turned, data.table.sample(fraction=1.0, shuffle=True, seed=1).sort("subject", "event"),
                    covariate_table=data.covariate_table.reverse(), covariate_schema=COVARIATES)  # fmt: skip
    assert profile(data, "dst") == profile(other, "dst")
