"""Position patterns of planted features, and the autocorrelation against a loop."""

import numpy as np
import pytest
import scipy.sparse as sp
from features.small_stores import Given, store_of

from seqsae.associations.concept_patterns import _autocorrelation, _of_units, patterns
from seqsae.associations.concept_spans import Part, part_of
from seqsae.associations.concept_units import Scaled

N, LENGTH = 40, 90
KINDS = ["point", "motif", "periodic", "whole", "rare", "dead", "point", "motif"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    rng = np.random.default_rng(0)
    n_rows = rng.integers(LENGTH - 20, LENGTH, N)
    codes = [one_sample(rng, sample, n) for sample, n in enumerate(n_rows)]
    store = store_of(tmp_path_factory.mktemp("patterns"), n_rows, split=["train"] * N)
    given = Given(store, np.concatenate(codes))
    return patterns(Scaled(given, store), part_of(store, "train"), 0.15, 30)


def one_sample(rng, sample, n):
    codes = np.zeros((n, len(KINDS)))
    codes[rng.integers(0, n, 3), 0] = 1
    at = rng.integers(0, n - 8)
    codes[at : at + 6, 1] = rng.uniform(0.5, 1, 6)
    codes[rng.integers(0, 7) :: 7, 2] = 1
    codes[:, 3] = rng.random(n) < 0.95
    codes[5, 4] = sample < 4
    pair = rng.integers(0, n - 20)
    codes[[pair, pair + 18], 6] = 1  # two places at a fixed distance
    codes[at : at + 6, 7], codes[:, 7] = 0, np.where(np.arange(n) // 5 == at // 5, 1, 0.1)  # weakly on elsewhere
    return codes


def test_planted_patterns_are_told_apart(table):
    assert table["pattern"].to_list() == KINDS
    periodic = table.row(2, named=True)
    assert periodic["period"] == 7 and periodic["periodicity"] > 0.9 and periodic["runs_per_sample"] > 8
    assert table["run_length"][1] == 6 and table["coverage"][3] > 0.9 and table["n_samples"].to_list()[3:6] == [N, 4, 0]
    assert table["run_length"][5] is None and table["period"][5] is None
    assert table["n_runs"][1] == N and table["n_runs"][4] == 4


def test_two_places_at_a_fixed_distance_are_no_period_but_a_peak_without_a_second_one(table):
    assert table["pattern"][6] == "point" and table["period"][6] is None


def test_a_period_beyond_the_longest_is_not_looked_for():
    active = np.zeros((200, 1))
    active[::40] = 1
    part = Part(np.arange(1), np.arange(200), np.array([0, 200]), np.zeros(1, int))
    assert _of_units(sp.csc_array(active), part, 30)["period"][0] is None
    assert _of_units(sp.csc_array(active), part, 45)["period"][0] == 40


def test_autocorrelation_is_that_of_a_loop_and_never_crosses_samples():
    rng = np.random.default_rng(1)
    first, lags = np.array([0, 7, 7, 30, 41]), 12
    on = rng.random((41, 3)) < 0.4
    on[:30, 2] = False
    sample = np.repeat(np.arange(4), np.diff(first))
    place, unit = [index.ravel() for index in np.nonzero(on.T)][::-1]
    holds = sp.csr_array(np.array([[on[sample == s, u].any() for s in range(4)] for u in range(3)], float))
    made = _autocorrelation(unit, place, sample[place], holds, np.diff(first), lags)
    for u in range(3):
        samples = [on[sample == s, u] for s in range(4) if on[sample == s, u].any()]
        p = np.concatenate(samples).mean()
        for lag in range(1, lags + 1):
            both = np.concatenate([[a and b for a, b in zip(x, x[lag:], strict=False)] for x in samples])
            together = both.mean() if len(both) else p**2
            assert made[u, lag] == pytest.approx((together - p**2) / (p - p**2))
