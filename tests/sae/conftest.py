"""Rows with known directions."""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor


class Planted(NamedTuple):
    rows: Tensor  # [n, d] raw
    directions: Tensor  # [g, d] unit rows


def _plant(d: int, directions: int, active: int, n: int, seed: int = 0) -> Planted:
    """Sums of `active` random directions of 0.5 to 1.5 each, a little noise, and an offset that is no direction."""
    generator = torch.Generator().manual_seed(seed)
    found = torch.nn.functional.normalize(torch.randn(directions, d, generator=generator), dim=1)
    which = torch.rand(n, directions, generator=generator).topk(active, dim=1).indices
    amounts = torch.zeros(n, directions).scatter_(1, which, 0.5 + torch.rand(n, active, generator=generator))
    noise = 0.01 * torch.randn(n, d, generator=generator)
    return Planted(amounts @ found + noise + 3.0, found)


@pytest.fixture(scope="session")
def planted() -> Planted:
    return _plant(d=32, directions=64, active=4, n=12_000)


@pytest.fixture(scope="session")
def plant():
    """The function behind `planted`, for other sizes and seeds."""
    return _plant


@pytest.fixture(autouse=True)
def one_thread():
    """Bits are promised for a number of threads; small products are fastest on one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
