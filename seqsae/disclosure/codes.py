"""Rare codes rolled up to a parent, or to what else bears their prefix, until enough subjects share a name (D10)."""

from collections.abc import Mapping

import polars as pl

from seqsae.disclosure.policy import Policy
from seqsae.disclosure.rules import d1_reason

OTHER = "OTHER"
"""Code of those that no parent or prefix could take in; `PREFIX//OTHER` for those of a prefix."""
BETWEEN = "//"
"""What stands between the parts of a MEDS code."""


def d10_rolled_up(
    rows: pl.DataFrame, policy: Policy, parents: Mapping[str, str] | None = None
) -> dict[str, str | None]:
    """Code to the name under which it may be shown; None: not even `OTHER` has enough subjects.

    Args:
        rows: `subject`, `cluster`, `code`.
        parents: code to its parent, for any of the codes and of their parents.
    """
    once = rows.select("code", "subject", "cluster").unique()
    paths = {code: _path(code, parents or {}) for code in once["code"].unique().sort().to_list()}
    step = dict.fromkeys(paths, 0)
    while True:
        names = {code: paths[code][step[code]] for code in paths}
        rare = _rare(once, names, policy)
        ahead = {code: len(paths[code]) - step[code] for code in paths if names[code] in rare}
        if not ahead:
            return names
        for code, left in ahead.items():
            # Those with the longest way to go rise first: they may fill the name at which a shorter way waits.
            step[code] += left == max(ahead.values())


def _path(code: str, parents: Mapping[str, str]) -> list[str | None]:
    """The names a code may be shown under, the finest first; ends with None."""
    names: list[str | None] = []
    name: str | None = code
    while name is not None and name not in names:
        names.append(name)
        name = parents.get(name)
    prefix = code.split(BETWEEN)[0] if BETWEEN in code else None
    last = [f"{prefix}{BETWEEN}{OTHER}"] if prefix else []
    return names + [name for name in [*last, OTHER] if name not in names] + [None]


def _rare(once: pl.DataFrame, names: dict[str, str | None], policy: Policy) -> set[str]:
    """Names with too few subjects or clusters."""
    named = once.with_columns(pl.col("code").replace_strict(names, return_dtype=pl.String)).drop_nulls("code")
    sizes = named.group_by("code").agg(
        pl.col("subject").n_unique().alias("subjects"), pl.col("cluster").n_unique().alias("clusters")
    )
    return {code for code, subjects, clusters in sizes.rows() if d1_reason(subjects, clusters, policy)}
