"""The primary rules of disclosure control, each a function named by its number.

The numbers are those that an audit quotes. They follow common practice in statistical disclosure control (Hundepool et al.,
Statistical Disclosure Control, 2012): a threshold on distinct subjects, rounding, dominance and p-ratio.
"""

from math import floor, isfinite, log10

from seqsae.disclosure.policy import Policy

FEW_SUBJECTS = "too few subjects (D1)"
FEW_CLUSTERS = "too few clusters (D1)"
DOMINATED = "dominated by few subjects (D4)"
REASONS = (FEW_SUBJECTS, FEW_CLUSTERS, DOMINATED)


def d1_reason(subjects: int, clusters: int, policy: Policy) -> str | None:
    """Why a cell with so many distinct subjects and clusters is withheld; None if it may be shown. Zero is too few."""
    if subjects < policy.min_subjects:
        return FEW_SUBJECTS
    return FEW_CLUSTERS if clusters < policy.min_clusters else None


def d1_rounded(count: int, policy: Policy) -> int:
    """`count` rounded to the nearest multiple of the policy's base, halves up."""
    return (2 * count + policy.round_to) // (2 * policy.round_to) * policy.round_to


def d2_rest_is_safe(subjects: int, clusters: int, policy: Policy) -> bool:
    """Whether those whom a cell leaves out may be inferred: there are none, or enough of them.

    Args:
        subjects, clusters: how many of the cell's base are not in it.
    """
    return subjects == 0 or d1_reason(subjects, clusters, policy) is None


def d4_dominated(total: float, top: float, largest: float, policy: Policy) -> bool:
    """Whether few contributors make a sum: the (n, k) dominance rule, or the p-ratio.

    Args:
        total: sum of the subjects' contributions, none of them negative.
        top: sum of the `policy.dominance_top` largest.
        largest: the largest.
    """
    if policy.public or total <= 0:
        return False
    return top / total >= policy.dominance_share or (total - top) / largest < policy.p_ratio


def d5_rounder(low: float, high: float, step: float | None = None) -> float | None:
    """The roundest decimal in (low, high], from the coarsest power of ten downwards; None if none is so round.

    Args:
        step: the finest power of ten there may be; None: a trillionth of the larger number.
    """
    power = floor(log10(max(abs(low), abs(high)))) + 1
    finest = power - 12 if step is None else round(log10(step))
    while power >= finest:
        edge = float(f"{floor(_scaled(high, power) + 1e-6)}e{power}")
        if low < edge <= high:
            return edge
        power -= 1
    return None


def d7_mean(total: float, count: int, lattice: float, digits: int, least: int) -> float | None:
    """A mean so coarse that it does not tell of how many it is one.

    Numbers on a lattice (whole numbers, quarters) have means on a finer one, `lattice / n`: many digits of a mean give n away,
    and with it what rounding hides. In a unit of `lattice / least` or more there is such a mean for every n from `least`.

    Args:
        total, count: sum, and of how many (1 or more).
        lattice: the largest number of which all differences are multiples; 0: all are equal.
        digits: significant digits, at most.
        least: the smallest number a reader may think of.
    """
    mean = total / count
    fine = 10.0 ** (floor(log10(abs(mean))) - digits + 1) if mean else 0.0
    unit = max(fine, _coarser(lattice / max(1, least)))
    return float(f"{round(mean / unit) * unit:.12g}") if unit and isfinite(mean) else d7_digits(mean, digits)


def _coarser(unit: float) -> float:
    """The next of 1, 2, 5, 10, ... times a power of ten."""
    if unit <= 0:
        return 0.0
    power = 10.0 ** floor(log10(unit))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= unit * (1 - 1e-9))


def d7_digits(value: float, digits: int) -> float | None:
    """`value` to so many significant digits; None for what is not finite."""
    return float(f"{value:.{digits - 1}e}") if isfinite(value) else None


def _scaled(value: float, power: int) -> float:
    return value / 10.0**power if power >= 0 else value * 10.0**-power
