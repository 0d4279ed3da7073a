"""Levels merged as `other` in one table and told apart in another: what can be worked out of the hidden cells (D3).

The sizes of all levels are known through the second table. Of a merged count F over levels of sizes s_i, level i holds between
max(0, F - sum of the other sizes) and min(F, s_i): a bound of Frechet (1940), as for any two margins. So of those who are not counted.
"""

from collections.abc import Iterator
from typing import NamedTuple

from seqsae.disclosure.policy import Policy
from seqsae.exports.audit.attack import rounded
from seqsae.exports.audit.findings import Notes
from seqsae.exports.audit.manifest import DataSet
from seqsae.exports.audit.values import number, plain

OTHER, OTHERS = "other", {"other", "others", "all others", "OTHER", "rest"}
MERGE = "merge other levels, or withhold the rows of this feature"
Range = tuple[float, float]
"""Least and largest true count."""


class Hidden(NamedTuple):
    """A merged row: its place, how many it counts, how many it leaves out, and the sizes of the levels in it."""

    place: str
    counted: Range
    left: Range
    sizes: list[Range]


def check_merged(datasets: list[DataSet], policy: Policy, notes: Notes) -> int:
    """Work out merged cells of every table that has such; how many hidden cells were tried."""
    tried = 0
    for one in datasets if not policy.public else ():
        counts = one.of_role("count")
        if {"covariate", "level"} <= set(one.of_role("label")) and len(counts) >= 2:
            for hidden in _hidden(one, _sizes(datasets, one, counts[0]), policy):
                tried += len(hidden.sizes)
                _told(hidden, policy, notes)
    return tried


def _sizes(datasets: list[DataSet], one: DataSet, count: str) -> dict:
    """Covariate to level to size, from the tables that have a row a level."""
    found: dict = {}
    for other in datasets:
        if other is not one and {"covariate", "level"} <= set(other.columns) and "feature" not in other.columns:
            for row in other.rows or ():
                size = number(row.get(count))
                if size is not None:
                    found.setdefault(plain(row["covariate"]), {})[plain(row["level"])] = size
    return found


def _hidden(one: DataSet, sizes: dict, policy: Policy) -> Iterator[Hidden]:
    """Every row that stands for two levels or more."""
    labels = [name for name in one.of_role("label") if name != "level"]
    whole, part = one.of_role("count")[:2]
    groups: dict[tuple, dict] = {}
    for at, row in enumerate(one.rows or ()):
        groups.setdefault(tuple(plain(row[name]) for name in labels), {})[plain(row["level"])] = at
    for key, levels in groups.items():
        known = sizes.get(key[labels.index("covariate")], {})
        merged = [level for level in levels if level in OTHERS and (level == OTHER or level not in known)]
        away = [rounded(size, policy) for level, size in known.items() if level not in levels or level in merged]
        for level in merged if len(away) > 1 else ():
            total, counted = (number(one.rows[levels[level]][name]) for name in (whole, part))
            if total is not None and counted is not None:
                (least, most), (low, high) = rounded(total, policy), rounded(counted, policy)
                yield Hidden(one.place(levels[level], part), (low, high), (least - high, most - low), away)


def _told(hidden: Hidden, policy: Policy, notes: Notes) -> None:
    """Note the first level of which too much is known."""
    for place, (_, size) in enumerate(hidden.sizes):
        room = sum(most for other, (_, most) in enumerate(hidden.sizes) if other != place)
        for what, (least, most) in (("are counted", hidden.counted), ("are left out", hidden.left)):
            low, high = max(0.0, least - room), min(size, most)
            if high - low < policy.min_subjects or high < policy.min_subjects:
                told = f"of a merged level of at most {size:g} between {low:g} and {high:g} {what} here"
                notes.against("D3", hidden.place, told, MERGE)
                return
