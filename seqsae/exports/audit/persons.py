"""Tables that look like one row a person, whatever they are called (D19)."""

from seqsae.exports.audit.findings import Notes
from seqsae.exports.audit.manifest import DataSet
from seqsae.exports.audit.values import number, words

NEAR = 0.05
"""How near the number of rows is to that of subjects, as a share."""
UNIQUE = 0.9
"""Share of different values from which on a column tells rows apart."""
MANY = 20
AGGREGATE = "release aggregates alone"


def check_persons(dataset: DataSet, cohorts: set[int], notes: Notes) -> None:
    """No numbers all different in about as many rows as there are subjects; no rows that nothing names."""
    rows = dataset.rows or []
    labels = {word for name in dataset.of_role("label") for word in words(name)}
    telling = [name for name in dataset.of_role("statistic", "rate", "coordinate", "text") if _unique(rows, name)]
    if len(rows) < MANY or not telling or "feature" in labels:  # which features may be named is for D9
        return
    place = f"{dataset.file}:{dataset.id}"
    if any(abs(len(rows) - size) <= NEAR * size for size in cohorts):
        notes.against("D19", place, f"{len(rows)} rows, about one a subject, told apart by {telling[0]}", AGGREGATE)
    elif not labels and not dataset.of_role("count"):
        notes.against("D19", place, f"{len(rows)} rows that no label names, told apart by {telling[0]}", AGGREGATE)


def _unique(rows: list[dict], name: str) -> bool:
    values = [value for row in rows if (value := number(row[name])) is not None]
    return len(values) >= MANY and len(set(values)) >= UNIQUE * len(rows)


def largest_count(datasets: list[DataSet]) -> set[int]:
    """The number of subjects as a release itself tells it: its largest count."""
    most = [number(row[name]) or 0 for one in datasets for row in one.rows or () for name in one.of_role("count")]
    return {int(max(most))} if most and max(most) >= MANY else set()
