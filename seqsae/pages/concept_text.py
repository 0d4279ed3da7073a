"""What `seqsae concepts` prints of annotated concepts and position patterns."""

from seqsae.associations.concept_room import Concepts
from seqsae.associations.concept_summary import summary
from seqsae.pages.lines import aligned

SHOWN = 40  # concepts printed; all of them stand in the tables


def told(made: Concepts) -> str:
    """The headline, the best feature of each concept, and how many features there are of each pattern."""
    tables = summary(made)
    counts = ", ".join(f"{kind} {n}" for kind, n in tables["patterns"].select("pattern", "features").iter_rows())
    parts = [f"Position patterns of the features, on the train rows: {counts}"]
    if "matches" in tables and len(tables["matches"]):
        parts = [_headline(tables["matches"]), _best(tables["best"]), *parts]
    elif "matches" in tables:
        parts = ["No annotated concept is there often enough to be scored; annotated.parquet says why.", *parts]
    return "\n\n".join(parts)


def _headline(matches) -> str:
    rows = [
        [
            row["score"],
            row["source"],
            f"{row['units_matched']} of {row['units']}",
            _number(row["null_units"], 1),
            f"{row['concepts_matched']} of {row['concepts']}",
            _number(row["null_concepts"], 1),
            str(row["concepts_beyond"]),
            _number(row["mean_f1"]),
        ]
        for row in matches.sort("score", descending=True, maintain_order=True).iter_rows(named=True)
    ]
    title = (
        "Units and annotated concepts that match on the select and on the test split, there a fifth of the way from always yes to 1;\n"
        "by chance: the same with labels shifted within their sequences. Beyond: above every shifted draw (chance alone: once in n + 1\n"
        "times of n draws); they do not hold the position fixed: see the source position, a window of event numbers."
    )
    header = ["score", "source", "units matched", "by chance", "concepts matched", "by chance", "beyond", "mean F1"]
    return title + "\n" + aligned(header, rows)


def _best(table) -> str:
    table = table.filter(table["score"] == "f1_per_domain")
    sources = [name for name in table.columns[table.columns.index("auroc") + 1 :] if name != "sae"]
    rows = []
    for row in table.head(SHOWN).iter_rows(named=True):
        interval = "" if row["ci_low"] is None else f" [{row['ci_low']:.2f}, {row['ci_high']:.2f}]"
        feature = "-" if row["unit"] is None else f"{row['unit']} > {row['threshold']:g}"
        others = [_number(row[name]) for name in ["f1_null", "trivial_f1", "domain_f1", *sources]]
        rows.append([f"{row['covariate']} = {row['value']}", feature, _number(row.get("sae")) + interval, *others])
    note = f"\n({len(table) - SHOWN} more in pairs.parquet)" if len(table) > SHOWN else ""
    title = (
        "Best feature of each concept, with its threshold, chosen on the select split; f1_per_domain on the test split:"
    )
    header = ["concept", "feature", "sae", "by chance", "always yes", "domain F1", *sources]
    return title + "\n" + aligned(header, rows) + note


def _number(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
