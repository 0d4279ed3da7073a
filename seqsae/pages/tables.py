"""The page's tables, in polars: what was tested, what was found, the best unit of every source, the features.

A *pair* is what one feature is held against: a covariate, one of its categories, and the unit of observation.
"""

import re
from collections.abc import Sequence

import polars as pl

from seqsae.pages.content import Content

PAIR = ["covariate", "category", "unit"]
PER_CARD = 8  # associations of a feature that has a card
PER_FEATURE = 2  # and of one that has none
_TOKEN = re.compile(
    r"(?P<token>.*?)(?P<rest>(, (rate|mean|max|min))?(, low)?)", re.DOTALL
)  # a label of a token baseline

EFFECT_NAMES = {"ordinal": "spearman", "continuous": "spearman", "survival": "C-index"}
"""Of covariates that are not told by their AUROC."""


def pairs(content: Content) -> pl.DataFrame:
    """`pair` (0, 1, ...), covariate, category, unit, `label`, `effect_name`; in the order of the covariates."""
    order = {entry["name"]: place for place, entry in enumerate(content.covariates)}
    found = pl.concat([content.associations.select(PAIR), content.baselines.select(PAIR)]).unique()
    names = content.associations.select(*PAIR, "effect_name").unique(PAIR, keep="first", maintain_order=True)
    effects = {entry["name"]: EFFECT_NAMES.get(entry["type"], "AUROC") for entry in content.covariates}
    return (
        found.join(names, on=PAIR, how="left", nulls_equal=True)
        .with_columns(
            pl.col("effect_name").fill_null(
                pl.col("covariate").replace_strict(effects, default=pl.lit("AUROC"), return_dtype=pl.String)
            ),
            order=pl.col("covariate").replace_strict(order, default=len(order), return_dtype=pl.Int64),
            label=pl.concat_str(
                "covariate",
                pl.when(pl.col("category").is_not_null()).then(pl.format(" = {}", "category")).otherwise(pl.lit("")),
                pl.when(pl.col("unit") != "subject").then(pl.format(" (per {})", "unit")).otherwise(pl.lit("")),
            ),
        )
        .sort("order", *PAIR, nulls_last=True)
        .drop("order")
        .with_row_index("pair")
    )


UNSUPPORTED = pl.col("verdict").eq_missing(pl.lit("supported")).not_()


def tested(content: Content, known: pl.DataFrame) -> pl.DataFrame:
    """One row a feature and pair that were tested: of its poolings a supported one, else that of the smallest q; within a feature supported ones
    first, then by q."""
    order = [UNSUPPORTED, "q_select", "p_select", "pair", "pooling"]
    return (
        content.associations.filter(pl.col("q_select").is_not_null())
        .join(known.select("pair", "label", *PAIR), on=PAIR, how="left", nulls_equal=True)
        .sort("feature", *order, nulls_last=True)
        .unique(["feature", "pair"], keep="first", maintain_order=True)
        .sort("feature", *order, nulls_last=True)
    )


def discoveries(found: pl.DataFrame, q: float) -> pl.DataFrame:
    """For each pair: `discoveries` at level q on the select split, and `held`, those of them that are supported on the test split."""
    held = (pl.col("verdict") == "supported").fill_null(False)
    return (
        found.filter(pl.col("q_select") <= q)
        .group_by("pair", maintain_order=True)
        .agg(discoveries=pl.len(), held=held.sum())
    )


def best_units(content: Content, known: pl.DataFrame) -> pl.DataFrame:
    """The baselines with their pair; `feature` of source `sae` is the best feature itself, where it is told."""
    table = content.baselines.with_columns(baseline=_with_name(content))
    told = pl.coalesce("feature", pl.col("baseline").str.extract(r"(\d+)").cast(pl.Int32, strict=False))
    return (
        table.join(known.select("pair", *PAIR), on=PAIR, how="left", nulls_equal=True)
        .with_columns(feature=pl.when(pl.col("source") == "sae").then(told).otherwise("feature"))
        .sort("pair", "source", "feature", "baseline", nulls_last=True)
    )


def _with_name(content: Content) -> pl.Expr:
    """The labels of baselines, those that are tokens with their name in brackets (and the pooling behind it)."""
    is_token = pl.col("source").is_in(["token", "token-seen"])
    parts = {label: _TOKEN.fullmatch(label) for label in content.baselines.filter(is_token)["baseline"].unique()}
    named = {
        label: f"{part['token']} ({content.names[part['token']]}){part['rest']}"
        for label, part in parts.items()
        if part["token"] in content.names
    }
    return pl.when(is_token).then(pl.col("baseline").replace(named)).otherwise("baseline")


def names(content: Content, tokens: list[str]) -> dict[str, str]:
    """The names of the tokens that the page shows: commonest ones of features, and `tokens` of the examples."""
    shown = {*tokens, *content.profile["best_token"].drop_nulls()}
    return {token: content.names[token] for token in sorted(shown) if token in content.names}


def covariates(content: Content, known: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """A row a pair, and a row for each covariate that was not tested."""
    entries = pl.DataFrame([_entry(entry, content) for entry in content.covariates], schema=_ENTRY)
    on_test = pl.col("p_test").is_not_null()  # the others count their select split
    sizes = content.associations.group_by(PAIR, maintain_order=True).agg(
        n_test=pl.col("n").filter(on_test).max(),
        n_positive=pl.col("n_positive").filter(on_test).max(),
        n_select=pl.col("n").filter(~on_test).max(),
    )
    return (
        entries.join(known, on="covariate", how="full", coalesce=True, maintain_order="left_right")
        .join(discoveries(found, content.q), on="pair", how="left", maintain_order="left")
        .join(sizes, on=PAIR, how="left", nulls_equal=True, maintain_order="left")
        .with_columns(pl.col("label").fill_null(pl.col("covariate")))
    )


def split_counts(counts: dict[str, int]) -> list[tuple[str, int]]:
    """The splits in their fixed order, others after them by name, each with its count."""
    return [
        (split, counts[split]) for split in sorted(counts, key=lambda split: (_SPLITS.get(split, len(_SPLITS)), split))
    ]


_SPLITS = {"train": 0, "select": 1, "calibrate": 2, "test": 3}
_ENTRY = {name: pl.String() for name in ("covariate", "type", "role", "status", "description", "splits")}


def _entry(entry: dict, content: Content) -> dict:
    """The texts of one covariate's row."""
    looked_at = entry["name"] in content.associations["covariate"]
    waiting = "adjusted for" if entry.get("role") in ("confounder", "stratum") else "not tested"
    counts = [f"{split} {count:,}" for split, count in split_counts(entry.get("n") or {})]
    return {
        "covariate": entry["name"],
        "type": entry["type"],
        "role": entry.get("role") or "target",
        "status": entry.get("status") or ("tested" if looked_at else waiting),
        "description": entry.get("description"),
        "splits": " · ".join(counts) or None,
    }


def features(content: Content) -> pl.DataFrame:
    """The profile of every live feature with its place and cluster."""
    profile = content.profile.filter(~pl.col("dead")).drop("dead", "decoder_norm", "mean_when_active", "max")
    return profile.join(content.atlas, on="feature", how="left", maintain_order="left").sort("feature")


def carded(content: Content, units: pl.DataFrame, found: pl.DataFrame, wanted: Sequence[int] = ()) -> list[int]:
    """Features with a card: those wanted, the best one of each pair, then supported ones first, by smallest q, as many as `content.cards`."""
    live = set(content.profile.filter(~pl.col("dead"))["feature"])
    best = units.filter(pl.col("source") == "sae")["feature"].drop_nulls().to_list()
    ranked = found.sort(UNSUPPORTED, "q_select", "p_select", "feature", nulls_last=True)["feature"].to_list()
    busy = content.profile.sort("n_subjects", "feature", descending=[True, False])["feature"].to_list()
    chosen = [feature for feature in dict.fromkeys([*wanted, *best, *ranked, *busy]) if feature in live][
        : content.cards
    ]
    place = {feature: rank for rank, feature in enumerate(dict.fromkeys(ranked + busy))}
    return sorted(chosen, key=lambda feature: place[feature])


CARRIED = (
    "feature", "pair", "pooling", "n", "effect", "ci_low", "ci_high", "effect_adjusted", "ci_low_adjusted", "ci_high_adjusted", "q_select",
    "verdict",
)  # fmt: skip
"""Columns of the associations on cards; a covariate's page has more, and associations.parquet all."""


def shown(found: pl.DataFrame, cards: list[int]) -> pl.DataFrame:
    """The associations that the page carries: a few a feature, more where it has a card."""
    rank = pl.int_range(pl.len()).over("feature")
    limit = pl.when(pl.col("feature").is_in(cards)).then(PER_CARD).otherwise(PER_FEATURE)
    kept = found.filter(rank < limit).with_columns(
        on_test=(pl.col("p_test").is_not_null() | pl.col("ci_low").is_not_null()).cast(pl.Int8)
    )
    kept = kept.select(*CARRIED, "on_test")
    return kept.drop([name for name in kept.columns if kept[name].null_count() == len(kept)])


def examples(content: Content, cards: list[int]) -> dict:
    """Top rows of the carded features, tokens as numbers in `tokens`: [value, before, token, after] by feature."""
    number: dict[str, int] = {}

    def coded(token: str) -> int:
        return number.setdefault(token, len(number))

    rows: dict[int, list] = {}
    kept = content.examples.filter(pl.col("feature").is_in(cards)).sort("feature", "rank")
    for feature, value, before, token, after in kept.select("feature", "value", "before", "token", "after").iter_rows():
        context = [coded(name) for name in before or []], coded(token), [coded(name) for name in after or []]
        rows.setdefault(feature, []).append([value, *context])
    return {"tokens": list(number), "rows": rows}


_PENDING = {
    "effect_adjusted": "effects adjusted for confounders",
    "null_95": "the permutation null",
    "replicated_seeds": "replication over SAE seeds",
}


def pending(content: Content) -> list[str]:
    """In words, what the associations do not hold yet because their columns are empty."""
    table = content.associations
    waiting = [words for column, words in _PENDING.items() if table[column].null_count() == len(table)]
    if table["verdict"].null_count():
        waiting.append("the verdicts that rest on them")
    return waiting
