"""Within the records room imports go one way too: readers know the data, the data knows no reader."""

import ast
from pathlib import Path

import seqsae.errors

ROOM = Path(seqsae.errors.__file__).parent / "records"


def imported() -> dict[str, set[str]]:
    """Module of the room -> modules of the room that it imports, wherever in it the import stands."""
    found = {}
    for path in ROOM.glob("*.py"):
        nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
        inside = {node.module.split(".")[2] for node in nodes if (node.module or "").startswith("seqsae.records.")}
        inside |= {alias.name for node in nodes if node.module == "seqsae.records" for alias in node.names}
        found[path.stem] = inside
    return found


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Modules that lead back to themselves."""
    reached = {name: set(targets) for name, targets in graph.items()}
    for _ in graph:
        reached = {name: set.union(targets, *(reached[one] for one in targets)) for name, targets in reached.items()}
    return sorted(name for name, targets in reached.items() if name in targets)


def test_no_module_leads_back_to_itself():
    graph = imported()
    assert circle(graph) == [] and {"reading", "meds", "labels", "data"} <= set(graph)
    assert not graph["data"] & {"reading", "meds", "sequences", "companions", "labels", "code_table"}
    assert circle(graph | {"data": {"reading"}}) == [
        "companions",
        "companions_spans",
        "data",
        "labels",
        "meds",
        "reading",
        "sequences",
    ]
