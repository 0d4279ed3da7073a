"""Where a feature stands among its like: the percentile and its interval against a plain bootstrap."""

import numpy as np
import pytest

from seqsae.faithfulness.standing import percentile, standing


def made(means, seed, clusters=40, spread=0.3):
    """[m, C, 2] sums and counts of m features of the given means."""
    random = np.random.default_rng(seed)
    counts = random.integers(1, 6, (len(means), clusters)).astype(float)
    sums = counts * (np.array(means)[:, None] + spread * random.normal(size=counts.shape))
    return np.stack([sums, counts], axis=2)


def by_loop(own, rivals, draws):
    random, found = np.random.default_rng(1), []
    for _ in range(draws):
        who = random.integers(len(own), size=len(own))
        value = abs(own[who, 0].sum() / own[who, 1].sum())
        among = [abs(r[who, 0].sum() / r[who, 1].sum()) for r in rivals[random.integers(len(rivals), size=len(rivals))]]
        found.append(percentile(value, np.array(among)))
    return np.quantile(found, [0.025, 0.975])


@pytest.mark.parametrize("mean", [-2.0, 0.9, 0.2])
def test_the_interval_is_that_of_a_loop(mean):
    parts = made([mean, *np.linspace(0.1, 1.9, 20)], 0)
    own, rivals = parts[0], parts[1:]
    found = standing(own, rivals, 4000, 0)
    sizes = np.abs(parts.sum(1)[:, 0] / parts.sum(1)[:, 1])
    assert found.value == percentile(sizes[0], sizes[1:])
    assert [found.low, found.high] == pytest.approx(by_loop(own, rivals, 4000), abs=5.01)  # a step of one in twenty
    assert found.low <= found.value <= found.high


def test_few_rivals_tell_less_than_many():
    widths = []
    for n in (5, 20, 80):
        parts = made([1.0, *np.linspace(0.1, 1.9, n)], 0)
        found = standing(parts[0], parts[1:], 2000, 0)
        widths.append(found.high - found.low)
    assert widths[0] > widths[1] > widths[2]


def test_what_was_measured_nowhere_has_no_standing():
    parts = made([1.0, 0.5, 2.0], 0)
    assert standing(np.zeros((40, 2)), parts[1:], 100, 0) == (None, None, None)
    assert standing(parts[0], parts[:0], 100, 0) == (None, None, None)
    parts[2] = 0
    assert standing(parts[0], parts[1:], 100, 0).value == 100


def test_of_four_clusters_there_is_no_interval():
    parts = made([1.0, 0.5, 2.0], 0, clusters=4)
    assert standing(parts[0], parts[1:], 100, 0) == (50, None, None)


def test_a_rival_of_other_subjects_alone_is_left_out_of_the_draws_without_it():
    parts = made([1.0, 0.5, 2.0], 0)
    parts[2, 1:] = 0  # one cluster has it
    found = standing(parts[0], parts[1:], 500, 0)
    assert found.value == 50 and 0 <= found.low <= found.high <= 100
