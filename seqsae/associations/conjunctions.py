"""Whether a feature says more than two confounders together: its effect beyond their products.

The confounders enter every adjusted effect side by side. A feature that fires where two of them meet, in old men, say, then holds a tie
with whatever depends on that meeting. So what would be `supported` is fitted once more, with products of confounders beside them.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import polars as pl
import scipy.sparse as sp

from seqsae.associations.nulls import basis
from seqsae.associations.refining import dense, of_targets
from seqsae.associations.refits import Adjusted, ranked, refitter
from seqsae.associations.screening import Bench, noted
from seqsae.associations.targets import Target
from seqsae.associations.units import Units

COLUMNS = ("effect_given_products", "ci_low_given_products", "ci_high_given_products")
MOST = 12
"""Products beside the confounders, those that tell most of the feature: what they cannot tell of it they cannot confound."""
CASES = 10
"""Of the rarer class, with the event or with a value, for each column of the fit (Peduzzi et al. 1996)."""
CARRIED = 10
"""Units by which a product must be carried, (sum of squares)^2 / sum of fourth powers: of fewer it would be a column of their own."""
DRAWN = 20_000
"""Units, evenly over all, from which it is seen which products tell most."""
TOO_FEW = "products of confounders not looked at: too few cases"
LOST = "no fit beyond products of confounders"


class Beyond(NamedTuple):
    """What is left of a pair beyond products."""

    at: int
    value: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    lost_in_products: bool = False
    told: str | None = None


def given_products(bench: Bench, aims: list[Target], table: pl.DataFrame) -> pl.DataFrame:
    """The table with COLUMNS, on the test split, of the pairs whose `verdict` is supported, and `lost_in_products` where there is no fit.

    0, with an interval of no width, where the products tell the feature, or the covariate, without error. Null for other pairs, and for
    too few cases; `note` says of which.
    """
    table = table.with_row_index("at")
    held, made = table.filter(pl.col("verdict") == "supported"), {}
    rows = [
        row
        for here, aim, columns, some in of_targets(bench, aims, held, "beyond products of confounders")
        for row in _rows(here, aim, columns, some, bench.confounders.of(here.unit)[here.chosen], made)
    ]
    types = dict.fromkeys(COLUMNS, pl.Float64)
    schema = {"at": pl.UInt32, **types, "lost_in_products": pl.Boolean, "told": pl.String}
    table = table.join(pl.DataFrame(rows, schema=schema, orient="row"), on="at", how="left", maintain_order="left")
    table = table.with_columns(pl.col("lost_in_products").fill_null(False), note=noted(pl.col("told")))
    return table.drop("at", "told")


def _rows(
    here: Units, aim: Target, columns: sp.csc_array, chosen: pl.DataFrame, z: np.ndarray, made: dict
) -> Iterator[Beyond]:
    there = np.isfinite(aim.y[here.chosen]) & np.isfinite(z).all(axis=1)
    room = cases(aim, here, there) // CASES - z.shape[1] - 2  # beside the constant and the feature
    if room < 1:
        yield from (Beyond(at, told=TOO_FEW) for at in chosen["at"])
        return
    if (key := (here.unit, there.tobytes())) not in made:  # covariates that are known of the same units share theirs
        made[key] = Products(z[there])
    products = made[key]
    for at, feature in chosen.select("at", "feature").iter_rows():
        x = dense(columns, feature)
        more = np.full((len(x), min(room, MOST, len(products.pairs))), np.nan)
        more[there] = products.nearest(x[there], more.shape[1])
        yield _beyond(at, *refitter(aim, here, np.column_stack([z, more]))(x))


def _beyond(at: int, found: Adjusted, why: str | None) -> Beyond:
    if np.isfinite(found.value) and not found.separated:
        return Beyond(at, found.value, found.ci_low, found.ci_high)
    without_error = (why or "").startswith(("collinear", "explained"))
    return Beyond(at, 0.0, 0.0, 0.0) if without_error else Beyond(at, lost_in_products=True, told=LOST)


def cases(aim: Target, here: Units, known: np.ndarray) -> int:
    """Units (clusters, if fewer) of the rarer class of a binary target, with the event, or with a value, among those `known`."""
    y, cluster = aim.y[here.chosen][known], here.cluster[known]
    of_events = [aim.follow[here.chosen][known, 1] == 1] if aim.is_survival else [np.isfinite(y)]
    sides = [y == 1, y == 0] if aim.is_binary else of_events
    return min(len(np.unique(cluster[side])) for side in sides)


class Products:
    """The products of each two columns of confounders z [n, q], less what z tells of them; those that few units carry are none."""

    def __init__(self, z: np.ndarray):
        spread = z.std(axis=0)
        self.z = (z - z.mean(axis=0)) / np.where(spread > 0, spread, 1)
        self.drawn = np.unique(np.linspace(0, len(z) - 1, min(len(z), DRAWN)).astype(int))
        self.told = basis(np.column_stack([np.ones(len(self.drawn)), self.z[self.drawn]]))
        every = zip(*np.triu_indices(z.shape[1], 1), strict=True)
        sizes = ((pair, self._left(self._product(pair, self.drawn)) ** 2) for pair in every)
        sums = ((pair, squares.sum(), (squares**2).sum()) for pair, squares in sizes)
        least = 1e-6 * len(self.drawn)
        self.pairs = [(pair, size) for pair, size, fourth in sums if size > least and size**2 >= CARRIED * fourth]

    def nearest(self, x: np.ndarray, most: int) -> np.ndarray:
        """[n, <= most] the products that tell most of what z leaves of the ranks of `x` [n]."""
        left = self._left(ranked(x)[self.drawn])
        told = np.array([abs(left @ self._product(pair, self.drawn)) / np.sqrt(size) for pair, size in self.pairs])
        best = np.sort(np.argsort(-told, kind="stable")[:most])
        return np.column_stack([np.zeros((len(x), 0)), *(self._product(self.pairs[i][0], slice(None)) for i in best)])

    def _product(self, pair: tuple[int, int], units: slice | np.ndarray) -> np.ndarray:
        return self.z[units, pair[0]] * self.z[units, pair[1]]

    def _left(self, values: np.ndarray) -> np.ndarray:
        return values - self.told @ (self.told.T @ values) / len(values)
