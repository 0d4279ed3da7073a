"""The tensor inside what a module takes or gives: tuples, dicts, dataclasses, objects, and lists of them; read and put back."""

import copy
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from seqsae.errors import SeqsaeError


def get(value: Any, steps: Iterable[str], site: str) -> Any:
    """What stands at the end of `steps` from `value`; without steps the first tensor in it that can be states.

    Raises:
        SeqsaeError: there is no such part, or no such tensor, naming those there are.
    """
    steps = tuple(steps)
    if not steps:
        key = first_of(value, site)
        return value if key is None else part_of(value, key)
    for step in steps:
        value = part_of(value, key_of(value, step, site))
    if not is_state(value):
        raise SeqsaeError(f"site {site!r} is {type(value).__name__}, no tensor; {told(value)}")
    return value


def put(value: Any, steps: Iterable[str], new: Any, site: str) -> Any:
    """A copy of `value` with `new` where `get` reads."""
    steps = tuple(steps)
    if not steps:
        key = first_of(value, site)
        return new if key is None else with_part(value, key, new)
    key = key_of(value, steps[0], site)
    inner = new if len(steps) == 1 else put(part_of(value, key), steps[1:], new, site)
    return with_part(value, key, inner)


def tensors_in(value: Any, depth: int = 3) -> list[Tensor]:
    """Every tensor of floating-point numbers in an output, at most `depth` steps down."""
    if isinstance(value, Tensor):
        return [value] if value.is_floating_point() else []
    if depth == 0 or isinstance(value, nn.Module):
        return []
    return [tensor for key in keys_of(value) for tensor in tensors_in(part_of(value, key), depth - 1)]


def is_state(value: Any) -> bool:
    """Whether a value can be activations: a tensor, or a packed batch of sequences."""
    return isinstance(value, Tensor | PackedSequence)


def first_of(value: Any, site: str) -> Any:
    """The key of the first floating-point tensor of two axes or more in a value, None if the value is a tensor itself."""
    if is_state(value):
        return None
    for key in keys_of(value):
        inner = part_of(value, key)
        if isinstance(inner, PackedSequence) or (
            isinstance(inner, Tensor) and inner.is_floating_point() and inner.ndim > 1
        ):
            return key
    raise SeqsaeError(f"site {site!r} is {type(value).__name__} without a tensor of states in it; {told(value)}")


def keys_of(value: Any) -> list:
    """What a value's parts are called: keys, field names, attribute names or indices; none if it has no parts."""
    if isinstance(value, Mapping):
        return list(value)
    if isinstance(value, tuple | list):
        return list(range(len(value)))
    if is_dataclass(value) and not isinstance(value, type):
        return [one.name for one in fields(value)]
    return list(vars(value)) if type(value).__module__ != "builtins" and hasattr(value, "__dict__") else []


def key_of(value: Any, step: str, site: str) -> Any:
    """The key that a step of a site's spelling means in a value: a name, or a place counted from either end."""
    named = {str(key): key for key in keys_of(value)}
    named |= {name: place for place, name in enumerate(getattr(value, "_fields", ()))}
    if step in named:
        return named[step]
    order = list(range(len(value))) if isinstance(value, Tensor) and value.ndim else keys_of(value)
    if step.removeprefix("-").isdecimal() and -len(order) <= int(step) < len(order):
        return order[int(step)]
    raise SeqsaeError(f"site {site!r}: {type(value).__name__} has no part {step!r}; {told(value)}")


def part_of(value: Any, key: Any) -> Any:
    """The part of a value under a key of `key_of`."""
    return value[key] if isinstance(value, Mapping | tuple | list | Tensor) else getattr(value, key)


def with_part(value: Any, key: Any, new: Any) -> Any:
    """A copy of `value` with one part replaced; a tensor's part is a slice of its first axis."""
    if isinstance(value, Tensor):
        return torch.cat([value[:key], new[None].to(value), value[key + 1 :]])
    if isinstance(value, tuple):
        parts = [*value[:key], new, *value[key + 1 :]]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    if isinstance(value, list):
        return [*value[:key], new, *value[key + 1 :]]
    if isinstance(value, Mapping):
        return replace(value, **{key: new}) if is_dataclass(value) else type(value)({**value, key: new})
    other = copy.copy(value)
    object.__setattr__(other, key, new)  # a frozen dataclass too
    return other


def told(value: Any) -> str:
    """The parts there are, with the shapes of tensors, and how to choose one."""
    parts = [(key, part_of(value, key)) for key in keys_of(value)]
    shown = [f"{key} {list(one.shape) if isinstance(one, Tensor) else type(one).__name__}" for key, one in parts[:8]]
    return (
        f"its parts: {', '.join(shown)}; name one, as in module:out.{parts[0][0]}" if parts else "choose another site"
    )
