"""Two releases, of a cohort and of it less one subject: what an observer of both could count (D1, D14)."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

from seqsae.disclosure.policy import Policy
from seqsae.exports.audit.values import number


@dataclass(frozen=True)
class Difference:
    """A cell that two releases tell differently."""

    place: str
    before: float | None
    after: float | None
    implied: float | None
    """How many subjects the two tell apart, if it is a count; a share times what it is a share of; None for other numbers."""


@dataclass(frozen=True)
class Compared:
    """All cells of two releases side by side."""

    cells: int
    one_sided: int
    """Cells that stand in one of the two alone: their subjects crossed the threshold."""
    differences: tuple[Difference, ...]
    told: tuple[Difference, ...]
    """Those by which a number of subjects below the threshold is known: not what rounding to the base can hide."""


def compare(whole: Path, less: Path) -> Compared:
    """Match the cells of two release folders by data set, labels and column.

    A count that crosses a border of rounding changes by one base, whatever the true number: that tells no more than each release
    alone, and is not counted as told. Everything else below the threshold is.
    """
    policy = Policy.model_validate(json.loads((whole / "manifest.json").read_text())["policy"])
    here, there = _cells(whole), _cells(less)
    found, told = [], []
    for key in here.keys() & there.keys():
        (role, before, total), (_, after, other) = here[key], there[key]
        if before != after:
            one = Difference(" ".join(map(str, key)), before, after, _implied(role, (before, total), (after, other)))
            found.append(one)
            told += [one] if _tells(one, policy) else []
    return Compared(len(here.keys() | there.keys()), len(here.keys() ^ there.keys()), tuple(found), tuple(told))


def _implied(role: str, first: tuple, second: tuple) -> float | None:
    """Subjects by which two cells differ."""
    (before, total), (after, other) = first, second
    if before is None or after is None:
        return None
    if role == "count":
        return abs(before - after)
    if role == "rate" and total and other:
        return abs(before * total - after * other)
    return None


def _tells(one: Difference, policy: Policy) -> bool:
    """Whether fewer than the threshold are told apart, beyond what rounding leaves open."""
    if one.implied is None or policy.public:
        return False
    # A share has few digits: what it implies is known to within half a unit of its last.
    near = round(one.implied / policy.round_to) * policy.round_to
    slack = (
        0.0 if one.before == int(one.before) else 10.0 ** (1 - policy.digits) * max(one.implied, policy.min_subjects)
    )
    return 0 < one.implied < policy.min_subjects and abs(one.implied - near) > max(slack, 1e-9)


def _cells(folder: Path) -> dict[tuple, tuple[str, float | None, float | None]]:
    """(data set, labels, column) to role, value, and the row's first count."""
    manifest = json.loads((folder / "manifest.json").read_text())
    found = {}
    for dataset in manifest["datasets"]:
        if not dataset["file"].endswith(".csv"):
            continue
        roles = {name: column["role"] for name, column in dataset["columns"].items()}
        labels = [name for name, role in roles.items() if role in ("label", "text")]
        counts = [name for name, role in roles.items() if role == "count"]
        with (folder / dataset["file"]).open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                total = number(row[counts[0]]) if counts else None
                for name in roles.keys() - set(labels):
                    key = (dataset["id"], *(row[label] for label in labels), name)
                    found[key] = roles[name], number(row[name]), total
    return found
