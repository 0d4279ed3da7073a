"""Values of a CSV and of a JSON document brought to one form, so that they can be compared."""

import re
from math import isfinite
from typing import Any

NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
GUARDED = re.compile(r"'[=+\-@\t\r']")


def plain(value: Any) -> float | str | None:
    """A number as float, nothing and an empty text as None, other texts without the sign that guards a formula."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or value == "":
        return None
    if isinstance(value, int | float):
        return _float(value)
    text = str(value)
    if GUARDED.match(text):
        text = text[1:]
    if len(text) < 40 and NUMBER.fullmatch(text):
        return _float(text)
    return text.lower() if text in ("True", "False") else text


def _float(value: int | float | str) -> float | str:
    try:
        found = float(value)
    except OverflowError:
        return str(value)
    return found if isfinite(found) else str(value)


def number(value: Any) -> float | None:
    """The number that a cell holds; of `<1e-16` the bound; None for what is none."""
    found = plain(value[1:] if isinstance(value, str) and value.startswith("<") else value)
    return found if isinstance(found, float) else None


def words(name: str) -> list[str]:
    """The words of a column's name."""
    return [word for word in re.split(r"[^a-z0-9]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()) if word]
