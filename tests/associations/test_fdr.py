"""Multiple testing against scipy and a naive implementation."""

import numpy as np
import pytest
from scipy import stats

from seqsae.associations.fdr import benjamini_hochberg, benjamini_yekutieli, holm
from seqsae.errors import SeqsaeError

P = np.concatenate([np.random.default_rng(0).random(50) ** 3, [0.01, 0.01, 0.0, 1.0]])


def naive_holm(p):
    order = sorted(range(len(p)), key=lambda i: p[i])
    out, worst = [0.0] * len(p), 0.0
    for rank, i in enumerate(order):
        worst = max(worst, min(1.0, (len(p) - rank) * p[i]))
        out[i] = worst
    return out


def test_all_agree_with_their_oracles():
    np.testing.assert_allclose(benjamini_hochberg(P), stats.false_discovery_control(P))
    np.testing.assert_allclose(
        benjamini_yekutieli(P), stats.false_discovery_control(P, method="by"), rtol=1e-12, atol=1e-12
    )
    np.testing.assert_allclose(holm(P), naive_holm(P))


@pytest.mark.parametrize("rule", [benjamini_hochberg, benjamini_yekutieli, holm])
def test_what_was_not_tested_stays_out_of_the_count(rule):
    holes = np.full((6, 20), np.nan)
    holes.ravel()[: 2 * len(P) : 2] = P
    found = rule(holes)
    assert found.shape == holes.shape
    np.testing.assert_array_equal(np.isnan(found), np.isnan(holes))
    np.testing.assert_allclose(found[~np.isnan(holes)], rule(P))
    assert np.isnan(rule(np.full(3, np.nan))).all() and rule(np.array([])).shape == (0,)


def test_what_is_no_probability_is_refused():
    with pytest.raises(SeqsaeError, match="between 0 and 1"):
        holm(np.array([0.5, 1.2]))
