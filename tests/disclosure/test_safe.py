"""Who may make a SafeTable, and what may be done with one."""

import ast
from pathlib import Path

import pytest

from seqsae.disclosure.policy import NAMED
from seqsae.disclosure.safe import COUNT, LABEL, joined, sealed, without

ROOT = Path(__file__).parents[2] / "seqsae"


def table(rows, policy="default"):
    return sealed(("name",), NAMED[policy], rows, {"name": LABEL, "subjects": COUNT}, ("D1",), {"few": 1})


def test_only_the_makers_of_disclosure_seal_tables():
    for path in [path for path in ROOT.rglob("*.py") if "disclosure" in path.read_text()]:
        names = {alias.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)
                 and node.module == "seqsae.disclosure.safe" for alias in node.names}  # fmt: skip
        assert "sealed" not in names or path.parent.name == "disclosure", path
        assert "object.__new__(SafeTable)" not in path.read_text() or path.name == "safe.py"


def test_a_table_without_rows_still_has_its_columns():
    assert table([]).frame().columns == ["name", "subjects"]


def test_tables_are_joined_only_if_alike_and_lose_columns():
    one, other = table([{"name": "a", "subjects": 10}]), table([{"name": "b", "subjects": 20}])
    both = joined([one, other])
    assert [row["name"] for row in both.rows] == ["a", "b"] and dict(both.withheld) == {"few": 2}
    assert without(both, "subjects").rows[0] == {"name": "a"}
    with pytest.raises(ValueError, match="cannot be joined"):
        joined([one, table([], "dst")])
