"""Coverage and reconstruction against a loop over units, thresholds and concepts."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics import f1_score

from seqsae.associations.probing.coverage import LEAST_ROWS, PRECISION, SHARES, covered


def drawn(seed, n=600, width=12):
    rng = np.random.default_rng(seed)
    y = (rng.random((n, 4)) < [0.3, 0.2, 0.1, 0.3]).astype(float)
    x = np.round(rng.random((n, width)) * (rng.random((n, width)) < 0.1), 2)
    x[:, 0] += np.round(y[:, 0] * (rng.random(n) < 0.9) * 2, 2)  # precise above its noise
    x[:, 1] += y[:, 1] * (rng.random(n) < 0.7) * 3
    x[:, 2] += y[:, 1] * (x[:, 1] < 1) * 3
    x[:, 3] += y[:, 2] * (rng.random(n) < 0.5) * (1 + rng.random(n))
    return x, y


def plain_f1(there, called):
    return 2 * (there & called).sum() / (there.sum() + called.sum())


def by_loop(x, y, x_test, y_test):
    best, found = -1, None
    for share in SHARES:
        cuts = share * x.max(0)
        pairs = [
            (f, c)
            for f in range(x.shape[1])
            for c in range(y.shape[1])
            if (on := x[:, f] > cuts[f]).any() and y[on, c].mean() >= PRECISION and y[on, c].sum() >= LEAST_ROWS
        ]

        def called(values, cuts=cuts, pairs=pairs):
            out = np.zeros((len(values), y.shape[1]))
            for f, c in pairs:
                out[values[:, f] > cuts[f], c] = 1
            return out

        if pairs and (value := f1_score(y.ravel(), called(x).ravel())) > best:
            best, found = value, (share, len({c for _, c in pairs}), called(x_test))
    share, precise, out = found
    each = [f1_score(y_test[:, c], out[:, c], zero_division=0) for c in range(y.shape[1])]
    return share, precise, f1_score(y_test.ravel(), out.ravel()), np.mean(each)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_coverage_and_reconstruction_are_those_of_a_loop(seed):
    (x, y), (x_test, y_test) = drawn(seed), drawn(seed + 10)
    found = covered(sp.csr_array(x), y, sp.csr_array(x_test), y_test)
    share, precise, whole, each = by_loop(x, y, x_test, y_test)
    assert (found.threshold, found.precise) == (share, precise) and 2 <= precise < 4
    assert found.reconstruction == pytest.approx(whole) and found.reconstruction_mean == pytest.approx(each)
    best = []
    for c in range(4):
        options = [(plain_f1(y[:, c] == 1, x[:, f] >= cut), f, cut) for f in range(12) for cut in set(x[:, f])]
        _, f, cut = max(options, key=lambda option: option[0])
        best.append(f1_score(y_test[:, c], x_test[:, f] >= cut))
    assert found.coverage == pytest.approx(np.mean(best), abs=1e-9)


def test_a_dense_basis_is_read_either_way_up():
    x, y = drawn(3)
    upside = covered(-x, y, -x, y)
    plain = covered(sp.csr_array(x), y, sp.csr_array(x), y)
    assert upside.reconstruction == pytest.approx(plain.reconstruction) and upside.precise == plain.precise


def test_nothing_precise_reconstructs_nothing():
    rng = np.random.default_rng(0)
    x, y = rng.random((300, 5)), (rng.random((300, 2)) < 0.3).astype(float)
    found = covered(sp.csr_array(x), y, sp.csr_array(x), y)
    assert (found.precise, found.threshold, found.reconstruction) == (0, None, 0) and found.coverage > 0
