import numpy as np
import pytest
import torch
from scipy.stats import kurtosis

from seqsae.sae.quality.privileged import excess_kurtosis, privileged


def _normal(n, d):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(0))


def test_excess_kurtosis_is_scipys_whatever_the_offset_and_length():
    rows = 3 * _normal(20, 50).double() + torch.arange(20)[:, None]
    np.testing.assert_allclose(excess_kurtosis(rows), kurtosis(rows.numpy(), axis=1), rtol=1e-9)
    assert excess_kurtosis(torch.ones(1, 4)).isnan().all()


def test_random_directions_are_at_chance():
    found = privileged(torch.nn.functional.normalize(_normal(20_000, 32), dim=1))
    assert found.chance == -6 / 33
    assert found.kurtosis == pytest.approx(found.chance, abs=0.02)
    assert found.above == pytest.approx(0.01, abs=0.004)


def test_directions_along_coordinates_stand_out_and_a_rotation_hides_them():
    d = 64
    rows = torch.eye(d) + 0.1 * _normal(d, d)
    rotation = torch.linalg.qr(_normal(d, d)).Q
    along, turned = privileged(rows), privileged(rows @ rotation)
    assert along.above == 1 and along.kurtosis > 10
    assert turned.above < 0.1 and abs(turned.kurtosis - turned.chance) < 0.3


def test_few_dimensions_or_no_direction_say_nothing():
    assert privileged(_normal(5, 7)) is None and privileged(_normal(0, 16)) is None
