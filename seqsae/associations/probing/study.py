"""The table of probes: every target from every basis, dense and k-sparse, out of fold, alone and given the confounders."""

from collections.abc import Iterator

import numpy as np
import polars as pl

from seqsae import schema
from seqsae.associations.confounders import Confounders
from seqsae.associations.probing.bases import Pooled, bases_of, pooled
from seqsae.associations.probing.curves import SHOWN, Group, Ranked, Scores, confounders_alone, dense_pair, sparse_curve
from seqsae.associations.probing.folds import HeldOut, folds_of
from seqsae.associations.probing.scoring import NONE, difference, effect, r_squared
from seqsae.associations.targets import Target
from seqsae.features.encoding import Encoded
from seqsae.probe_options import ProbeConfig
from seqsae.progress import say, track

LEAST = 2  # folds that must hold each side of a target


def probe_table(encoded: Encoded, confounders: Confounders, aims: list[Target], config: ProbeConfig, seed: int):
    """Schema `probes` for the targets of level subject among `aims`."""
    here = HeldOut(encoded.store, "subject")
    fold = folds_of(here.cluster, config.folds, seed)
    aims, left_out = _parted(aims, here, fold)
    for line in left_out:
        say(f"{line}: not probed")
    z = confounders.of("subject")[here.chosen]
    z = np.where(np.isfinite(z), z, np.nanmean(z, axis=0)) if z.shape[1] else z
    groups = list(_groups(aims, here, fold, z, config))
    rows, known = [], {}
    for group in groups:
        for aim, scores in zip(group.aims, confounders_alone(group), strict=True):
            known[id(aim)] = _spread(scores.standard, group, here)
            rows.append(_row(aim, group, here, ("confounders", None, "dense", None), (scores, None), known))
    for basis in track(bases_of(encoded, config, seed) if groups else [], "probes"):
        found = pooled(basis, here, config)
        for group in groups:
            rows += _of_basis(found, group, here, known)
    table = pl.DataFrame(rows, schema=schema.columns("probes"), infer_schema_length=None)
    return schema.check_table(table, "probes", "probes")


def why_none(encoded: Encoded, aims: list[Target], config: ProbeConfig, seed: int) -> list[str]:
    """A line for each of the targets of level subject that is not in the table."""
    here = HeldOut(encoded.store, "subject")
    return _parted(aims, here, folds_of(here.cluster, config.folds, seed))[1]


def _parted(aims: list[Target], here: HeldOut, fold: np.ndarray) -> tuple[list[Target], list[str]]:
    """The targets of level subject that can be probed, and a line for each of the others."""
    of_subjects = [aim for aim in aims if aim.unit == "subject"]
    whys = [_why_not(aim, here, fold) for aim in of_subjects]
    kept = [aim for aim, why in zip(of_subjects, whys, strict=True) if why is None]
    return kept, [_line(aim, why) for aim, why in zip(of_subjects, whys, strict=True) if why is not None]


def _line(aim: Target, why: str) -> str:
    return f"covariate {aim.covariate}{f' ({aim.category})' if aim.category else ''}: {why}"


def _why_not(aim: Target, here: HeldOut, fold: np.ndarray) -> str | None:
    """None where each side of the target is in at least two folds, so that no training set is without it."""
    y = aim.y[here.chosen]
    known = np.isfinite(y)
    sides = [y == 1, y == 0] if aim.is_binary else [known]
    if aim.is_survival:
        sides = [known & (aim.follow[here.chosen, 1] == 1)]
        if here.repeats:
            return "survival holds once for each subject, and this view has several samples of some"
    if not aim.is_binary and len(np.unique(y[known])) < 2 and not aim.is_survival:
        return "it does not vary among the held-out subjects"
    if min(len(np.unique(fold[side])) for side in sides) < LEAST:
        return f"one side is in fewer than {LEAST} folds of the held-out subjects"
    return None


def _groups(aims: list[Target], here: HeldOut, fold: np.ndarray, z: np.ndarray, config: ProbeConfig) -> Iterator[Group]:
    """Targets that are known of the same units share what takes time."""
    by_gap: dict[bytes, list[Target]] = {}
    for aim in aims:
        by_gap.setdefault(np.packbits(np.isfinite(aim.y[here.chosen])).tobytes(), []).append(aim)
    for some in by_gap.values():
        rows = np.flatnonzero(np.isfinite(some[0].y[here.chosen]))
        yield Group(some, rows, here.chosen[rows], fold[rows], here.cluster[rows], z[rows], config)


def _of_basis(found: Pooled, group: Group, here: HeldOut, known: dict[int, np.ndarray]) -> Iterator[dict]:
    part = found.rows(group.rows) if len(group.rows) < len(here.chosen) else found
    basis = found.basis
    alone, beside = dense_pair(group, part.dense(group.config.widest))
    for t, aim in enumerate(group.aims):
        yield _row(aim, group, here, (basis.name, basis.site, "dense", None), (alone[t], beside[t]), known)
    if not basis.sparse_too or not group.config.ks:
        return
    ranked = Ranked(group, part)
    for t, aim in enumerate(group.aims):
        for k, one, both in sparse_curve(ranked, t):
            row = _row(aim, group, here, (basis.name, basis.site, "k-sparse", k), (one, both), known)
            yield row | {"chosen": _named(one, found.labels, group.config.folds)}


def _row(
    aim: Target,
    group: Group,
    here: HeldOut,
    named: tuple[str, str | None, str, int | None],
    scores: tuple[Scores | None, Scores | None],
    known: dict[int, np.ndarray],
) -> dict:
    """A row of schema `probes`. `known`: out-of-fold scores of the confounders alone, by target."""
    alone, beside = scores
    values = None if alone is None else _spread(alone.standard, group, here)
    crude = None if values is None else effect(aim, values, here)
    given, more = None, NONE
    if beside is not None:
        both = _spread(beside.standard, group, here)
        given, more = effect(aim, both, here), difference(aim, both, known[id(aim)], here)
    return {
        "covariate": aim.covariate, "category": aim.category, "kind": aim.kind, "unit": aim.unit,
        **dict(zip(("basis", "site", "probe", "k"), named, strict=True)),
        "n": len(group.rows), "n_positive": _n_positive(aim, group), "n_clusters": len(np.unique(group.cluster)),
        "effect_name": aim.effect_name,
        **_parts("", crude), "r2": _r2(aim, group, alone),
        **_parts("_given", given),
        "gain": _number(more.value), "gain_low": _number(more.ci_low), "gain_high": _number(more.ci_high),
        "strength": None if alone is None else float(np.median(alone.strength)),
        "chosen": None,
        "note": "no unit has support and a tie in every fold" if alone is None else None,
    }  # fmt: skip


def _spread(values: np.ndarray, group: Group, here: HeldOut) -> np.ndarray:
    """[units of the view held out] from [n]; NaN elsewhere."""
    out = np.full(len(here.chosen), np.nan)
    out[group.rows] = values
    return out


def _n_positive(aim: Target, group: Group) -> int | None:
    """Units with the category, or with the event; None of numbers."""
    if aim.is_survival:
        return int((aim.follow[group.units, 1] == 1).sum())
    return int((aim.y[group.units] == 1).sum()) if aim.is_binary else None


def _r2(aim: Target, group: Group, scores: Scores | None) -> float | None:
    """Of numbers alone."""
    if scores is None or aim.is_binary or aim.is_survival:
        return None
    target = next(t for t, one in enumerate(group.aims) if one is aim)
    return _number(r_squared(group.values(aim), scores.predicted, group.mean_seen(target)))


def _parts(suffix: str, found) -> dict[str, float | None]:
    values = (None, None, None) if found is None else (found.value, found.ci_low, found.ci_high)
    return {
        f"{name}{suffix}": _number(value) for name, value in zip(("effect", "ci_low", "ci_high"), values, strict=True)
    }


def _number(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def _named(scores: Scores | None, labels: list[str], folds: int) -> str | None:
    """The units that most folds chose, as `feature 3 (5/5), feature 8 (4/5)`."""
    if scores is None:
        return None
    first = sorted(scores.used.items(), key=lambda item: (-item[1], item[0]))
    more = ", ..." if len(first) > SHOWN else ""
    return ", ".join(f"{labels[unit]} ({times}/{folds})" for unit, times in first[:SHOWN]) + more
