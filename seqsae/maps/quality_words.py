"""The one plain sentence on a map: whether it would look the same on random directions, and what of it returns.

The rule: a measure tells something if the map's is above what one more map of random directions would hardly reach: the upper end of
the two-sided 95 % prediction interval of the null maps' measures, mean + t sd sqrt(1 + 1/m) of m draws. The measures are
trustworthiness (are neighbours on the map neighbours in the decoder?) and the persistence of the clusters (how firm are the islands?).
If neither is above directions that are alike in all dimensions, the map looks the same on random directions. If one is, but neither is
above random directions with the decoder's own covariance, it shows the decoder's main axes and no more.
"""

import polars as pl
from scipy import stats

from seqsae.maps.quality import NULLS

SAME = "looks the same on random directions"
CONFIDENCE = 0.95
MEASURES = {"trustworthiness": "its neighbourhoods are more faithful", "persistence": "its clusters are firmer"}
LESS = {"trustworthiness": "its neighbourhoods are no more faithful", "persistence": "its clusters are no firmer"}


def said(table: pl.DataFrame) -> str:
    """The sentence, of a table of schema `map_quality`."""
    if not len(table):
        return "Map of features: too few features for one that says anything."
    again = table.filter(pl.col("kind") == "seed")
    parts = [_verdict(table), _measures(table), *([_again(again)] if len(again) else [])]
    return f"Map of features: {'; '.join(parts)}."


def looks_random(table: pl.DataFrame) -> bool | None:
    """Whether the map would look the same on random directions of either kind, by the rule above; None if held against none."""
    return None if not limits(table, "persistence") else max(_levels(table).values()) < len(NULLS)


def limits(table: pl.DataFrame, measure: str) -> dict[str, float]:
    """Kind of random directions to the value that one more of their maps would hardly exceed; without clusters persistence is 0."""
    found = {}
    for kind in NULLS:
        values = table.filter(pl.col("kind") == kind)[measure].fill_null(0.0).to_numpy()
        if m := len(values):
            wide = stats.t.ppf((1 + CONFIDENCE) / 2, m - 1) * values.std(ddof=1) * (1 + 1 / m) ** 0.5 if m > 1 else 0.0
            found[kind] = float(values.mean() + wide)
    return found


def _levels(table: pl.DataFrame) -> dict[str, int]:
    """Measure to 0 (as on random directions), 1 (above those alike in all dimensions) or 2 (above those with the covariance too)."""
    found = {}
    for measure in MEASURES:
        value, bounds = table[measure][0] or 0.0, limits(table, measure)
        above = [value > bounds[kind] for kind in NULLS]
        found[measure] = 0 if not above[0] else 1 + above[1]
    return found


def _verdict(table: pl.DataFrame) -> str:
    if looks_random(table) is None:
        return "it was not held against random directions"
    levels = _levels(table)
    if max(levels.values()) == 0:
        return f"it {SAME}: read nothing from its islands"
    if max(levels.values()) == 1:
        return f"it {SAME} that have the decoder's covariance: it shows the decoder's main axes, and its islands are no finding"
    more = [words for measure, words in MEASURES.items() if levels[measure] == 2]
    less = [words for measure, words in LESS.items() if levels[measure] < 2]
    told = f"{' and '.join(more)} than on random directions, even those that have the decoder's covariance"
    return f"{told}, but {less[0]}" if less else told


def _measures(table: pl.DataFrame) -> str:
    row = table.row(0, named=True)
    clusters = f"{row['n_clusters']} cluster{'' if row['n_clusters'] == 1 else 's'}"
    trust, firm = (_beside(table, measure) for measure in MEASURES)
    return f"trustworthiness {trust}; {clusters}, of persistence {firm}"


def _beside(table: pl.DataFrame, measure: str) -> str:
    value, bounds = table[measure][0], limits(table, measure)
    shown = "-" if value is None else f"{value:.2f}"
    return f"{shown} (random directions up to {max(bounds.values()):.2f})" if bounds else shown


def _again(table: pl.DataFrame) -> str:
    n, row = len(table), table.row(0, named=True)
    return (
        f"with {n} other seed{'' if n == 1 else 's'} a feature keeps {table['neighbours_kept'].mean():.0%} of its "
        f"{row['neighbours']} neighbours (by chance {row['neighbours_by_chance']:.0%}), and clusters agree by "
        f"{table['adjusted_rand'].mean():.2f} (adjusted Rand index; 0 by chance)"
    )
