"""No feature that fires in few subjects is named anywhere (D9)."""

import re

from seqsae.disclosure.policy import Policy
from seqsae.exports.audit.contents import Contents
from seqsae.exports.audit.findings import Notes
from seqsae.exports.audit.manifest import DataSet
from seqsae.exports.audit.values import number, plain, words

LEAST = 20
"""Subjects in which a released feature fires, at least, in train and in test."""
NAMED = re.compile(r"\bfeature[-_ #]?(\d+)\b", re.I)
LIST = "release only features of the list `features`"


def check_features(found: Contents, notes: Notes) -> None:
    """The list of features holds those of enough subjects, and no other is named in a table, text or attribute."""
    datasets = found.manifest.datasets
    listed = next((one for one in datasets if one.id == "features"), None)
    naming = [(one, name) for one in datasets for name in one.columns if _is_feature(one, name)]
    if listed is None:
        if naming:
            place = f"{naming[0][0].file}:{naming[0][0].id}"
            notes.against("D9", place, "names features, and the release has no data set `features` of them", LIST)
        return
    _enough(listed, found.manifest.policy, notes)
    column = next((name for one, name in naming if one is listed), None)
    allowed = {plain(row[column]) for row in listed.rows or ()} if column else set()
    for dataset, name in naming:
        for at, row in enumerate(dataset.rows or ()):
            if plain(row[name]) is not None and plain(row[name]) not in allowed:
                notes.against(
                    "D9", dataset.place(at, name), f"names feature {row[name]}, which is not on the list", LIST
                )
    for said in found.said:
        if said.kind not in ("script", "style", "raw"):
            for one in NAMED.finditer(said.text):
                if float(one[1]) not in allowed:
                    notes.against("D9", said.place, f"names feature {one[1]}, which is not on the list", LIST)
    notes.looked_at(f"{len(allowed)} released features, and that no other is named")


def _is_feature(dataset: DataSet, name: str) -> bool:
    said = words(name)
    return (
        "feature" in said
        and dataset.columns[name].role in ("label", "coordinate", "statistic", "text")
        and len(said) <= 2
    )


def _enough(listed: DataSet, policy: Policy, notes: Notes) -> None:
    least = 1 if policy.public else max(policy.min_subjects, LEAST)
    place = f"{listed.file}:{listed.id}"
    counts = listed.of_role("count")
    on_test = [name for name in counts if "test" in words(name)]
    if not policy.public and (not on_test or len(on_test) == len(counts)):
        what = "does not count the subjects in whom a feature fires, on the test split and besides"
        notes.against("D9", place, what, "add the columns subjects_train and subjects_test")
    for at, row in enumerate(listed.rows or ()):
        for name in counts:
            count = number(row[name])
            if count is None or count < least:
                what = f"fires in {'too few' if count is None else f'{count:g}'} subjects, below {least}"
                notes.against("D9", listed.place(at, name), what, "leave the feature out of every table")
