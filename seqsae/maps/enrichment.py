"""What clusters of features are associated with: tests of each cluster against each covariate.

Two questions a cell. Competitive: are the cluster's features more associated, beyond the confounders, than others that fire as often
(`competitive`)? Of itself: is how many of the cluster's features a unit has on associated with the covariate, beyond the confounders,
by the screen that single features go through; chosen on the select split, told with its interval on the test split.
"""

import numpy as np
import polars as pl
import scipy.sparse as sp

from seqsae import schema
from seqsae.associations.confounders import Confounders
from seqsae.associations.fdr import benjamini_hochberg, holm
from seqsae.associations.nulls import basis
from seqsae.associations.ranks import rank_excess
from seqsae.associations.refits import refitter
from seqsae.associations.room import Associated
from seqsae.associations.screening import ADJUSTED, Bench, Both, by_unit, is_of, screened, steps
from seqsae.associations.support import clusters_of
from seqsae.associations.targets import Target, targets
from seqsae.associations.units import Units
from seqsae.config import AssociateConfig
from seqsae.maps.clusters import NONE
from seqsae.maps.competitive import Competitive, Widening, camera, competitive, strata
from seqsae.maps.correlation import Correlation
from seqsae.progress import shown, track

FIRST = "presence"  # of the poolings, if it is there: of it features and clusters are told
TO_FIRST_ORDER = "intervals to first order"
REFITTED = 200  # cells whose interval is refitted, the most telling ones


def bench_of(associated: Associated) -> tuple[Bench, list[Target]]:
    """What the associations were made with, and the targets they are of; nothing is said that was said before."""
    given = associated.artefact.manifest["config"]
    config = AssociateConfig(**{name: given[name] for name in AssociateConfig.model_fields if name in given})
    keys = associated.table.select("covariate", "category", "unit").unique().rows()
    with shown(False):
        bench = Bench(associated.encoded, Confounders(associated.covariates, associated.encoded.store), config)
        every = targets(associated.covariates, associated.encoded.store)
        aims = bench.confounders.with_twins([aim for aim in every if (aim.covariate, aim.category, aim.unit) in keys])
        for group in by_unit(aims):
            bench.confounders.of(group[0].unit)
    return bench, aims


def cluster_enrichment(associated: Associated, clusters: pl.DataFrame) -> pl.DataFrame:
    """Schema `cluster_enrichment`, a row a cluster and target, q over all of them.

    Args:
        clusters: columns `feature` and `cluster`, a row for each feature of the profile; -1 is in none.
    """
    width = len(associated.encoded.labels)
    member = membership(clusters, width)
    if not member.shape[1]:
        return schema.empty("cluster_enrichment")
    bench, aims = bench_of(associated)
    parts = [_of_unit(bench, group, associated, member) for group in by_unit(aims)]
    table = pl.concat(parts).with_row_index("at")
    p = {name: table[name].fill_null(float("nan")).to_numpy() for name in ("p", "p_select")}
    table = table.with_columns(q=_nulls(benjamini_hochberg(p["p"])), q_select=_nulls(benjamini_hochberg(p["p_select"])))
    told = _tested(bench, aims, member, table)
    table = table.join(told, on="at", how="left", maintain_order="left")
    corrected = holm(table["p_test"].fill_null(float("nan")).to_numpy())
    table = table.with_columns(p_test_holm=_nulls(corrected)).select(*schema.columns("cluster_enrichment"))
    return schema.check_table(table, "cluster_enrichment", "cluster_enrichment")


def membership(clusters: pl.DataFrame, width: int) -> sp.csr_array:
    """[width, clusters] of ones: which feature is in which cluster."""
    inside = clusters.filter(pl.col("cluster") != NONE)
    feature, cluster = inside["feature"].to_numpy(), inside["cluster"].to_numpy()
    n = int(cluster.max()) + 1 if len(cluster) else 0
    return sp.csr_array((np.ones(len(feature)), (feature, cluster)), shape=(width, n))


def pooling_of(associated: Associated, unit: str) -> str | None:
    """The pooling of this unit that clusters are told by."""
    names = associated.table.filter(pl.col("unit") == unit)["pooling"].unique(maintain_order=True).to_list()
    return FIRST if FIRST in names else names[0]


def _of_unit(bench: Bench, aims: list[Target], associated: Associated, member: sp.csr_array) -> pl.DataFrame:
    here, pooling = Units(bench.encoded.store, aims[0].unit, "select"), pooling_of(associated, aims[0].unit)
    values = _values(bench, here, pooling)
    both = screened(bench, here, aims, rank_excess(_counts(values, member)), bench.config.min_support)
    table = associated.table.filter(pl.col("pooling").eq_missing(pl.lit(pooling, pl.String)))
    rate = associated.encoded.profile.sort("feature")["firing_rate"].to_numpy()
    compete = _Competition(member.toarray() > 0, rate, _correlation(bench, here, values))
    rows = []
    for j, aim in enumerate(track(aims, "clusters")):
        about = {"covariate": aim.covariate, "category": aim.category, "unit": aim.unit, "kind": aim.kind}
        for name, row in enumerate(compete(table.filter(is_of(aim)))):
            rows.append(about | {"cluster": name, "pooling": pooling} | row | _select(aim, both, name, j))
    return pl.DataFrame(rows, schema_overrides=SCHEMA, infer_schema_length=None).with_columns(
        pl.col(pl.Float64).fill_nan(None)
    )


SCHEMA = {"category": pl.String, "pooling": pl.String, "n_positive": pl.UInt32, "p": pl.Float64, "p_select": pl.Float64}


class _Competition:
    """The competitive tests of all clusters.

    Args:
        inside: [F, clusters] bool.
        rate: [F] firing rate.
        alike: how the features go together.
    """

    def __init__(self, inside: np.ndarray, rate: np.ndarray, alike: Correlation):
        self.inside, self.rate, self.alike = inside, rate, alike
        self.means = [alike.mean(np.flatnonzero(mine)) for mine in inside.T]
        self.kept: dict[bytes, list[Widening]] = {}

    def __call__(self, found: pl.DataFrame) -> list[dict]:
        """A row a cluster, of the rows of one target of schema `associations`."""
        z, held = _of_features(found, len(self.inside))
        there = np.isfinite(z)
        groups, key = strata(self.rate[there]), np.packbits(there).tobytes()
        if key not in self.kept:  # covariates with which the same features are tested share what takes time
            self.kept[key] = self.alike.widenings(self.inside, there, groups)
        rows = []
        for mine, widening, mean in zip(self.inside.T, self.kept[key], self.means, strict=True):
            here = mine[there]
            sized = camera(mean[1], int(here.sum()), len(here))
            row = _row(
                competitive(z[there], here, groups, widening), competitive(np.abs(z[there]), here, groups, sized)
            )
            counts = {"n_features": here.sum(), "n_others": (~here).sum(), "n_supported": (mine & held).sum()}
            rows.append({name: int(n) for name, n in counts.items()} | {"correlation": mean[0]} | row)
        return rows


def _of_features(found: pl.DataFrame, width: int) -> tuple[np.ndarray, np.ndarray]:
    """(z [F], NaN where not tested; whether it is supported [F]) of the rows of one target."""
    tested = found.drop_nulls("p_select_adjusted")
    z, held = np.full(width, np.nan), np.zeros(width, bool)
    z[tested["feature"].to_numpy()] = tested["z_select_adjusted"].fill_null(float("nan")).to_numpy()
    held[found.filter(pl.col("verdict") == "supported")["feature"].to_numpy()] = True
    return z, held


def _row(signed: Competitive, sized: Competitive) -> dict:
    """One cell's tests: of z, and of |z|."""
    return {
        "mean_z": signed.mean,
        "difference": signed.difference,
        "ci_low_difference": signed.ci_low,
        "ci_high_difference": signed.ci_high,
        "p_signed": signed.p,
        "difference_size": sized.difference,
        "p_size": sized.p,
        "p": float(np.minimum(1.0, 2 * np.fmin(signed.p, sized.p))),
    }


def _select(aim: Target, both: Both, i: int, j: int) -> dict:
    """What the screen says of one cluster's count on the select split."""
    counted = aim.is_binary or aim.is_survival
    return {
        "n": int(both.beyond.n[j]),
        "n_positive": int(both.beyond.n_positive[j]) if counted else None,
        "n_on": int(both.beyond.n_active[i, j]),
        "adjusted_name": ADJUSTED[aim.effect_name],
        "effect_select": float(both.beyond.effect[i, j]),
        "p_select": float(both.beyond.p[i, j]),
    }


def _values(bench: Bench, here: Units, pooling: str | None) -> sp.csc_array:
    """[units, width] of the features themselves."""
    pooled = here.pooled(bench.encoded, () if pooling is None else (pooling,))
    return sp.csc_array(pooled.make(pooling))


def _counts(values: sp.csc_array, member: sp.csr_array) -> sp.csc_array:
    """[units, clusters] how many features of each cluster a unit has on."""
    return sp.csc_array((values > 0).astype(np.float64) @ member)


def _correlation(bench: Bench, here: Units, values: sp.csc_array) -> Correlation:
    """How the features go together over these units."""
    z = bench.confounders.of(here.unit)[here.chosen]
    known = np.flatnonzero(np.isfinite(z).all(axis=1))
    if not len(known):  # nobody is tested
        return Correlation(sp.csc_array((1, values.shape[1])), np.ones((1, 1)), None)
    told = basis(np.column_stack([np.ones(len(known)), z[known]]))
    return Correlation(rank_excess(values[known]).excess, told, clusters_of(here.cluster[known]).sums)


TOLD = {
    "at": pl.UInt32, "n_test": pl.UInt32, "effect": pl.Float64, "effect_adjusted": pl.Float64, "ci_low_adjusted": pl.Float64,
    "ci_high_adjusted": pl.Float64, "p_test": pl.Float64, "note": pl.String,
}  # fmt: skip


def _tested(bench: Bench, aims: list[Target], member: sp.csr_array, table: pl.DataFrame) -> pl.DataFrame:
    """The chosen cells on the test split."""
    chosen = table.filter((pl.col("q_select") <= bench.config.q).fill_null(False))
    refitted = set(chosen.sort("p_select", "at").head(REFITTED)["at"])
    rows = []
    for group in by_unit(aims):
        mine = chosen.filter(pl.col("unit") == group[0].unit)
        if not len(mine):
            continue
        here = Units(bench.encoded.store, group[0].unit, "test")
        counts = _counts(_values(bench, here, mine["pooling"][0]), member)
        for aim in track(group, "clusters on the test split"):
            cells = mine.filter(is_of(aim))
            if len(cells):
                rows += _scored(bench, here, aim, counts[:, cells["cluster"].to_numpy()], cells["at"], refitted)
    return pl.DataFrame(rows, schema=TOLD).with_columns(pl.col(pl.Float64).fill_nan(None))


def _scored(bench: Bench, here: Units, aim: Target, counts: sp.csc_array, at: pl.Series, refitted: set) -> list[dict]:
    both, rows = screened(bench, here, [aim], rank_excess(counts), 1), []
    z = bench.confounders.of(here.unit)[here.chosen]
    refit = refitter(aim, here, z) if aim.unit == "subject" and refitted & set(at) else None
    for i, number in enumerate(at):
        adjusted, note = (both.beyond.effect[i, 0], *steps(both.beyond, i)), TO_FIRST_ORDER
        if refit is not None and number in refitted:
            found, note = refit(counts[:, [i]].toarray()[:, 0])
            adjusted = found[:3]
        crude = float("nan") if aim.is_survival else both.crude.effect[i, 0]
        parts = (number, int(both.beyond.n[0]), crude, *adjusted, both.beyond.p[i, 0], note)
        rows.append(dict(zip(TOLD, parts, strict=True)))
    return rows


def _nulls(values: np.ndarray) -> pl.Series:
    return pl.Series(values).fill_nan(None)
