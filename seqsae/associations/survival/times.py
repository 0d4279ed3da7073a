"""When each unit came under observation, when it left, and whether by the event: checked once, used everywhere.

Letters of this package: n units, F features, q confounders, K distinct event times, m events, C clusters.

A unit is at risk at time t if entry < t <= time: who enters at t is not yet at risk at t, and who is censored
at t still is (Kalbfleisch & Prentice 2002). Competing events: for a cause-specific hazard, mark only
the events of interest and let competing ones censor; the hazard ratio then speaks of the rate of the event among
those still free of either, not of its probability, which `aalen_johansen` gives.
"""

from dataclasses import dataclass

import numpy as np

from seqsae.errors import SeqsaeError


@dataclass(frozen=True, eq=False)
class Times:
    """Follow-up of n units, all in one unit of time counted from one origin.

    Raises:
        SeqsaeError: lengths differ; a time is NaN, infinite or negative; a unit leaves no later than it enters; an
            event is neither 0 nor 1; or nobody has the event. The line says how many, and where the first is.
    """

    entry: np.ndarray
    """[n] start of observation (delayed entry); None in the call: 0 for all."""
    time: np.ndarray
    """[n] end of observation."""
    event: np.ndarray
    """[n] bool, whether the event ended it; False: censored."""

    def __post_init__(self):
        time = _vector(self.time)
        entry = np.zeros(len(time)) if self.entry is None else _vector(self.entry)
        event = _vector(self.event)
        if not len(entry) == len(time) == len(event):
            lengths = f"{len(entry)}, {len(time)} and {len(event)}"
            raise SeqsaeError(f"entry, time and event have {lengths} units; give one of each for every unit")
        _refuse(
            ~np.isfinite(entry) | ~np.isfinite(time), "an entry or time that is NaN or infinite", "drop these units"
        )
        _refuse((entry < 0) | (time < 0), "a negative entry or time", "count time from an origin before all entries")
        _refuse(entry >= time, "an entry at or after their time", "drop units without follow-up")
        _refuse((event != 0) & (event != 1), "an event that is neither 0 nor 1", "code the event 1, censoring 0")
        if not event.any():
            raise SeqsaeError(
                f"none of the {len(event)} units has the event; nothing can be estimated, drop the covariate"
            )
        for name, value in (("entry", entry), ("time", time), ("event", event.astype(bool))):
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.time)


def cluster_codes(cluster: np.ndarray | None, n: int) -> np.ndarray:
    """Clusters [n] numbered from 0; None: each unit is its own.

    Raises:
        SeqsaeError: not one label for each unit.
    """
    if cluster is None:
        return np.arange(n)
    if np.shape(cluster) != (n,):
        raise SeqsaeError(f"cluster has shape {np.shape(cluster)}; give one label for each of the {n} units")
    return np.unique(cluster, return_inverse=True)[1]


def values_of(x: np.ndarray, n: int) -> np.ndarray:
    """[n] float64, a feature's values of the units of some times.

    Raises:
        SeqsaeError: not one value for each unit, or NaN or infinite ones.
    """
    x = _vector(x)
    if len(x) != n:
        raise SeqsaeError(f"x has {len(x)} units and times {n}; give one value for each unit")
    if not np.isfinite(x).all():
        raise SeqsaeError("x holds NaN or infinite values; drop these units before estimating an effect")
    return x


def _vector(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, dtype=float).ravel()


def _refuse(wrong: np.ndarray, what: str, remedy: str) -> None:
    if wrong.any():
        raise SeqsaeError(f"{wrong.sum()} of {len(wrong)} units have {what} (first: unit {wrong.argmax()}); {remedy}")
