"""Curves of who has a feature and who has not, against lifelines."""

import numpy as np
import polars as pl
import pytest
from associations import planted as study
from lifelines import AalenJohansenFitter, KaplanMeierFitter

from seqsae.associations import followed
from seqsae.associations.followed import interval
from seqsae.associations.room import associate
from seqsae.config import AssociateConfig

CONFIG = AssociateConfig(baselines=("token",), poolings=("presence", "rate"), min_support=3, permutations=0)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return study.planted(tmp_path_factory.mktemp("followed"))


def covariates(made, competing: bool):
    rng = np.random.default_rng(1)
    level = study.pooled(made.codes, made.store, "rate")[:, 0]
    end, censored, left = (rng.exponential(scale, study.N) for scale in (1.0, 6.0, 5.0))
    end = end / np.exp(2.5 * (level - level.mean()) / level.std())
    time = np.minimum(end, censored) if not competing else np.minimum(np.minimum(end, censored), left)
    columns = {"death.time": np.ceil(time * 20) / 20 + 0.05, "death.event": (end <= time) * 1.0}
    entry = {"name": "death", "type": "survival", "time": "t", "event": "d"}
    if competing:
        columns["death.competing"] = ((left <= time) & (end > time)) * 1.0
        entry["competing"] = "c"
    return study.covariates_of({name: list(values) for name, values in columns.items()}, [entry]), columns


@pytest.mark.parametrize("competing", [False, True])
def test_curves_are_those_of_lifelines_on_the_test_split(made, tmp_path, monkeypatch, competing):
    monkeypatch.setattr(followed, "STEPS", 10_000)
    given, columns = covariates(made, competing)
    found = associate(made.encoded, given, out=tmp_path, config=CONFIG).curves
    assert found["what"].unique().to_list() == ["incidence" if competing else "survival"]
    assert 0 in found["feature"] and found["feature"].n_unique() <= followed.DRAWN
    test = made.split == "test"
    for (feature, fires), rows in found.group_by("feature", "fires", maintain_order=True):
        on = study.pooled(made.codes, made.store, "rate")[:, feature] > 0
        here = test & (on == fires)
        time, event = columns["death.time"][here], columns["death.event"][here]
        assert rows["n"].unique().to_list() == [here.sum()]
        if competing:
            kind = np.where(columns["death.competing"][here] == 1, 2, event)
            fit = AalenJohansenFitter(calculate_variance=False, jitter_level=0).fit(
                *tied_apart(time, kind), event_of_interest=1
            )
            wanted = fit.cumulative_density_.iloc[:, 0]
            at = [wanted[wanted.index <= t + 1e-6].iloc[-1] for t in rows["time"]]
            np.testing.assert_allclose(rows["estimate"], at, atol=1e-9)
            assert rows["events"].sum() == (kind == 1).sum()
        else:
            fit = KaplanMeierFitter().fit(time, event)
            np.testing.assert_allclose(rows["estimate"], fit.survival_function_.loc[rows["time"].to_list()].iloc[:, 0])
            ends = fit.confidence_interval_.loc[rows["time"].to_list()].to_numpy()
            inside = (rows["estimate"] > 0).to_numpy()
            np.testing.assert_allclose(rows["ci_low"].to_numpy()[inside], ends[inside, 0], rtol=1e-6)
            np.testing.assert_allclose(rows["ci_high"].to_numpy()[inside], ends[inside, 1], rtol=1e-6)
            assert rows["events"].sum() == event.sum()
            assert rows["at_risk"].to_list() == [(time >= t).sum() for t in rows["time"]]


def tied_apart(time, kind):
    """lifelines wants no ties between kinds: nobody else is between, so that moving them by nothing changes nothing."""
    order = np.lexsort((kind == 0, time))
    shifted = time[order] + np.arange(len(time)) * 1e-9
    return shifted, kind[order]


def test_long_curves_are_thinned_and_keep_their_events(made, tmp_path, monkeypatch):
    given, _ = covariates(made, False)
    whole = associate(made.encoded, given, out=tmp_path / "a", config=CONFIG).curves
    monkeypatch.setattr(followed, "STEPS", 5)
    few = associate(made.encoded, given, out=tmp_path / "b", config=CONFIG).curves
    keys = ["feature", "fires"]
    assert few.group_by(keys).len()["len"].max() <= 5
    sums = [table.group_by(keys).agg(pl.col("events").sum()).sort(keys) for table in (whole, few)]
    assert sums[0].equals(sums[1])
    assert (
        few.join(whole, on=[*keys, "time"], how="inner")
        .select(pl.col("estimate") == pl.col("estimate_right"))
        .to_series()
        .all()
    )


def test_no_survival_covariate_no_curve(made, tmp_path):
    found = associate(made.encoded, made.covariates(), out=tmp_path, config=CONFIG).curves
    assert found.is_empty() and found.columns == [
        "covariate",
        "feature",
        "fires",
        "what",
        "n",
        "time",
        "estimate",
        "ci_low",
        "ci_high",
        "at_risk",
        "events",
    ]


def test_intervals_lie_within_0_and_1_and_are_none_at_the_ends():
    low, high = interval(np.array([1.0, 0.9, 0.1, 0.0]), np.array([0.0, 0.01, 0.01, np.nan]), False)
    assert np.isnan(low[[0, 3]]).all() and np.isnan(high[[0, 3]]).all()
    assert (
        (low[1:3] > 0).all()
        and (high[1:3] < 1).all()
        and (low[1:3] < [0.9, 0.1]).all()
        and (high[1:3] > [0.9, 0.1]).all()
    )
    mirrored = interval(np.array([0.1]), np.array([0.01]), True)
    np.testing.assert_allclose([1 - mirrored[1][0], 1 - mirrored[0][0]], [low[1], high[1]])
