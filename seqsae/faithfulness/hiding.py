"""Whether hiding tokens changed what the model is given."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from seqsae.models.parts import keys_of, part_of

DEPTH = 4  # steps down into the inputs
_PLAIN = (bool, int, float, str, bytes, type(None))


class Unclear(Exception):
    """The inputs hold something that cannot be compared."""


def copied(inputs: Any) -> list | None:
    """Copies of all that a module is given, to compare with later (it may be changed in place); None if it cannot be told."""
    try:
        return _leaves(inputs, DEPTH)
    except Unclear:
        return None


def unchanged(before: list | None, inputs: Any) -> bool:
    """Whether the inputs are known to be those of which `before` are copies."""
    after = copied(inputs)
    if before is None or after is None or len(before) != len(after):
        return False
    return all(_same(one, other) for one, other in zip(before, after, strict=True))


def _leaves(value: Any, depth: int) -> list:
    if isinstance(value, Tensor):
        if value.layout != torch.strided or value.is_nested:
            raise Unclear
        return [value.detach().clone()]
    if isinstance(value, np.ndarray):
        return [value.copy()]
    if isinstance(value, _PLAIN):
        return [value]
    keys = keys_of(value) if depth else []
    if not keys:
        raise Unclear
    return [leaf for key in keys for leaf in _leaves(part_of(value, key), depth - 1)]


def _same(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, Tensor):
        return one.shape == other.shape and one.device == other.device and bool((one == other).all())
    return np.array_equal(one, other) if isinstance(one, np.ndarray) else one == other
