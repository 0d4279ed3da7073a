"""Clusters: planted groups are found, numbered by size, and few points are in none."""

import numpy as np
import pytest

from seqsae.maps.clusters import by_size, labels


def test_planted_groups_are_found_and_the_largest_is_first():
    rng = np.random.default_rng(0)
    sizes = [10, 40, 20]
    points = np.concatenate([rng.normal((10 * i, 0), 0.3, size=(n, 2)) for i, n in enumerate(sizes)])
    found = labels(points.astype(np.float32), 5)
    assert [int(np.median(part)) for part in np.split(found, [10, 50])] == [2, 0, 1]
    assert (found >= 0).mean() > 0.9
    assert np.array_equal(found, labels(points.astype(np.float32), 5))


@pytest.mark.parametrize("count", [0, 1, 5])
def test_too_few_points_are_in_no_cluster(count):
    found = labels(np.zeros((count, 2), dtype=np.float32), 5)
    assert found.dtype == np.int32
    assert found.tolist() == [-1] * count


def test_numbers_go_by_size_then_by_first_point():
    assert by_size(np.array([7, -1, 3, 3, 7, 5])).tolist() == [0, -1, 1, 1, 0, 2]
