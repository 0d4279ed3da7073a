"""Clusters: planted groups are found, numbered by size, and few points are in none."""

import numpy as np
import pytest

from seqsae.maps.clusters import by_size, groups, labels


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


def test_leaves_are_smaller_than_what_lasts_longest_and_every_cluster_has_its_persistence():
    rng = np.random.default_rng(1)
    points = np.concatenate([rng.uniform(-0.5, 0.5, size=(40, 2)) + (x, 0) for x in (0, 1.2, 5)])
    found, leaves = groups(points, 8), groups(points, 8, "leaf")  # the two that all but touch are one, or two
    assert (found.cluster.max(), leaves.cluster.max()) == (1, 2)
    for one in (found, leaves):
        assert len(one.persistence) == one.cluster.max() + 1 and ((one.persistence >= 0) & (one.persistence <= 1)).all()
    sizes = [10, 40]
    apart = np.concatenate([rng.normal((90 * i, 0), (0.3, 3)[i], size=(n, 2)) for i, n in enumerate(sizes)])
    named = groups(apart, 8)
    assert named.cluster[0] == 1 and named.persistence[1] > named.persistence[0]
