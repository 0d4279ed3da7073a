"""No number is told more finely than a release needs (D7), and no bin ends where a person does (D5)."""

from seqsae.disclosure.policy import Policy
from seqsae.exports.audit.findings import Notes
from seqsae.exports.audit.manifest import DataSet
from seqsae.exports.audit.texts import digits_of
from seqsae.exports.audit.values import number, words

SMALL_P, FLOOR_P, DIGITS_OF_SMALL_P = 1e-3, 1e-16, 2
PLACES = 4
"""Significant digits of a place on a map, at most."""
LOW, HIGH = {"low", "from", "lower", "left", "start"}, {"high", "to", "upper", "right", "end"}


def check_digits(dataset: DataSet, policy: Policy, notes: Notes) -> None:
    """Significant digits of every number that is no count; public data may have any."""
    if policy.public:
        return
    for name, column in dataset.columns.items():
        if column.role in ("rate", "statistic", "interval", "p", "coordinate") and column.kind != "integer":
            for at, row in enumerate(dataset.rows or ()):
                _cell(dataset, at, name, row[name], policy, notes)
    _bins(dataset, notes)


def _cell(dataset: DataSet, at: int, name: str, cell: object, policy: Policy, notes: Notes) -> None:
    value = number(cell)
    if value is None:
        return
    role = dataset.columns[name].role
    most = PLACES if role == "coordinate" else policy.digits
    if role == "p" and value < SMALL_P:
        most = DIGITS_OF_SMALL_P
        if value < FLOOR_P:
            notes.against("D7", dataset.place(at, name), f"a p below {FLOOR_P:g}", f"write <{FLOOR_P:g}")
    if digits_of(value) > most:
        notes.against("D7", dataset.place(at, name), f"{value!r} has more than {most} digits", "round it")


def _bins(dataset: DataSet, notes: Notes) -> None:
    """The outer bins are open: their ends would be a smallest and a largest value."""
    if "bin" not in words(dataset.unit):
        return
    low = [name for name in dataset.columns if set(words(name)) & LOW and dataset.columns[name].role != "interval"]
    high = [name for name in dataset.columns if set(words(name)) & HIGH and dataset.columns[name].role != "interval"]
    groups: dict[tuple, list[int]] = {}
    by = [name for name in dataset.of_role("label") if name not in [*low, *high, "bin"]]
    for at, row in enumerate(dataset.rows or ()):
        groups.setdefault(tuple(row[name] for name in by), []).append(at)
    for rows in groups.values():
        for name, highest in [*((name, False) for name in low), *((name, True) for name in high)]:
            if all(number(dataset.rows[at][name]) is not None for at in rows):
                end = (max if highest else min)(rows, key=lambda at, name=name: number(dataset.rows[at][name]))
                notes.against("D5", dataset.place(end, name), "the outer bin has an end", "leave the outer bins open")
