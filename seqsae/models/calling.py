"""A module called with whatever a batch holds, on the device where it lies."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


def call(module: nn.Module, inputs: Any) -> Any:
    """`module` applied to a tensor, a tuple of positional arguments or a dict of keyword arguments."""
    if isinstance(inputs, Mapping):
        return module(**inputs)
    return module(*inputs) if isinstance(inputs, tuple) else module(inputs)


def to_device(value: Any, device: torch.device) -> Any:
    """Tensors inside dicts, tuples and lists moved to `device`."""
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, Mapping):
        return {key: to_device(inner, device) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(to_device(inner, device) for inner in value)
    return value
