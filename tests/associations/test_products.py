"""Products by blocks of features and rows, against plain ones."""

import numpy as np
import pytest
from scipy import sparse

from seqsae.associations import products
from seqsae.associations.products import Powers, across, power


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    """Blocks that cut small matrices."""
    monkeypatch.setattr(products, "WIDTH", 4)
    monkeypatch.setattr(products, "ROWS", 7)


def some(rng, n=30, n_features=11):
    return rng.normal(size=(n, n_features)) * (rng.random((n, n_features)) < 0.3)


FORMS = [np.asarray, sparse.csc_array, sparse.csr_array]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", [(30, 11), (30, 4), (30, 0), (3, 9)])
@pytest.mark.parametrize("k", [1, 12])
def test_a_product_is_the_plain_one(form, shape, k):
    rng = np.random.default_rng(0)
    x, y = some(rng, *shape), rng.normal(size=(k, shape[0])).T  # not in C order
    np.testing.assert_allclose(across(form(x), y), x.T @ y, atol=1e-13)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("n", [1, 7, 30])
def test_sums_of_powers_are_those_of_all_rows_at_once(form, n):
    rng = np.random.default_rng(1)
    x, y = some(rng, n), [rng.normal(size=(n, k)) for k in (3, 1, 2)]
    found = Powers(form(x)).sums(lambda units: tuple(columns[units] for columns in y))
    for p, (sums, columns) in enumerate(zip(found, y, strict=True), 1):
        np.testing.assert_allclose(sums, (x**p).T @ columns, atol=1e-13)


@pytest.mark.parametrize("form", FORMS)
def test_a_power_leaves_what_it_is_of_as_it_was(form):
    x = form(some(np.random.default_rng(2)))
    before = x.copy()
    for p in (1, 2, 3):
        raised = power(x, p)
        assert abs(raised - (x.power(p) if sparse.issparse(x) else x**p)).max() < 1e-12
    assert abs(x - before).max() == 0
