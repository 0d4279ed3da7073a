"""The form of a release's manifest, as the audit reads it.

    {"format": "seqsae-release-1",
     "policy": {every field of seqsae.disclosure.policy.Policy},
     "files": [{"path", "sha256", "bytes"}],                 every file but manifest.json itself
     "datasets": [{"id", "file", "unit", "n_rows", "columns": {name: {"type", "role"}}, "min_subjects", "rules", "what"}]}

- `unit`: what a row is (feature, association, level, token, ngram, bin, step, hexbin, cluster, vignette, cohort ...).
- `file`: a CSV that holds the data set, or `report.html` where it lies in a JSON block under a key that is its `id`. What
  else a page embeds (a list of objects, an object of equally long lists) must be rows and columns of one of the data sets.
- `role` of a column: label, count (of subjects, clusters or their observations; null: withheld), rate, statistic, interval,
  p, coordinate, text. Numbers that count no people (features, seeds) are statistics.
- a rate may say `"of"`: the count column of its row, or the number, that it is a share of; default: the first count column.
- a data set may have
  `"layout"`: {"labels": [one or two columns], "count": column, "total": label of the margins} for the attack on withheld cells (D3);
  `"slice"`: which subgroup it is of (D20); `"authored"`: {"author", "statement"} for vignettes (D11).
- the data set `features` lists, with counts of subjects, the features that may be named anywhere (D9).
- `"weights"`: only with a sign-off: {"signoff": {...}, "memorisation": {"auc_high", "tpr_at_1_fpr"}} (D17, D18).
"""

from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from seqsae.disclosure.policy import Policy
from seqsae.exports.audit.findings import Notes

FORMAT = "seqsae-release-1"
ROLES = {"label", "count", "rate", "statistic", "interval", "p", "coordinate", "text"}
NUMERIC = ROLES - {"label", "text"}
FIELDS = {"min_subjects": "D1", "min_clusters": "D1", "round_to": "D1", "digits": "D7"}
"""Rule that a policy's field serves; those not named here serve D4."""
PARTS = {"format", "policy", "files", "datasets", "weights"}
WRITE = "write the release again with `seqsae release`"


@dataclass(frozen=True)
class Column:
    """What the manifest says of a column."""

    name: str
    kind: str
    role: str
    of: Any = None


@dataclass
class DataSet:
    """What the manifest says of a data set, and its rows as they were found."""

    id: str
    file: str
    unit: str
    n_rows: int
    columns: dict[str, Column]
    min_subjects: int
    rules: tuple[str, ...]
    layout: dict | None = None
    slice: str | None = None
    authored: dict | None = None
    rows: list[dict] | None = None

    def of_role(self, *roles: str) -> list[str]:
        """Names of the columns with one of these roles."""
        return [name for name, column in self.columns.items() if column.role in roles]

    def place(self, row: int, column: str = "") -> str:
        """Where a cell stands: for a CSV its line, else the row (from 0)."""
        where = f"{self.file}:{row + 2}" if self.file.endswith(".csv") else f"{self.file}:{self.id}[{row}]"
        return f"{where} {column}".rstrip()


@dataclass
class Manifest:
    """The parts of a manifest that could be read."""

    policy: Policy
    files: dict[str, dict] = field(default_factory=dict)
    datasets: list[DataSet] = field(default_factory=list)
    weights: dict | None = None


def manifest_of(document: Any, notes: Notes) -> Manifest:
    """The manifest, with findings for what is missing or of another form, and for a policy that protects nobody."""
    if not isinstance(document, dict):
        notes.against("M1", "manifest.json", "is no JSON object", WRITE)
        document = {}
    elif document.get("format") != FORMAT:
        notes.against("M1", "manifest.json: format", f"is not {FORMAT!r}", WRITE)
    _no_more(document, PARTS, "manifest.json", notes)
    found = Manifest(_policy(document.get("policy"), notes))
    for number, entry in enumerate(_list(document, "files", notes)):
        if isinstance(entry, dict) and isinstance(entry.get("path"), str):
            _no_more(entry, {"path", "sha256", "bytes"}, f"manifest.json: files[{number}]", notes)
            if entry["path"] in found.files:
                notes.against("M1", f"manifest.json: files[{number}]", "lists a file a second time", WRITE)
            found.files[entry["path"]] = entry
        else:
            notes.against("M1", f"manifest.json: files[{number}]", "has no path", WRITE)
    for number, entry in enumerate(_list(document, "datasets", notes)):
        made = _dataset(entry, f"manifest.json: datasets[{number}]", notes)
        if made and any((made.id, made.file) == (one.id, one.file) for one in found.datasets):
            notes.against(
                "M2",
                f"manifest.json: datasets[{number}]",
                f"a second data set of {made.file} is called {made.id!r}",
                WRITE,
            )
        elif made:
            found.datasets.append(made)
    weights = document.get("weights")
    found.weights = weights if isinstance(weights, dict) else None
    return found


def _no_more(given: dict, known: set[str], place: str, notes: Notes) -> None:
    """Nothing that the form does not speak of, which nobody would look at."""
    for name in sorted(given.keys() - known)[:5]:
        notes.against("M2", place, f"holds {name[:40]!r}, which a manifest has not", WRITE)


def _list(document: dict, name: str, notes: Notes) -> list:
    given = document.get(name)
    if isinstance(given, list):
        return given
    notes.against("M1", f"manifest.json: {name}", "is missing or no list", WRITE)
    return []


def _policy(given: Any, notes: Notes) -> Policy:
    """The policy under which the release was made; the strict default where it cannot be believed."""
    missing = sorted(set(Policy.model_fields) - set(given)) if isinstance(given, dict) else ["every field"]
    if missing:
        notes.against("M1", "manifest.json: policy", f"does not say {', '.join(missing)}", WRITE)
        return Policy(name="default")
    try:
        return Policy.model_validate(given)
    except ValidationError as cause:
        for error in cause.errors():
            name = str(error["loc"][0]) if error["loc"] else "policy"
            rule = FIELDS.get(name, "D4" if name in Policy.model_fields else "M1")
            remedy = "release under a policy that `seqsae release --policy` takes"
            notes.against(rule, f"manifest.json: policy.{name}", error["msg"], remedy)
        return Policy(name="default")


def _dataset(entry: Any, place: str, notes: Notes) -> DataSet | None:
    wanted = {
        "id": str,
        "file": str,
        "unit": str,
        "n_rows": int,
        "columns": dict,
        "min_subjects": int,
        "rules": list,
        "what": str,
    }
    bad = [name for name, kind in wanted.items() if not isinstance(entry, dict) or type(entry.get(name)) is not kind]
    if bad:
        notes.against("M2", place, f"lacks {', '.join(bad)}, or has them in another form", WRITE)
        return None
    _no_more(entry, {*wanted, "layout", "slice", "authored"}, place, notes)
    columns = {name: _column(name, one, place, notes) for name, one in entry["columns"].items()}
    optional = {"layout": dict, "slice": str, "authored": dict}
    extra = {name: entry[name] for name, kind in optional.items() if isinstance(entry.get(name), kind)}
    plain = {name: entry[name] for name in ("id", "file", "unit", "n_rows", "min_subjects")}
    return DataSet(**plain, columns=columns, rules=tuple(map(str, entry["rules"])), **extra)


def _column(name: str, given: Any, place: str, notes: Notes) -> Column:
    given = given if isinstance(given, dict) else {}
    _no_more(given, {"type", "role", "of"}, f"{place}.columns.{name}", notes)
    role = given.get("role")
    if not isinstance(role, str) or role not in ROLES or not isinstance(given.get("type"), str):
        notes.against("M2", f"{place}.columns.{name}", f"has no type, or no role of {', '.join(sorted(ROLES))}", WRITE)
        role = "statistic"
    return Column(name, str(given.get("type")), role, given.get("of"))
