"""Ctrl-C between steps rather than inside one, so that what is kept is whole."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def held() -> Iterator[Callable[[], bool]]:
    """Inside, a first Ctrl-C only makes the given function say True; a second one ends at once, as ever.

    Raises:
        KeyboardInterrupt: on leaving, if there was one and nobody has acted on it.
    """
    before, asked = signal.getsignal(signal.SIGINT), []
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield lambda: False  # signals are not ours to take, or are ignored
        return

    def hear(*_) -> None:
        asked.append(True)
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, hear)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, before)
    if asked:
        raise KeyboardInterrupt
