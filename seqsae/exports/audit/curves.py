"""Survival in steps of enough events, never a step at a person's time (D8)."""

from seqsae.disclosure.policy import Policy
from seqsae.exports.audit.attack import rounded
from seqsae.exports.audit.findings import Notes
from seqsae.exports.audit.manifest import DataSet
from seqsae.exports.audit.values import number, plain, words

CURVES = {"survival", "incidence", "hazard", "km", "kaplan", "risk"}
EVENT, YES = "with the event", {"true", "yes", "1"}
"""The level of all who have the event, and how a group says that the feature fires in it."""
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


def check_ends(datasets: list[DataSet], policy: Policy, notes: Notes) -> None:
    """Who has the event after the last time of a curve follows from the number of all who have it: that is nobody, or not surely few."""
    whole = {
        (plain(row["feature"]), plain(row["covariate"])): (number(row["subjects"]), number(row["firing"]))
        for one in datasets
        if {"feature", "covariate", "level", "subjects", "firing"} <= set(one.columns)
        for row in one.rows or ()
        if row["level"] == EVENT
    }
    for one in datasets if not policy.public else ():
        if not {"feature", "covariate", "fires", "events"} <= set(one.columns):
            continue
        groups: dict[tuple, list[int]] = {}
        for at, row in enumerate(one.rows or ()):
            groups.setdefault((plain(row["feature"]), plain(row["covariate"]), plain(row["fires"])), []).append(at)
        for (feature, covariate, fires), rows in groups.items():
            counts = whole.get((feature, covariate), (None,)), [number(one.rows[at]["events"]) for at in rows]
            if None not in counts[0] and None not in counts[1]:
                low, high = _after(*counts, str(fires).lower() in YES, policy)
                if low > 0 and high < policy.min_subjects:
                    what = (
                        f"between {low:g} and {high:g} have the event after the last time, below {policy.min_subjects}"
                    )
                    notes.against("D8", one.place(rows[-1], "events"), what, "end the curve a step earlier")


def _after(whole: tuple, steps: list[float], fires: bool, policy: Policy) -> tuple[float, float]:
    """Least and most events after the last step, of those who have the event (subjects, firing ones)."""
    subjects, firing = (rounded(count, policy) for count in whole)
    low, high = firing if fires else (subjects[0] - firing[1], subjects[1] - firing[0])
    for least, most in (rounded(count, policy) for count in steps):
        low, high = low - most, high - least
    return low, high
