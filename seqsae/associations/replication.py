"""Whether an association is found again by the other seeds of the SAE.

Each feature is paired one to one with a feature of every other seed, by the mean of the cosine of their decoder rows and the
correlation of their activations on train rows (Kuhn 1955). A seed repeats an association if its feature's adjusted test on the test split
has the same sign and p of at most 0.05.
"""

from collections.abc import Iterator

import numpy as np
import polars as pl
import scipy.sparse as sp
import torch

from seqsae.associations.ranks import rank_excess
from seqsae.associations.screening import Bench, by_unit, is_of
from seqsae.associations.screens import beyond
from seqsae.associations.targets import Target
from seqsae.associations.units import Units
from seqsae.features.sources import Dictionary, FeatureSource
from seqsae.progress import track
from seqsae.sae.base import SAE
from seqsae.sae.quality.dictionaries import directions, paired

LEVEL = 0.05
ROWS = 16_384  # train rows on which activations are correlated
WHOLE = 2**25  # pairs of features up to which activations count; above, decoder rows alone


def replicated(bench: Bench, aims: list[Target], table: pl.DataFrame, siblings: list[SAE]) -> pl.DataFrame:
    """The table with `replicated_seeds` (the first SAE among them) and `n_seeds`; null where only one seed was trained.

    Args:
        table: with `selected`, `direction` and `p_test_adjusted`; selected pairs alone are looked at.
    """
    none = [pl.lit(None, pl.UInt32).alias(name) for name in ("replicated_seeds", "n_seeds")]
    if not siblings:
        return table.with_columns(none)
    table = table.with_row_index("at")
    counts = np.zeros(len(table), np.uint32)
    for sibling in track(siblings, "other seeds"):
        source = Dictionary(bench.encoded.store, bench.encoded.site, sibling, "sibling")
        partner = partners(bench, sibling, source)
        for at, repeated in _repeated(bench, aims, table, source, partner):
            counts[at] += repeated
    own = (pl.col("p_test_adjusted") <= LEVEL).fill_null(False)
    n = len(siblings) + 1
    return table.with_columns(
        pl.when("selected").then(pl.Series(counts) + own.cast(pl.UInt32)).cast(pl.UInt32).alias("replicated_seeds"),
        pl.when("selected").then(n).cast(pl.UInt32).alias("n_seeds"),
    ).drop("at")


def partners(bench: Bench, sibling: SAE, source: FeatureSource) -> np.ndarray:
    """[width] the feature of the sibling that each feature is paired with, -1 if none is left."""
    one, other = (directions(sae).double() for sae in (bench.encoded.sae, sibling))
    out = np.full(len(one), -1)
    if len(one) * len(other) > WHOLE:
        found = paired(one.float(), other.float())
        out[found.one.numpy()] = found.other.numpy()
        return out
    from scipy.optimize import linear_sum_assignment

    normalize = torch.nn.functional.normalize
    cosine = (normalize(one, dim=1) @ normalize(other, dim=1).T).numpy()
    rows = bench.encoded.store.rows_in("train")
    rows = rows[:: max(1, len(rows) // ROWS)]
    left, right = linear_sum_assignment(
        cosine + correlations(bench.encoded.values(rows), source.values(rows)), maximize=True
    )
    out[left] = right
    return out


def correlations(a: sp.csr_array, b: sp.csr_array) -> np.ndarray:
    """[F, G] Pearson correlation of the columns of two sparse matrices over the same rows; 0 where one does not vary."""
    n, a, b = a.shape[0], a.astype(np.float64), b.astype(np.float64)
    means = [np.asarray(x.sum(axis=0)).ravel() / n for x in (a, b)]
    sds = [
        np.sqrt(np.maximum(np.asarray((x * x).sum(axis=0)).ravel() / n - m**2, 0))
        for x, m in zip((a, b), means, strict=True)
    ]
    covariance = (a.T @ b).toarray() / n - np.outer(*means)
    scale = np.outer(*sds)
    return np.where(scale > 1e-12, covariance / np.where(scale > 1e-12, scale, 1), 0.0)


def _repeated(
    bench: Bench, aims: list[Target], table: pl.DataFrame, source: FeatureSource, partner: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows of the table, and whether the sibling repeats each."""
    for group in by_unit(aims):
        here = Units(bench.encoded.store, group[0].unit, "test")
        z = bench.confounders.of(here.unit)[here.chosen]
        pooled = here.pooled(source, bench.config.poolings)
        for pooling in pooled.poolings:
            columns = sp.csc_array(pooled.make(pooling))
            for aim in group:
                same = pl.col("pooling").eq_missing(pl.lit(pooling, pl.String))
                chosen = table.filter(pl.col("selected") & is_of(aim) & same)
                chosen = chosen.filter(pl.Series(partner[chosen["feature"].to_numpy()] >= 0))
                if not len(chosen):
                    continue
                values = columns[:, partner[chosen["feature"].to_numpy()]]
                found = beyond(here, [aim], rank_excess(values), z, 1)
                same_sign = found.z[:, 0] * chosen["direction"].to_numpy() > 0
                yield chosen["at"].to_numpy(), same_sign & (found.p[:, 0] <= LEVEL)
