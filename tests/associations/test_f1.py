"""Best units against brute force and scikit-learn."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.metrics import f1_score, precision_score, recall_score, roc_auc_score

from seqsae.associations.f1 import best_auroc, best_f1, score, trivial_f1
from seqsae.errors import SeqsaeError


def data(rng, n=150):
    """(X [n, 6] with ties and zeros, Y [n, 5] of rising prevalence, the third planted in unit 2)."""
    x = rng.integers(1, 8, (n, 6)) * (rng.random((n, 6)) < 0.4)
    y = rng.random((n, 5)) < [0.03, 0.1, 0, 0.4, 0.9]
    y[:, 2] = (x[:, 2] >= 4) ^ (rng.random(n) < 0.05)
    return x.astype(float), y


def brute(x, y, signs):
    """Highest F1 over units, signs, thresholds, and calling every row positive."""
    calls = [np.ones(len(y), dtype=bool)]
    for sign in signs:
        for column in sign * x.T:
            calls += [column >= t for t in np.unique(column)]
    return max(2 * (called & y).sum() / (called.sum() + y.sum()) for called in calls)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, sparse.csc_array])
def test_best_f1_is_that_of_brute_force(form):
    x, y = data(np.random.default_rng(0))
    best = best_f1(form(x), y)
    np.testing.assert_allclose(best.f1, [brute(x, y[:, j], [1]) for j in range(5)])
    assert best.unit[2] == 2 and best.threshold[2] == 4
    for j in range(5):
        assert score(x[:, best.unit[j]], best.threshold[j], y[:, j]).f1 == pytest.approx(best.f1[j])


def test_dense_units_may_call_by_low_values():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(150, 4)), rng.random((150, 3)) < 0.2
    y[:, 1] = x[:, 3] < -0.8
    best = best_f1(x, y, signed=True)
    np.testing.assert_allclose(best.f1, [brute(x, y[:, j], [1, -1]) for j in range(3)])
    assert (best.unit[1], best.sign[1], best.f1[1]) == (3, -1, 1)
    assert score(x[:, 3], best.threshold[1], y[:, 1], sign=-1).f1 == 1
    assert best_f1(x, y).f1[1] < 1


def test_single_precision_thresholds_hold_on_the_same_values():
    rng = np.random.default_rng(2)
    x, y = rng.random((200, 3)).astype(np.float32), rng.random((200, 2)) < 0.3
    best = best_f1(sparse.csc_array(x), y)
    for j in range(2):
        assert score(x[:, best.unit[j]], best.threshold[j], y[:, j]).f1 == pytest.approx(best.f1[j])


def test_a_useless_source_falls_back_to_calling_all():
    y = np.array([1, 1, 1, 0])[:, None]
    best = best_f1(sparse.csc_array((4, 3)), y)
    assert best.threshold == -np.inf and best.f1 == trivial_f1(y).f1 == pytest.approx(6 / 7)


def test_a_concept_without_positives_has_no_unit():
    x, y = data(np.random.default_rng(3))
    y[:, 1] = False
    assert best_f1(x, y).unit.tolist().index(-1) == 1 and best_f1(x, y).f1[1] == 0
    assert best_auroc(x, y).unit[1] == -1 and np.isnan(best_auroc(x, y).auroc[1])


def test_score_is_that_of_scikit_learn():
    rng = np.random.default_rng(4)
    x, y = rng.integers(0, 5, 100), rng.random(100) < 0.3
    for threshold in (-np.inf, 0, 2, 4):
        called = x >= threshold
        expected = [measure(y, called) for measure in (precision_score, recall_score, f1_score)]
        assert score(x, threshold, y) == pytest.approx(expected)
    assert score(sparse.csc_array(x[:, None])[:, [0]], 2, y) == score(x, 2, y)
    assert score(x, 9, y) == (0, 0, 0)
    assert trivial_f1(y) == pytest.approx((y.mean(), 1, f1_score(y, np.ones(100))))


@pytest.mark.parametrize("signed", [True, False])
def test_best_auroc(signed):
    x, y = data(np.random.default_rng(5))
    y[:, 3] = x[:, 1] < 3
    every = np.array([[roc_auc_score(y[:, j], x[:, f]) for j in range(5)] for f in range(6)])
    folded = np.maximum(every, 1 - every) if signed else every
    best = best_auroc(sparse.csc_array(x), y, signed)
    np.testing.assert_array_equal(best.unit, folded.argmax(axis=0))
    np.testing.assert_allclose(best.auroc, folded.max(axis=0))
    assert best.sign[3] == (-1 if signed else 1)


def test_bad_input_is_refused():
    x, y = data(np.random.default_rng(6))
    with pytest.raises(SeqsaeError, match="one row for each row of X"):
        best_f1(x, y[1:])
    with pytest.raises(SeqsaeError, match="other than 0 and 1"):
        best_auroc(x, np.full(y.shape, np.nan))
    for matrix, signed in ((sparse.csc_array(-x), False), (sparse.csc_array(x), True)):
        with pytest.raises(SeqsaeError, match="non-negative and unsigned"):
            best_f1(matrix, y, signed)
    with pytest.raises(SeqsaeError, match="one label for each row"):
        score(x[:, 0], 1, y[1:, 0])
