"""The files of a release: tables, page, notes and manifest, every value out of a SafeTable."""

from collections.abc import Mapping
from pathlib import Path

from seqsae import schema, shelf
from seqsae.disclosure.policy import Policy
from seqsae.disclosure.safe import SafeTable
from seqsae.exports.leaf import Leaf
from seqsae.exports.release_page import CARRIED, html
from seqsae.exports.weights import FILE, Weights

FORMAT = "seqsae-release-1"
RISKY = ("=", "+", "-", "@", "\t", "\r", "\n")
"""First characters that a spreadsheet takes for a formula."""
BLANK = " \u00a0\u200b\ufeff"
"""What it does not see before them."""


def write_files(folder: Path, made: list[Leaf], policy: Policy, title: str, weights: Weights | None = None) -> None:
    """Everything of a release, into an empty folder."""
    for leaf in made:
        if not isinstance(leaf.table, SafeTable):
            raise TypeError(f"{leaf.id}: only a SafeTable may leave, this is {type(leaf.table).__name__}")
    (folder / "tables").mkdir()
    for leaf in made:
        (folder / "tables" / f"{leaf.id}.csv").write_text(csv(leaf.table), encoding="utf-8", newline="\n")
    (folder / "report.html").write_text(html(made, policy, title), encoding="utf-8", newline="\n")
    (folder / "release_notes.txt").write_text(notes(made, policy, weights), encoding="utf-8", newline="\n")
    if weights is not None:
        weights.write(folder)
    document = manifest(folder, made, policy) | ({} if weights is None else {"weights": weights.entry()})
    shelf.write_json(
        folder / "manifest.json", schema.check_document(document, "release_manifest", str(folder)), in_order=False
    )


def csv(table: SafeTable) -> str:
    """The table as text: numbers as they are, nothing where withheld, no cell that a spreadsheet would run."""
    names = list(table.columns)
    lines = [names, *([_cell(row[name]) for name in names] for row in table.rows)]
    return "".join(",".join(map(_quoted, line)) + "\n" for line in lines)


def _cell(value) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, int | float) else harmless(str(value))


def harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula, on one line."""
    plain = " ".join(text.split("\n")).replace("\r", " ").replace("\0", " ")
    return f"'{plain}" if plain.lstrip(BLANK).startswith(RISKY) else plain


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\n\r') else text


def notes(made: list[Leaf], policy: Policy, weights: Weights | None = None) -> str:
    """A plain description of each file, for who checks the output."""
    clusters = f" in {policy.min_clusters} clusters" if not policy.public else ""
    lines = [
        "What is in this release, file by file.",
        "",
        f"Policy {policy.name}: every count is of at least {policy.min_subjects} distinct persons or sequences{clusters} and is rounded to "
        f"{policy.round_to}; what a count leaves out is as many, or nobody. No minimum, maximum or exact quantile; no identifier, no date finer "
        "than a year, no row about one person.",
        "",
        f"report.html: a page to be read offline that shows the tables {', '.join(leaf.id for leaf in made if leaf.id in CARRIED)}; "
        "it holds their rows and nothing else.",
    ]
    lines += [f"tables/{leaf.id}.csv: {_described(leaf, policy)}" for leaf in made]
    if weights is not None:
        lines.append(
            f"{FILE}: encoder and decoder of the released features, half precision, no data; signed for by {weights.signoff['name']}. A membership "
            f"attack by reconstruction error has an AUROC of at most {weights.memory.auc_high:.3f}."
        )
    lines += [
        "release_notes.txt: this text.",
        "manifest.json: the hash of each file, and of each table its columns, unit and rules.",
        "",
    ]
    return "\n".join(lines)


def _described(leaf: Leaf, policy: Policy) -> str:
    counted = any(column.role == "count" for column in leaf.table.columns.values())
    least = f"; at least {policy.min_subjects} subjects a count" if counted else "; no counts"
    return f"{leaf.what}. A row a {leaf.unit}, {len(leaf.table)} rows{least}; rules {', '.join(leaf.table.rules)}."


def manifest(folder: Path, made: list[Leaf], policy: Policy) -> dict:
    """What lies in the folder: each file with its hash, each data set with its columns."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    files = [
        {"path": path.relative_to(folder).as_posix(), "sha256": shelf.sha256(path), "bytes": path.stat().st_size}
        for path in paths
    ]
    datasets = [_entry(leaf, f"tables/{leaf.id}.csv", policy) for leaf in made]
    datasets += [_entry(leaf, "report.html", policy) for leaf in made if leaf.id in CARRIED]
    return {"format": FORMAT, "policy": policy.model_dump(mode="json"), "files": files, "datasets": datasets}


def _entry(leaf: Leaf, file: str, policy: Policy) -> dict:
    table = leaf.table
    columns: Mapping = {name: {"type": column.type, "role": column.role} for name, column in table.columns.items()}
    return {"id": leaf.id, "file": file, "unit": leaf.unit, "n_rows": len(table), "columns": columns, "min_subjects": policy.min_subjects,
            "rules": list(table.rules), "what": leaf.what} | ({"authored": leaf.authored} if leaf.authored else {})  # fmt: skip
