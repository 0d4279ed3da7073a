"""A ridge on far more columns than units: the same probe as from the moments of columns, and as scikit-learn's."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from seqsae.associations.probing import ridge
from seqsae.associations.probing.linear import STRENGTHS
from seqsae.associations.probing.ridge import Design


@pytest.fixture
def made():
    rng = np.random.default_rng(0)
    n, d = 60, 140
    x = rng.random((n, d)) * (rng.random((n, d)) < 0.3)
    x[:, 7], x[:, 8] = 0.0, 2.5
    y = np.column_stack([x[:, 0] + x[:, 1] > 0.3, rng.normal(size=n), x @ rng.normal(size=d)]).astype(float)
    return x, y, np.arange(n) % 4, rng.choice([1.0, ridge.LOOSE], d)


@pytest.mark.parametrize("held", [None, 0, 3])
@pytest.mark.parametrize("sparse", [False, True])
def test_the_fit_is_that_of_the_moments(made, monkeypatch, sparse, held):
    x, y, fold, weight = made
    x = sp.csc_array(x) if sparse else x
    columns = [slice(None), slice(0, 90), np.array([1, 5, 0])]
    by_moments = Design(x, fold, weight).fit(y, held, columns)
    monkeypatch.setattr(ridge, "SPECTRAL", 100)
    design = Design(x, fold, weight)
    found = design.fit(y, held, columns)
    assert "_sums" not in vars(design), "no products of columns are made"
    for one, other in zip(found, by_moments, strict=True):
        for name, part in one._asdict().items():
            np.testing.assert_allclose(part, getattr(other, name), rtol=1e-8, atol=1e-9, err_msg=name)


def test_the_scores_are_scikit_learns(made, monkeypatch):
    monkeypatch.setattr(ridge, "SPECTRAL", 1)
    x, y, fold, _ = made
    inside, out = fold != 0, fold == 0
    [found] = Design(x, fold).fit(y, 0)
    for j in range(3):
        loss = np.zeros(len(STRENGTHS))
        for inner in (1, 2, 3):
            fit, rest = inside & (fold != inner), fold == inner
            scaler = StandardScaler().fit(x[fit])
            for s, strength in enumerate(STRENGTHS):
                model = Ridge(alpha=strength * fit.sum()).fit(scaler.transform(x[fit]), y[fit, j])
                loss[s] += ((model.predict(scaler.transform(x[rest])) - y[rest, j]) ** 2).sum()
        assert found.strength[j] == STRENGTHS[loss.argmin()]
        scaler = StandardScaler().fit(x[inside])
        model = Ridge(alpha=found.strength[j] * inside.sum()).fit(scaler.transform(x[inside]), y[inside, j])
        seen, told = (model.predict(scaler.transform(x[part])) for part in (inside, out))
        np.testing.assert_allclose(found.predicted(x[out])[:, j], told, atol=1e-8)
        np.testing.assert_allclose(found.standard(x[out])[:, j], (told - seen.mean()) / seen.std(), atol=1e-7)


def test_the_held_fold_is_not_read(made, monkeypatch):
    monkeypatch.setattr(ridge, "SPECTRAL", 1)
    x, y, fold, _ = made
    [before] = Design(x, fold).fit(y, 1)
    x[fold == 1], y[fold == 1] = 1e6, np.nan
    [after] = Design(x, fold).fit(y, 1)
    np.testing.assert_array_equal(before.weights, after.weights)
