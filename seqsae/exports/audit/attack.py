"""An attacker with a solver: what the shown cells and margins of a table tell of the withheld ones (D3).

Each count is known to within rounding; a withheld cell may hold anything that adds up. Its least and largest value are two
linear programs (Fischetti and Salazar, 2001, on the audit problem of cell suppression).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from seqsae.disclosure.policy import Policy
from seqsae.exports.audit.findings import Notes
from seqsae.exports.audit.manifest import DataSet
from seqsae.exports.audit.values import number, plain

MOST = 400
"""Withheld cells of one table that are attacked, at most; a table with more is refused."""
LARGEST = 5_000
"""Cells of such a table, at most."""
TOTALS = {"total", "all", "(total)", "(all)", "sum", "everyone", "margin"}
MERGE = "merge the rare levels, or withhold the table"


@dataclass
class Crossed:
    """A table of counts: cells and margins by row and column, None where withheld; `place` of each withheld one."""

    cells: dict[tuple, float | None]
    rows: dict
    columns: dict
    whole: float | None
    places: dict[tuple, str]


def check_withheld(dataset: DataSet, policy: Policy, notes: Notes) -> int:
    """Attack the withheld cells of a data set that shows margins; how many were attacked."""
    layout = dataset.layout or _guessed(dataset)
    if policy.public or not layout:
        return 0
    wanted = [*layout.get("labels", []), layout.get("count")]
    if not all(isinstance(name, str) and name in dataset.columns for name in wanted) or not 1 <= len(wanted) - 1 <= 2:
        place = f"manifest.json: {dataset.id}.layout"
        notes.against("D3", place, "names columns that are not there", "name one or two label columns and a count")
        return 0
    attacked = 0
    for table in _tables(dataset, layout):
        hidden = [cell for cell, count in table.cells.items() if count is None]
        if len(hidden) > MOST:
            notes.against(
                "D3", f"{dataset.file}:{dataset.id}", f"withholds {len(hidden)} cells beside their margins", MERGE
            )
            continue
        for cell, (low, high) in intervals(table, policy).items():
            if high - low < policy.min_subjects or high < policy.min_subjects:
                place = table.places.get(cell) or f"{dataset.file}:{dataset.id} {'/'.join(map(str, cell))}"
                what = f"a withheld count can only lie between {low:g} and {high:g}"
                notes.against("D3", place, what, MERGE)
        attacked += len(hidden)
    return attacked


def _guessed(dataset: DataSet) -> dict | None:
    """The layout of a table that says none but has a row called total."""
    labels, counts = dataset.of_role("label"), dataset.of_role("count")
    totals = [row[name] for row in dataset.rows or () for name in labels if str(row[name]).lower() in TOTALS]
    if not totals or not counts or len(labels) > 2:
        return None
    return {"labels": labels, "count": counts[0], "total": totals[0]}


def _tables(dataset: DataSet, layout: dict) -> Iterator[Crossed]:
    """A table for each value of the other labels."""
    labels, count = layout["labels"], layout["count"]
    total = str(layout.get("total", "total"))
    by = [name for name in dataset.of_role("label") if name not in labels]
    made: dict[tuple, Crossed] = {}
    for at, row in enumerate(dataset.rows or ()):
        table = made.setdefault(tuple(plain(row[name]) for name in by), Crossed({}, {}, {}, None, {}))
        key = [str(row[name]) for name in labels]
        value = number(row[count])
        first, second = key[0] == total, key[-1] == total
        if len(key) == 1:
            key, second = [*key, "all"], True
            if not first:
                table.cells[tuple(key)] = value
                table.places[tuple(key)] = dataset.place(at, count)
                continue
        _put(table, key, value, (first, second), dataset.place(at, count))
    yield from made.values()


def _put(table: Crossed, key: list[str], value: float | None, total: tuple[bool, bool], place: str) -> None:
    if all(total):
        table.whole = value
    elif total[0]:
        table.columns[key[1]] = value
    elif total[1]:
        table.rows[key[0]] = value
    else:
        table.cells[tuple(key)] = value
        table.places[tuple(key)] = place


def intervals(table: Crossed, policy: Policy) -> dict[tuple, tuple[float, float]]:
    """Least and largest value of each withheld cell, and of each that is absent though its row and column are there."""
    from scipy.optimize import linprog

    firsts = sorted({row for row, _ in table.cells} | set(table.rows))
    seconds = sorted({column for _, column in table.cells} | set(table.columns))
    order = {cell: place for place, cell in enumerate((row, column) for row in firsts for column in seconds)}
    bounds = [_bounds(table.cells.get(cell), policy) for cell in order]
    sums = [
        *(([order[row, column] for column in seconds], count) for row, count in table.rows.items()),
        *(([order[row, column] for row in firsts], count) for column, count in table.columns.items()),
        (list(order.values()), table.whole),
    ]
    above, most = _constraints(sums, len(order), policy)
    found = {}
    for cell in [cell for cell in order if table.cells.get(cell) is None]:
        aim = np.zeros(len(order))
        aim[order[cell]] = 1
        ends = [linprog(sign * aim, above, most, bounds=bounds, method="highs") for sign in (1, -1)]
        found[cell] = tuple(_end(one, sign) for one, sign in zip(ends, (1, -1), strict=True))
    return found


def _end(solved, sign: int) -> float:
    """A value of the solver; without a bound upwards it is infinite, and a table that does not add up tells nothing."""
    if solved.status == 0:
        return sign * solved.fun
    return float("inf") if sign < 0 else 0.0


def _bounds(count: float | None, policy: Policy) -> tuple[float, float | None]:
    """What a reader knows of a cell: within rounding, and no less than the threshold if it is shown."""
    if count is None:
        return 0.0, None
    low, high = rounded(count, policy)
    return max(low, min(policy.min_subjects, high)), high


def rounded(count: float, policy: Policy) -> tuple[float, float]:
    """The true counts that are rounded to it, halves up."""
    half = policy.round_to / 2
    return max(0.0, np.ceil(count - half)), np.ceil(count + half) - 1


def _constraints(sums: list, size: int, policy: Policy) -> tuple:
    """Rows of `A x <= b`, two for each sum that is shown."""
    from scipy.sparse import csr_array

    above, most = [], []
    for places, count in sums:
        if count is not None:
            low, high = rounded(count, policy)
            row = np.zeros(size)
            row[places] = 1
            above += [row, -row]
            most += [high, -low]
    return (csr_array(np.array(above)), np.array(most)) if above else (None, None)
