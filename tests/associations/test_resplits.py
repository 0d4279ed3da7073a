"""Repeated splits: what they give is a held-out score, the same halves for all sources, and no cluster on both sides."""

import numpy as np
import polars as pl
import pytest
from scipy import sparse
from sklearn.metrics import roc_auc_score

from seqsae.associations.resplits import paired, resplits
from seqsae.errors import SeqsaeError


def data(rng, n=400):
    """(sources, y [n, 3] with gaps, cluster): 'good' holds both covariates, one upside down; 'noise' does not."""
    cluster = np.repeat(np.arange(n // 2), 2)
    y = (rng.random((n, 3)) < [0.3, 0.4, 0.01]).astype(float)
    y[rng.random(n) < 0.3, 1] = np.nan
    noise = rng.normal(size=(n, 40))
    good = rng.random((n, 40)) * (rng.random((n, 40)) < 0.2)
    good[:, 3] = rng.random(n) * (rng.random(n) < 0.1 + 0.8 * y[:, 0])
    good[:, 4] = rng.random(n) * (rng.random(n) < 0.9 - 0.8 * np.nan_to_num(y[:, 1]))
    return {"good": sparse.csr_array(good), "noise": noise}, y, cluster


def test_the_table_and_its_pairs():
    sources, y, cluster = data(np.random.default_rng(0))
    table = resplits(sources, y, cluster, n_splits=6, top=3, seed=1)
    assert len(table) == 6 * 2 * 2  # the third covariate is too rare
    assert table["covariate"].unique().to_list() == [0, 1]
    means = table.group_by("source").agg(pl.col("top", "best").mean()).sort("source")
    assert means["best"][0] > 0.85 > means["top"][0] > 0.55
    assert means["best"][1] == pytest.approx(0.5, abs=0.05)
    assert table.equals(resplits(sources, y, cluster, n_splits=6, top=3, seed=1))
    assert not table.equals(resplits(sources, y, cluster, n_splits=6, top=3, seed=2))


def test_every_source_meets_the_same_halves():
    sources, y, cluster = data(np.random.default_rng(1))
    sources["again"] = sources["good"].toarray()
    table = resplits(sources, y, cluster, n_splits=4)
    for measure in ("top", "best"):
        same = paired(table, "again", "good", measure)
        assert same.mean == pytest.approx(0, abs=1e-12) and same.sd == pytest.approx(0, abs=1e-12)
    alone = resplits({"good": sources["good"]}, y, cluster, n_splits=4)
    assert alone.equals(table.filter(pl.col("source") == "good"))


def test_a_single_unit_scores_its_own_held_out_auroc():
    """One unit, one split: the other half's AUROC is one of two numbers, found by undoing the split."""
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(60, 1)), (np.arange(60) % 2).astype(float)[:, None]
    cluster = np.repeat(np.arange(4), 15)
    row = resplits({"x": x}, y, cluster, n_splits=1, top=5, min_pos=5).row(0, named=True)
    possible = []
    for picking in [(a, b) for a in range(4) for b in range(a)]:
        half = np.isin(cluster, picking)
        sign = 1 if roc_auc_score(y[half, 0], x[half, 0]) >= 0.5 else -1
        possible.append(roc_auc_score(y[~half, 0], sign * x[~half, 0]))
    assert row["best"] == row["top"]
    assert np.abs(np.array(possible) - row["best"]).min() < 1e-12


def test_clusters_are_never_cut():
    """A unit that only knows the cluster is worthless on the other half, although perfect within one."""
    rng = np.random.default_rng(3)
    cluster = np.repeat(np.arange(40), 20)
    y = np.repeat((np.arange(40) % 2).astype(float), 20)[:, None]
    knows = np.repeat(rng.normal(size=(40, 300)), 20, axis=0)
    honest = resplits({"x": knows}, y, cluster, n_splits=5)["best"].mean()
    leaking = resplits({"x": knows}, y, np.arange(800), n_splits=5)["best"].mean()
    assert honest < 0.65 < 0.75 < leaking


def test_ties_of_auroc_go_to_the_larger_difference():
    """Unit 0 is wrong in one cluster; halves that miss it see two perfect units, of which d' prefers unit 1."""
    rng = np.random.default_rng(4)
    y, cluster = (np.arange(400) % 2).astype(float), np.arange(400) // 10
    narrow, wide = y + 0.9 * rng.random(400), y + 0.1 * rng.random(400)
    narrow[cluster == 7] *= -1
    one = y[:, None]
    both = resplits({"x": np.column_stack([narrow, wide])}, one, cluster, n_splits=10, top=1)
    assert both["best"].to_numpy() == pytest.approx(np.ones(10))
    first = resplits({"x": narrow[:, None]}, one, cluster, n_splits=10, top=1)["best"]
    assert 0 < (first > 1 - 1e-9).sum() < 10


def test_paired_averages_covariates_first():
    rows = [(0, 0, "a", 0.9), (0, 1, "a", 0.7), (1, 0, "a", 0.6), (0, 0, "b", 0.5), (0, 1, "b", 0.5), (1, 0, "b", 0.5)]
    table = pl.DataFrame(
        [(*row, row[-1]) for row in rows], schema=["split", "covariate", "source", "top", "best"], orient="row"
    )
    found = paired(table, "a", "b")
    assert found == pytest.approx((0.2, np.std([0.3, 0.1], ddof=1), 2))
    assert np.isnan(paired(table.filter(pl.col("split") == 0), "a", "b").sd)
    with pytest.raises(SeqsaeError, match="it holds: a, b"):
        paired(table, "a", "c")


def test_bad_input_is_refused():
    x, y = np.zeros((4, 2)), np.zeros((4, 1))
    with pytest.raises(SeqsaeError, match="at least one source"):
        resplits({}, y, np.arange(4))
    with pytest.raises(SeqsaeError, match="source 'x' has 4 rows"):
        resplits({"x": x}, y[:3], np.arange(3))
    with pytest.raises(SeqsaeError, match="binary covariates"):
        resplits({"x": x}, y + 2, np.arange(4))
