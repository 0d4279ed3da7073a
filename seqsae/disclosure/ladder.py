"""Statistics as coarse as one subject can move them, and p-values on a ladder (D7)."""

from math import floor, isfinite, log10

from seqsae.disclosure.policy import Policy

SMALLEST = 1e-16
"""Below it no p-value is told."""
RUNGS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


def d7_unit(least: int) -> float:
    """The next of 1, 2, 5, 10, ... times a power of ten from 1 / least up."""
    power = 10.0 ** floor(log10(1 / least))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= (1 - 1e-9) / least)


def d7_statistic(value: float | None, subjects: int, policy: Policy) -> float | None:
    """A statistic of so many subjects to what one of them can move it by, and to the policy's digits.

    A mean, share, AUROC or standardised coefficient over n subjects moves by about 1 / n when one of them changes. Rounding to
    that unit hides it, while the rounding error (variance 1 / 12 n^2) is small beside the sampling error (about 1 / 4 n).

    Args:
        subjects: of the smaller side that it compares, as many as a reader may think there are at least.
    """
    if value is None or not isfinite(value):
        return None
    fine = 10.0 ** (floor(log10(abs(value))) - policy.digits + 1) if value else 0.0
    unit = max(fine, 0.0 if policy.public else d7_unit(max(1, subjects)))
    rounded = float(f"{round(value / unit) * unit:.12g}") if unit else 0.0
    return rounded + 0.0  # no minus before zero


def d7_p(value: float | None) -> float | None:
    """The lowest rung that a p-value does not exceed: 1, .5, .2, .1, ... .001, then powers of ten to 1e-16.

    Two digits of a tiny p would tell its statistic more finely than the rounded effect does.
    """
    if value is None or not isfinite(value):
        return None
    if value > RUNGS[0]:
        return next((rung for rung in RUNGS if value <= rung), 1.0)
    for power in range(16, 2, -1):
        if value <= 10.0**-power:
            return float(f"1e-{power}")
    return RUNGS[0]
