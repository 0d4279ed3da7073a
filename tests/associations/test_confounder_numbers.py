"""Columns of a confounder: one far value leaves what is adjusted for as it was; rare levels that become one are told."""

import numpy as np
import polars as pl
import pytest

from seqsae.associations.confounders import _levels, _numbers
from seqsae.progress import shown


def told(columns: np.ndarray, y: np.ndarray) -> np.ndarray:
    """What least squares on the columns leaves of y."""
    design = np.column_stack([np.ones(len(y)), columns])
    return y - design @ np.linalg.lstsq(design, y, rcond=None)[0]


@pytest.mark.parametrize("far", [1e6, 1e10, -1e15, 8.98e307])
def test_a_far_value_does_not_undo_the_adjustment(far):
    rng = np.random.default_rng(0)
    x = rng.uniform(20, 80, 800)
    y = 0.1 * x + (x > 60) + rng.normal(size=800)
    clean, damaged = x.copy(), x.copy()
    damaged[:2] = far
    with np.errstate(all="raise"):
        columns = _numbers(damaged)
    assert np.isfinite(columns).all() and np.abs(columns[2:]).max() < 50
    left = told(columns, y)[2:]
    assert left.var() == pytest.approx(told(_numbers(clean), y)[2:].var(), rel=0.01)
    assert abs(np.corrcoef(left, x[2:])[0, 1]) < 0.02


def test_units_of_a_number_do_not_matter():
    x = np.random.default_rng(1).normal(50, 10, 300)
    y = np.sin(x / 10)
    np.testing.assert_allclose(told(_numbers(x), y), told(_numbers(x * 1000 + 5), y), atol=1e-9)


@pytest.mark.parametrize("x", [np.full(50, 3.0), np.r_[np.zeros(49), 7.0], np.r_[np.zeros(48), np.nan, 7.0]])
def test_numbers_that_hardly_vary_are_finite(x):
    assert np.isfinite(_numbers(x)).all()


@pytest.mark.parametrize("rare", [0, 1, 2, 5])
def test_rare_levels_that_become_one_are_told(rare, capsys):
    values = pl.Series(["north"] * 60 + ["south"] * 40 + [f"isle {i}" for i in range(rare) for _ in range(4)])
    with shown():
        columns = _levels(values, {"role": "confounder", "name": "county"})
    told = " ".join(capsys.readouterr().err.split())
    wanted = f"confounder 'county': {rare} values with fewer than 20 units each are adjusted for as if they were one"
    assert (wanted in told) == (rare > 1)
    assert columns.shape == (len(values), 1 + (rare > 0)) and columns.sum() == 40 + 4 * rare
