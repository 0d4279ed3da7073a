"""The source `synthetic-lives`: made on the spot, or read from a folder made before."""

import atexit
import shutil
from pathlib import Path
from tempfile import mkdtemp

from synthetic_lives.folder import make
from synthetic_lives.like import make_like


def open(
    path: str | Path | None = None,
    persons: int | None = None,
    seed: int = 0,
    strength: float = 2.0,
    preset: str = "small",
    workers: int = 1,
) -> Path:
    """The folder of a dataset: `path` if given, otherwise a new one in a temporary folder, which goes when the
    process ends.

    Raises ValueError if `path` is no dataset, or as `make` does.
    """
    if path is None:
        scratch = Path(mkdtemp(prefix="synthetic-lives-"))
        atexit.register(shutil.rmtree, scratch, ignore_errors=True)
        return make(scratch / "lives", persons, seed, strength, preset, workers)
    if not (Path(path) / "data").is_dir():
        raise ValueError(f"{path}: no data/ folder in it; make the lives first with synthetic_lives.make")
    return Path(path)


open.make = make
open.make_like = make_like
