"""Survival in steps of enough events, never a step at a person's time (D8)."""

from seqsae.disclosure.policy import Policy
from seqsae.exports.audit.findings import Notes
from seqsae.exports.audit.manifest import DataSet
from seqsae.exports.audit.values import words

CURVES = {"survival", "incidence", "hazard", "km", "kaplan", "risk"}
GRID = "read the curve at round times with enough events between two of them"


def is_curve(dataset: DataSet) -> bool:
    """Whether a data set holds curves of survival or incidence, by its columns or its rules."""
    return "D8" in dataset.rules or bool({word for name in dataset.columns for word in words(name)} & CURVES)


def check_curves(dataset: DataSet, policy: Policy, notes: Notes) -> None:
    """A curve shows the number at risk and the events of each step; that they are enough is for `counts`."""
    if policy.public or not is_curve(dataset):
        return
    place = f"{dataset.file}:{dataset.id}"
    counts = {word for name in dataset.of_role("count") for word in words(name)}
    for wanted in ("risk", "events"):
        if wanted not in counts:
            notes.against("D8", place, f"a curve without the counts of {wanted}", GRID)
    for name in dataset.of_role("count"):
        for at, row in enumerate(dataset.rows or ()):
            if row[name] is None or row[name] == "":
                notes.against("D8", dataset.place(at, name), "a step whose count is withheld", GRID)
