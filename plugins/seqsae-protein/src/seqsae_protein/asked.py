"""Options as a config or a caller gives them, checked by type: each error names the option and what is wanted."""

from os import PathLike
from typing import Any

from seqsae.errors import SeqsaeError


def flag(owner: str, option: str, value: Any) -> bool:
    """A yes or no."""
    if not isinstance(value, bool):
        raise SeqsaeError(f"{owner}: {option} = {value!r}; give true or false")
    return value


def whole(owner: str, option: str, value: Any, least: int) -> int:
    """A whole number from `least` on; true is no 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise SeqsaeError(f"{owner}: {option} = {value!r}; give a whole number from {least} on")
    return value


def text(owner: str, option: str, value: Any, wanted: str) -> Any:
    """A text or path that is not empty, or None."""
    if value is not None and not _filled(value):
        raise SeqsaeError(f"{owner}: {option} = {value!r}; give {wanted}")
    return value


def texts(owner: str, option: str, value: Any, wanted: str) -> list:
    """One text or path that is not empty, or several, as a list; mappings, numbers and what they hold are refused."""
    if _filled(value):
        return [value]
    several = not isinstance(value, str | bytes | dict) and hasattr(value, "__iter__")
    found = list(value) if several else [None]
    if not all(map(_filled, found)):
        raise SeqsaeError(f"{owner}: {option} = {value!r}; give {wanted}")
    return found


def _filled(value: Any) -> bool:
    return isinstance(value, PathLike) or (isinstance(value, str) and bool(value))
