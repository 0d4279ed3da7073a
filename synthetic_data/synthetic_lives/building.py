"""A folder that appears whole or not at all, and never twice at once: built beside its place, then renamed into it."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from polars.exceptions import PolarsError

REMEDY = "choose another folder"
MOST_PERSONS = 200_000_000
"""Data files are numbered with five digits and hold 2,000 lives each; no register of persons is larger by much."""


@contextmanager
def building(out: Path) -> Iterator[Path]:
    """An empty folder to fill; it takes the place of `out` on leaving, or is gone if an exception leaves.

    It is called `.NAME.building` and locked while it is filled, so that what a killed process left is cleared by the next
    one, and nothing of a process that is at work. A symbolic link is followed, so that the folder stands where it points.

    Raises:
        ValueError: `out` is not free or cannot be made, or another process is making it.
        OSError: it cannot be written; of what was made nothing is kept.
    """
    target = free(out)
    folder = target.with_name(f".{target.name}.building")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle = _locked(folder, out)
    except OSError as cause:
        raise ValueError(f"{out}: no folder can be made there ({cause.strerror}); {REMEDY}") from None
    try:
        free(out)  # another process may have finished it in between
        _emptied(folder)
        yield folder
        if target.exists():
            target.rmdir()
        folder.rename(target)
    except BaseException as cause:
        shutil.rmtree(folder, ignore_errors=True)
        number = _no_room(cause)
        if number is None:
            raise
        raise OSError(number, os.strerror(number), str(out)) from cause
    finally:
        if handle is not None:
            os.close(handle)


def free(out: Path) -> Path:
    """Where the folder is to stand, links followed. Raises ValueError, one line, if that is taken or cannot be replaced."""
    try:
        target = out.resolve()
        taken = target.exists()
        full = target.is_dir() and any(target.iterdir())
    except (OSError, RuntimeError, ValueError) as cause:  # a loop of links, a name too long, a NUL
        raise ValueError(f"{str(out)[:200]!r}: no path of a folder ({str(cause)[:80]}); {REMEDY}") from None
    if taken and not target.is_dir():
        raise ValueError(f"{out}: a file stands there; {REMEDY}")
    if full:
        raise ValueError(f"{out}: the folder is not empty; remove it or choose another")
    if target == Path.cwd():
        raise ValueError(f"{out}: the folder you are in cannot be replaced; name a new one")
    if taken and os.path.ismount(target):
        raise ValueError(f"{out}: a disk is mounted there, which cannot be replaced; name a new folder within it")
    return target


def _locked(folder: Path, out: Path) -> int | None:
    """The folder, made if need be, open and locked; None where there are no such locks."""
    folder.mkdir(exist_ok=True)
    try:
        import fcntl
    except ImportError:  # not on Windows
        return None
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if folder.exists() and os.path.samestat(os.fstat(handle), folder.stat()):
            return handle
    except BlockingIOError:
        pass
    except OSError:  # a network's file system without locks
        return handle
    os.close(handle)
    raise ValueError(f"{out}: another process is making it; wait for it, or {REMEDY}")


def _no_room(cause: BaseException) -> int | None:
    """What the system said, where writing failed: some libraries name no file, or have errors of their own for it."""
    if isinstance(cause, OSError) and cause.errno:
        return cause.errno
    found = re.search(r"\(os error (\d+)\)", str(cause)) if isinstance(cause, PolarsError | OSError) else None
    return int(found[1]) if found else None


def _emptied(folder: Path) -> None:
    """Take away what a killed process left."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def whole(name: str, value: int, least: int, most: int | None = None, why: str = "") -> None:
    """Raises ValueError unless `value` is a whole number from `least` to `most`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name}: {value!r} is not a whole number of at least {least}; give one such as {least}")
    if most is not None and value > most:
        raise ValueError(f"{name}: {str(value)[:30]} is more than the {most:,} that can be made ({why}); ask for fewer")
