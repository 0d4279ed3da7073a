"""Tables of features: which there are, on what tokens, after what, and when they fire. Of those listed by D9 alone."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import polars as pl

from seqsae.disclosure.bins import Edges, d5_edges
from seqsae.disclosure.codes import OTHER, d10_rolled_up
from seqsae.disclosure.nested import NONE, Seen, nested
from seqsae.disclosure.policy import Policy
from seqsae.disclosure.rules import d1_reason
from seqsae.disclosure.safe import COUNT, NUMBER_LABEL, PLACE, STATISTIC, SafeTable, joined
from seqsae.disclosure.table import aggregate
from seqsae.disclosure.texts import d13_named
from seqsae.disclosure.told import placed
from seqsae.exports.evidence import Evidence
from seqsae.exports.leaf import Leaf

TOKENS = 12
"""Of a feature, those that tell most of it."""
GAPS = ((1.0, "same day"), (31.0, "within a month"), (366.0, "within a year"), (np.inf, "after more than a year"))
"""Days to the event before, at most, and what they are called; fixed, so that no edge is of the data."""
NEXT = "next"
WHEN = {"position": 1.0, "age": 1.0, "year": 1.0}
"""What rows are binned by, and the finest step of an edge."""
BINS = 8
"""Of one variable, at most."""


def feature_leaves(evidence: Evidence, policy: Policy, listed: list[int]) -> list[Leaf]:
    """The tables `features`, `tokens`, `ngrams` and `when`."""
    fired = np.isin(evidence.codes.indices, listed)
    asked = Asked(evidence, evidence.codes.indices[fired].astype(np.int64), evidence.fired_rows[fired], policy)
    names, token = _coded(evidence, policy)
    return [
        _features(evidence, policy, listed),
        _tokens(asked, names, token),
        _ngrams(asked, names, token),
        _when(asked),
    ]


class Asked(NamedTuple):
    """The evidence, and the n firings of listed features."""

    evidence: Evidence
    feature: np.ndarray
    """[n]"""
    row: np.ndarray
    """[n]"""
    policy: Policy

    def table(self, by: str, names: Mapping[int, str], label: np.ndarray, most: int | None = None) -> SafeTable:
        """Cells of features and labels [N]."""
        seen = Seen(self.feature, self.row, label, self.evidence.owner, self.evidence.cluster)
        return nested(seen, by, names, self.policy, most)


def _features(evidence: Evidence, policy: Policy, listed: list[int]) -> Leaf:
    fires = evidence.fires.filter(pl.col("feature").is_in(listed))
    every = aggregate(fires, ("feature",), evidence.base(policy), policy, extras=("per_subject", "mean"))
    on_test = fires.filter(pl.col("split") == "test")
    test = aggregate(on_test.drop("split"), ("feature",), evidence.base(policy, "test"), policy)
    counts = {row["feature"]: row["subjects"] for row in test.rows}
    beside = _beside(evidence, listed)
    rows = [
        {"feature": row["feature"], "subjects": row["subjects"], "subjects_test": counts.get(row["feature"]),
         "rows_each": row["per_subject"], "mean_activation": row["mean"], **beside[row["feature"]]}
        for row in every.rows
    ]  # fmt: skip
    columns = {"feature": NUMBER_LABEL, "subjects": COUNT, "subjects_test": COUNT, "rows_each": STATISTIC, "mean_activation": STATISTIC,
               "stability": STATISTIC, "x": PLACE, "y": PLACE, "cluster": NUMBER_LABEL}  # fmt: skip
    what = "SAE features that fire in enough subjects of the train and of the test split: in how many, how often, and where they lie on the map"
    return Leaf("features", "feature", what, placed(rows, columns, policy))


def _beside(evidence: Evidence, listed: list[int]) -> dict[int, dict]:
    """What is known of each feature's direction: how stable it is over seeds, and its place on the map."""
    table = pl.DataFrame({"feature": listed}, schema={"feature": pl.Int64})
    for given, columns in ((evidence.profile, ["stability"]), (evidence.atlas, ["x", "y", "cluster"])):
        names = ["feature", *columns]
        empty = pl.DataFrame(schema=dict.fromkeys(columns, pl.Float64) | {"feature": pl.Int64})
        part = empty if given is None else given.select(names).with_columns(pl.col("feature").cast(pl.Int64))
        table = table.join(part, on="feature", how="left", maintain_order="left")
    table = table.with_columns(
        pl.col("stability", "x", "y").cast(pl.Float64), pl.col("cluster").cast(pl.Int64).fill_null(-1)
    )
    return {
        row["feature"]: {name: row[name] for name in row if name != "feature"} for row in table.iter_rows(named=True)
    }


def _coded(evidence: Evidence, policy: Policy) -> tuple[dict[int, str], np.ndarray]:
    """Tokens as they may be named, rolled up or not at all (D10): number to name, and [N] the number of each row's, or NONE."""
    found = evidence.rows.select("subject", pl.col("token").alias("code")).unique()
    found = found.join(evidence.people.select("subject", "cluster"), on="subject")
    names = d10_rolled_up(found, policy, evidence.parents)
    plain = d13_named(pl.Series(list(names.values()), dtype=pl.String), OTHER).to_list()
    numbers = {name: number for number, name in enumerate(sorted({name for name in plain if name is not None}))}
    number = {code: numbers.get(name, NONE) for code, name in zip(names, plain, strict=True)}
    coded = evidence.rows["token"].replace_strict(number, default=NONE, return_dtype=pl.Int64)
    return {number: name for name, number in numbers.items()}, coded.to_numpy()


def _tokens(asked: Asked, names: dict[int, str], token: np.ndarray) -> Leaf:
    what = (
        f"tokens on which each feature fires, at most {TOKENS}: subjects in whom it does, share of its rows, and lift over all rows; "
        "rare tokens are rolled up or not named"
    )
    return Leaf("tokens", "feature and token", what, asked.table("token", names, token, TOKENS))


def _ngrams(asked: Asked, names: dict[int, str], token: np.ndarray) -> Leaf:
    """Pairs of a token and the one before it, with the gap between them in fixed bins (D11)."""
    gaps = [NEXT, *(name for _, name in GAPS)]
    owner, rows = asked.evidence.owner, asked.evidence.rows
    before = np.r_[NONE, token[:-1]] if len(token) else token
    same = np.r_[False, owner[1:] == owner[:-1]] if len(token) else np.zeros(0, bool)
    gap = np.zeros(len(token), np.int64)
    if "since" in rows.columns:
        since = rows["since"].fill_null(float("nan")).to_numpy()
        gap = np.where(
            np.isnan(since),
            0,
            1 + np.searchsorted([days for days, _ in GAPS], since, side="right").clip(max=len(GAPS) - 1),
        )
    pair = np.where(same & (before != NONE) & (token != NONE), (before * len(names) + token) * len(gaps) + gap, NONE)
    pairs, label = _held_by_enough(pair, owner, asked.policy)

    def text(number: int) -> str:
        both, gap = divmod(number, len(gaps))
        return f"{names[both // len(names)]} > {names[both % len(names)]} ({gaps[gap]})"

    spelled = {place: text(int(number)) for place, number in enumerate(pairs)}
    what = "pairs of neighbouring tokens (gap in bins) at the second of which a feature fires, each in enough subjects; nobody's sequence is shown"
    return Leaf("ngrams", "feature and pair of tokens", what, asked.table("ngram", spelled, label, TOKENS // 2))


def _held_by_enough(label: np.ndarray, owner: np.ndarray, policy: Policy) -> tuple[np.ndarray, np.ndarray]:
    """The labels that enough subjects have, and [N] their place among these, NONE for the others."""
    n = int(owner.max(initial=0)) + 1
    once = np.unique(label[label != NONE] * n + owner[label != NONE])
    there, subjects = np.unique(once // n, return_counts=True)
    kept = there[subjects >= policy.min_subjects]
    place = np.searchsorted(kept, label).clip(max=max(len(kept) - 1, 0))
    return kept, np.where(kept[place] == label, place, NONE) if len(kept) else np.full(len(label), NONE)


def _when(asked: Asked) -> Leaf:
    """Rows in bins of place, age and calendar year, the same bins for every feature."""
    columns = [name for name in WHEN if name in asked.evidence.rows.columns]
    found = [binned for name in columns if (binned := _binned(asked.evidence, name, asked.policy)) is not None]
    tables = [asked.table("bin", dict(enumerate(texts)), label) for texts, label in found]
    what = "when each feature fires: subjects in whom it does, by bins of place in the sequence, of age and of calendar year; outer bins are open"
    none = np.full(len(asked.evidence.owner), NONE)
    return Leaf("when", "feature and bin", what, joined(tables or [asked.table("bin", {}, none)]))


def _binned(evidence: Evidence, name: str, policy: Policy) -> tuple[list[str], np.ndarray] | None:
    """Texts of the bins, and [N] the bin of each row, NONE without a value."""
    value = evidence.rows[name].cast(pl.Float64).fill_nan(None)
    table = pl.DataFrame({"subject": evidence.owner, "cluster": evidence.cluster[evidence.owner], "value": value})
    there = table.drop_nulls().unique(maintain_order=True)
    if d1_reason(there["subject"].n_unique(), there["cluster"].n_unique(), policy):
        return None
    inner = d5_edges(there, policy, WHEN[name]).inner
    step = max(1, -(-len(inner) // (BINS - 1)))
    edges = Edges(inner[step - 1 :: step])
    place = edges.place(value.fill_null(0.0).to_numpy()).astype(np.int64)
    texts = [_bin_text(name, edges, index) for index in range(len(edges))]
    return texts, np.where(value.is_null().to_numpy(), NONE, place)


def _bin_text(name: str, edges: Edges, index: int) -> str:
    low, high = edges.bounds(index)
    number = "{:02.0f}".format
    if low is None:
        return f"{name}, all" if high is None else f"{name} below {number(high)}"
    return f"{name} {number(low)} or more" if high is None else f"{name} {number(low)} to {number(high - 1)}"
