"""Tables of covariates, and of what features are associated with: on the test split, of pairs that were discoveries."""

import re
from typing import NamedTuple

import numpy as np
import polars as pl
import scipy.sparse as sp

from seqsae.associations.targets import Target
from seqsae.disclosure.crossed import Question, crossed
from seqsae.disclosure.fourfold import Cells
from seqsae.disclosure.policy import Policy
from seqsae.disclosure.safe import COUNT, INTERVAL, LABEL, NUMBER_LABEL, STATISTIC, TEXT, Column, P, SafeTable, without
from seqsae.disclosure.steps import Follow, d8_curves
from seqsae.disclosure.table import aggregate, base_of
from seqsae.disclosure.told import d2_statistics
from seqsae.exports.evidence import Evidence
from seqsae.exports.leaf import Leaf
from seqsae.exports.questions import EVENT, KNOWN, MISSING, Asked, asked, cells_of, holds, least

PAIR = ("covariate", "category", "unit")
CURVES = 3
"""Features a survival covariate, at most."""
DENSE = (
    "confounders",
    "position",
    "composition",
    "neuron",
    "mlp-neuron",
    "pca",
    "ica",
    "random-dictionary",
    "random-model",
    "dense-probe",
)
"""Baselines that are on in everybody, so that no cell of them is small."""
_FEATURE = re.compile(r"feature (\d+)\b.*")
OPTIONAL, WHOLE = Column("string", "label"), Column("integer", "statistic")


def tie_leaves(evidence: Evidence, policy: Policy, listed: list[int]) -> list[Leaf]:
    """The tables `covariates`, `crossed`, `associations`, `baselines` and `survival`."""
    questions = asked(evidence, policy)
    if evidence.associations is None or not questions:
        return []
    cells = {
        (one.covariate, aim.category, one.unit): (aim, cells_of(evidence, aim)) for one in questions for aim in one.aims
    }
    found = _discoveries(evidence, listed)
    table = _crossed(evidence, policy, questions, found)
    ties = _associations(found, questions, cells, table, policy)
    return [
        _covariates(evidence, policy, questions),
        Leaf("crossed", "feature and level of a covariate",
             "subjects of the test split by level of a covariate, and in how many of them a feature fires; small levels are merged as other", table),
        Leaf("associations", "feature and covariate",
             "effects of features on covariates on the test split with 95% intervals, crude and adjusted for confounders, and the verdict", ties),
        _baselines(evidence, policy, listed, cells),
        _survival(evidence, policy, questions, ties),
    ]  # fmt: skip


def _discoveries(evidence: Evidence, listed: list[int]) -> pl.DataFrame:
    """Pairs discovered on the select split and scored on the test split, the pooling of smallest q of each."""
    mine = evidence.associations.filter(
        pl.col("feature").is_in(listed), pl.col("q_select") <= evidence.q, pl.col("p_test").is_not_null()
    )
    return mine.sort("q_select", "p_select", "pooling", nulls_last=True).unique(
        ["feature", *PAIR], keep="first", maintain_order=True
    )


def _covariates(evidence: Evidence, policy: Policy, questions: list[Asked]) -> Leaf:
    rows = pl.concat([
        one.people.select("subject", "cluster", pl.lit(one.covariate).alias("covariate"), pl.lit(one.kind).alias("kind"),
                          pl.lit(one.unit).alias("measured"), pl.col("value").alias("level"))
        for one in questions
    ])  # fmt: skip
    table = without(
        aggregate(rows, ("covariate", "kind", "measured", "level"), evidence.base(policy, "test"), policy), "reason"
    )
    return Leaf(
        "covariates",
        "level of a covariate",
        "subjects of the test split in each level of each covariate; small levels are merged as other",
        table,
    )


def _crossed(evidence: Evidence, policy: Policy, questions: list[Asked], found: pl.DataFrame) -> SafeTable:
    people = evidence.base(policy, "test").people
    fires = evidence.fires.filter(pl.col("split") == "test")
    place = np.full(len(evidence.people), -1)
    place[people["subject"].to_numpy()] = np.arange(len(people))
    presence = _indicator(
        place[fires["subject"].to_numpy()], fires["feature"].to_numpy(), (len(people), evidence.codes.shape[1])
    )
    posed = []
    for one in questions:
        wanted = (
            found.filter(pl.col("covariate") == one.covariate, pl.col("unit") == one.unit)["feature"]
            .unique()
            .sort()
            .to_list()
        )
        if one.named and wanted:
            levels = one.levels
            number = one.people["value"].replace_strict(levels, range(len(levels)), return_dtype=pl.Int64).to_numpy()
            posed.append(Question(one.covariate, number, levels, wanted))
    return crossed(presence, people["cluster"].to_numpy(), posed, policy)


def _indicator(rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]):
    return sp.csc_array((np.ones(len(rows)), (rows, columns)), shape=shape)


_EFFECTS = {
    "kind": LABEL, "effect_name": TEXT, "n": COUNT, "n_positive": COUNT, "effect": STATISTIC, "ci_low": INTERVAL, "ci_high": INTERVAL,
    "adjusted_name": TEXT, "effect_adjusted": STATISTIC, "ci_low_adjusted": INTERVAL, "ci_high_adjusted": INTERVAL,
    "p_test_holm": P, "p_test_adjusted_holm": P, "q_select": P, "replicated_seeds": WHOLE, "n_seeds": WHOLE, "verdict": LABEL,
}  # fmt: skip
_LABELS = {"feature": NUMBER_LABEL, "covariate": LABEL, "category": OPTIONAL, "unit": LABEL, "pooling": OPTIONAL}


class Known(NamedTuple):
    """What the other tables tell."""

    questions: dict[tuple, Asked]
    """By covariate and unit."""
    sizes: dict[tuple, int | None]
    levels: set[tuple]
    """Feature, covariate and level that stand alone in `crossed`."""


def _associations(
    found: pl.DataFrame, questions: list[Asked], cells: dict, table: SafeTable, policy: Policy
) -> SafeTable:
    levels = {(row["feature"], row["covariate"], row["level"]) for row in table.rows}
    known = Known({(one.covariate, one.unit): one for one in questions}, _sizes(questions, policy), levels)
    rows = [
        _row(row, known, cells, policy)
        for row in found.sort("covariate", "category", "feature", nulls_last=True).iter_rows(named=True)
    ]
    return d2_statistics([row for row in rows if row is not None], _LABELS, _EFFECTS, policy)


def _row(row: dict, known: "Known", cells: dict, policy: Policy) -> dict | None:
    """The pair with what decides whether it may be told; None of a covariate that is not."""
    question = known.questions.get((row["covariate"], row["unit"]))
    key = tuple(row[name] for name in PAIR)
    if question is None or key not in cells:
        return None
    aim, (subjects, clusters) = cells[key]
    unit = row["covariate"], row["unit"]
    counts = {
        "n": known.sizes.get((*unit, KNOWN)),
        "n_positive": known.sizes.get((*unit, _level(aim))) if question.named else None,
    }
    safe = bool(holds((subjects, clusters), policy)[row["feature"]]) and _stands_alone(
        question, aim, row["feature"], known.levels
    )
    if min(row["n_adjusted"] or 0, (row["n_adjusted"] or 0) - (row["n_positive_adjusted"] or 0)) < policy.min_subjects:
        row |= dict.fromkeys(("effect_adjusted", "ci_low_adjusted", "ci_high_adjusted"))
    return row | counts | {"safe": safe, "least": least(subjects, row["feature"], aim) - policy.round_to}


def _stands_alone(question: Asked, aim: Target, feature: int, levels: set) -> bool:
    """Whether the class is a level of its own in the crossed table of the feature: in a merged one it could be told apart by its effect."""
    return not question.named or (feature, question.covariate, _level(aim)) in levels


def _level(aim: Target) -> str | None:
    return EVENT if aim.is_survival else aim.category


def _sizes(questions: list[Asked], policy: Policy) -> dict[tuple, int | None]:
    """Subjects by (covariate, unit, level); the level KNOWN: all of whom anything is known."""
    found: dict[tuple, int | None] = {}
    for one in questions:
        base = base_of(one.people, policy, one.covariate)
        both = [aggregate(one.people, ("value",), base, policy)]
        both.append(aggregate(one.people.with_columns(value=_is_known()), ("value",), base, policy))
        found |= {(one.covariate, one.unit, row["value"]): row["subjects"] for table in both for row in table.rows}
    return found


def _is_known() -> pl.Expr:
    return pl.when(pl.col("value") == MISSING).then(pl.lit(MISSING)).otherwise(pl.lit(KNOWN))


def _baselines(evidence: Evidence, policy: Policy, listed: list[int], cells: dict) -> Leaf:
    rows = []
    table = evidence.baselines if evidence.baselines is not None else pl.DataFrame(schema={"source": pl.String})
    for row in table.filter(pl.col("source").is_in([*DENSE, "sae"])).iter_rows(named=True):
        key = tuple(row[name] for name in PAIR)
        if key in cells and (row["feature"] is None or row["feature"] in listed):
            rows.append(row | _judged(row, *cells[key], listed, policy))
    labels = {"covariate": LABEL, "category": LABEL, "unit": LABEL, "source": LABEL}
    made = d2_statistics(rows, labels, {"effect": STATISTIC, "ci_low": INTERVAL, "ci_high": INTERVAL}, policy)
    return Leaf(
        "baselines",
        "covariate and source",
        "the best unit of other sources beside the best feature, chosen on the select split, on the test split",
        made,
    )


def _judged(row: dict, aim: Target, cells: tuple[Cells, Cells], listed: list[int], policy: Policy) -> dict:
    """Whether a baseline may be told: its classes hold enough, and the feature that it is, if it is one, all four cells."""
    told = _FEATURE.fullmatch(row["baseline"] or "") if row["source"] == "sae" else None
    feature = row["feature"] if row["feature"] is not None else int(told[1]) if told else None
    subjects, clusters = cells
    if row["source"] == "sae":
        safe = feature in listed and bool(holds(cells, policy)[feature])
    else:
        sides = [min(int(part[0][0] + part[2][0]), int(part[1][0] + part[3][0])) for part in cells]
        safe = sides[0] >= policy.min_subjects and sides[1] >= policy.min_clusters
    return {"safe": safe, "least": least(subjects, feature or 0, aim) - policy.round_to}


def _survival(evidence: Evidence, policy: Policy, questions: list[Asked], ties: SafeTable) -> Leaf:
    told = {(row["covariate"], row["feature"]): row for row in ties.rows}
    follows = []
    for one in questions:
        mine = [key for key in told if key[0] == one.covariate] if one.kind == "survival" else []
        for covariate, feature in sorted(mine, key=lambda key: told[key]["verdict"] != "supported")[:CURVES]:
            follows.append(Follow(covariate, feature, _followed(evidence, one.aims[0], feature)))
    what = "survival, or incidence where other events compete, of subjects of the test split by whether a feature fires, at round times; crude"
    return Leaf("survival", "step of a curve", what, d8_curves(follows, policy))


def _followed(evidence: Evidence, aim: Target, feature: int) -> pl.DataFrame:
    presence, owner = evidence.units["subject"]
    split = (evidence.people["split"] == "test").to_numpy()[owner]
    here = np.flatnonzero(split & np.isfinite(aim.y))
    entry, event, competed = aim.follow[here].T
    fires = np.asarray(presence[here][:, [feature]].todense()).ravel() > 0
    subject = owner[here]
    return pl.DataFrame({
        "subject": subject.astype(np.int64), "cluster": evidence.people["cluster"].to_numpy()[subject], "fires": fires,
        "entry": entry, "time": aim.y[here], "kind": np.where(competed == 1, 2, event).astype(np.int64),
    })  # fmt: skip
