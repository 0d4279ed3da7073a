"""Survival on a grid: the estimates are those of the curves, and every step holds enough."""

import numpy as np
import polars as pl
import pytest

from seqsae.associations.survival.curves import aalen_johansen, kaplan_meier
from seqsae.associations.survival.times import Times
from seqsae.disclosure.policy import NAMED
from seqsae.disclosure.steps import Follow, d8_curves, estimate_at

DEFAULT = NAMED["default"]


def people(n, seed, competing=False, cluster=1):
    rng = np.random.default_rng(seed)
    entry = rng.uniform(0, 1, n).round(2)
    time = entry + rng.exponential(4, n).round(2) + 0.01
    kind = rng.choice([0, 1, 2] if competing else [0, 1], n)
    who = {"subject": np.arange(n), "cluster": np.arange(n) // cluster, "fires": rng.random(n) < 0.4}
    return pl.DataFrame({**who, "entry": entry, "time": time, "kind": kind})


def at(curve, time):
    place = np.searchsorted(curve.time, time, side="right") - 1
    return (0.0 if curve.estimate[0] < 0.5 else 1.0) if place < 0 else curve.estimate[place]


@pytest.mark.parametrize("competing", [False, True])
def test_estimates_are_those_of_kaplan_meier_and_aalen_johansen(competing):
    table = people(300, 1, competing)
    times = Times(table["entry"].to_numpy(), table["time"].to_numpy(), table["kind"].to_numpy() == 1)
    curve = aalen_johansen(times, table["kind"].to_numpy())[0] if competing else kaplan_meier(times)[0]
    for moment in (0.5, 2.0, 5.0):
        estimate, at_risk = estimate_at(table, moment, competing)
        assert estimate == pytest.approx(at(curve, moment), abs=1e-12)
        assert at_risk == ((table["entry"] < moment) & (table["time"] >= moment)).sum()


def test_every_step_has_enough_events_and_enough_at_risk_and_no_time_is_anybodys():
    table = people(400, 2)
    made = d8_curves([Follow("died", 3, table)], DEFAULT)
    steps = {fires: [row for row in made.rows if row["fires"] == fires] for fires in (False, True)}
    assert len(made) >= 6 and [row["time"] for row in steps[False]] == [row["time"] for row in steps[True]]
    for fires, rows in steps.items():
        part, start = table.filter(pl.col("fires") == fires), 0.0
        for row in rows:
            events = part.filter(pl.col("kind") == 1, pl.col("time") > start, pl.col("time") <= row["time"])
            at_risk = part.filter(pl.col("entry") < row["time"], pl.col("time") >= row["time"])
            assert len(events) >= 10 and len(at_risk) >= 10 and abs(len(events) - row["events"]) <= 2.5
            assert row["events"] % 5 == 0 == row["at_risk"] % 5 and len(f"{row['time']:g}") <= 4
            start = row["time"]


@pytest.mark.parametrize("seed", range(6))
def test_what_the_last_step_leaves_of_all_events_is_nobody_or_enough(seed):
    table = people(140, seed)
    for fires in (False, True):
        times = [row["time"] for row in d8_curves([Follow("died", 3, table)], DEFAULT).rows if row["fires"] == fires]
        left = table.filter(pl.col("fires") == fires, pl.col("kind") == 1, pl.col("time") > max(times, default=0.0))
        assert not times or len(left) == 0 or len(left) >= 10


def test_few_events_or_few_households_show_nothing():
    few = people(60, 3).with_columns(kind=pl.when(pl.col("subject") < 8).then(1).otherwise(0))
    homes = people(300, 4, cluster=40)
    made = d8_curves([Follow("died", 1, few), Follow("died", 2, homes)], DEFAULT)
    assert not len(made) and sum(made.withheld.values()) == 2
