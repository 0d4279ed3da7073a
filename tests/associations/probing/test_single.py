"""One-dimensional logistic losses against scikit-learn, unit by unit."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from seqsae.associations.probing.single import entropy, losses, regress


def drawn(seed, n=500, width=30):
    rng = np.random.default_rng(seed)
    x = rng.exponential(size=(n, width)) * (rng.random((n, width)) < rng.uniform(0.02, 0.6, width)) * 7
    y = (0.3 * x[:, 0] - 0.2 * x[:, 1] + rng.logistic(size=n) > 1).astype(float)
    return x, y


@pytest.mark.parametrize("form", [sp.csc_array, sp.csr_array, np.asarray])
def test_every_unit_is_the_regression_of_scikit_learn(form):
    (x, y), (x_test, y_test) = drawn(0), drawn(1)
    x[:, 5] = 0
    found = regress(form(x), y)
    test = losses(found, form(x_test), y_test)
    for f in range(x.shape[1]):
        if f == 5:
            continue
        model = LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000).fit(x[:, [f]], y)
        wanted = log_loss(y, model.predict_proba(x[:, [f]])[:, 1])
        assert found.loss[f] == pytest.approx(wanted, abs=1e-6)
        assert test[f] == pytest.approx(log_loss(y_test, model.predict_proba(x_test[:, [f]])[:, 1]), abs=1e-5)
    assert found.slope[5] == 0 and found.loss[5] == pytest.approx(entropy(y.mean(), y))


def test_the_unit_that_follows_the_concept_has_the_least_loss():
    rng = np.random.default_rng(2)
    x = rng.random((400, 50)) * (rng.random((400, 50)) < 0.3)
    y = (rng.random(400) < np.where(x[:, 17] > 0, 0.9, 0.1)).astype(float)
    assert regress(sp.csr_array(x), y).loss.argmin() == 17


def test_classes_that_a_unit_tells_apart_end_at_the_steepest_slope():
    y = np.repeat([0.0, 1.0], 50)
    x = np.column_stack([y, np.where(y == 1, 0.5, 0), np.ones(100)])
    found = regress(x, y)
    assert np.isfinite(found.slope).all() and found.loss[0] < 1e-6 and found.loss[1] < 1e-6
    assert found.loss[2] == pytest.approx(np.log(2))
    wrong = losses(found, x[::-1], y)
    assert np.isfinite(wrong).all() and wrong[0] > 5


def test_one_class_alone_and_no_stored_value_are_no_fault():
    found = regress(sp.csc_array((20, 3)), np.zeros(20))
    assert (found.slope == 0).all() and np.allclose(found.loss, 0, atol=1e-9)
