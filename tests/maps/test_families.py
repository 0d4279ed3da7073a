"""Families: what is planted is found from either side, counts and intervals are those of plain loops, chance gives nothing."""

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp
from scipy import stats

from seqsae import schema
from seqsae.maps import families as module
from seqsae.maps.families import families, firing_of
from seqsae.maps.lift import lifts

N, CLUSTER = 4000, np.repeat(np.arange(400), 10)


@pytest.fixture(scope="module")
def planted() -> tuple[np.ndarray, np.ndarray]:
    """Codes [N, 12] and directions: 1 is inside 0; 2 and 3 fire together; 4 and 5 split one meaning; 6 and 7 are twins; 8 is dead."""
    rng = np.random.default_rng(0)
    x = rng.random((N, 12)) < 0.05
    x[:, 0] = rng.random(N) < 0.4
    x[:, 1] = x[:, 0] & (rng.random(N) < 0.3)
    x[:, 3] = np.where(rng.random(N) < 0.6, x[:, 2], x[:, 3])
    either, half = rng.random(N) < 0.3, rng.random(N) < 0.5
    x[:, 4], x[:, 5] = either & half, either & ~half
    x[:, 8] = False
    directions = np.linalg.qr(rng.normal(size=(16, 16)))[0][:12]
    directions[5] = 0.5 * directions[4] + 0.8 * directions[5]
    directions[7] = directions[6] + 0.1 * directions[7]
    return x.astype(np.float32), directions


@pytest.fixture(scope="module")
def found(planted) -> pl.DataFrame:
    x, directions = planted
    return families(directions, firing_of(sp.csr_array(x), CLUSTER), np.arange(12) != 8, 0.7)


def test_each_planted_pair_is_found_from_either_side_and_nothing_else(found):
    assert found.equals(schema.check_table(found, "families", "test"))
    assert found.select("feature", "other", "kind").rows() == [
        (0, 1, "child"), (1, 0, "parent"), (2, 3, "co-firing"), (3, 2, "co-firing"), (4, 5, "exclusive"), (5, 4, "exclusive"),
        (6, 7, "twin"), (7, 6, "twin"),
    ]  # fmt: skip


def test_numbers_are_those_of_two_columns(planted, found):
    x, directions = planted
    for row in found.iter_rows(named=True):
        a, b = x[:, row["feature"]], x[:, row["other"]]
        assert (row["n"], row["n_other"], row["n_both"], row["n_rows"]) == (a.sum(), b.sum(), (a * b).sum(), N)
        assert row["overlap"] == pytest.approx((a * b).sum() / np.maximum(a, b).sum())
        assert row["phi"] == pytest.approx(np.corrcoef(a, b)[0, 1], rel=1e-4)
        assert row["lift"] == pytest.approx((a * b).mean() / a.mean() / b.mean())
        assert row["n_clusters"] == len(np.unique(CLUSTER[a * b > 0]))
        u, v = directions[row["feature"]], directions[row["other"]]
        assert row["cosine"] == pytest.approx(u @ v / np.linalg.norm(u) / np.linalg.norm(v), abs=1e-6)
        assert row["lift_low"] <= row["lift"] <= row["lift_high"]


def test_blocks_change_nothing(planted, found, monkeypatch):
    x, directions = planted
    monkeypatch.setattr(module, "CELLS", 12 * 16)
    wide = sp.csr_array(np.hstack([x, np.zeros((N, 30))]))
    more = np.vstack([directions, np.zeros((30, 16))])
    assert found.equals(families(more, firing_of(wide, CLUSTER), np.isin(np.arange(42), np.r_[0:8, 9:12]), 0.7))


def test_the_variance_is_that_of_the_jackknife_over_clusters():
    rng = np.random.default_rng(1)
    often = rng.random((60, 1)) < 0.5  # clusters differ
    cluster = np.repeat(np.arange(60), 20)
    x = (rng.random((1200, 2)) < np.where(often[cluster], 0.5, 0.2)).astype(np.float32)
    got = lifts(firing_of(sp.csr_array(x), cluster), np.array([0]), np.array([1])).row(0, named=True)

    def log_lift(rows: np.ndarray) -> float:
        a, b = rows.T
        return np.log((a * b).mean() / a.mean() / b.mean())

    without = np.array([log_lift(x[cluster != c]) for c in range(60)])
    se = np.sqrt(59 / 60 * ((without - without.mean()) ** 2).sum())
    wide = stats.t.ppf(0.975, 59) * se
    assert np.log(got["lift_high"] / got["lift"]) == pytest.approx(wide, rel=0.05)
    assert np.log(got["lift"] / got["lift_low"]) == pytest.approx(wide, rel=0.05)


def test_intervals_hold_the_truth_for_features_that_differ_by_cluster():
    rng, held = np.random.default_rng(2), 0
    cluster = np.repeat(np.arange(50), 10)
    for _ in range(60):
        # Both are more often on in some clusters: the lift of the population is E[p^2] / E[p]^2.
        p = rng.choice([0.1, 0.4], size=(50, 1))[cluster]
        x = (rng.random((500, 6)) < p).astype(np.float32)
        a, b = np.array([0, 2, 4]), np.array([1, 3, 5])
        got = lifts(firing_of(sp.csr_array(x), cluster), a, b)
        truth = (0.01 + 0.16) / 2 / 0.25**2
        held += ((got["lift_low"] <= truth) & (truth <= got["lift_high"])).sum()
    assert 0.9 < held / 180 < 0.99


def test_few_meetings_have_no_shorter_interval_than_a_count():
    x = np.zeros((1000, 2), np.float32)
    x[:400, 0], x[397:700, 1] = 1, 1  # three meetings, each in a cluster of its own
    got = lifts(firing_of(sp.csr_array(x), np.arange(1000)), np.array([0]), np.array([1])).row(0, named=True)
    assert got["n_clusters"] == 3
    assert got["lift_low"] / got["lift"] == pytest.approx(stats.gamma.ppf(0.025, 3) / 3)
    assert got["lift_high"] / got["lift"] >= stats.gamma.ppf(0.975, 4) / 3


def test_features_that_never_meet_have_an_upper_end_by_chance():
    x = np.zeros((1000, 3), np.float32)
    x[:300, 0], x[300:600, 1] = 1, 1
    x[:300:2, 0], x[:300:2, 1] = 0, 1  # in the same clusters, never at one row
    cluster = np.arange(1000) // 10
    got = lifts(firing_of(sp.csr_array(x), cluster), np.array([0, 0]), np.array([1, 2]))
    by_chance = 30 * (1 - np.exp(-5 * 5 / 10))
    assert got["lift"].to_list() == [0, None] and got["lift_low"].to_list() == [0, None]
    assert got["lift_high"][0] == pytest.approx(-np.log(0.025) / by_chance)
    assert got["n_clusters"].to_list() == [0, 0]


def test_chance_gives_no_family():
    rng = np.random.default_rng(3)
    x = sp.csr_array((rng.random((3000, 150)) < 0.06).astype(np.float32))
    made = families(rng.normal(size=(150, 64)), firing_of(x, np.arange(3000) // 10), np.ones(150, bool), 0.7)
    assert len(made) == 0


def test_few_and_dead_features():
    empty = schema.empty("families")
    for width in (0, 1, 3):
        firing = firing_of(sp.csr_array(np.zeros((20, width), np.float32)), np.arange(20))
        assert families(np.ones((width, 4)), firing, np.zeros(width, bool), 0.7).equals(empty)
    copies = families(np.ones((3, 4)), firing_of(sp.csr_array(np.zeros((20, 3))), np.arange(20)), np.ones(3, bool), 0.7)
    assert copies["kind"].to_list() == ["twin"] * 6 and copies["lift"].null_count() == 6


def test_each_feature_keeps_a_few_of_each_kind():
    copies = np.repeat(np.eye(4)[:1], 20, axis=0)
    made = families(copies, firing_of(sp.csr_array(np.zeros((9, 20))), np.arange(9)), np.ones(20, bool), 0.7)
    assert made.group_by("feature").len()["len"].to_list() == [module.KEPT] * 20
    assert made.filter(pl.col("feature") == 7)["other"].to_list() == [0, 1, 2, 3, 4]
