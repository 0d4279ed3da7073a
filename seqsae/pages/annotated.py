"""The section on annotated concepts: which single feature goes with which, beside simpler units and chance; and position patterns."""

from html import escape

import polars as pl

from seqsae.associations.concept_summary import best
from seqsae.pages import offline
from seqsae.pages.annotated_charts import matched_chart
from seqsae.pages.compact import columns
from seqsae.pages.content import Annotated, Content
from seqsae.pages.parts import Part
from seqsae.pages.sources import in_order, legend

SHOWN = 300  # concepts of a score on the page, at most
SCORES = {"f1": "Token F1", "f1_per_domain": "F1 per domain"}
_FIGURES = ["f1", "f1_per_domain", "precision", "recall", "domain_recall"]
_KEYS = ["score", "covariate", "value"]
_CARD = ["unit", "covariate", "value", "threshold", "f1", "f1_per_domain"]  # what a card tells of the best concept


def part(content: Content) -> Part | None:
    """The section; None where nothing was scored. Without annotations it holds the position patterns alone."""
    annotated = content.annotated
    if annotated is None:
        return None
    patterns = annotated.patterns.join(content.profile.filter(~pl.col("dead")).select("feature"), on="feature")
    data = {
        "kinds": columns(annotated.kinds),
        "patterns": columns(patterns.sort("feature").select("feature", "pattern", "run_length", "coverage", "period")),
    }
    if not _scored(annotated):
        return Part(*_heading(annotated), _body(annotated, {}), data, {})
    sources = in_order(set(annotated.matches["source"]))
    charts = {"matched": matched_chart(annotated.matches)}
    data |= {
        "sources": legend(sources),
        "matches": columns(ordered(annotated.matches, sources)),
        "best": columns(best_rows(annotated)),
        "own": columns(own_rows(annotated.pairs).select(_CARD)),
    }
    return Part(*_heading(annotated), _body(annotated, charts), data, charts)


def telling(content: Content, most: int) -> list[int]:
    """The best features of concepts, highest token F1 first, at most so many."""
    if content.annotated is None or not _scored(content.annotated):
        return []
    best_of = best_rows(content.annotated).filter(pl.col("score") == "f1")["unit"].drop_nulls()
    return best_of.unique(maintain_order=True).head(most).to_list()


def _scored(annotated: Annotated) -> bool:
    return annotated.matches is not None and not annotated.matches.is_empty()


def _heading(annotated: Annotated) -> tuple[str, str]:
    """Heading, and what the navigation calls it."""
    return ("Position patterns", "Patterns") if annotated.matches is None else ("Annotated concepts", "Annotations")


def ordered(matches: pl.DataFrame, sources: list[str]) -> pl.DataFrame:
    """The headline, token F1 first, the sources in the page's order."""
    place = {name: rank for rank, name in enumerate(sources)}
    return matches.sort("score", pl.col("source").replace_strict(place, return_dtype=pl.Int64))


def best_rows(annotated: Annotated) -> pl.DataFrame:
    """A row a score and concept: the best feature's figures, and the same score of each source's best unit under its name.

    The best unit is the one with the highest score on the select split; its figures come from the test split.
    """
    mine = annotated.pairs.filter((pl.col("source") == "sae") & pl.col("best"))
    figures = mine.select(*_KEYS, *[pl.col(name).alias(f"own_{name}") for name in _FIGURES])
    table = best(annotated.pairs, annotated.concepts).join(figures, on=_KEYS, how="left", maintain_order="left")
    return table.group_by("score", maintain_order=True).head(SHOWN)


def own_rows(pairs: pl.DataFrame) -> pl.DataFrame:
    """A row a feature: the concept it goes with best by token F1 on the select split, or else by F1 per domain."""
    mine = pairs.filter(pl.col("source") == "sae").sort(
        "score", "f1_select", "covariate", "value", descending=[False, True, False, False]
    )
    first = mine.unique("unit", keep="first", maintain_order=True).sort("unit")
    return first.select("unit", "score", "covariate", "value", "threshold", *_FIGURES)


def _body(annotated: Annotated, charts: dict[str, dict]) -> str:
    parts = []
    if annotated.matches is not None:
        parts.append(f'<p class="lead">{_LEAD}</p>' if charts else "")
        parts.append(f'<p class="note">{escape(_support(annotated.concepts))}</p>')
    if charts:
        parts.append(offline.filled("annotated.html"))
    return "".join([*parts, offline.filled("patterns.html")])


_LEAD = (
    "Every annotated value is a concept, and every single unit of every source is held against it: the unit and its threshold "
    "are chosen on the select split, and all figures come from the test split. A unit and a concept <i>match</i> when the score "
    "is above 0.5 on both, and on test a fifth of the way from always yes to 1. <i>Position</i> is no unit: for each concept the "
    "one window of event numbers, from the start or the end, that is best on select; shifted labels do not hold the place fixed, "
    "so hold a feature against it too. <b>F1 per domain flatters units that mark one row a domain</b>, as one row of a domain counts there as "
    "the whole of it; token F1 counts rows on both sides."
)


def _support(concepts: pl.DataFrame) -> str:
    """How many of the annotated values are scored, and why the others are not."""
    left = concepts.filter(~pl.col("kept"))["left_out"].value_counts().sort("left_out")
    why = ", ".join(f"{n:,} {reason or 'other'}" for reason, n in left.iter_rows())
    rest = f" Left out: {why}." if why else ""
    return f"{int(concepts['kept'].sum()):,} of {len(concepts):,} annotated values are there often enough to be scored.{rest}"
