"""A name for each cluster: what most of its features share, with the evidence for it.

Four kinds of evidence, each with its score, on the select split:

- the token that tells most of where the cluster's features are on: largest share of their active rows times the logarithm of how many
  times more common it is there than anywhere (its part of the Kullback-Leibler divergence of the two);
- the covariate beyond the confounders whose competitive test has the smallest q of `cluster_enrichment`, if at most `LEVEL`;
- the family of tokens (what stands before `//`) in the same way as the token;
- the phrase that most of its features' captions share, whatever numbers stand in it.

The label is the first of them that at least half of it has: token, covariate, family, words; else the two commonest tokens. Clusters
of one name get what tells them apart behind it.
"""

import itertools
import re
from collections import Counter

import numpy as np
import polars as pl
import scipy.sparse as sp

from seqsae import schema

SHARED = 0.5  # share of the cluster's active rows, or of its captions, that must have it in common
LEVEL = 0.05  # q below which an enrichment counts
NUMBER = re.compile(r"(?<![\w/.-])\d[\d.,]*(?![\w/])")  # alone, not in a token
SAID = 0.1  # share of the active rows from which a token stands in the name of a mixed cluster before commoner ones


def label_table(
    member: sp.csr_array,
    codes: sp.csr_array,
    tokens: tuple[np.ndarray, list[str]],
    subject: np.ndarray,
    captions: pl.DataFrame | None,
    enrichment: pl.DataFrame | None,
) -> pl.DataFrame:
    """Schema `clusters`: a row a cluster, with its label and what it rests on.

    Args:
        member: [F, clusters] of ones.
        codes: [n, F] of the rows that are looked at.
        tokens: number of each row's token [n], and the tokens' texts.
        subject: [n] of each row.
        captions: schema `captions`; enrichment: schema `cluster_enrichment`. Either may be absent.
    """
    code, names = tokens
    heads = sorted({head for head in map(_family, names) if head is not None})
    number = {head: i for i, head in enumerate(heads)}
    of_family = np.array([number.get(_family(name), -1) for name in names], int)[code] if len(code) else code
    weight = sp.csc_array((codes > 0).astype(np.float64) @ member)  # [n, clusters] features that are on
    rows = []
    for cluster in range(member.shape[1]):
        held = weight[:, [cluster]].toarray()[:, 0]
        token, family = told(held, code, names, subject), told(held, of_family, heads, subject)
        features = member[:, [cluster]].nonzero()[0]
        covariate, phrase = top_covariate(enrichment, cluster), shared_words(captions, features)
        found = {"token": token, "covariate": covariate, "family": family, "words": phrase}
        rows.append(_row(cluster, features, found) | {"commonest": commonest(held, code, names)})
    return _labelled(pl.DataFrame(rows, schema=SCHEMA))


SCHEMA = {
    "cluster": pl.Int32, "n_features": pl.UInt32, "label": pl.String, "label_from": pl.String, "token": pl.String,
    "token_share": pl.Float64, "token_lift": pl.Float64, "token_score": pl.Float64, "token_subjects": pl.UInt32,
    "family": pl.String, "family_share": pl.Float64, "family_lift": pl.Float64, "family_score": pl.Float64,
    "family_subjects": pl.UInt32, "covariate": pl.String, "covariate_difference": pl.Float64, "covariate_q": pl.Float64,
    "words": pl.String, "words_share": pl.Float64, "commonest": pl.List(pl.String),
}  # fmt: skip


def _row(cluster: int, features: np.ndarray, found: dict) -> dict:
    row = {"cluster": cluster, "n_features": len(features)}
    for kind in ("token", "family"):
        parts = (kind, f"{kind}_share", f"{kind}_lift", f"{kind}_score", f"{kind}_subjects")
        row |= dict(zip(parts, found[kind] or (None,) * len(parts), strict=True))
    names = ("covariate", "covariate_difference", "covariate_q"), ("words", "words_share")
    for some, values in zip(names, (found["covariate"], found["words"]), strict=True):
        row |= dict(zip(some, values or (None,) * len(some), strict=True))
    return row


def told(weight: np.ndarray, code: np.ndarray, names: list[str], subject: np.ndarray) -> tuple | None:
    """(name, share, lift, score, subjects) of what tells most of where the weight [n] lies; codes [n] below 0 are none of them.

    Subjects: those in whom rows that have both it and weight stand. None where there is no weight, or nothing is more common there.
    """
    there, total = code >= 0, weight.sum()
    if not total or not there.any():
        return None
    share = np.bincount(code[there], weight[there], len(names)) / total
    base = np.bincount(code[there], minlength=len(names)) / len(code)
    lift = np.divide(share, base, out=np.ones(len(names)), where=base > 0)
    score = share * np.log(np.maximum(lift, 1e-300))
    best = int(score.argmax())
    if score[best] <= 0:
        return None
    subjects = len(np.unique(subject[(code == best) & (weight > 0)]))
    return names[best], float(share[best]), float(lift[best]), float(score[best]), subjects


def commonest(weight: np.ndarray, code: np.ndarray, names: list[str]) -> list[str]:
    """The two tokens that hold most of the weight [n]."""
    if not weight.any():
        return []
    total = np.bincount(code, weight, len(names))
    return [names[i] for i in np.argsort(-total, kind="stable")[:2] if total[i] > 0]


def top_covariate(enrichment: pl.DataFrame | None, cluster: int) -> tuple | None:
    """(name, difference of mean z, q) of the covariate, as `name` or `name = category`, of smallest q, if at most `LEVEL`."""
    if enrichment is None:
        return None
    mine = enrichment.filter((pl.col("cluster") == cluster) & (pl.col("q") <= LEVEL))
    mine = mine.sort("q", "p", "covariate", "category", nulls_last=True)
    if not len(mine):
        return None
    row = mine.row(0, named=True)
    name = row["covariate"] if row["category"] is None else f"{row['covariate']} = {row['category']}"
    return name, row["difference"], row["q"]


def shared_words(captions: pl.DataFrame | None, features: np.ndarray) -> tuple | None:
    """(phrase, share of the features' captions that have it) of the phrase that most have and at least two; None without."""
    if captions is None:
        return None
    held = captions.filter(pl.col("feature").is_in(features.tolist()) & (pl.col("kind") != "none"))["caption"]
    counts = Counter(part for caption in held for part in set(NUMBER.sub("…", caption).split(" and ")))
    if not counts:
        return None
    phrase, n = min(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return (phrase, n / len(held)) if n > 1 else None


def _labelled(table: pl.DataFrame) -> pl.DataFrame:
    named = [_label(row) for row in table.iter_rows(named=True)]
    labels = distinct([name for name, _ in named], list(table.iter_rows(named=True)))
    sources = pl.Series("label_from", [source for _, source in named], dtype=pl.String)
    whole = table.with_columns(pl.Series("label", labels, dtype=pl.String), sources).select(*schema.columns("clusters"))
    return schema.check_table(whole, "clusters", "clusters")


def _label(row: dict) -> tuple[str, str]:
    """The label of one cluster, and what it is from."""
    if (row["token_share"] or 0) >= SHARED:
        return row["token"], "token"
    if row["covariate"] is not None:
        return row["covariate"], "covariate"
    if (row["family_share"] or 0) >= SHARED and row["family_lift"] > 1:
        return row["family"], "family"
    if (row["words_share"] or 0) >= SHARED:
        return row["words"], "words"
    best = [row["token"]] if (row["token_share"] or 0) >= SAID else []
    tokens = list(dict.fromkeys([*best, *row["commonest"]]))[:2]
    return ("mixed: " + ", ".join(tokens), "mixed") if tokens else ("mixed", "mixed")


def distinct(labels: list[str], rows: list[dict]) -> list[str]:
    """The labels, those that several clusters have with their best token behind them, and a number where that is not enough."""
    shared = {name for name, count in Counter(labels).items() if count > 1}
    longer = [
        f"{name}, as {row['token']}" if name in shared and row["token"] not in (None, name) else name
        for name, row in zip(labels, rows, strict=True)
    ]
    found: list[str] = []
    for name in longer:
        numbered = (f"{name} ({number})" for number in itertools.count(2))
        taken = {*found, *longer} - {name}
        found.append(name if name not in found else next(one for one in numbered if one not in taken))
    return found


def _family(token: str) -> str | None:
    """`DIAG//…` of `DIAG//F32`; None for a token without parts."""
    head, parted, _ = token.partition("//")
    return f"{head}//…" if parted else None
