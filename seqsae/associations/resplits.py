"""Repeated splits: how well the best units of a source do on subjects that did not choose them.

Letters: n units of inference (rows), U units of a source (features, neurons, ...), c covariates.

The clusters are cut in two halves at random, many times. On one half each covariate picks its `top` units of
a source; on the other half their AUROC is read. All sources see the same halves, so that differences between
them are paired. The sd over splits tells how the result hangs on the cut; it is no standard error, as the
splits share subjects (Nadeau & Bengio 2003).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import polars as pl
from scipy import sparse

from seqsae.associations.ranks import Matrix, aurocs, rank_excess
from seqsae.associations.screen import same_missing
from seqsae.errors import SeqsaeError

_SCHEMA = {
    "split": pl.Int32,
    "covariate": pl.Int32,
    "source": pl.String,
    "top": pl.Float64,
    "best": pl.Float64,
}


class Paired(NamedTuple):
    """Difference a - b between two sources: averaged over covariates in each split, then over splits."""

    mean: float
    sd: float
    """Over splits (n - 1 in the denominator; NaN for a single split)."""
    n_splits: int


class _Half(NamedTuple):
    """Rows of one half with a value of the covariates in `columns`, all eligible."""

    rows: np.ndarray
    columns: np.ndarray


def resplits(
    X_by_source: dict[str, Matrix],
    y: np.ndarray,
    cluster: np.ndarray,
    n_splits: int = 20,
    top: int = 5,
    seed: int = 0,
    min_pos: int = 10,
) -> pl.DataFrame:
    """Table with a row for each split, covariate (column of `y`) and source.

    `top` is the mean held-out AUROC of the `top` units picked, `best` that of the first; both of the sign
    seen when picking. Units are picked by their distance of AUROC from 1/2, ties by |d'| (difference of means
    over the root mean of the two variances).

    Args:
        X_by_source: name -> [n, U], rows alike in all.
        y: [n, c] in {0, 1}, NaN where a row takes no part in the comparison.
        cluster: [n] labels; a cluster is never cut.
        min_pos: in each half, the positives and the negatives that a covariate needs, each in two clusters at
            least; otherwise it has no row for that split.

    Raises:
        SeqsaeError: no sources, other lengths, or `y` not binary.
    """
    y, member = _checked(X_by_source, y, cluster)
    matrices = {name: X.tocsr() if sparse.issparse(X) else np.asarray(X) for name, X in X_by_source.items()}
    rng = np.random.default_rng(seed)
    rows = []
    for split in range(n_splits):
        chosen = rng.permutation(member.max() + 1) < (member.max() + 1) // 2
        for pick, held in _halves(y, member, chosen[member], min_pos):
            for source, X in matrices.items():
                for column, scores in zip(pick.columns, _held_out(X, y, pick, held, top), strict=True):
                    rows.append((split, int(column), source, float(scores.mean()), float(scores[0])))
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row").sort("split", "covariate", "source")


def paired(table: pl.DataFrame, a: str, b: str, measure: str = "top") -> Paired:
    """Mean and sd over splits of source `a` less source `b` in a `resplits` table (`measure`: "top" or "best").

    Raises:
        SeqsaeError: the table holds no such source.
    """
    for name in (a, b):
        if name not in table["source"]:
            known = ", ".join(sorted(table["source"].unique()))
            raise SeqsaeError(f"source '{name}' is not in the table; it holds: {known or 'nothing'}")
    keys = ["split", "covariate"]
    both = table.filter(pl.col("source") == a).join(table.filter(pl.col("source") == b), on=keys, suffix="_b")
    gap = (pl.col(measure) - pl.col(f"{measure}_b")).mean().alias("gap")
    per_split = both.group_by("split", maintain_order=True).agg(gap)["gap"].to_numpy()
    sd = per_split.std(ddof=1) if len(per_split) > 1 else np.nan
    return Paired(float(per_split.mean()), float(sd), len(per_split))


def _halves(y: np.ndarray, member: np.ndarray, picking: np.ndarray, min_pos: int) -> Iterator[tuple[_Half, _Half]]:
    """(half that picks, half held out), once for each group of covariates with the same missing rows."""
    for columns in same_missing(y):
        present = np.isfinite(y[:, columns[0]])
        rows = [np.flatnonzero(present & side) for side in (picking, ~picking)]
        enough = [j for j in columns if all(_enough(y[r, j], member[r], min_pos) for r in rows)]
        if enough:
            yield _Half(rows[0], np.array(enough)), _Half(rows[1], np.array(enough))


def _enough(y: np.ndarray, member: np.ndarray, min_pos: int) -> bool:
    sides = (member[y == 1], member[y == 0])
    return all(len(side) >= min_pos and len(np.unique(side)) >= 2 for side in sides)


def _held_out(X: Matrix, y: np.ndarray, pick: _Half, held: _Half, top: int) -> list[np.ndarray]:
    """For each covariate of the group the held-out AUROC [top] of its units, in the order and sign picked."""
    y_pick = y[np.ix_(pick.rows, pick.columns)]
    X_pick = X[pick.rows]
    picked = aurocs(rank_excess(X_pick), y_pick)
    # Rounded, so that ties of AUROC are ties and not left to the last bit.
    distance = np.abs(np.round(picked - 0.5, 12))
    order = np.lexsort((-np.abs(_d_prime(X_pick, y_pick)), -distance), axis=0)[:top]
    units, where = np.unique(order, return_inverse=True)
    held_out = aurocs(rank_excess(X[held.rows][:, units]), y[np.ix_(held.rows, held.columns)])
    where = where.reshape(order.shape)
    out = []
    for j in range(order.shape[1]):
        value = held_out[where[:, j], j]
        out.append(np.where(picked[order[:, j], j] < 0.5, 1 - value, value))
    return out


def _d_prime(X: Matrix, y: np.ndarray) -> np.ndarray:
    """[U, c] difference of class means over the root mean of the class variances; 0 if nothing varies."""
    X = X.astype(np.float64)
    squares = X.multiply(X) if sparse.issparse(X) else X * X
    means, variances = [], []
    for side in (y, 1 - y):
        count = side.sum(axis=0)
        means.append(X.T @ side / count)
        variances.append(squares.T @ side / count - means[-1] ** 2)
    spread = np.sqrt(np.maximum(sum(variances) / 2, 0))
    return np.divide(means[0] - means[1], spread, out=np.zeros_like(spread), where=spread > 0)


def _checked(X_by_source: dict[str, Matrix], y: np.ndarray, cluster: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(y as floats, cluster numbered from 0)."""
    y, cluster = np.asarray(y, dtype=float), np.asarray(cluster)
    if not X_by_source or y.ndim != 2 or len(cluster) != len(y):
        raise SeqsaeError("resplits needs at least one source, y [n, c], and a cluster for each of its n rows")
    for name, X in X_by_source.items():
        if X.shape[0] != len(y):
            raise SeqsaeError(f"source '{name}' has {X.shape[0]} rows and y has {len(y)}; give the same rows to all")
    if not (np.isnan(y) | (y == 0) | (y == 1)).all():
        raise SeqsaeError("resplits compares binary covariates; give y in {0, 1}, NaN for rows that take no part")
    return y, np.unique(cluster, return_inverse=True)[1]
