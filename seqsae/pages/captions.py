"""Captions on the page: each feature's rule in words, with its score, what chance gives, and what one token does."""

import re

import polars as pl

from seqsae.pages.compact import columns
from seqsae.pages.content import Content

_BRIEF = ("feature", "caption", "kind", "f1", "null_95")  # of every live feature: what the table of features shows
_FIGURES = (
    "f1_ci_low", "f1_ci_high", "balanced_accuracy", "ci_low", "ci_high", "precision",
    "recall", "token", "f1_token", "f1_always", "subject_balanced_accuracy", "n_rows", "n_fired", "n_subjects",
)  # fmt: skip


def shown(content: Content, portrayed: list[int]) -> dict | None:
    """What the script reads of every live feature, all figures of those portrayed; None where there are no captions."""
    if content.captions is None:
        return None
    live = content.profile.filter(~pl.col("dead")).select("feature")
    told = content.captions.join(live, on="feature", how="semi").sort("feature")
    return columns(told.select(*_BRIEF, pl.when(pl.col("feature").is_in(portrayed)).then(pl.col(*_FIGURES))))


def tokens(content: Content) -> list[str]:
    """Tokens that captions speak of, as far as they hold no space, so that the page can say what they are called."""
    if content.captions is None:
        return []
    there = content.captions.filter(pl.col("kind") != "none")
    return sorted(
        {word for text in there["caption"] for word in re.split(r",? ", text)} | set(there["token"].drop_nulls())
    )


def told(table: pl.DataFrame) -> str:
    """A line for the terminal: how many features have a caption, and how good the captions are."""
    looked, found = table.filter(pl.col("rule").is_not_null()), table.filter(pl.col("kind") != "none")
    line = f"Captions: {len(found)} of {len(looked)} features that fire often enough have a short rule beyond chance"
    if not len(found):
        return line + "."
    kinds = ", ".join(
        f"{kind} {n}"
        for kind, n in found["kind"]
        .value_counts(sort=True, name="n")
        .sort("n", "kind", descending=[True, False])
        .iter_rows()
    )
    score, token, chance = (found[name].median() for name in ("f1", "f1_token", "null_95"))
    beside = [f"of the best single token {token:.2f}"] if token is not None else []
    beside += [f"that chance reaches {chance:.2f}"] if chance is not None else []
    return f"{line} ({kinds}).\nMedian F1 on test rows {score:.2f}" + "".join(f", {one}" for one in beside) + "."
