"""Sums over risk sets where confounders tell the times perfectly: nothing is left to test, and it is said so without a warning."""

import numpy as np
import pytest
from scipy import sparse

from seqsae.associations.survival.null import null_model
from seqsae.associations.survival.score import cox_score
from seqsae.associations.survival.steps import risk_set_jumps, step_moments
from seqsae.associations.survival.times import Times

FORMS = {"sparse": sparse.csc_array, "dense": np.asarray}


def made(n: int, share: float):
    rng = np.random.default_rng(n)
    time, event = rng.permutation(n) + 1.0, rng.random(n) < share
    event[0] = True
    return Times(None, time, event), rng.exponential(size=(n, 4)) * (rng.random((n, 4)) < 0.3)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("n", "share"), [(40, 1.0), (40, 0.5), (300, 0.7)])
def test_a_confounder_that_orders_all_times_leaves_nothing_to_test(form, sign, n, share):
    times, x = made(n, share)
    null = null_model(times, sign * times.time[:, None])
    assert null.s0.min() < 1e-110, "as far apart as cubes of it overflow"
    found = cox_score(FORMS[form](x), null)
    assert (found.v == 0).all() and np.isnan(found.z).all() and np.isnan(found.p).all()
    moments = step_moments(risk_set_jumps(FORMS[form](x), null), null)
    assert all(np.isnan(part).all() for part in moments)


@pytest.mark.parametrize("form", FORMS)
def test_the_sums_are_what_they_were_where_nothing_overflows(form):
    times, x = made(80, 0.6)
    null = null_model(times, np.random.default_rng(1).normal(size=(80, 1)))
    at_risk = times.time >= null.risk.event_times[:, None]
    mean = (at_risk * null.theta) @ x / ((at_risk * null.theta).sum(axis=1))[:, None]
    found = step_moments(risk_set_jumps(FORMS[form](x), null), null)
    np.testing.assert_allclose(found.square, null.risk.count @ mean**2, rtol=1e-9)
    np.testing.assert_allclose(found.cube, null.risk.count @ mean**3, rtol=1e-9)
