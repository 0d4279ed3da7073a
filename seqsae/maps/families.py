"""Which features belong together: twins, parents and children, features that fire together, and features that share the work.

Letters: N rows of the select split, F features, n_a rows at which feature a is on, n_ab rows at which a and b both are.

Overlap is Jaccard's (1901) n_ab / (n_a + n_b - n_ab), phi the correlation of the two on/off columns, lift n_ab N / (n_a n_b), which is 1
where two features are on independently of each other. Of a pair the first kind that fits is told:

- parent and child: where the child is on, so is the parent (`INSIDE` of the child's rows), the parent is on twice as often at least,
  and more often there than by chance (lift);
- twin: the decoder directions have a cosine of `twin` or more;
- exclusive: directions alike (cosine `CLOSE` or more), on together less than half as often as by chance, though by chance they
  would have been so in `EXPECTED` rows: one meaning split over both;
- co-firing: phi of `PHI` or more, and on together more often than by chance.

What is on together must be so in `MET` clusters of subjects. "More" and "less" are by the 95 % interval of the lift over clusters of
subjects (`lift`), not by the rows, which are no separate observations. A block of features meets all others at a time, so that no
matrix [F, F] is held; each feature keeps the few that are nearest of each kind.
"""

import numpy as np
import polars as pl
import scipy.sparse as sp

from seqsae import schema
from seqsae.maps.lift import Firing, lifts
from seqsae.progress import track

CLOSE = 0.3
INSIDE = 0.9
PHI = 0.1
EXPECTED = 20
KEPT = 5
"""Others a feature and kind, at most."""
MET = 10
"""Clusters of subjects in which both must be on at one row for them to be parent and child, or co-firing."""
CELLS = 1 << 22  # pairs looked at at a time
KINDS = ("parent", "child", "twin", "exclusive", "co-firing")
"""Of `other`, seen from `feature`: kind parent says that `other` is on wherever `feature` is."""


def families(directions: np.ndarray, firing: Firing, live: np.ndarray, twin: float) -> pl.DataFrame:
    """Schema `families`: a row a feature and other, from either side; time O(F^2 d + sum over rows of its active features squared).

    Args:
        directions: [F, d] decoder; rows of features that are not live are not looked at.
        live: [F] bool: features that may be in a pair.
        twin: cosine of twins.
    """
    unit = _units(directions, live)
    by_row, step = firing.on.tocsr(), max(16, CELLS // max(len(unit), 1))
    runs = [np.arange(first, min(first + step, len(unit))) for first in range(0, len(unit), step)]
    pairs = [_near(unit, firing, by_row, here, live, twin) for here in track(runs, "families")]
    table = pl.concat(pairs) if pairs else _nothing()
    told = _judged(table, lifts(firing, table["feature"].to_numpy(), table["other"].to_numpy()), twin)
    order = pl.col("kind").replace_strict(KINDS, range(len(KINDS)), return_dtype=pl.Int64)
    kept = told.sort("feature", order, pl.col("rank"), "other", descending=[False, False, True, False])
    kept = kept.filter(pl.int_range(pl.len()).over("feature", "kind") < KEPT)
    return schema.check_table(kept.select(*schema.columns("families")), "families", "families")


def _units(directions: np.ndarray, live: np.ndarray) -> np.ndarray:
    """[F, d] float32 of length 1, zeros for those that are not live."""
    length = np.linalg.norm(directions, axis=1, keepdims=True)
    unit = np.divide(directions, length, out=np.zeros(directions.shape), where=length > 0)
    return np.where(live[:, None], unit, 0).astype(np.float32)


def _near(
    unit: np.ndarray, firing: Firing, by_row: sp.csr_array, here: np.ndarray, live: np.ndarray, twin: float
) -> pl.DataFrame:
    """Candidates of the features `here` by every kind: the 2 KEPT that are nearest by its measure."""
    both = (firing.on[:, here].T @ by_row).toarray()
    cosine = unit[here] @ unit.T
    n, total = firing.counts.astype(np.float32), np.float32(max(firing.n_rows, 1))
    mine, pair = n[here][:, None], live[here][:, None] & live
    pair[np.arange(len(here)), here] = False
    expected = mine * n / total
    with np.errstate(invalid="ignore", divide="ignore"):
        phi = (both - expected) / np.sqrt(expected * (1 - mine / total) * (total - n))
    some = both > 0
    scores = {
        "parent": ((both >= INSIDE * mine) & (2 * mine <= n) & some, phi),
        "child": ((both >= INSIDE * n) & (mine >= 2 * n) & some, phi),
        "twin": (cosine >= twin, cosine),
        "exclusive": ((cosine >= CLOSE) & (expected >= EXPECTED) & (both < expected / 2), cosine),
        "co-firing": (phi >= PHI, phi),
    }
    found = [_best(mask & pair, score) for mask, score in scores.values()]
    at = np.unique(np.concatenate(found, axis=1), axis=1)
    feature, other = here[at[0]], at[1]
    columns = {"n_both": both, "cosine": cosine, "phi": phi}
    parts = {name: values[at[0], other] for name, values in columns.items()}
    table = pl.DataFrame({"feature": feature, "other": other, **parts}).with_columns(pl.col("phi").fill_nan(None))
    return table.cast(dict(_nothing().schema))


def _nothing() -> pl.DataFrame:
    whole, real = pl.Int32, pl.Float64
    return pl.DataFrame(schema={"feature": whole, "other": whole, "n_both": pl.UInt32, "cosine": real, "phi": real})


def _best(mask: np.ndarray, score: np.ndarray) -> np.ndarray:
    """[2, pairs] (row, column) of the 2 KEPT largest scores of each row where the mask holds, ties to the smaller column."""
    row, column = np.nonzero(mask)
    order = np.lexsort((column, -score[row, column], row))
    row, column = row[order], column[order]
    place = np.arange(len(row)) - np.searchsorted(row, row)
    return np.stack([row, column])[:, place < 2 * KEPT]


def _judged(table: pl.DataFrame, told: pl.DataFrame, twin: float) -> pl.DataFrame:
    """The pairs that are of a kind, with it and with what they are ranked by."""
    table = pl.concat([table, told], how="horizontal").with_columns(
        overlap=pl.col("n_both") / (pl.col("n") + pl.col("n_other") - pl.col("n_both")),
    )
    more, less = (pl.col("lift_low") > 1) & (pl.col("n_clusters") >= MET), pl.col("lift_high") < 0.5
    expected = pl.col("n").cast(pl.Float64) * pl.col("n_other") / pl.col("n_rows")
    rules = {
        "parent": (pl.col("n_both") >= INSIDE * pl.col("n")) & (pl.col("n_other") >= 2 * pl.col("n")) & more,
        "child": (pl.col("n_both") >= INSIDE * pl.col("n_other")) & (pl.col("n") >= 2 * pl.col("n_other")) & more,
        "twin": pl.col("cosine") >= twin,
        "exclusive": (pl.col("cosine") >= CLOSE) & (expected >= EXPECTED) & less,
        "co-firing": (pl.col("phi") >= PHI) & more,
    }
    kind = pl.coalesce(pl.when(rule.fill_null(False)).then(pl.lit(name)) for name, rule in rules.items())
    rank = pl.when(pl.col("kind").is_in(["twin", "exclusive"])).then("cosine").otherwise("phi")
    return table.with_columns(kind=kind).filter(pl.col("kind").is_not_null()).with_columns(rank=rank)


def firing_of(codes: sp.csr_array, cluster: np.ndarray) -> Firing:
    """What `families` needs of codes [N, F] and the cluster [N] of each row's subject."""
    on = sp.csc_array(codes > 0, dtype=np.float32)
    on.sort_indices()
    _, member = np.unique(cluster, return_inverse=True)
    return Firing(on, np.diff(on.indptr).astype(np.int64), member, on.shape[0])
