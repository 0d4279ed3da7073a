"""What a person sees while a room works: a bar on a terminal, plain lines otherwise. Silent until the CLI turns it on."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

_state = {"on": False, "below": None}


@contextmanager
def shown(on: bool = True) -> Iterator[None]:
    """Inside this block `say` and `track` write to stderr."""
    before = _state["on"]
    _state["on"] = on
    try:
        yield
    finally:
        _state["on"] = before


@contextmanager
def below(drawn: Callable) -> Iterator[None]:
    """Inside this block the bar of `track` has under it what `drawn()` gives (something `rich` can print), on a terminal."""
    before = _state["below"]
    _state["below"] = drawn
    try:
        yield
    finally:
        _state["below"] = before


def on_terminal() -> bool:
    """Whether somebody looks at a bar just now."""
    return _state["on"] and sys.stderr.isatty()


def say(line: str) -> None:
    """One plain line of progress, whatever breaks of lines and signs to a terminal are quoted in it."""
    if _state["on"]:
        sys.stderr.write("".join(sign if sign.isprintable() else " " for sign in line.rstrip()) + "\n")
        sys.stderr.flush()


def track(items: Iterable, title: str, total: int | None = None, done: int = 0) -> Iterator:
    """Yield `items`, with a bar on a terminal or a line about every ten seconds elsewhere; `done` of `total` were before."""
    total = len(items) if total is None and hasattr(items, "__len__") else total
    if not _state["on"]:
        yield from items
    elif sys.stderr.isatty():
        yield from _bar(items, title, total, done)
    else:
        yield from _lines(items, title, total, done)


def _bar(items: Iterable, title: str, total: int | None, done: int) -> Iterator:
    from rich.console import Console
    from rich.progress import Progress

    class Bar(Progress):
        def get_renderables(self):
            yield self.make_tasks_table(self.tasks)
            if _state["below"] is not None:
                yield _state["below"]()

    with Bar(console=Console(stderr=True), transient=True) as bar:
        yield from bar.track(items, total=total, completed=done, description=title)


def _lines(items: Iterable, title: str, total: int | None, first: int) -> Iterator:
    last = time.monotonic()
    for done, item in enumerate(items, first):
        if time.monotonic() - last > 10:
            say(f"  {title}: {done:,}" + (f" of {total:,}" if total else ""))
            last = time.monotonic()
        yield item
