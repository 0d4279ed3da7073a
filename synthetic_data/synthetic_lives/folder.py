"""From arguments to the folder on disk."""

import shutil
from math import isfinite
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

from synthetic_lives import covariates, people, process, tables, truth

FEWEST = 50
"""Persons; with fewer, the rare trait and the strata of the covariates are empty."""


def make(out: Path, persons: int = 6000, seed: int = 0, strength: float = 2.0) -> Path:
    """Write `persons` synthetic lives into the new folder `out`; the same arguments give the same bytes.

    `strength` multiplies every effect that a concept has on the logits of event codes: 0 plants nothing, the
    README's numbers hold for 2. The folder appears whole or not at all. Returns `out`.

    Raises ValueError, one line each, if an argument is out of range or `out` is not free.
    """
    out = Path(out)
    _check(out, persons, seed, strength)
    out.parent.mkdir(parents=True, exist_ok=True)
    building = Path(mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        _fill(building, persons, seed, strength)
        building.chmod(0o755)  # mkdtemp makes a folder that only its owner can read
        if out.exists():
            out.rmdir()  # empty, as checked above
        building.rename(out)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return out


def _check(out: Path, persons: int, seed: int, strength: float) -> None:
    if isinstance(persons, bool) or not isinstance(persons, int) or persons < FEWEST:
        raise ValueError(f"persons: {persons!r} is not a whole number; ask for {FEWEST} or more")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(f"seed: {seed!r} is not a whole number of at least 0; give one such as 0")
    if not isinstance(strength, int | float) or not isfinite(strength) or not 0 <= strength <= 10:
        raise ValueError(f"strength: {strength!r} is not a number from 0 to 10; 2 is the usual one")
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out}: a file stands there; choose another folder")
    if out.is_dir() and any(out.iterdir()):
        raise ValueError(f"{out}: the folder is not empty; remove it or choose another")


def _fill(folder: Path, persons: int, seed: int, strength: float) -> None:
    """Every table from its own random stream, so that a change to one leaves the others as they were."""
    who = people.draw(persons, np.random.default_rng([seed, 1]))
    lives = process.live(who, strength, np.random.default_rng([seed, 2]))
    spans = truth.spans(who, lives)
    targets = covariates.draw(who, lives, np.random.default_rng([seed, 3]))
    arguments = {"persons": persons, "seed": seed, "strength": float(strength)}
    tables.write_meds(folder, who, lives, np.random.default_rng([seed, 4]), arguments)
    tables.write_subjects(folder, who)
    covariates.write(folder, targets)
    truth.write(folder, who, lives, spans, arguments)
