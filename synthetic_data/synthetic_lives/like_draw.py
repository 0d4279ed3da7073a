"""Drawing from the margins of a profile."""

import numpy as np

JUST_ONE = 0.05
"""Half width of a bin of which nothing but its middle is known, in parts of its size."""
FLOAT32 = float(np.finfo(np.float32).max)
"""The largest value that a column of float32 holds."""


def ranks(n: int, rng: np.random.Generator) -> np.ndarray:
    """[n] ranks in [0, 1), one in each n-th part, in random order: margins drawn with them come out nearly exact."""
    return (rng.permutation(n) + rng.random(n)) / max(n, 1)


def weights(entries: list[dict]) -> np.ndarray:
    """[entries] what each is drawn in proportion to: its share of observations where known, else its subjects."""
    subjects = np.array([entry["subjects"] for entry in entries], dtype=np.float64)
    shares = [entry.get("share") for entry in entries]
    if all(share is None for share in shares):
        return subjects
    known = np.array([share is not None for share in shares])
    given = np.array([share or 0.0 for share in shares])
    return np.where(known, given, subjects * given.sum() / max(subjects[known].sum(), 1.0))


def pick(weight: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The entry at each rank in [0, 1), and how far within it the rank lies, in [0, 1)."""
    ends = np.cumsum(weight) / max(weight.sum(), 1e-300)
    at = np.minimum(np.searchsorted(ends, u, side="right"), len(weight) - 1)
    starts = ends - weight / max(weight.sum(), 1e-300)
    within = (u - starts[at]) / np.maximum(ends[at] - starts[at], 1e-300)
    return at, np.clip(within, 0.0, 1.0 - 1e-9)


def numbers(
    margin: dict | None, u: np.ndarray, least: float = -np.inf, missing: bool = True, middle: float = 0.0
) -> np.ndarray:
    """[n] float64 values of a binned number at the given ranks; nan where missing.

    Args:
        least: no value is below it.
        missing: whether the missing have their part; False: every value is a number, where any is known.
        middle: about where the values lie if the profile has them in one bin and may not tell its mean.
    """
    if not margin or not margin["bins"]:
        return np.full(len(u), np.nan)
    bins = margin["bins"]
    gone = np.array([margin.get("missing", 0) if missing else 0], dtype=np.float64)
    at, within = pick(np.concatenate([weights(bins), gone]), u)
    sides = [_sides(bins, index, margin["integer"], middle) for index in range(len(bins))] + [(np.nan, np.nan)]
    low, high = np.array(sides, dtype=np.float64).T
    found = low[at] + within * (high - low)[at]
    found = np.floor(found + 1e-9) if margin["integer"] else found
    return np.where(np.isnan(found), np.nan, np.maximum(found, least))


def mean(margin: dict | None, least: float = 0.0, middle: float = 0.0) -> float:
    """What one subject has on average, those without counted as 0."""
    return float(np.nan_to_num(numbers(margin, (np.arange(1000) + 0.5) / 1000, least, middle=middle)).mean())


def _sides(bins: list[dict], index: int, integer: bool, middle: float) -> tuple[float, float]:
    """Low and high of a bin; an open side lies as far beyond the mean as the other one is before it."""
    low, high, mean = (bins[index].get(name) for name in ("low", "high", "mean"))
    last = 1.0 if integer else 0.0  # the highest whole number of a bin is one less than its upper edge
    if low is not None and high is not None:
        return low, high
    if low is None and high is None:
        return _around(middle if mean is None else mean, integer)
    inner = high - last if low is None else low
    reach = abs(2.0 * (mean - inner)) if mean is not None else _beside(bins, index)
    if not integer:
        reach = reach or JUST_ONE * max(abs(inner), 1.0)
    reach = round(reach) if integer else reach
    return (inner - reach, high) if low is None else (low, inner + reach + last)


def _around(middle: float, integer: bool) -> tuple[float, float]:
    """Low and high of a bin that is open on both sides."""
    reach = 0.0 if integer and middle == round(middle) else JUST_ONE * max(abs(middle), 1.0)
    return (round(middle - reach), round(middle + reach) + 1.0) if integer else (middle - reach, middle + reach)


def _beside(bins: list[dict], index: int) -> float:
    """Width of the bin beside an outer one, for want of better."""
    beside = bins[1 if index == 0 else index - 1] if len(bins) > 1 else {}
    if beside.get("low") is not None and beside.get("high") is not None:
        return beside["high"] - beside["low"]
    return 1.0


def categories(margin: dict, u: np.ndarray, other: str | float = "other") -> list[str | float | None]:
    """[n] levels at the given ranks; `other` for those too rare to be named, None where missing."""
    entries = [*margin["levels"]]
    values = [entry["value"] for entry in entries] + [other, None]
    extra = [{"subjects": margin.get(name, 0)} for name in ("other", "missing")]
    weight = weights(entries + extra) if "other" in margin else np.append(weights(entries), [0.0, 0.0])
    if not weight.sum():
        return [None] * len(u)
    at, _ = pick(weight, u)
    return [values[index] for index in at]
