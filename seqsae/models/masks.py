"""The mask among a module's inputs that tells it what is padding, under the names that torch and transformers use."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

PAD_KEYS = ("src_key_padding_mask", "key_padding_mask")  # torch's convention: True is padding
REAL_KEYS = ("attention_mask",)  # transformers' convention: 1 is real


def named(inputs: Any) -> Mapping | None:
    """The inputs by name: a dict of keyword arguments, or one that is the only argument; None if they have no names."""
    inner = inputs[0] if isinstance(inputs, tuple) and len(inputs) == 1 else inputs
    return inner if isinstance(inner, Mapping) else None


def key_of(inputs: Any) -> str | None:
    """The name of the mask [B, T] among the inputs, None if there is none."""
    given = named(inputs) or {}
    there = (key for key in REAL_KEYS + PAD_KEYS if isinstance(given.get(key), Tensor) and given[key].ndim == 2)
    return next(there, None)


def real(inputs: Any) -> Tensor | None:
    """[B, T] bool: what the module attends to, as its inputs say; None if no input says it."""
    key = key_of(inputs)
    if key is None:
        return None
    mask = named(inputs)[key].bool()
    return ~mask if key in PAD_KEYS else mask


def all_real(inputs: Any) -> Any:
    """The inputs with a mask that hides nothing."""
    key = key_of(inputs)
    mask = named(inputs)[key]
    open_mask = mask.new_zeros(mask.shape) if key in PAD_KEYS else mask.new_ones(mask.shape)
    changed = {**named(inputs), key: open_mask}
    return (changed,) if isinstance(inputs, tuple) else changed
