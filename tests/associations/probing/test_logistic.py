"""Logistic regression against scikit-learn."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from seqsae.associations.probing.logistic import STRENGTHS, nested, path


def drawn(seed, n=300, d=6):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) * rng.uniform(0.1, 5, d) + 3
    y = (StandardScaler().fit_transform(x) @ rng.normal(size=d) + rng.logistic(size=n) > 0.5).astype(float)
    return x, y


def reference(x, y, strength):
    return LogisticRegression(C=1 / (strength * len(x)), tol=1e-12, max_iter=10_000).fit(x, y)


def test_the_path_is_that_of_scikit_learn():
    x, y = drawn(0)
    x = StandardScaler().fit_transform(x)
    for strength, weights in zip(STRENGTHS, path(x, y), strict=True):
        wanted = reference(x, y, strength)
        np.testing.assert_allclose(weights, np.r_[wanted.coef_[0], wanted.intercept_], atol=1e-5)


def test_the_strength_is_chosen_by_left_out_folds_and_columns_are_brought_back():
    x, y = drawn(1)
    x[:, 2] = 7.0
    fold = np.arange(len(x)) % 4
    loss = np.zeros(len(STRENGTHS))
    for held in range(4):
        scaler = StandardScaler().fit(x[fold != held])
        for j, strength in enumerate(STRENGTHS):
            model = reference(scaler.transform(x[fold != held]), y[fold != held], strength)
            p = model.predict_proba(scaler.transform(x[fold == held]))[
                np.arange((fold == held).sum()), y[fold == held].astype(int)
            ]
            loss[j] -= np.log(p).sum()
    found = nested(x, y, fold)
    strength = STRENGTHS[loss.argmin()]
    assert found.strength[0] == strength
    scaler = StandardScaler().fit(x)
    wanted = reference(scaler.transform(x), y, strength).decision_function(scaler.transform(x))
    np.testing.assert_allclose(found.predicted(x)[:, 0], wanted, atol=1e-4)
    assert found.standard(x)[:, 0].std() == pytest.approx(1)


def test_classes_that_can_be_told_apart_give_finite_weights():
    x = np.linspace(-1, 1, 60)[:, None]
    found = nested(x, (x[:, 0] > 0).astype(float), np.arange(60) % 3)
    assert np.isfinite(found.weights).all() and (np.diff(found.standard(x)[:, 0]) > 0).all()
