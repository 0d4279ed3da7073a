"""The layout keeps neighbours together, repeats itself, and refuses what has no direction."""

import numpy as np
import pytest

from seqsae.errors import SeqsaeError
from seqsae.maps import umap_layout
from seqsae.maps.umap_layout import layout, principal_axes


def families(groups: int, members: int, width: int = 24, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(groups, width))
    noise = 0.1 * rng.normal(size=(groups * members, width))
    return (np.repeat(centres, members, axis=0) + noise).astype(np.float32)


def test_directions_of_one_family_stand_together():
    points = layout(families(4, 15), neighbours=8, min_dist=0.1, seed=0)
    assert points.shape == (60, 2)
    assert points.dtype == np.float32
    family = np.repeat(np.arange(4), 15)
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    nearest = np.argsort(distance, axis=1)[:, :5]
    assert (family[nearest] == family[:, None]).mean() > 0.95


def test_the_angle_counts_and_not_the_length():
    directions = families(3, 10)
    scaled = directions * np.linspace(1, 64, len(directions), dtype=np.float32)[:, None]
    family = np.repeat(np.arange(3), 10)
    points = layout(scaled, 5, 0.1, 0)
    centres = np.stack([points[family == number].mean(axis=0) for number in range(3)])
    nearest = np.linalg.norm(points[:, None] - centres[None], axis=2).argmin(axis=1)
    assert (nearest == family).all()


def test_the_same_seed_gives_the_same_bytes():
    directions = families(3, 10)
    first = layout(directions, 5, 0.1, seed=3)
    assert first.tobytes() == layout(directions, 5, 0.1, seed=3).tobytes()
    assert first.tobytes() != layout(directions, 5, 0.1, seed=4).tobytes()


def test_many_directions_are_compared_with_all_others_before_and_lie_as_few_do(monkeypatch):
    directions = families(4, 15)
    plain = layout(directions, 8, 0.1, seed=0)
    monkeypatch.setattr(umap_layout, "EXACT", range(60, 61))
    known = layout(directions, 8, 0.1, seed=0)
    number, distance = umap_layout._nearest(directions / np.linalg.norm(directions, axis=1, keepdims=True), 8)
    assert (number[:, 0] == np.arange(60)).all() and (np.diff(distance, axis=1) >= 0).all() and (distance >= 0).all()
    near = [np.argsort(np.linalg.norm(p[:, None] - p, axis=2), axis=1)[:, 1:9] for p in (plain, known)]
    assert np.mean([len(np.intersect1d(a, b)) for a, b in zip(*near, strict=True)]) > 5
    assert layout(directions, 8, 0.1, 0, epochs=20).tobytes() != known.tobytes()


def test_equal_directions_are_laid_out():
    points = layout(np.repeat(families(3, 1), 8, axis=0), 5, 0.1, 0)
    assert np.isfinite(points).all()


@pytest.mark.parametrize("count", [0, 1, 2, 4])
def test_a_few_directions_fall_back_to_principal_axes(count):
    points = layout(families(1, max(count, 1))[:count], 15, 0.1, 0)
    assert points.shape == (count, 2)
    assert np.isfinite(points).all()


def test_principal_axes_carry_the_variance_that_the_covariance_says():
    points = np.random.default_rng(1).normal(size=(4, 7)) * np.arange(1, 8)
    axes = principal_axes(points)
    expected = np.sort(np.linalg.eigvalsh(np.cov(points.T)))[::-1][:2]
    np.testing.assert_allclose(axes.astype(np.float64).var(axis=0, ddof=1), expected, rtol=1e-5)


def test_the_sign_of_a_principal_axis_is_fixed():
    points = np.random.default_rng(2).normal(size=(4, 7))
    np.testing.assert_allclose(principal_axes(-points), principal_axes(points), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "NaN or infinity"), (0.0, "zeros")])
def test_a_direction_that_is_none_is_named(value, word):
    directions = families(2, 5)
    directions[7] = value
    with pytest.raises(SeqsaeError, match=rf"decoder direction 7 .*{word}"):
        layout(directions, 5, 0.1, 0)
