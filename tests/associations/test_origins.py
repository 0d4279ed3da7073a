"""Follow-up that begins before what a view shows ends: features of what came after are no finding."""

from datetime import datetime

import numpy as np
import polars as pl
import pytest
from associations.planted import covariates_of
from features.small_stores import Given, store_of

from seqsae.associations.room import associate
from seqsae.associations.targets import targets
from seqsae.caption_options import CaptionConfig
from seqsae.config import AssociateConfig
from seqsae.progress import shown
from seqsae.records.covariates import typed

DEATH = {"name": "death", "type": "survival", "time": "t", "event": "d"}
CONFIG = AssociateConfig(baselines=(), permutations=0, poolings=("presence",), captions=CaptionConfig(make=False))


@pytest.fixture(scope="module")
def immortal(tmp_path_factory):
    """States that begin at any time and change no hazard: who dies early has little time to show them."""
    rng, n = np.random.default_rng(0), 900
    death, censored = rng.exponential(12, n), rng.uniform(5, 15, n)
    time = np.minimum(death, censored)
    n_rows = 1 + rng.poisson(4 * time * rng.lognormal(0, 0.8, n))
    subject = np.repeat(np.arange(n), n_rows)
    when = rng.random(len(subject)) * time[subject]
    onset = rng.exponential(15, (n, 12))
    codes = (when[:, None] > onset[subject]) & (rng.random((len(subject), 12)) < 0.3)
    split = rng.choice(["train", "select", "test"], n, p=[0.1, 0.45, 0.45])
    store = store_of(tmp_path_factory.mktemp("immortal"), n_rows, split=split)
    return Given(store, codes), {"t": time.tolist(), "d": (death <= censored).astype(float).tolist()}


def follow_up(columns, **more):
    made = covariates_of(columns, [DEATH | more])
    return type(made)(typed(made.table, made.schema, "test"), made.schema, None)


def test_without_an_origin_no_verdict_is_better_than_inconclusive(immortal, tmp_path, capsys):
    encoded, columns = immortal
    with shown():
        found = associate(encoded, follow_up(columns), out=tmp_path, config=CONFIG).table
    assert (found["p_test_adjusted_holm"] < 0.05).any(), "the example must fool the tests, or it shows nothing"
    assert set(found["verdict"]) <= {"inconclusive", "not-replicated", "not-selected", "confounded"}
    assert found["note"].str.contains("what came after follow-up began").all()
    told = " ".join(capsys.readouterr().err.split())
    assert "its origin is not given" in told and "give origin record_end if that is so" in told


def test_the_example_fools_who_says_that_follow_up_begins_at_the_end_of_records(immortal, tmp_path):
    encoded, columns = immortal
    found = associate(encoded, follow_up(columns, origin="record_end"), out=tmp_path, config=CONFIG).table
    assert "supported" in set(found["verdict"])
    assert not found["note"].str.contains("follow-up began").any()


@pytest.mark.parametrize(("cut", "origin", "ahead"), [
    (False, None, True), (False, "record_end", False), (False, "prediction_time", True),
    (True, None, True), (True, "record_end", False), (True, "prediction_time", False),
])  # fmt: skip
def test_what_an_origin_allows(tmp_path, cut, origin, ahead):
    times = [datetime(2000, 1, 1)] * 20 if cut else None
    store = store_of(tmp_path, np.full(20, 3), times=times, view="cut" if cut else "full")
    aim = targets(follow_up({"t": [1.0] * 20, "d": [1.0] * 20}, origin=origin), store)[0]
    assert aim.looks_ahead == ahead and isinstance(aim.y, np.ndarray) and pl.Series(aim.y).is_not_nan().all()
