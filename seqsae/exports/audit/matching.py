"""Every table that a release embeds is one that its manifest lists, and every listed one is there as it says."""

from typing import Any

from seqsae.exports.audit.contents import Contents
from seqsae.exports.audit.findings import Notes
from seqsae.exports.audit.manifest import NUMERIC, DataSet
from seqsae.exports.audit.markup import Element
from seqsae.exports.audit.tables import FEW, Table
from seqsae.exports.audit.values import number, plain

TOLD = ("data-", "title", "aria-", "alt", "value")
"""Attributes in which a page can tell numbers."""
LIST = "list it in the manifest as a data set, or leave it out"
AGAIN = "write the release again with `seqsae release`"


def match(found: Contents, notes: Notes) -> None:
    """Give each data set its rows; findings for what is missing, different or not listed."""
    for dataset in found.manifest.datasets:
        _attach(found, dataset, notes)
    _same(found.manifest.datasets, notes)
    listed = [dataset.file for dataset in found.manifest.datasets]
    for name in found.sheets:
        if listed.count(name) != 1:
            notes.against("M2", name, f"holds {listed.count(name)} data sets of the manifest in place of one", LIST)
    index = _Index([dataset for dataset in found.manifest.datasets if dataset.rows is not None])
    for file, table in found.tables:
        _listed(file, table, index, notes)
    _cells(found, index, notes)
    notes.looked_at(
        f"{len(found.manifest.datasets)} data sets and {len(found.tables)} embedded tables against the manifest"
    )


def _attach(found: Contents, dataset: DataSet, notes: Notes) -> None:
    """The rows of a data set, from its CSV or from the page it lies in."""
    place = f"{dataset.file}:{dataset.id}"
    if dataset.file in found.sheets:
        names, rows = found.sheets[dataset.file]
    else:
        table = next((t for file, t in found.tables if file == dataset.file and t.key == dataset.id), None)
        if table is None:
            notes.against("M2", place, "a data set of the manifest that is not there", AGAIN)
            return
        names, rows = [name for name in dataset.columns if name in table.columns()], table.rows
        names += sorted(table.columns() - set(names))
    if names != list(dataset.columns):
        what = f"has the columns {', '.join(names)} where the manifest says {', '.join(dataset.columns)}"
        notes.against("M2", place, what, AGAIN)
    if len(rows) != dataset.n_rows:
        notes.against("M2", place, f"has {len(rows)} rows where the manifest says {dataset.n_rows}", AGAIN)
    dataset.rows = [{name: row.get(name) for name in dataset.columns} for row in rows]
    for at, row in enumerate(dataset.rows):
        for name in dataset.of_role(*NUMERIC):
            if plain(row[name]) is not None and number(row[name]) is None:
                notes.against("M2", dataset.place(at, name), "is no number, in a column that says so", AGAIN)


def _same(datasets: list[DataSet], notes: Notes) -> None:
    """Two data sets of one name, in two files, are one."""
    first: dict[str, DataSet] = {}
    for one in datasets:
        other = first.setdefault(one.id, one)
        if other is not one and one.rows is not None and other.rows is not None and _rows(one) != _rows(other):
            notes.against(
                "M2", f"{one.file}:{one.id}", f"differs from the data set of that name in {other.file}", AGAIN
            )


def _rows(dataset: DataSet) -> list[tuple]:
    return [tuple((name, plain(row[name])) for name in sorted(row)) for row in dataset.rows or ()]


class _Index:
    """Rows of all data sets, looked up by some of their columns."""

    def __init__(self, datasets: list[DataSet]):
        self.datasets = datasets
        self._seen: dict[tuple, set] = {}
        self.numbers = {
            value
            for one in datasets
            for row in one.rows
            for value in map(plain, row.values())
            if isinstance(value, float)
        }
        self.numbers |= {float(one.n_rows) for one in datasets}

    def has(self, row: dict[str, Any]) -> bool:
        """Whether one data set has a row with these values."""
        names = tuple(sorted(row))
        values = tuple(plain(row[name]) for name in names)
        return any(
            values in self._rows(place, names)
            for place, one in enumerate(self.datasets)
            if set(names) <= set(one.columns)
        )

    def _rows(self, place: int, names: tuple[str, ...]) -> set:
        if (place, names) not in self._seen:
            rows = self.datasets[place].rows
            self._seen[place, names] = {tuple(plain(row[name]) for name in names) for row in rows}
        return self._seen[place, names]


def _listed(file: str, table: Table, index: _Index, notes: Notes) -> None:
    """Whether every row of an embedded table is one of a data set; short lists of words need not be."""
    if not table.numeric() and len(table.rows) < FEW:
        return
    strange = [number for number, row in enumerate(table.rows) if row and not index.has(row)]
    if strange:
        what = f"{len(strange)} of {len(table.rows)} rows ({', '.join(sorted(table.columns()))}) are in no data set of the manifest"
        notes.against("M2", f"{file}: {table.path}[{strange[0]}]", what, LIST)


def _cells(found: Contents, index: _Index, notes: Notes) -> None:
    """Numbers in the cells of HTML tables are numbers of data sets; elsewhere a page has few that are not."""
    for name, page in found.pages.items():
        strange = [
            one for one in page.visible() if (value := _number(one.text)) is not None and value not in index.numbers
        ]
        for one in strange:
            if one.inside in ("td", "th"):
                notes.against(
                    "M2", f"{name}:{one.line} {one.inside}", "a number that no data set of the manifest has", LIST
                )
        attributes = [
            e
            for e in page.elements
            for key, value in e.attributes
            if key.startswith(TOLD) and _number(value) is not None
        ]
        if len(strange) > FEW or len(attributes) > FEW and any(_strange(e, index) for e in attributes):
            line = (strange or attributes)[0].line
            notes.against("M2", f"{name}:{line}", "many numbers that no data set of the manifest has", LIST)


def _strange(element: Element, index: _Index) -> bool:
    values = [_number(value) for key, value in element.attributes if key.startswith(TOLD)]
    return any(value is not None and value not in index.numbers for value in values)


def _number(text: str | None) -> float | None:
    return number((text or "").strip().replace(",", "").replace("\u202f", ""))
