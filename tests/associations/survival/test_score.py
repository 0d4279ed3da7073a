"""The score test against a slow reference, against full fits, and for what it must not depend on."""

import numpy as np
import pytest
from associations.survival import brute
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from seqsae.associations.support import MEETINGS
from seqsae.associations.survival import robust
from seqsae.associations.survival.cox import fit_cox
from seqsae.associations.survival.null import null_model
from seqsae.associations.survival.score import cox_score
from seqsae.associations.survival.times import Times
from seqsae.errors import SeqsaeError


def slow_score(times, x, Z, beta, cluster):
    """(U, V, robust V) of one feature from the information matrix of (Z, x) at coefficients (beta, 0)."""
    both, at = np.column_stack([Z, x]), np.append(beta, 0)
    _, score, information = brute.likelihood(times, both, at, "breslow")
    q = len(beta)
    weights = np.append(-np.linalg.solve(information[:q, :q], information[:q, q]), 1)
    squares = brute.cluster_squares(brute.residuals(times, both, at, "breslow"), cluster)
    return score[q], weights @ information @ weights, weights @ squares @ weights


def slow_cumulant(times, x, theta, order):
    """Cumulant (2nd or 3rd) of the score, each event a draw of a unit from its risk set."""
    terms = brute.event_terms(times, x, theta, "breslow")
    return sum(weights @ (x - mean) ** order / weights.sum() for _, _, weights, mean in terms)


def slow_frailty(times, x, null, cluster):
    """What pairs within clusters add to the variance, pair by pair: as if all clusters agreed alike, or each as it does."""
    theta, residual = np.where(null.risk.last > null.risk.first, null.theta, 0), null.martingale
    centred = (x - theta @ x / theta.sum()) * theta
    alike, below, apiece, together = 0.0, 0.0, 0.0, 0.0
    for c in np.unique(cluster):
        pairs = [(i, j) for i in np.flatnonzero(cluster == c) for j in np.flatnonzero(cluster == c) if i != j]
        features, possible, left = (sum(v[i] * v[j] for i, j in pairs) for v in (centred, theta, residual))
        together, below, alike = together + features, below + possible, alike + left
        apiece += features * left / possible if possible > 0 else 0
    if below <= 0:
        return 0
    active, ended = (len(np.unique(cluster[on])) for on in ((x != 0) & (theta > 0), null.risk.deaths))
    heard = active * ended >= MEETINGS * len(np.unique(cluster))
    usual = max(0, alike / below) * together
    return max(0, usual, apiece if heard else 0)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 40), st.integers(0, 2), st.booleans(), st.booleans())
def test_exact_for_sparse_and_dense(seed, n, q, delayed, tied):
    rng = np.random.default_rng(seed)
    times, X = brute.random_times(rng, n, delayed, tied), brute.random_features(rng, n)
    Z, cluster = rng.normal(size=(n, q)), rng.integers(0, max(2, n // 3), n)
    null = null_model(times, Z)
    if null.fit.monotone.any() or null.fit.aliased.any():
        return
    theta, spread = null.theta, 1 + np.abs(np.diag(null.fit.covariance)).max(initial=0)
    given_forms = (X, sparse.csr_array(X), X.toarray())
    for found in [cox_score(form, null, cluster, robust=True) for form in given_forms]:
        for f in range(X.shape[1]):
            x = X[:, [f]].toarray()[:, 0]
            u, v, sandwich = slow_score(times, x, Z, null.fit.coefficients, cluster)
            near = {"rel": 1e-9, "abs": 1e-9 * max(1, x.max() ** 2) * n * spread}
            assert (found.u[f], found.v[f]) == (pytest.approx(u, **near), pytest.approx(v, **near))
            assert found.v_robust[f] == pytest.approx(sandwich, rel=1e-9, abs=n * near["abs"])
            if found.v[f] > 1e-6:
                assert found.v_cluster[f] - found.v[f] == pytest.approx(slow_frailty(times, x, null, cluster), **near)
                skew = slow_cumulant(times, x, theta, 3) / slow_cumulant(times, x, theta, 2) ** 1.5
                growth = np.sqrt(found.v_cluster[f] / found.v[f])
                assert found.skew[f] == pytest.approx(skew * growth, rel=1e-6, abs=1e-6)
                assert found.z[f] == pytest.approx(u / np.sqrt(found.v_cluster[f]), rel=1e-6, abs=1e-6)


def test_null_products():
    rng = np.random.default_rng(0)
    times, Z = brute.random_times(rng, 80), rng.normal(size=(80, 2))
    null = null_model(times, Z)
    theta = np.exp(Z @ null.fit.coefficients)
    np.testing.assert_allclose(null.theta / null.theta[0], theta / theta[0], rtol=1e-9)
    factor = theta[0] / null.theta[0]
    at_risk = np.array([brute.at_risk(times, t) for t in null.risk.event_times])
    steps = np.array([(times.event & (times.time == t)).sum() for t in null.risk.event_times]) / (at_risk @ theta)
    np.testing.assert_allclose(null.cumulative_hazard, np.cumsum(steps) * factor, rtol=1e-9)
    np.testing.assert_allclose(null.martingale, times.event - theta * (at_risk.T @ steps), atol=1e-9)
    assert null.martingale.sum() == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(Z.T @ null.martingale, 0, atol=1e-7)


def test_close_to_the_wald_test_of_a_full_fit():
    rng = np.random.default_rng(1)
    times, Z = brute.random_times(rng, 2000, tied=False), rng.normal(size=(2000, 2))
    X = brute.random_features(rng, 2000)[:, 1:5]
    found = cox_score(X, null_model(times, Z))
    for f in range(4):
        fit = fit_cox(times, np.column_stack([Z, X[:, [f]].toarray()]), ties="breslow")
        wald = fit.coefficients[-1] / np.sqrt(fit.covariance[-1, -1])
        assert found.z[f] == pytest.approx(wald, abs=0.1)
        assert found.u[f] / found.v[f] == pytest.approx(fit.coefficients[-1], abs=0.01)
    assert np.isnan(found.v_robust).all()


def test_each_unit_its_own_cluster_is_near_the_model_and_copies_are_seen_through():
    rng = np.random.default_rng(2)
    times, Z = brute.random_times(rng, 3000, tied=False), rng.normal(size=(3000, 1))
    X = brute.random_features(rng, 3000)[:, 2:]
    alone = cox_score(X, null_model(times, Z), robust=True)
    assert (alone.v_cluster == alone.v).all()
    np.testing.assert_allclose(alone.v_robust, alone.v, rtol=0.15)
    twice = [np.repeat(part, 2) for part in (times.entry, times.time, times.event)]
    copied = cox_score(
        sparse.csc_array(sparse.kron(X, np.ones((2, 1)))),
        null_model(Times(*twice), np.repeat(Z, 2, axis=0)),
        np.repeat(np.arange(3000), 2),
        robust=True,
    )
    np.testing.assert_allclose(copied.u / np.sqrt(copied.v_robust), alone.u / np.sqrt(alone.v_robust), rtol=1e-9)
    np.testing.assert_allclose(copied.u / np.sqrt(copied.v), np.sqrt(2) * alone.z, rtol=1e-9)
    np.testing.assert_allclose(copied.z, alone.z, rtol=0.1)


def test_blocks_do_not_change_a_result(monkeypatch):
    rng = np.random.default_rng(3)
    times, X = brute.random_times(rng, 60), brute.random_features(rng, 60, 11)
    null, cluster = null_model(times, rng.normal(size=(60, 1))), rng.integers(0, 20, 60)
    whole = cox_score(X, null, cluster, robust=True)
    monkeypatch.setattr(robust, "_BLOCK_BYTES", 1)
    np.testing.assert_allclose(cox_score(X, null, cluster, robust=True).v_robust, whole.v_robust, rtol=1e-12)


def test_many_uneven_columns_keep_their_precision():
    rng = np.random.default_rng(4)
    times = brute.random_times(rng, 500)
    X = brute.random_features(rng, 500, 400).toarray() * 10.0 ** rng.integers(-8, 9, 400)
    null = null_model(times, rng.normal(size=(500, 2)))
    together = cox_score(sparse.csc_array(X), null)
    for f in range(0, 400, 7):
        np.testing.assert_allclose(together.v[f], cox_score(X[:, [f]], null).v[0], rtol=1e-9)


def test_features_that_say_nothing_new_get_no_test():
    rng = np.random.default_rng(5)
    times = brute.random_times(rng, 200)
    Z = rng.normal(size=(200, 2))
    X = np.column_stack([np.zeros(200), np.ones(200), Z[:, 0] * 3 + 1, Z @ [1, 1], rng.normal(size=200)])
    for cluster in (None, np.arange(200) // 2):
        found = cox_score(X, null_model(times, Z), cluster)
        assert np.isnan(found.z).tolist() == np.isnan(found.p).tolist() == [True] * 4 + [False]


def test_counts_are_of_units_at_risk():
    times = Times([0, 0, 0, 4.5], [1, 2, 3, 5], [False, True, False, True])
    found = cox_score(np.array([[1.0, 0], [2, 1], [3, 0], [0, 1]]), null_model(times))
    assert found.n_active.tolist() == [2, 2] and found.n_events.tolist() == [1, 2]  # unit 0 leaves before any event


def test_confounding_is_taken_away():
    rng = np.random.default_rng(6)
    length = rng.normal(size=4000)
    times = Times(None, rng.exponential(np.exp(-length)), np.ones(4000))
    X = sparse.csc_array(rng.poisson(np.exp(0.8 * length - 2), (20, 4000)).T.astype(float))
    assert cox_score(X, null_model(times)).z.min() > 10
    adjusted = cox_score(X, null_model(times, length[:, None])).z
    assert np.abs(adjusted).max() < 4 and np.abs(adjusted).mean() < 1.5


def test_rare_features_keep_their_level_in_clusters():
    rng, p = np.random.default_rng(8), []
    for _ in range(20):
        length, frailty = rng.normal(size=800), np.repeat(rng.normal(size=200), 4)
        failing, leaving = rng.exponential(np.exp(-length / 2 - frailty)), rng.exponential(0.4, 800)
        times = Times(None, np.minimum(failing, leaving), failing <= leaving)
        latent = np.repeat(rng.normal(size=(200, 60)), 4, axis=0) + rng.normal(size=(800, 60)) + length[:, None]
        X = sparse.csc_array((latent > 3.5) * np.ceil(rng.exponential(3, latent.shape)))
        p.append(cox_score(X, null_model(times, length[:, None]), np.arange(800) // 4).p)
    p = np.concatenate(p)
    assert len(p) == 1200 and 0.025 < np.mean(p < 0.05) < 0.075 and np.mean(p < 0.001) < 0.005


def test_bad_input():
    null = null_model(brute.random_times(np.random.default_rng(7), 20))
    with pytest.raises(SeqsaeError, match=r"shape \(19, 2\)"):
        cox_score(np.zeros((19, 2)), null)
    with pytest.raises(SeqsaeError, match="NaN"):
        cox_score(sparse.csc_array(np.full((20, 1), np.nan)), null)
    with pytest.raises(SeqsaeError, match="20 units"):
        cox_score(np.ones((20, 1)), null, np.zeros(3))
