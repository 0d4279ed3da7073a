"""The one kind of table that may leave: what the makers of this package put into it, after their rules."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import polars as pl

from seqsae.disclosure.policy import Policy


class Column(NamedTuple):
    """What a column of a published table holds."""

    type: str
    """string, integer, number or boolean."""
    role: str
    """label, count, rate, statistic, interval, p, coordinate or text."""


LABEL, TEXT = Column("string", "label"), Column("string", "text")
NUMBER_LABEL, FLAG = Column("integer", "label"), Column("boolean", "label")
COUNT, RATE = Column("integer", "count"), Column("number", "rate")
STATISTIC, INTERVAL, P = Column("number", "statistic"), Column("number", "interval"), Column("number", "p")
PLACE = Column("number", "coordinate")


class SafeTable:
    """Cells that passed the rules; immutable, and made by the makers of `seqsae.disclosure` alone.

    It holds nothing that it does not show: neither true counts nor the labels of what was withheld.
    """

    __slots__ = ("by", "columns", "policy", "rows", "rules", "withheld")

    by: tuple[str, ...]
    """Columns that label a cell."""
    columns: Mapping[str, Column]
    """Name to what it holds."""
    policy: Policy
    """The policy under which it was made."""
    rows: tuple[Mapping, ...]
    """A cell each: its labels and what is told of it; null where withheld."""
    rules: tuple[str, ...]
    """Numbers of the rules applied."""
    withheld: Mapping[str, int]
    """Reason to number of cells withheld, whole or in part; those without a label here among them."""

    def __init__(self):
        raise TypeError(
            "a SafeTable is made by the makers of seqsae.disclosure (aggregate and its kin), from rows and a policy"
        )

    def __init_subclass__(cls):
        raise TypeError("SafeTable has no subclasses: what is in one went through the rules")

    def __setattr__(self, name, value):
        raise AttributeError(f"a SafeTable cannot be changed; {name!r} stays as it was made")

    def __delattr__(self, name):
        raise AttributeError(f"a SafeTable cannot be changed; {name!r} stays as it was made")

    def __len__(self) -> int:
        return len(self.rows)

    def frame(self) -> pl.DataFrame:
        """The rows as a table of the caller's own."""
        return pl.DataFrame([dict(row) for row in self.rows], schema=self._types(), infer_schema_length=None)

    def _types(self) -> dict | None:
        """Types of the columns, for a table without rows."""
        return None if self.rows else {name: _TYPES[column.type] for name, column in self.columns.items()}


_TYPES = {"string": pl.String, "integer": pl.Int64, "number": pl.Float64, "boolean": pl.Boolean}


def sealed(
    by: tuple[str, ...],
    policy: Policy,
    rows: Iterable[Mapping],
    columns: Mapping[str, Column],
    rules: tuple[str, ...],
    withheld: Mapping[str, int],
) -> SafeTable:
    """The table of rows that went through these rules. For makers alone: nothing is looked at any more."""
    table = object.__new__(SafeTable)
    parts = {
        "by": tuple(by),
        "columns": MappingProxyType(dict(columns)),
        "policy": policy,
        "rows": tuple(MappingProxyType(dict(row)) for row in rows),
        "rules": tuple(rules),
        "withheld": MappingProxyType(dict(withheld)),
    }
    for name, part in parts.items():
        object.__setattr__(table, name, part)
    return table


def joined(tables: list[SafeTable]) -> SafeTable:
    """Tables of the same columns and policy as one.

    Raises:
        ValueError: they are not alike.
    """
    first = tables[0]
    if any((one.columns, one.policy, one.by) != (first.columns, first.policy, first.by) for one in tables):
        raise ValueError("tables of other columns or policies cannot be joined")
    reasons = sorted({reason for one in tables for reason in one.withheld})
    withheld = {reason: sum(one.withheld.get(reason, 0) for one in tables) for reason in reasons}
    return sealed(
        first.by, first.policy, [row for one in tables for row in one.rows], first.columns, first.rules, withheld
    )


def without(table: SafeTable, *names: str) -> SafeTable:
    """The table less some of its columns."""
    columns = {name: column for name, column in table.columns.items() if name not in names}
    rows = [{name: row[name] for name in columns} for row in table.rows]
    return sealed(table.by, table.policy, rows, columns, table.rules, table.withheld)
