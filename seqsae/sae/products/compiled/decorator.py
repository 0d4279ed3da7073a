"""How loops are compiled, and when their machine code on disk may be used again."""

from hashlib import sha256
from pathlib import Path

from numba import njit

_OPTIONS = {
    "nogil": True,  # several threads may run them
    "error_model": "numpy",  # no check for division by zero
    "fastmath": {"reassoc", "contract", "nsz"},  # sums may be taken in vectors; NaN and infinity keep their meaning
}
_SOURCES = sha256(b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))).hexdigest()


def compiled(function):
    """A function as numba compiles it, its machine code kept on disk where there is a place for it.

    numba compares a function's own file only, and these loops call each other across files: its stamp of the file is
    replaced by one of all of them. Where that cannot be done, nothing is kept.
    """
    try:
        loop = njit(cache=True, **_OPTIONS)(function)
        vars(loop._cache._cache_file)["_source_stamp"]  # not a new attribute, should numba have moved it
        loop._cache._cache_file._source_stamp = _SOURCES
    except (RuntimeError, AttributeError, KeyError):
        loop = njit(**_OPTIONS)(function)
    return loop
