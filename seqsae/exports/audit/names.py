"""What a data set's columns and rows may be, by their names: no person, no end of a range, no sequence (D5, D11, D12, D13, D19)."""

import re

from seqsae.disclosure.policy import Policy
from seqsae.exports.audit.contents import Said
from seqsae.exports.audit.findings import Notes
from seqsae.exports.audit.manifest import DataSet
from seqsae.exports.audit.values import number, words

PERSONS = {
    "subject",
    "person",
    "patient",
    "individual",
    "sample",
    "record",
    "sequence",
    "event",
    "row",
    "life",
    "participant",
    "token_position",
}
IDENTIFIERS = {
    "id", "pid", "cpr", "pnr", "ssn", "uuid", "guid", "hash", "household", "address", "email", "phone", "birthdate", "birthday",
    "subject", "person", "patient", "individual", "participant", "username", "hostname", "postcode", "zip", "surname",
}  # fmt: skip
ENDS = {
    "min", "max", "minimum", "maximum", "median", "quantile", "quantiles", "quartile", "percentile", "decile", "iqr", "range",
    "largest", "smallest", "highest", "lowest", "q1", "q3", "p01", "p05", "p10", "p25", "p50", "p75", "p90", "p95", "p99",
}  # fmt: skip
SEQUENCES = {
    "sequence",
    "sequences",
    "timeline",
    "timelines",
    "trajectory",
    "snippet",
    "snippets",
    "example",
    "examples",
    "residues",
}
MEANS = {"mean", "means", "average", "sum", "total", "avg"}
SHARED = "show enrichment of codes and n-grams that enough subjects share, or authored vignettes"
RESIDUES = re.compile(r"(?<![A-Za-z])[ACDEFGHIKLMNPQRSTVWXY]{20,}(?![a-z])")
LONGEST = {"label": 80, "text": 600}
"""Signs of a cell, by its role, at most: longer ones are free text."""


def check_names(dataset: DataSet, policy: Policy, notes: Notes) -> None:
    """The names of a data set's columns, and what a row of it is."""
    place = f"{dataset.file}:{dataset.id}"
    for name, column in dataset.columns.items():
        said = words(name)
        if set(said) & IDENTIFIERS and not dataset.authored:
            notes.against("D13", f"{place} {name}", "a column that names persons", "leave the column out")
        if set(said) & SEQUENCES and not dataset.authored:
            notes.against("D11", f"{place} {name}", "a column of sequences of persons", SHARED)
        if not policy.public and set(said) & ENDS and column.of != "features" and column.role not in ("label", "text"):
            remedy = "give bins, or the mean of the highest subjects"
            notes.against("D5", f"{place} {name}", "a smallest, largest or middle value is that of a person", remedy)
        if (
            not policy.public
            and set(said) & MEANS
            and column.role in ("statistic", "rate")
            and "D4" not in dataset.rules
        ):
            remedy = "test it for dominance and say D4 among the rules"
            notes.against("D4", f"{place} {name}", "a sum or mean that was not tested for dominance", remedy)
        _lengths(dataset, name, column.role, notes)
    _unit(dataset, place, notes)


def _unit(dataset: DataSet, place: str, notes: Notes) -> None:
    """A row is no person, and no point of a map is one (D12, D19)."""
    if not set(words(dataset.unit)) & PERSONS:
        return
    if dataset.of_role("coordinate"):
        notes.against("D12", place, "a map with a point a person", "show persons in hexagons of enough subjects")
    else:
        notes.against("D19", place, f"a row is a {dataset.unit}", "release aggregates alone")


def _lengths(dataset: DataSet, name: str, role: str, notes: Notes) -> None:
    if role not in LONGEST:
        return
    for at, row in enumerate(dataset.rows or ()):
        if len(str(row[name] or "")) > LONGEST[role]:
            notes.against(
                "D13", dataset.place(at, name), f"a text of more than {LONGEST[role]} signs", "shorten or drop it"
            )


def check_key(key: str, value: object, place: str, notes: Notes) -> None:
    """A value outside tables under the name of an end of a range, of a person or of where the work was done."""
    said = set(words(key))
    if said & ENDS and isinstance(value, float | int) and not isinstance(value, bool):
        notes.against("D5", place, "a smallest, largest or middle value is that of a person", "leave it out")
    if said & (IDENTIFIERS - {"id", "hash"}) | said & {"cwd", "argv"} and value is not None:
        notes.against("D13", place, "names a person or a place of work", "leave it out")


def check_facts(dataset: DataSet, check, notes: Notes) -> None:
    """A table of names and values says numbers as values outside tables do: `check(name, number, place)` is asked of each."""
    if set(dataset.columns) != {"fact", "value"} and set(dataset.columns) != {"name", "value"}:
        return
    for at, row in enumerate(dataset.rows or ()):
        key, value = str(next(iter(row.values()))), number(row["value"])
        if value is not None:
            check_key(key, value, dataset.place(at, "value"), notes)
            check(key, value, dataset.place(at, "value"))


def check_sequences(said: list[Said], datasets: list[DataSet], notes: Notes) -> None:
    """No run of residues, and nothing called an example or a timeline, but in authored vignettes (D11)."""
    authored = [one for one in datasets if one.authored]
    texts = {str(value) for one in authored for row in one.rows or () for value in row.values()}
    columns = {name for one in authored for name in one.columns}
    for one in said:
        if (
            one.kind == "name"
            and set(words(one.text)) & SEQUENCES
            and one.text not in columns
            and one.place.endswith("(name)")
        ):
            notes.against("D11", one.place, f"something called {one.text!r}", SHARED)
        if one.kind not in ("style", "script", "raw", "spec") and one.text not in texts and RESIDUES.search(one.text):
            notes.against("D11", one.place, "a sequence of residues", SHARED)
