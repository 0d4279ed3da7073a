"""A name for each cluster: what most of its features share.

Tried in this order, each wanting at least half of the features: one token, one covariate (the strongest
association of each feature), one family of tokens (what stands before `//`). Where nothing is shared the two
commonest tokens are named.
"""

from collections import Counter

import polars as pl

SHARED = 0.5  # share of the cluster's features that must have it in common
LEVEL = 0.05  # q on the select split below which an association counts


def cluster_labels(clusters: pl.DataFrame, profile: pl.DataFrame, associations: pl.DataFrame | None) -> dict[int, str]:
    """Cluster number to label, for every cluster but -1.

    Args:
        clusters: columns `feature`, `cluster`.
        profile, associations: tables of those schemas; associations may be absent.
    """
    tokens = dict(profile.select("feature", "best_token").iter_rows())
    tied = strongest_covariates(associations)
    members: dict[int, list[int]] = {}
    for feature, cluster in clusters.select("feature", "cluster").sort("cluster", "feature").iter_rows():
        if cluster >= 0:
            members.setdefault(cluster, []).append(feature)
    found = {cluster: label(features, tokens, tied) for cluster, features in members.items()}
    shared = {name for name, count in Counter(found.values()).items() if count > 1}
    return {
        cluster: f"{name}, {_commonest(members[cluster], tokens)}" if name in shared else name
        for cluster, name in found.items()
    }


def _commonest(features: list[int], tokens: dict[int, str | None]) -> str:
    """What tells clusters of one name apart: the token that most of their features stand for."""
    held = [token for token in (tokens.get(feature) for feature in features) if token is not None]
    return f"as {_ranked(held)[0][0]}" if held else "without a token"


def label(features: list[int], tokens: dict[int, str | None], tied: dict[int, str]) -> str:
    """The label of one cluster. `tokens`: best token by feature; `tied`: strongest covariate by feature."""
    held = [token for token in (tokens.get(feature) for feature in features) if token is not None]
    families = [family for family in map(_family, held) if family is not None]
    covariates = [tied[feature] for feature in features if feature in tied]
    for values in (held, covariates, families):
        ranked = _ranked(values)
        if ranked and ranked[0][1] >= SHARED * len(features):
            return ranked[0][0]
    return "mixed: " + ", ".join(token for token, _ in _ranked(held)[:2]) if held else "mixed"


def strongest_covariates(associations: pl.DataFrame | None) -> dict[int, str]:
    """Feature to the covariate (`name` or `name = category`) with its smallest q, if <= 0.05."""
    if associations is None:
        return {}
    best = (
        associations.filter(pl.col("q_select") <= LEVEL)
        .sort("feature", "q_select", "p_select", "covariate", "category", nulls_last=True)
        .unique("feature", keep="first", maintain_order=True)
    )
    return {
        feature: covariate if category is None else f"{covariate} = {category}"
        for feature, covariate, category in best.select("feature", "covariate", "category").iter_rows()
    }


def _ranked(values: list[str]) -> list[tuple[str, int]]:
    """Values with their counts, the commonest first, ties in alphabetical order."""
    return sorted(Counter(values).items(), key=lambda pair: (-pair[1], pair[0]))


def _family(token: str) -> str | None:
    """`DIAG//…` of `DIAG//F32`; None for a token without parts."""
    head, parted, _ = token.partition("//")
    return f"{head}//…" if parted else None
