"""Whether a feature says more than two confounders together: its effect beyond their products.

The confounders enter every adjusted effect side by side. A feature that fires where two of them meet, in old men, say, then holds a tie
with whatever depends on that meeting. So what would be `supported` is fitted once more, with products of confounders beside them.
"""

from collections.abc import Iterator

import numpy as np
import polars as pl
import scipy.sparse as sp

from seqsae.associations.nulls import basis
from seqsae.associations.refining import dense, of_targets
from seqsae.associations.refits import ranked, refitter
from seqsae.associations.screening import Bench
from seqsae.associations.targets import Target
from seqsae.associations.units import Units

COLUMNS = ("effect_given_products", "ci_low_given_products", "ci_high_given_products")
MOST = 30
"""Products beside the confounders, those that tell most of the feature: what they cannot tell of it they cannot confound."""
CASES = 10
"""Of the rarer class, with the event or with a value, for each column of the fit (Peduzzi et al. 1996)."""


def given_products(bench: Bench, aims: list[Target], table: pl.DataFrame) -> pl.DataFrame:
    """The table with COLUMNS, on the test split, of the pairs whose `verdict` is supported; null for others, and for too few cases."""
    table = table.with_row_index("at")
    held = table.filter(pl.col("verdict") == "supported")
    rows = [
        row
        for here, aim, columns, some in of_targets(bench, aims, held, "beyond products of confounders")
        for row in _rows(here, aim, columns, some, bench.confounders.of(here.unit)[here.chosen])
    ]
    found = pl.DataFrame(rows, schema={"at": pl.UInt32, **dict.fromkeys(COLUMNS, pl.Float64)}, orient="row")
    found = found.with_columns(pl.col(COLUMNS).fill_nan(None))
    return table.join(found, on="at", how="left", maintain_order="left").drop("at")


def _rows(here: Units, aim: Target, columns: sp.csc_array, chosen: pl.DataFrame, z: np.ndarray) -> Iterator[tuple]:
    known = np.isfinite(aim.y[here.chosen]) & np.isfinite(z).all(axis=1)
    room = cases(aim, here, known) // CASES - z.shape[1] - 2  # beside the constant and the feature
    products = Products(z[known]) if room > 0 else None
    for at, feature in chosen.select("at", "feature").iter_rows():
        x = dense(columns, feature)
        more = None if products is None else products.nearest(x[known], min(room, MOST))
        if more is not None and more.shape[1]:
            whole = np.full((len(x), more.shape[1]), np.nan)
            whole[known] = more
            found, _ = refitter(aim, here, np.column_stack([z, whole]))(x)
            yield at, found.value, found.ci_low, found.ci_high


def cases(aim: Target, here: Units, known: np.ndarray) -> int:
    """Units (clusters, if fewer) of the rarer class of a binary target, with the event, or with a value, among those `known`."""
    y, cluster = aim.y[here.chosen][known], here.cluster[known]
    of_events = [aim.follow[here.chosen][known, 1] == 1] if aim.is_survival else [np.isfinite(y)]
    sides = [y == 1, y == 0] if aim.is_binary else of_events
    return min(len(np.unique(cluster[side])) for side in sides)


class Products:
    """The products of each two columns of confounders z [n, q], less what z tells of them; those that do not vary are none."""

    def __init__(self, z: np.ndarray):
        spread = z.std(axis=0)
        self.z = (z - z.mean(axis=0)) / np.where(spread > 0, spread, 1)
        self.told = basis(np.column_stack([np.ones(len(z)), z]))
        left = ((pair, self._left(self._product(pair))) for pair in zip(*np.triu_indices(z.shape[1], 1), strict=True))
        sizes = [(pair, float(one @ one)) for pair, one in left]
        self.pairs = [(pair, size) for pair, size in sizes if size > 1e-6 * len(z)]

    def nearest(self, x: np.ndarray, most: int) -> np.ndarray:
        """[n, <= most] the products that tell most of what z leaves of the ranks of `x` [n]."""
        left = self._left(ranked(x))
        told = np.array([abs(left @ self._product(pair)) / np.sqrt(size) for pair, size in self.pairs])
        best = np.sort(np.argsort(-told, kind="stable")[:most])
        return np.column_stack([np.zeros((len(x), 0)), *(self._product(self.pairs[i][0]) for i in best)])

    def _product(self, pair: tuple[int, int]) -> np.ndarray:
        return self.z[:, pair[0]] * self.z[:, pair[1]]

    def _left(self, values: np.ndarray) -> np.ndarray:
        return values - self.told @ (self.told.T @ values) / len(values)
