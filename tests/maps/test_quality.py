"""Map quality: measured as scikit-learn and plain loops measure it; what is planted tells, what is random says so."""

import numpy as np
import polars as pl
import pytest

from seqsae import schema
from seqsae.config import AtlasConfig
from seqsae.errors import SeqsaeError
from seqsae.maps import quality_words
from seqsae.maps.quality import Drawn, agreement, neighbours_kept, quality, random_directions, separation, trustworthy

QUICK = AtlasConfig(neighbours=8, seeds=2, nulls=5, persons=0)


def families(n: int = 60, d: int = 24) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.normal(size=(3, d))[np.arange(n) % 3] + 0.02 * rng.normal(size=(n, d))).astype(np.float32)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def planted() -> pl.DataFrame:
    return quality(families(), QUICK, seed=3)


def test_planted_families_are_firmer_than_random_directions_and_return(planted):
    assert planted["kind"].to_list() == ["decoder", "seed", *["random"] * 5, *["covariance"] * 5]
    row = planted.row(0, named=True)
    assert row["n_clusters"] == 3 and row["clustered"] == 1 and row["separation"] > 0.8
    assert planted["adjusted_rand"][1] == 1 and planted["neighbours_kept"][1] > 2 * row["neighbours_by_chance"]
    assert quality_words.looks_random(planted) is False
    told = quality_words.said(planted)
    assert "clusters are firmer than on random directions" in told and "3 clusters" in told
    assert quality_words.SAME not in told and "with 1 other seed a feature" in told


def test_random_directions_look_the_same_and_say_so():
    made = quality(np.random.default_rng(5).normal(size=(45, 24)), QUICK, seed=0)
    assert quality_words.looks_random(made)
    assert f"it {quality_words.SAME}" in quality_words.said(made)


def test_the_same_seed_gives_the_same_table(planted):
    assert planted.equals(quality(families(), QUICK, seed=3))


def test_what_a_map_shares_with_its_covariance_alone_is_said():
    rows = [("decoder", 0.9, 0.2)] + [("random", 0.6 + i / 100, 0.1) for i in range(3)]
    rows += [("covariance", 0.85 + i / 50, 0.19 + i / 50) for i in range(3)]
    table = pl.DataFrame(rows, schema=["kind", "trustworthiness", "persistence"], orient="row")
    table = table.with_columns(n_clusters=1, n_features=50)
    told = quality_words.said(table)
    assert "that have the decoder's covariance" in told and "no finding" in told and quality_words.looks_random(table)


def test_the_limit_is_the_prediction_interval_of_one_more_draw():
    rng = np.random.default_rng(1)
    over = 0
    for _ in range(300):
        values = rng.normal(size=6)
        table = pl.DataFrame({"kind": "random", "trustworthiness": values[:5]})
        over += values[5] > quality_words.limits(table, "trustworthiness")["random"]
    assert 0.005 < over / 300 < 0.05


def test_trustworthiness_by_hand():
    """Venna and Kaski (2001): 1 - 2 / (n k (2n - 3k - 1)) times the sum over wrong neighbours of rank - k."""
    rng = np.random.default_rng(2)
    x, points, n = unit(rng.normal(size=(12, 4))), rng.normal(size=(12, 2)), 12
    k = 5
    rank = np.argsort(np.argsort(np.where(np.eye(n, dtype=bool), -1, 1 - x @ x.T), axis=1), axis=1)
    near = np.linalg.norm(points[:, None] - points, axis=2)
    np.fill_diagonal(near, np.inf)
    wrong = sum(max(rank[i, j] - k, 0) for i in range(n) for j in np.argsort(near[i])[:k])
    assert trustworthy(x, points) == pytest.approx(1 - 2 / (n * k * (2 * n - 3 * k - 1)) * wrong)


def test_separation_by_hand():
    x, cluster = unit(np.random.default_rng(3).normal(size=(9, 4))), np.array([0, 0, 0, 1, 1, -1, -1, 1, -1])
    cosine, gaps = x @ x.T, []
    for i in np.flatnonzero(cluster >= 0):
        mine = (cluster == cluster[i]) & (np.arange(9) != i)
        gaps.append(cosine[i, mine].mean() - cosine[i, cluster != cluster[i]].mean())
    assert separation(x, cluster) == pytest.approx(np.mean(gaps))
    assert separation(x, np.zeros(9, int)) is None and separation(x, np.full(9, -1)) is None


def test_a_turned_and_scaled_map_is_the_same_map():
    points, cluster = np.random.default_rng(4).normal(size=(30, 2)), np.arange(30) % 3 - 1
    turned = 3 * points @ np.array([[0.6, 0.8], [-0.8, 0.6]]) + 7
    same = agreement(Drawn(points, cluster, np.zeros(2)), Drawn(turned, cluster, np.zeros(2)))
    assert same["procrustes"] == pytest.approx(0, abs=1e-12)
    assert same["neighbours_kept"] == 1 and same["adjusted_rand"] == 1
    other = np.random.default_rng(5).normal(size=(2000, 2)), np.random.default_rng(6).normal(size=(2000, 2))
    assert neighbours_kept(*other) == pytest.approx(15 / 1999, abs=0.01)


def test_random_directions_have_the_covariance_that_they_are_given():
    x = unit(np.random.default_rng(7).normal(size=(800, 5)) * [0.1, 0.2, 0.1, 0.1, 0.01] + [2, 0, 0, 0, 0])
    made = random_directions(x, "covariance", [0])
    assert np.allclose(np.linalg.norm(made, axis=1), 1, atol=1e-6)
    assert np.allclose(np.cov(made.T), np.cov(x.T), atol=0.001) and np.allclose(made.mean(0), x.mean(0), atol=0.01)
    plain = random_directions(x, "random", [0])
    assert np.allclose(np.cov(plain.T), np.eye(5) / 5, atol=0.04)


@pytest.mark.parametrize("n", [0, 1, 3, 4])
def test_few_features_have_no_map_to_judge(n):
    made = quality(families()[:n], QUICK, seed=0)
    assert made.equals(schema.empty("map_quality")) and "too few features" in quality_words.said(made)


def test_equal_directions_and_small_draws():
    same = np.repeat(families(1), 12, axis=0)
    made = quality(same, QUICK.model_copy(update={"nulls": 0}), seed=0)
    assert made["trustworthiness"].is_finite().all() and "not held against random" in quality_words.said(made)
    fewer = quality(families(60), AtlasConfig(quality_features=20, seeds=1, nulls=0), seed=0)
    assert fewer["n_features"].to_list() == [20] and quality_words.looks_random(fewer) is None


def test_a_direction_that_is_none_is_refused():
    broken = families()
    broken[4, 1] = np.nan
    with pytest.raises(SeqsaeError, match="decoder direction 4 holds NaN"):
        quality(broken, QUICK, seed=0)
