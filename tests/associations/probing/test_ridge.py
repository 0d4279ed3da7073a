"""The nested ridge from moments against scikit-learn on the rows, and what folds promise."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from seqsae.associations.probing import ridge
from seqsae.associations.probing.folds import folds_of
from seqsae.associations.probing.ridge import STRENGTHS, Design


def naive(x, y, fold, held):
    """(standard scores of the held fold, predictions, strength) by a pipeline of scikit-learn."""
    inside = np.flatnonzero(fold != held)
    loss = np.zeros(len(STRENGTHS))
    for inner in sorted(set(fold[inside])):
        fit, rest = inside[fold[inside] != inner], inside[fold[inside] == inner]
        scaler = StandardScaler().fit(x[fit])
        for j, strength in enumerate(STRENGTHS):
            model = Ridge(alpha=strength * len(fit)).fit(scaler.transform(x[fit]), y[fit])
            loss[j] += ((model.predict(scaler.transform(x[rest])) - y[rest]) ** 2).sum()
    strength = STRENGTHS[loss.argmin()]
    scaler = StandardScaler().fit(x[inside])
    model = Ridge(alpha=strength * len(inside)).fit(scaler.transform(x[inside]), y[inside])
    seen = model.predict(scaler.transform(x[inside]))
    out = model.predict(scaler.transform(x[fold == held]))
    return (out - seen.mean()) / seen.std(), out, strength


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("spectral", [512, 1])
def test_scores_are_those_of_a_naive_pipeline(sparse, spectral, monkeypatch):
    monkeypatch.setattr(ridge, "SPECTRAL", spectral)
    rng = np.random.default_rng(1)
    n, d = 150, 12
    x = rng.random((n, d)) * (rng.random((n, d)) < 0.4)
    x[:, 3] = 0.0
    y = np.column_stack([(x[:, 0] - x[:, 1] + rng.normal(0, 0.4, n) > 0), rng.normal(size=n), x @ rng.normal(size=d)])
    fold = folds_of(np.arange(n) // 2, 4, 0)
    design = Design(sp.csc_array(x) if sparse else x, fold)
    for held in range(4):
        [found] = design.fit(y.astype(float), held)
        here = design.x[design.rows[held]]
        for j in range(3):
            standard, predicted, strength = naive(x, y[:, j].astype(float), fold, held)
            assert found.strength[j] == pytest.approx(strength)
            np.testing.assert_allclose(found.standard(here)[:, j], standard, atol=1e-6)
            np.testing.assert_allclose(found.predicted(here)[:, j], predicted, atol=1e-6)


def test_some_columns_alone_are_a_design_of_their_own():
    rng = np.random.default_rng(2)
    x, y, fold = rng.normal(size=(90, 6)), rng.normal(size=(90, 2)), np.arange(90) % 3
    chosen = np.array([4, 1])
    part = Design(x, fold).fit(y, 0, [chosen, slice(None)])[0]
    [alone] = Design(x[:, chosen], fold).fit(y, 0)
    for one, other in zip(part, alone, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-10)


def test_the_held_fold_is_not_read():
    rng = np.random.default_rng(3)
    x, y, fold = rng.normal(size=(60, 4)), rng.normal(size=(60, 1)), np.arange(60) % 3
    [before] = Design(x, fold).fit(y, 1)
    x[fold == 1], y[fold == 1] = 1e6, np.nan
    [after] = Design(x, fold).fit(y, 1)
    np.testing.assert_array_equal(before.weights, after.weights)


def test_a_loose_column_is_hardly_penalised():
    rng = np.random.default_rng(4)
    z = rng.normal(size=200)
    x = np.column_stack([z, rng.normal(size=(200, 30))])
    fold = np.arange(200) % 4
    y = (z + rng.normal(0, 2, 200))[:, None]
    [plain] = Design(x, fold).fit(y)
    [loose] = Design(x, fold, np.r_[ridge.LOOSE, np.ones(30)]).fit(y)
    alone = np.polyfit(z, y[:, 0], 1)[0]
    assert abs(loose.weights[0, 0] - alone) < 0.3 * abs(plain.weights[0, 0] - alone) + 0.02


@pytest.mark.parametrize("seed", range(3))
def test_folds_hold_whole_clusters_of_like_size(seed):
    rng = np.random.default_rng(seed)
    cluster = rng.integers(0, 300, 1000)
    fold = folds_of(cluster, 5, seed)
    assert all(len(set(fold[cluster == one])) == 1 for one in set(cluster))
    assert np.bincount(fold, minlength=5).min() > 170 and fold.max() == 4
    assert (fold == folds_of(cluster, 5, seed)).all() and (fold != folds_of(cluster, 5, seed + 1)).any()
