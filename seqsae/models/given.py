"""What a caller gives to `wrap`, looked at before anything is done with it, and how a wrong thing is named."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from torch import Tensor

from seqsae.errors import SeqsaeError
from seqsae.models import masks

MASK = "a torch tensor [batch, positions] of bool, True where a position is a real row"


def sites_of(given: Any) -> list[str]:
    """The sites as a list. Raises SeqsaeError unless several are given, as they are in a list."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise SeqsaeError(f"wrap: sites = {given!r}; give a list of places to read, as in ['encoder.layers.2']")
    return list(given)


def check_functions(required: str, **functions: Any) -> None:
    """Raises SeqsaeError for one that cannot be called; only that called `required` may not be None."""
    for name, function in functions.items():
        if not callable(function) and (function is not None or name == required):
            leave = "" if name == required else ", or leave it out"
            raise SeqsaeError(f"wrap: {name} = {function!r} cannot be called; give a function{leave}")


def described(value: Any) -> str:
    """A value by its kind, with number format and shape where it has them."""
    if isinstance(value, Tensor | np.ndarray):
        kind = "a tensor" if isinstance(value, Tensor) else "a numpy array"
        return f"{kind} of {str(value.dtype).removeprefix('torch.')} and shape {tuple(value.shape)}"
    return f"of type {type(value).__name__}"


def is_mask(value: Any) -> bool:
    """Whether a value is a tensor [B, T] of whole numbers or bools."""
    return isinstance(value, Tensor) and value.ndim == 2 and not (value.is_floating_point() or value.is_complex())


def no_mask(name: str, collated: Any) -> SeqsaeError:
    """The refusal of what the collate of model `name` gave, since no mask [B, T] is to be found in it."""
    told = f"collate of model {name!r}"
    if isinstance(collated, tuple) and len(collated) in (2, 3):
        if not is_mask(collated[1]):
            return SeqsaeError(
                f"{told}: the second part of what it gave, the mask, is {described(collated[1])}; give {MASK}"
            )
        return SeqsaeError(
            f"{told}: the third part of what it gave, the index, is {described(collated[2])}; give a torch tensor "
            "[batch, positions] of whole numbers, the entry of the item that each position stands for"
        )
    names = [key for key in (*masks.REAL_KEYS, *masks.PAD_KEYS) if isinstance(collated, Mapping) and key in collated]
    if names and masks.key_of(collated) is None:
        return SeqsaeError(
            f"{told}: its {names[0]} is {described(collated[names[0]])}; give a torch tensor [batch, positions], or return "
            f"(inputs, mask), the mask {MASK}"
        )
    return SeqsaeError(f"{told} gave {type(collated).__name__} without a mask; return (inputs, mask), the mask {MASK}")
