"""Options of architectures, judged before anything is built: one line that names the option and what it may be."""

import math
from collections.abc import Mapping
from typing import Any

from seqsae.errors import SeqsaeError
from seqsae.sae.base import Recipe


def number(recipe: Recipe, options: Mapping[str, Any], name: str, low: float, high: float = math.inf) -> None:
    """Raises SeqsaeError unless the option is a finite number from `low` to `high`."""
    value = options[name]
    fine = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
    if not fine or not low <= value <= high:
        upto = f"from {low:g} to {high:g}" if math.isfinite(high) else f"of at least {low:g}"
        raise SeqsaeError(f"SAE {recipe.architecture!r}: {name} is {_shown(value)}; give a number {upto}")


def whole(recipe: Recipe, options: Mapping[str, Any], name: str, low: int, high: float = math.inf) -> None:
    """Raises SeqsaeError unless the option is a whole number from `low` to `high`."""
    value = options[name]
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= min(high, 2**62):
        upto = f"from {low} to {high:g}" if math.isfinite(high) else f"of at least {low}"
        raise SeqsaeError(f"SAE {recipe.architecture!r}: {name} is {_shown(value)}; give a whole number {upto}")


def _shown(value: Any) -> str:
    """The value as written, cut if it is long."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def positive(recipe: Recipe, options: Mapping[str, Any], name: str) -> None:
    """Raises SeqsaeError unless the option is a finite number above 0."""
    number(recipe, options, name, 0)
    if options[name] == 0:
        raise SeqsaeError(f"SAE {recipe.architecture!r}: {name} is 0; give a number above 0")


def choice(recipe: Recipe, options: Mapping[str, Any], name: str, choices: tuple[str, ...]) -> None:
    """Raises SeqsaeError unless the option is one of the choices."""
    if options[name] not in choices:
        raise SeqsaeError(
            f"SAE {recipe.architecture!r}: unknown {name} {options[name]!r}; choose one of {', '.join(choices)}"
        )


def no_k(recipe: Recipe) -> None:
    """Raises SeqsaeError if a k was given to an architecture that has none."""
    if recipe.k is not None:
        raise SeqsaeError(
            f"SAE {recipe.architecture!r}: k is {recipe.k}, but its number of active latents is learnt; leave k out"
        )


def a_k(recipe: Recipe) -> None:
    """Raises SeqsaeError if no k was given to an architecture that needs one."""
    if recipe.k is None:
        raise SeqsaeError(f"SAE {recipe.architecture!r}: no k; give the number of active latents a row")
