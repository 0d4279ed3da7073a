"""Whether a feature differs between any levels of a categorical covariate: one Kruskal-Wallis test for all levels together.

The table `associations` has each level against all others; a covariate of many levels may be told by a feature in a way that no
single level shows. Where clusters hold several units, H is divided by the mean design effect of the levels,
sum_k (1 - n_k / n) D_k / (K - 1), before it is held against chi-squared (Rao & Scott 1981, first order). Where a feature and the rarest
level meet less than once by chance, chi-squared is too light at its end: below GUARDED p is then at least K times the
smallest of the levels' own, or GUARDED.
"""

from collections.abc import Iterator

import numpy as np
import polars as pl
from scipy import special

from seqsae import schema
from seqsae.associations.blocks import in_blocks
from seqsae.associations.fdr import benjamini_hochberg
from seqsae.associations.groups import kruskal_wallis
from seqsae.associations.ranks import RankMatrix, rank_excess
from seqsae.associations.screen import screen
from seqsae.associations.screening import Bench
from seqsae.associations.support import active_in, clusters_of, design_effect, labels_of, spread_of
from seqsae.associations.targets import Target
from seqsae.associations.units import Units
from seqsae.associations.within_strata import as_column

GUARDED = 0.01
"""Above it chi-squared is no lighter than H."""


def omnibus(bench: Bench, aims: list[Target]) -> pl.DataFrame:
    """Schema `omnibus`: a row a feature, categorical covariate (of three levels at least, of subjects) and pooling.

    Tested on the select split; what is at or below `q` there is tested again on the test split.
    """
    known = coded(aims)
    select, test = (Units(bench.encoded.store, "subject", split) for split in ("select", "test"))
    parts = [*_tested(bench, select, known, bench.config.min_support)] if known else []
    empty = pl.DataFrame(schema=_TYPES)
    table = pl.concat([empty, *parts])
    q = benjamini_hochberg(table["p"].fill_null(float("nan")).to_numpy())
    table = table.rename({"p": "p_select"}).with_columns(q_select=as_column(q))
    chosen = (pl.col("q_select") <= bench.config.q).fill_null(False)
    again = pl.concat([empty, *_tested(bench, test, known, 1)]) if table.select(chosen.any()).item() else empty
    table = table.join(again, on=["feature", "covariate", "pooling"], how="left", suffix="_test", maintain_order="left")
    table = table.with_columns(
        [pl.when(chosen).then(f"{name}_test").otherwise(name).alias(name) for name in ("n", "n_levels", "epsilon2")]
        + [pl.when(chosen).then("p").alias("p_test")]
    )
    return schema.check_table(table.select(*schema.columns("omnibus")), "omnibus", "omnibus")


_TYPES = {
    "feature": pl.Int32, "covariate": pl.String, "pooling": pl.String, "n": pl.UInt32, "n_levels": pl.UInt32,
    "epsilon2": pl.Float64, "p": pl.Float64,
}  # fmt: skip


def coded(aims: list[Target]) -> dict[str, np.ndarray]:
    """Of each categorical covariate of subjects its levels as [samples] int: in the order of `aims`, what is in none of them last, -1 unknown."""
    found, names = {}, dict.fromkeys(aim.covariate for aim in aims if aim.kind == "categorical")
    for name in names:
        levels = [aim.y for aim in aims if aim.covariate == name and aim.unit == "subject"]
        if len(levels) < 2:
            continue
        y = np.column_stack(levels)
        missing = ~np.isfinite(y)
        if (missing.any(axis=1) != missing.all(axis=1)).any():  # levels within strata, which are no levels of one thing
            continue
        code = np.where((y == 1).any(axis=1), (y == 1).argmax(axis=1), len(levels))
        code = np.where(missing.any(axis=1), -1, code)
        if len(np.unique(code[code >= 0])) >= 3:
            found[name] = code
    return found


def _tested(bench: Bench, here: Units, known: dict[str, np.ndarray], min_support: int) -> Iterator[pl.DataFrame]:
    codes = np.column_stack([code[here.chosen] for code in known.values()])
    pooled = here.pooled(bench.encoded, bench.config.poolings)
    for pooling in pooled.poolings:
        first = 0
        for columns in in_blocks(pooled.make(pooling)):
            ranks = rank_excess(columns)
            for j, name in enumerate(known):
                yield levels_tested(ranks, codes[:, j], here.cluster, min_support, (first, name, pooling))
            first += columns.shape[1]


def levels_tested(
    ranks: RankMatrix, code: np.ndarray, cluster: np.ndarray, min_support: int, key: tuple
) -> pl.DataFrame:
    """The rows of one covariate, whose levels are `code` [units], -1 unknown. `key`: number of the first feature, covariate, pooling."""
    first, name, pooling = key
    rows = np.flatnonzero(code >= 0)
    kept = ranks if len(rows) == ranks.n else rank_excess(ranks.excess[rows])
    found = kruskal_wallis(kept, code[rows][:, None], min_support)
    h = found.h[:, 0] / _design(kept, code[rows], cluster[rows])
    p = np.where(np.isfinite(found.p[:, 0]), special.chdtrc(max(int(found.n_levels[0]) - 1, 1), h), np.nan)
    p = _careful(p, kept, code[rows], cluster[rows], min_support)
    width = len(ranks.base)
    return pl.DataFrame(
        {
            "feature": np.arange(first, first + width),
            "covariate": name,
            "pooling": pooling,
            "n": np.full(width, found.n[0]),
            "n_levels": np.full(width, found.n_levels[0]),
            "epsilon2": as_column(found.epsilon2[:, 0]),
            "p": as_column(p),
        },
        schema=_TYPES,
    )


def _careful(p: np.ndarray, ranks: RankMatrix, code: np.ndarray, cluster: np.ndarray, min_support: int) -> np.ndarray:
    """[F] p; of features that seldom meet the rarest level, if below GUARDED, at least what Bonferroni makes of the levels one by one."""
    level = _indicators(code)
    active = np.asarray((ranks.excess != 0).sum(axis=0)).ravel()
    rare = active * level.sum(axis=0).min() < len(code)
    if not rare.any():
        return p
    each = screen(ranks, level, cluster, min_support).p
    least = np.where(np.isfinite(each), each, 1).min(axis=1)
    return np.where(rare, np.maximum(p, np.minimum(level.shape[1] * least, GUARDED)), p)


def _indicators(code: np.ndarray) -> np.ndarray:
    """[n, K] 0 and 1, a column a level that some unit has."""
    level = np.eye(code.max() + 1)[code]
    return level[:, level.any(axis=0)]


def _design(ranks: RankMatrix, code: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """[F] mean design effect of the levels, 1 at least."""
    clusters = clusters_of(cluster)
    if clusters.sums is None:
        return np.ones(len(ranks.base))
    level = _indicators(code)
    share = level.mean(axis=0)
    weight = (1 - share) / max(len(share) - 1, 1)
    away = labels_of(level, clusters, np.ones(level.shape[1], bool)).away
    spread = spread_of(level - share, clusters, away)
    return np.maximum(1, design_effect(ranks, spread, clusters, active_in(ranks, clusters)) @ weight)
