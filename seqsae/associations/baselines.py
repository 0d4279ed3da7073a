"""What stands beside a feature: the best unit of every other source, chosen and scored on the same splits."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import polars as pl
import scipy.sparse as sp

from seqsae import schema
from seqsae.associations.beside import Beside
from seqsae.associations.confounders import Confounders
from seqsae.associations.effects import Effect, auroc, spearman
from seqsae.associations.fitted import Position, TokenLast, composition, confounders_alone, dense_probe
from seqsae.associations.observations import UNITS
from seqsae.associations.probing.ksparse import KSparse
from seqsae.associations.ranks import rank_excess
from seqsae.associations.screens import crude_screen, times_of
from seqsae.associations.survival.concordance import harrell_c
from seqsae.associations.survival.null import null_model
from seqsae.associations.targets import Target
from seqsae.associations.units import Units
from seqsae.config import AssociateConfig
from seqsae.features.encoding import Encoded
from seqsae.features.ica import Ica
from seqsae.features.neurons import MlpNeurons, mlp_sites
from seqsae.features.pairs import TokenPairs
from seqsae.features.sources import FeatureSource, Neurons, Pca, Tokens, TokensSeen, random_directions
from seqsae.progress import say, track

K_SPARSE = {f"k-sparse-{k}": k for k in (1, 2, 5, 10, 50)}
FITTED = ("position", "composition", "confounders", "token-last", "dense-probe", *K_SPARSE)
"""Sources without units: what they say of a target is fitted to it on the select split."""
ABSENT = {
    "mlp-neuron": "no harvested site is the hidden layer of an MLP; harvest one, or name it in mlp_sites",
    "token-pair": "no two tokens stand side by side in enough clusters of the select split",
    "ica": "the site never varies over the train split",
}
"""Why a source may have no units."""


def sources_of(
    encoded: Encoded,
    names: tuple[str, ...],
    seed: int,
    confounders: Confounders,
    config: AssociateConfig | None = None,
    beside: Mapping[str, Encoded] | None = None,
) -> list[FeatureSource]:
    """The SAE's features, the baselines named, and features of other studies `beside`, all over the same rows.

    Baselines that have no unit in this store are left out, and that is said.
    """
    store, site, config = encoded.store, encoded.site, config or AssociateConfig()
    makers = {
        "neuron": lambda: Neurons(store, site),
        "mlp-neuron": lambda: MlpNeurons(store, mlp_sites(store, config.mlp_sites)),
        "pca": lambda: Pca(store, site),
        "ica": lambda: Ica(store, site, seed),
        "random-dictionary": lambda: random_directions(store, site, encoded.sae, seed + 1),
        "token": lambda: Tokens(store),
        "token-seen": lambda: TokensSeen(store),
        "token-pair": lambda: TokenPairs(store, config.min_support),
        "position": lambda: Position(store),
        "composition": lambda: composition(store),
        "confounders": lambda: confounders_alone(confounders),
        "token-last": lambda: TokenLast(store),
        "dense-probe": lambda: dense_probe(store, site),
        **{name: partial(KSparse, encoded, k, config.min_support) for name, k in K_SPARSE.items()},
    }
    own = [source for name in names if _has_units(source := makers[name]())]
    return [encoded, *own, *[Beside(name, one) for name, one in (beside or {}).items()]]


def _has_units(source: FeatureSource) -> bool:
    if source.name in FITTED or source.labels:
        return True
    say(f"baseline {source.name} left out: {ABSENT.get(source.name, 'it has no units')}")
    return False


def baseline_table(
    encoded: Encoded, sources: list[FeatureSource], aims: list[Target], config: AssociateConfig
) -> pl.DataFrame:
    """Schema `baselines`: for each source and target the unit that is best on the select split, scored on the test split."""
    found = []
    for source in track(sources, "baselines"):
        for unit in UNITS:
            group = [aim for aim in aims if aim.unit == unit]
            if group and source.name in FITTED:
                found += [row for aim in group if (row := _fitted_row(encoded, source, aim)) is not None]
            elif group:
                found += _unit_rows(encoded, source, group, config)
    columns = ["feature", "covariate", "category", "unit", "source", "baseline", "effect", "ci_low", "ci_high"]
    table = pl.DataFrame(found, schema=columns, orient="row", infer_schema_length=None)
    return schema.check_table(
        table.with_columns(pl.col("effect", "ci_low", "ci_high").cast(pl.Float64).fill_nan(None)),
        "baselines",
        "baselines",
    )


def _unit_rows(encoded: Encoded, source: FeatureSource, group: list[Target], config: AssociateConfig) -> list[tuple]:
    """One row a target: choose unit, pooling and sign on select, score on test."""
    select, test = (Units(encoded.store, group[0].unit, split) for split in ("select", "test"))
    picked = choose(select, source, group, config)
    group = [aim for aim, choice in zip(group, picked, strict=True) if choice is not None]
    chosen = [choice for choice in picked if choice is not None]
    pooled = test.pooled(source, config.poolings)
    matrices = {pooling: _columns(pooled.make(pooling)) for pooling in {pooling for _, pooling, _ in chosen}}
    rows = []
    for aim, (unit, pooling, sign) in zip(group, chosen, strict=True):
        x = sign * _column(matrices[pooling], unit)
        effect = effect_of(aim, x, test)
        label = source.labels[unit] + (f", {pooling}" if pooling else "") + (", low" if sign < 0 else "")
        rows.append(
            (
                None,
                aim.covariate,
                aim.category,
                aim.unit,
                source.name,
                label,
                effect.value,
                effect.ci_low,
                effect.ci_high,
            )
        )
    return rows


def choose(
    select: Units, source: FeatureSource, group: list[Target], config: AssociateConfig
) -> list[tuple[int, str | None, int] | None]:
    """For each target (unit, pooling, sign) farthest from no effect on the select split, among units with enough support; None if no unit has.

    Ties, which are many at an AUROC of 1, go to the larger standardised statistic.
    """
    pooled = select.pooled(source, config.poolings)
    best = [((-1.0, 0.0), None)] * len(group)
    nothing = np.array([0.5 if aim.is_binary else 0.0 for aim in group])
    for pooling in pooled.poolings:
        result = crude_screen(select, group, rank_excess(pooled.make(pooling)), config.min_support)
        distance = np.where(np.isfinite(result.p), np.round(np.abs(result.effect - nothing), 9), -1.0)
        for j in range(len(group)):
            unit = int(np.lexsort((np.abs(result.z[:, j]), distance[:, j]))[-1])
            strength = (distance[unit, j], abs(result.z[unit, j]))
            if distance[unit, j] >= 0 and strength > best[j][0]:
                best[j] = (strength, (unit, pooling, 1 if result.z[unit, j] > 0 else -1))
    return [choice for _, choice in best]


def _fitted_row(encoded: Encoded, source, aim: Target) -> tuple | None:
    """A source that is fitted to the target on select and scored on test; None where it does not apply."""
    select, test = (Units(encoded.store, aim.unit, split) for split in ("select", "test"))
    x = source.scores(as_number(aim, select), select, test)
    if x is None:
        return None
    effect = effect_of(aim, x, test)
    return (
        None,
        aim.covariate,
        aim.category,
        aim.unit,
        source.name,
        source.label(aim),
        effect.value,
        effect.ci_low,
        effect.ci_high,
    )


def as_number(aim: Target, select: Units) -> Target:
    """The target as something that can be regressed: of the time to an event its martingale residual on select (Therneau & Grambsch
    1990), higher where the event came earlier than to others; any other as it is."""
    if not aim.is_survival:
        return aim
    known, times = times_of(select, aim)
    y = np.full(len(aim.y), np.nan)
    if times is not None:
        y[select.chosen[known]] = null_model(times).martingale
    return replace(aim, y=y, kind="continuous", follow=None)


def effect_of(aim: Target, x: np.ndarray, here: Units) -> Effect:
    """The target's own effect measure for values x [units], over the units that count."""
    if aim.is_survival:
        known, times = times_of(here, aim)
        if times is None:
            return Effect(*[float("nan")] * 4)
        found = harrell_c(x[known], times, here.cluster[known])
        return Effect(found.value, found.ci_low, found.ci_high, float("nan"))
    y = aim.y[here.chosen]
    counts = np.isfinite(y)
    return (auroc if aim.is_binary else spearman)(x[counts], y[counts], here.cluster[counts], test=False)


def _columns(matrix: sp.csr_array | np.ndarray) -> sp.csc_array | np.ndarray:
    return matrix.tocsc() if sp.issparse(matrix) else matrix


def _column(matrix: sp.csc_array | np.ndarray, unit: int) -> np.ndarray:
    return matrix[:, [unit]].toarray().ravel() if sp.issparse(matrix) else matrix[:, unit]
