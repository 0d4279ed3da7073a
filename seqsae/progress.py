"""What a person sees while a room works: a bar on a terminal, plain lines otherwise. Silent until the CLI turns it on."""

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

_state = {"on": False}


@contextmanager
def shown(on: bool = True) -> Iterator[None]:
    """Inside this block `say` and `track` write to stderr."""
    before = _state["on"]
    _state["on"] = on
    try:
        yield
    finally:
        _state["on"] = before


def say(line: str) -> None:
    """One plain line of progress."""
    if _state["on"]:
        sys.stderr.write(line.rstrip() + "\n")
        sys.stderr.flush()


def track(items: Iterable, title: str, total: int | None = None) -> Iterator:
    """Yield `items`, with a bar on a terminal or a line about every ten seconds elsewhere."""
    total = len(items) if total is None and hasattr(items, "__len__") else total
    if not _state["on"]:
        yield from items
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track as bar

        yield from bar(items, description=title, total=total, console=Console(stderr=True), transient=True)
    else:
        yield from _lines(items, title, total)


def _lines(items: Iterable, title: str, total: int | None) -> Iterator:
    last = time.monotonic()
    for done, item in enumerate(items):
        if time.monotonic() - last > 10:
            say(f"  {title}: {done:,}" + (f" of {total:,}" if total else ""))
            last = time.monotonic()
        yield item
