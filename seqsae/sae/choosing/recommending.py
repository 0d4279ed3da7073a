"""Which SAE of a sweep to take: a rule that is the same for everyone, and its reason in plain words."""

import math
from dataclasses import asdict, dataclass

import numpy as np
import polars as pl

from seqsae import schema
from seqsae.sae.choosing.frontier import beats, cells

_DENSE = 0.1  # share of dense latents above which a dictionary is told to be hard to read
_UNLIKE = "its latents are little like those of another dictionary: train longer, on more data, or narrower"


@dataclass(frozen=True)
class Rule:
    """Bounds of the recommendation."""

    max_dead: float = 0.2
    """Dead share of the latents, at most."""
    min_firings: float = 100.0
    """Training rows on which a latent fires in one pass over the data, in the mean: rows x L0 / width, at least."""
    max_per_subject: float = 10.0
    """Latents for each subject that is learnt from, at most: more could hold the subjects themselves."""
    margin: float = 0.1
    """How far a width's stability may lie below the best one's."""
    min_stability: float = 0.3
    """Stability below which the recommended SAE comes with a caution."""
    min_gain: float = 0.05
    """Relative fall of FVU that pays for a doubling of the width."""
    flat: float = 0.01
    """Depth of a knee, in FVU, at least."""
    near: float = 0.05
    """Without a knee: the sparsest SAE whose FVU is within this of the densest one's."""


@dataclass(frozen=True)
class Data:
    """How much was learnt from."""

    n_rows: int
    n_subjects: int | None = None
    """None: unknown, and not judged."""


def recommend(table: pl.DataFrame, data: Data, rule: Rule | None = None) -> dict:
    """The recommendation, a document of the schema `recommendation`, from a table `frontier`.

    SAEs that differ in their seed alone are one; their FVU is the geometric mean over seeds. In this order:

    1. Fit to use: FVU a number below 1 and a latent that fires. If none is, none is recommended.
    2. How sparse: the knee of the frontier (see `frontier.beats`), which is the point furthest below the straight line from its
       sparsest to its densest in FVU over log L0. If that is less than `flat` below, there is none:
       the sparsest with an FVU within `near` of the densest one's. From here on each width stands for its SAE nearest in L0.
    3. Enough data (`min_firings`, `max_per_subject`) and few dead latents (`max_dead`). A bound that no width left meets is
       set aside, with a caution.
    4. Stability, agreement with other seeds over chance (with one seed: with larger dictionaries): widths more than `margin`
       below the best one are left out, those of which it is unknown stay. Too small a dictionary mixes features, too
       large a one splits them at will, and another seed does it otherwise (after Sharkey et al. 2022, who compare sizes).
    5. How large: from the smallest width up, a larger one is taken in place of the one held if its FVU is lower by at least
       `min_gain` for each doubling and by more than two standard errors of the difference of two means over seeds. FVU is
       compared at the L0 of step 2: log FVU along a width's own curve over log L0, or at its nearest end. The standard deviation
       between seeds is pooled over the sweep; with one seed it is unknown, and said to be.
    6. The lowest seed.
    """
    rule, cautions = rule or Rule(), []
    fit = cells(table).filter((pl.col("fvu") < 1) & (pl.col("l0") > 0))
    if fit.is_empty():
        reason = f"None of {len(table)} SAEs explains anything on held-out rows: lower lr, or look for extreme rows."
        return _document(None, reason, cautions, rule, data)
    l0, at, words_sparse = _sparsity(fit, rule)
    found, words_bounded = _bounded(_at(fit, l0), data, rule, cautions)
    found, words_stable = _stable(found, rule)
    width, words_width = _width(found, _noise(fit), rule, cautions)
    cell = found.row(by_predicate=pl.col("width") == width, named=True)
    if cell["stability"] is not None and cell["stability"] < rule.min_stability:
        cautions.append(_UNLIKE)
    if cell["dense"] > _DENSE:
        cautions.append(
            f"{cell['dense']:.0%} of its latents are active in more than a tenth of the rows, which ties them to little"
        )
    chosen = table.filter(*(pl.col(name).eq_missing(cell[name]) for name in ("width", "k", "sparsity"))).sort("seed")
    words_sparse += "" if at == width else f" (that of width {at:,}, to which this one is the nearest)"
    reason = f"L0 {cell['l0']:.3g}: {words_sparse}. Width {width:,}: {words_width}.{words_bounded}{words_stable}"
    return _document(chosen.row(0, named=True), f"{reason} {_numbers(cell)}", cautions, rule, data)


def _sparsity(fit: pl.DataFrame, rule: Rule) -> tuple[float, int, str]:
    """The L0 to take, the width that has it, and why."""
    points = sorted(set(fit.select("l0", "fvu").iter_rows()))
    l0, fvu = np.array([one for one in points if not any(beats(other, one) for other in points)]).T
    found, words = (
        _bend(l0, fvu, rule)
        if len(l0) > 1
        else (l0[0], "none other is better" if len(points) > 1 else "there is no other")
    )
    return found, fit.filter(pl.col("l0") == found).sort("fvu")["width"][0], words


def _bend(l0: np.ndarray, fvu: np.ndarray, rule: Rule) -> tuple[float, str]:
    """The L0 at the knee of a frontier, or where it becomes flat."""
    x = np.log(l0)
    depth = fvu[0] + (x - x[0]) / (x[-1] - x[0]) * (fvu[-1] - fvu[0]) - fvu
    if depth.max() >= rule.flat:
        return l0[depth.argmax()], "the knee of the frontier: up to it FVU falls faster, beyond it slower"
    first = int(np.flatnonzero(fvu <= fvu[-1] + rule.near)[0])
    words = "its densest SAE, as FVU falls all the way to it" if first == len(l0) - 1 else "beyond it FVU hardly falls"
    return l0[first], f"the frontier has no knee: {words}"


def _at(fit: pl.DataFrame, l0: float) -> pl.DataFrame:
    """For each width its cell nearest to an L0, in ratio, with `log_fvu`, that of its curve at the L0."""
    away = (pl.col("l0") / l0).log().abs().round(6)
    nearest = fit.with_columns(away=away).sort("width", "away", "l0").unique("width", keep="first", maintain_order=True)
    curves = fit.sort("width", "l0").partition_by("width", maintain_order=True)
    values = [np.interp(np.log(l0), np.log(one["l0"].to_numpy()), np.log(one["fvu"].to_numpy())) for one in curves]
    return nearest.with_columns(log_fvu=pl.Series(values))


def _bounded(found: pl.DataFrame, data: Data, rule: Rule, cautions: list[str]) -> tuple[pl.DataFrame, str]:
    """The widths that meet the bounds on data and dead latents, and the others in words.

    A bound that none meets is set aside, with a caution.
    """
    firings = data.n_rows * pl.col("l0") / pl.col("width")
    bounds = {
        f"a latent learns from fewer than {rule.min_firings:g} rows": firings >= rule.min_firings,
        f"more than {rule.max_dead:.0%} of the latents are dead": pl.col("dead") <= rule.max_dead,
    }
    if data.n_subjects is not None:
        fault = f"there are more than {rule.max_per_subject:g} latents for each of {data.n_subjects:,} subjects"
        bounds = {fault: pl.col("width") <= rule.max_per_subject * data.n_subjects, **bounds}
    words = ""
    for fault, bound in bounds.items():
        met = found.filter(bound)
        if met.is_empty():
            cautions.append(f"at every width {fault}")
        else:
            words += _left_out(f"as {fault}", found.filter(~bound))
            found = met
    return found, words


def _stable(found: pl.DataFrame, rule: Rule) -> tuple[pl.DataFrame, str]:
    """The widths that are stable enough, and the others in words."""
    below = found["stability"].max() - found["stability"] if found["stability"].count() else None
    if below is None:
        return found, ""
    unstable = (below > rule.margin).fill_null(False)
    low, best = found.filter(unstable)["stability"].to_list(), found["stability"].max()
    told = ", ".join(f"{value:.2f}" for value in low)
    reason = f"as other dictionaries agree less with theirs ({told}, against {best:.2f} over chance)"
    return found.filter(~unstable), _left_out(reason, found.filter(unstable))


def _left_out(reason: str, others: pl.DataFrame) -> str:
    widths = ", ".join(f"{width:,}" for width in others["width"])
    return f" Left out, {reason}: {widths}." if widths else ""


def _width(found: pl.DataFrame, noise: float | None, rule: Rule, cautions: list[str]) -> tuple[int, str]:
    """The width to take, and why."""
    if noise is None:
        cautions.append("one seed: the noise between seeds is unknown, and no difference is held against it")
    (held, held_fvu), *larger = found.select("width", "log_fvu").iter_rows()
    smallest, refused = held, []
    for width, log_fvu in larger:
        gain, doublings = held_fvu - log_fvu, math.log2(width / held)
        per_doubling = 1 - math.exp(-gain / doublings)
        if per_doubling >= rule.min_gain and gain > 2 * (noise or 0):
            held, held_fvu, refused = width, log_fvu, []
        else:
            refused.append(f"{width:,} {_less(per_doubling)}")
    words = "larger ones do not pay" if larger else "the only one left to choose from"
    if held != smallest:
        words = f"each step up to it takes at least {rule.min_gain:.0%} off FVU for each doubling"
    if refused:
        told = "" if noise is None else f" (noise between seeds {1 - math.exp(-2 * noise):.1%})"
        words += f"; beyond it, for each doubling, {', '.join(refused)}{told}"
    return held, words


def _less(per_doubling: float) -> str:
    return f"leaves {abs(per_doubling):.1%} {'less' if per_doubling >= 0 else 'more'} unexplained"


def _noise(fit: pl.DataFrame) -> float | None:
    """Standard error of the difference of two cells' log FVU, the variance between seeds pooled; None if unknown."""
    several = fit.filter(pl.col("spread").is_not_null())
    if several.is_empty():
        return None
    return math.sqrt(2 * several["spread"].pow(2).mean() / fit["seeds"].min())


def _numbers(cell: dict) -> str:
    stable = "" if cell["stability"] is None else f", stability {cell['stability']:.2f} over chance"
    seeds = f"mean of {cell['seeds']} seeds" if cell["seeds"] > 1 else "one seed"
    return f"Held-out FVU {cell['fvu']:.4f}, dead {cell['dead']:.1%}{stable} ({seeds})."


def _document(chosen: dict | None, reason: str, cautions: list[str], rule: Rule, data: Data) -> dict:
    names = ("name", "width", "k", "sparsity", "seed")
    named = {name: None if chosen is None else chosen[name] for name in names}
    document = {**named, "reason": reason, "cautions": cautions, "rule": asdict(rule), "rows": asdict(data)}
    return schema.check_document(document, "recommendation", "the sweep")
