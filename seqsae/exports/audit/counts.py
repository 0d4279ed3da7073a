"""Counts, what they leave out and what they are shares of: at least the threshold, and rounded (D1, D2, D6, D8 to D12, D20)."""

from math import isclose

from seqsae.disclosure.policy import Policy
from seqsae.exports.audit.curves import is_curve
from seqsae.exports.audit.findings import Notes
from seqsae.exports.audit.manifest import DataSet
from seqsae.exports.audit.values import number, words

COUNTING = {
    "n",
    "count",
    "counts",
    "subjects",
    "persons",
    "people",
    "patients",
    "individuals",
    "clusters",
    "households",
    "cases",
    "deaths",
}
OTHERS = {
    "features", "seeds", "tokens", "blocks", "replicated", "covariates", "codes", "layers", "steps", "looks", "pairs", "levels",
    "associations", "rows", "datasets", "files", "times", "units", "columns", "views", "concepts", "discoveries", "withheld", "dead",
}  # fmt: skip
MISSING = {"", "na", "nan", "null", "none", "missing", "unknown", "not recorded", "(missing)", "n/a", "not known"}
TOKENS = {"token", "tokens", "code", "word", "vocabulary"}
GRAMS = {"ngram", "ngrams", "gram", "bigram", "trigram"}
PARTS, WHOLES = ("firing", "fires", "positive", "n_firing"), ("subjects", "n", "persons")
"""Counts that are parts of others of their row."""
RATIO = 1e-9


def counting(name: str) -> bool:
    """Whether a name is that of a number of people."""
    said = words(name)
    return (
        bool(set(said) & COUNTING)
        and not set(said) & OTHERS
        and not set(said) & {"mean", "per", "share", "rate", "ci", "effect"}
    )


def rule_of(dataset: DataSet, row: dict) -> str:
    """The rule that a count of a row too small breaks: the most telling of those that ask for enough subjects."""
    said = {word for name in dataset.columns for word in words(name)}
    labels = dataset.of_role("label")
    if is_curve(dataset):
        return "D8"
    if dataset.of_role("coordinate") and "feature" not in dataset.columns:
        return "D12"
    if said & GRAMS:
        return "D11"
    if {word for name in labels for word in words(name)} & TOKENS:
        return "D10"
    if any(str(row[name] if row[name] is not None else "").strip().lower() in MISSING for name in labels[-1:]):
        return "D6"
    return "D20" if dataset.slice else "D1"


def check_counts(dataset: DataSet, policy: Policy, notes: Notes) -> None:
    """Each count of a data set, and those that follow from two of one row."""
    place = f"{dataset.file}:{dataset.id}"
    if dataset.min_subjects < policy.min_subjects:
        what = f"says that {dataset.min_subjects} subjects are enough, the policy asks for {policy.min_subjects}"
        notes.against("D1", f"manifest.json: {dataset.id}.min_subjects", what, "apply the policy")
    for name, column in dataset.columns.items():
        if counting(name) and column.role not in ("count", "label", "text"):
            notes.against(
                "D1", f"{place} {name}", "a number of people under another role than count", "give it the role count"
            )
    _needs(dataset, place, notes)
    names = dataset.of_role("count")
    for at, row in enumerate(dataset.rows or ()):
        for name in names:
            _count(dataset, at, row, name, policy, notes)
        _nested(dataset, at, row, names, policy, notes)
        for name in dataset.of_role("rate"):
            _rate(dataset, at, row, name, policy, notes)


def _needs(dataset: DataSet, place: str, notes: Notes) -> None:
    """Codes, n-grams and places of persons are shown with how many share them; a rate with what it is a share of."""
    if dataset.of_role("count") or dataset.authored:
        return
    said = {word for name in dataset.of_role("label") for word in words(name)}
    if said & GRAMS:
        notes.against("D11", place, "n-grams without the number of subjects who have them", "add a column of counts")
    elif said & TOKENS:
        notes.against("D10", place, "codes without the number of subjects who have them", "add a column of counts")
    if dataset.of_role("coordinate") and "feature" not in dataset.columns:
        notes.against("D12", place, "places on a map without the number of subjects in them", "add a column of counts")
    if any(dataset.columns[name].of is None for name in dataset.of_role("rate")):
        notes.against("D2", place, "a rate without the count that it is a share of", "add a column of counts")


def _count(dataset: DataSet, at: int, row: dict, name: str, policy: Policy, notes: Notes) -> None:
    count = number(row[name])
    if count is None:
        return
    if count < policy.min_subjects:
        rule = rule_of(dataset, row)
        notes.against(
            rule, dataset.place(at, name), f"{count:g} is below {policy.min_subjects}", "withhold or merge the row"
        )
    elif count % policy.round_to:
        notes.against("D1", dataset.place(at, name), f"{count:g} is no multiple of {policy.round_to}", "round it")


def _nested(dataset: DataSet, at: int, row: dict, names: list[str], policy: Policy, notes: Notes) -> None:
    """What `n_positive` and the like leave out of `n` is a count too."""
    for name in names:
        whole = next((other for other in names if other != name and _within(name, other)), None)
        if whole is None:
            continue
        part, total = number(row[name]), number(row[whole])
        if part is not None and total is not None and (part > total or 0 < total - part < policy.min_subjects):
            what = f"{name} leaves {total - part:g} out of {whole}, below {policy.min_subjects}"
            notes.against("D2", dataset.place(at, name), what, "withhold the row, or show the whole in both")


def _within(name: str, other: str) -> bool:
    """Whether one count is a part of another by their names: n_positive of n, firing of subjects."""
    if name.startswith(f"{other}_"):
        return bool(set(words(other)) & COUNTING)
    return name in PARTS and other in WHOLES


def _rate(dataset: DataSet, at: int, row: dict, name: str, policy: Policy, notes: Notes) -> None:
    """A rate's own count and what it leaves out; and a rounded count must be able to give it."""
    rate, total = number(row[name]), _total(dataset, row, name)
    if rate is None or policy.public:
        return
    place = dataset.place(at, name)
    if total is None or not 0 <= rate <= 1:
        notes.against("D2", place, "a rate that is no share of a count", "withhold it with its count")
        return
    part = rate * total
    slack = policy.round_to / 2
    if part < policy.min_subjects - slack or (rate < 1 and total - part < policy.min_subjects - slack):
        what = f"{rate:g} of {total:g} is {min(part, total - part):.3g}, below {policy.min_subjects}"
        notes.against("D2", place, what, "withhold or merge the row")
    elif not _from_rounded(rate, total, policy):
        notes.against(
            "D2", place, f"{rate:g} is the share of no rounded count in {total:g}", "compute it from rounded counts"
        )


def _total(dataset: DataSet, row: dict, name: str) -> float | None:
    of = dataset.columns[name].of
    if isinstance(of, int | float) and not isinstance(of, bool):
        return number(of)
    counts = dataset.of_role("count")
    column = of if isinstance(of, str) and of in dataset.columns else counts[0] if counts else None
    return number(row[column]) if column else None


def _from_rounded(rate: float, total: float, policy: Policy) -> bool:
    near = round(rate * total / policy.round_to)
    shares = [count * policy.round_to / total for count in (near - 1, near, near + 1)] if total else []
    return any(isclose(float(f"{share:.{policy.digits - 1}e}"), rate, rel_tol=RATIO) for share in shares)
