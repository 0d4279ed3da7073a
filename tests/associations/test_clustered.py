"""The t test over clusters: against a naive one, and where rows of a cluster repeat each other."""

import numpy as np
import pytest
from scipy import sparse, stats

from seqsae.associations.clustered import cluster_t, screen_rows
from seqsae.associations.ranks import rank_excess
from seqsae.associations.screen import screen


def rows(seed=0, n_clusters=30, n_features=12):
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(n_clusters), rng.integers(3, 9, n_clusters))
    X = rng.poisson(0.5, (len(cluster), n_features)).astype(float)
    return X, cluster, rng


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("binary", [False, True])
def test_t_equals_a_one_sample_t_test_on_cluster_scores(dense, binary):
    X, cluster, rng = rows()
    y = rng.integers(0, 2, (len(X), 3)).astype(float) if binary else rng.normal(size=(len(X), 3))
    y[cluster % 7 == 0, 1] = np.nan
    kind = np.full(3, binary)
    found = screen_rows(rank_excess(X if dense else sparse.csr_array(X)), y, cluster, 2, kind)
    for j in range(3):
        there = np.isfinite(y[:, j])
        label = y[there, j] if binary else stats.rankdata(y[there, j])
        label = label - label.mean()
        for f in range(X.shape[1]):
            x = stats.rankdata(X[there, f])
            score = (x - x.mean()) * label
            per_cluster = [score[cluster[there] == c].sum() for c in np.unique(cluster[there])]
            naive = stats.ttest_1samp(per_cluster, 0)
            assert found.z[f, j] == pytest.approx(naive.statistic, rel=1e-9)
            own = screen(rank_excess(X[there][:, [f]]), y[there][:, [j]], cluster[there], 2, kind[:1]).p[0, 0]
            assert found.p[f, j] == pytest.approx(max(own, naive.pvalue), rel=1e-6)


def test_labels_at_the_same_places_with_features_that_come_in_bursts_do_not_cry_wolf():
    """Forty sequences of 60 rows, a label on one stretch of each; features burst on one random stretch a sequence."""
    false = {"rows": 0, "clusters": 0}
    for seed in range(20):
        rng = np.random.default_rng(seed)
        cluster = np.repeat(np.arange(40), 60)
        label = np.tile((np.arange(60) // 12 == 2).astype(float), 40)[:, None]
        X = np.zeros((2400, 40))
        for c in range(40):
            for f, start in enumerate(rng.integers(0, 48, 40)):
                X[c * 60 + start : c * 60 + start + 12, f] = rng.uniform(0.5, 1, 12)
        ranks, binary = rank_excess(sparse.csr_array(X)), np.array([True])
        false["rows"] += (screen(ranks, label, cluster, 5, binary).p < 0.001).sum()
        false["clusters"] += (screen_rows(ranks, label, cluster, 5, binary).p < 0.01).sum()
    assert false["clusters"] <= 0.02 * 800
    assert false["rows"] > 10 * 0.001 * 800, "the plain test would have been fooled"


def test_a_real_tie_is_still_found():
    X, cluster, rng = rows(n_clusters=60)
    y = (X[:, [0]] + rng.normal(0, 0.5, (len(X), 1)) > 0.6).astype(float)
    assert screen_rows(rank_excess(sparse.csr_array(X)), y, cluster, 5, np.array([True])).p[0, 0] < 1e-6


def test_a_single_cluster_is_no_test():
    X, cluster, _ = rows()
    y = (np.arange(len(X)) % 2).astype(float)[:, None]
    assert np.isnan(cluster_t(rank_excess(X), y - y.mean(), np.zeros(len(X), int))[0]).all()
