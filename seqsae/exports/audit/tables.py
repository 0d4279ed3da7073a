"""Tables in a JSON document, in whatever form they stand, and what else it says."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

SCALAR = (str, int, float, bool, type(None))
FEW = 20
"""Numbers outside tables, or rows without a number, that may stand together: ticks, sizes, names of columns."""
AS_ROWS = "embed them as rows or columns of a data set that the manifest lists"
DRAWING = ("mark", "encoding", "layer", "hconcat", "vconcat", "concat", "spec", "marks", "signals")


@dataclass(frozen=True)
class Table:
    """Rows as they stand in a document, at a JSON path; a row holds its plain values alone."""

    path: str
    key: str
    """The name it stands under."""
    rows: list[dict]

    def columns(self) -> set[str]:
        return {name for row in self.rows for name in row}

    def numeric(self) -> bool:
        """Whether there are numbers in it."""
        return any(
            isinstance(value, int | float) and not isinstance(value, bool)
            for row in self.rows
            for value in row.values()
        )


@dataclass(frozen=True)
class Leaf:
    """A plain value outside every table, or a text in one; `drawing`: within a chart's description."""

    path: str
    key: str
    value: Any
    drawing: bool


@dataclass(frozen=True)
class Fault:
    """What no release may hold: a rule, a JSON path, and what is wrong."""

    rule: str
    path: str
    what: str
    remedy: str


def parts_of(document: Any, path: str = "$", key: str = "", drawing: bool = False) -> Iterator[Table | Leaf | Fault]:
    """Every table, leaf and fault of a document. It is no deeper than `reading.DEEPEST`."""
    if isinstance(document, dict):
        yield from _object(document, path, key, drawing)
    elif isinstance(document, list):
        yield from _array(document, path, key, drawing)
    else:
        yield Leaf(path, key, document, drawing)


def _object(document: dict, path: str, key: str, drawing: bool) -> Iterator[Table | Leaf | Fault]:
    drawing = drawing or "$schema" in document or any(name in document for name in DRAWING)
    for name in document:
        yield Leaf(f"{path} (name)", "", name, drawing)
    data = document.get("data")
    if drawing and isinstance(data, dict):
        yield from _source(data, f"{path}.data")
    if columnar(document) and not (drawing and _numbers(list(document.values())) <= FEW):
        count = len(next(iter(document.values())))
        yield Table(path, key, [{name: values[row] for name, values in document.items()} for row in range(count)])
        return
    numbers = _numbers([value for value in document.values() if not isinstance(value, list)])
    if numbers > FEW:
        yield Fault("M2", path, f"{numbers} numbers under names of their own, which is no table", AS_ROWS)
        return
    for name, value in document.items():
        yield from parts_of(value, f"{path}.{name}", name, drawing)


def _source(data: dict, path: str) -> Iterator[Fault]:
    """A chart's data come from within the page, as rows."""
    if "url" in data:
        yield Fault("D15", f"{path}.url", "a chart that loads its data", "embed the rows of a released data set")
    if isinstance(data.get("values"), str):
        yield Fault("M2", f"{path}.values", "a chart's data as one text", "embed them as rows")
    if data.keys() & {"sequence", "graticule", "sphere"}:
        yield Fault("M2", path, "a chart that makes up its data", "embed the rows of a released data set")


def columnar(document: dict) -> bool:
    """Whether it is a table by columns: equally long lists of plain values, not all of one of them."""
    lists = list(document.values())
    if not lists or not all(isinstance(one, list) and one and all(isinstance(v, SCALAR) for v in one) for one in lists):
        return False
    return len({len(one) for one in lists}) == 1 and (len(lists) > 1 or len(lists[0]) > 1)


def _array(document: list, path: str, key: str, drawing: bool) -> Iterator[Table | Leaf | Fault]:
    numbers = _numbers(document)
    if numbers > FEW:
        what = f"{numbers} numbers in a list, which is no table with named columns"
        yield Fault("M2", path, what, AS_ROWS)
        return
    rows = [item for item in document if isinstance(item, dict)]
    plain = [{name: value for name, value in row.items() if isinstance(value, SCALAR)} for row in rows]
    if rows and (not drawing or key == "values" or path.rpartition(".")[0].endswith(".datasets") or len(rows) > FEW):
        yield Table(path, key, plain)
        for number, row in enumerate(rows):
            for name in row:
                yield from _nested(row[name], f"{path}[{number}].{name}", name, drawing)
    else:
        for number, item in enumerate(document):
            yield from parts_of(item, f"{path}[{number}]", key, drawing)


def _nested(value: Any, path: str, name: str, drawing: bool) -> Iterator[Table | Leaf | Fault]:
    if not isinstance(value, SCALAR):
        yield from parts_of(value, path, name, drawing)


def _numbers(document: list) -> int:
    """Numbers in a list and in the lists in it."""
    total = 0
    for item in document:
        if isinstance(item, list):
            total += _numbers(item)
        elif isinstance(item, int | float) and not isinstance(item, bool):
            total += 1
    return total
