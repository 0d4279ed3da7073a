"""Features screened in blocks, against all of them at once."""

import numpy as np
import pytest
from scipy import sparse

from seqsae.associations import ranks as ranking
from seqsae.associations.adjusted import screen_adjusted
from seqsae.associations.blocks import Covariates, screen_blocks
from seqsae.associations.ranks import rank_excess
from seqsae.associations.screen import screen
from seqsae.errors import SeqsaeError

KINDS = np.arange(20) < 18


def study(seed=0, n=400, n_features=9):
    """Sparse features, 18 binary and 2 numeric covariates with gaps, confounders, households."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 3))
    x = np.ceil(rng.exponential(3, (n, n_features))) * (rng.random((n, n_features)) < rng.beta(1, 3, n_features))
    x[:, 3] *= -1
    y = np.column_stack([rng.random((n, 18)) < 1 / (1 + np.exp(-z[:, :1])), np.round(z[:, :2] + x[:, :2], 1)])
    y[rng.random(n) < 0.2, 5] = y[rng.random(n) < 0.3, 19] = np.nan
    return sparse.csc_array(x), Covariates(y, z, np.arange(n) // 2, KINDS)


@pytest.mark.parametrize("repeats", [False, True])
@pytest.mark.parametrize("form", [sparse.csc_array, sparse.csr_array, lambda x: x.toarray()])
def test_blocks_give_what_all_features_at_once_give(form, repeats):
    x, given = study()
    given = given._replace(repeats=repeats)
    blocks = (form(x[:, at]) for at in (slice(0, 4), slice(4, 5), slice(5, 9)))
    crude, beyond = screen_blocks(blocks, given, min_support=5)
    whole = rank_excess(form(x))
    for found, expected in [
        (crude, screen(whole, given.y, given.cluster, 5, KINDS)),
        (beyond, screen_adjusted(whole, given.y, given.z, given.cluster, 5, KINDS, repeats)),
    ]:
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    assert np.isfinite(beyond.p).any(axis=0).all()


def test_without_confounders_the_crude_screen_alone():
    x, given = study(1)
    (crude,) = screen_blocks([x], Covariates(given.y, binary=KINDS))
    np.testing.assert_allclose(crude.p, screen(rank_excess(x), given.y, binary=KINDS).p)


def test_blocks_that_do_not_fit_are_refused():
    x, given = study(2)
    with pytest.raises(SeqsaeError, match="no block"):
        screen_blocks([], given)
    with pytest.raises(SeqsaeError, match="block of features has 399 rows"):
        screen_blocks([x, x[1:]], given)
    with pytest.raises(SeqsaeError, match=r"confounders have shape \(399, 3\)"):
        screen_blocks([x], given._replace(z=given.z[1:]))
    with pytest.raises(SeqsaeError, match="or NaN"):
        screen_blocks([x], given._replace(z=np.where(given.z > 2, np.nan, given.z)))


def test_ranks_of_runs_of_columns_are_those_of_all(monkeypatch):
    x = study(3)[0].toarray()
    x[:, [0, 2, 6, 8]] = 0
    x = sparse.csc_array(x)
    whole = rank_excess(x)
    for few in (1, 40, 150):
        monkeypatch.setattr(ranking, "_NON_ZEROS", few)
        part = rank_excess(x)
        assert (part.excess != whole.excess).nnz == 0
        for name in ("base", "sum2", "sum3"):
            np.testing.assert_array_equal(getattr(part, name), getattr(whole, name))
