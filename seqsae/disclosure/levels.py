"""Categories with too few subjects brought together until enough stand in each cell (D3: merge rather than blank)."""

import polars as pl

from seqsae.disclosure.policy import Policy
from seqsae.disclosure.rules import d1_reason

OTHER = "other"
"""What categories too rare to be named are called together."""


def d3_merged(rows: pl.DataFrame, policy: Policy) -> dict[str | None, str | None]:
    """Value to published value, over every value there is: rare ones, a rare null among them (D6), become `OTHER`.

    Where they are too few even together they are counted with the commonest value, so that nothing is left to be inferred
    from the total: the cells of the published values hold every subject.

    Args:
        rows: `subject`, `cluster`, `value` (text or null), enough subjects altogether.
    """
    sizes = _sizes(rows)
    rare = [value for value, subjects, clusters in sizes if d1_reason(subjects, clusters, policy)]
    if not rare:
        return {value: value for value, _, _ in sizes}
    rare += [value for value, _, _ in sizes if value == OTHER and value not in rare]  # a real one joins them
    kept = [value for value, _, _ in sizes if value not in rare]
    named = [value for value in kept if value is not None]
    into = OTHER if not kept or _enough(rows, rare, policy) else (named or kept)[-1]
    return {value: into if value in rare else value for value, _, _ in sizes}


def _sizes(rows: pl.DataFrame) -> list[tuple]:
    """Value, its subjects and clusters, the rarest first."""
    sizes = rows.group_by("value").agg(
        pl.col("subject").n_unique().alias("subjects"), pl.col("cluster").n_unique().alias("clusters")
    )
    return sorted(sizes.rows(), key=lambda row: (row[1], row[0] is None, row[0] if row[0] is not None else 0))


def _enough(rows: pl.DataFrame, values: list, policy: Policy) -> bool:
    there = rows.filter(pl.col("value").is_in([value for value in values if value is not None]))
    if None in values:
        there = pl.concat([there, rows.filter(pl.col("value").is_null())])
    return d1_reason(there["subject"].n_unique(), there["cluster"].n_unique(), policy) is None


def d3_neighbours(rows: pl.DataFrame, policy: Policy) -> dict[float, float]:
    """Value to published value for ordered levels: a rare one is counted with the next below that is not, else above.

    Empty if every level is rare: then none of them may be named.

    Args:
        rows: `subject`, `cluster`, `value` (numbers, no nulls), enough subjects altogether.
    """
    sizes = sorted(_sizes(rows))
    named = [value for value, subjects, clusters in sizes if d1_reason(subjects, clusters, policy) is None]
    if not named:
        return {}
    return {value: max((one for one in named if one <= value), default=named[0]) for value, _, _ in sizes}
