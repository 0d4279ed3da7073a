"""What the page says of the map's clusters, on made-up tables."""

import polars as pl
import pytest

from seqsae import schema
from seqsae.pages import clusters
from seqsae.pages.content import Mapped
from seqsae.pages.page import html


def table(name: str, rows: list[dict]) -> pl.DataFrame:
    """Rows of a schema; what is not given is null where it may be, else 0 or a word."""
    spec = schema.load(name)["properties"]

    def usual(column: dict):
        if "null" in column["type"]:
            return None
        return "x" if column["type"] == "string" else 0

    whole = [{key: row.get(key, usual(column)) for key, column in spec.items()} for row in rows]
    return schema.check_table(pl.DataFrame(whole, infer_schema_length=None), name, name)


def mapped(label: str = "DIAG//F32", q: float = 0.01, random: float = 0.1) -> Mapped:
    maps = [("decoder", 0.9), ("seed", 0.8), *[("random", random + i / 100) for i in range(3)]]
    maps += [("covariance", random + i / 100) for i in range(3)]
    quality = [
        {"kind": kind, "trustworthiness": value, "persistence": value / 2, "n_features": 50, "n_clusters": 2,
         "neighbours": 15, "neighbours_kept": 0.7, "adjusted_rand": 0.6, "neighbours_by_chance": 0.3} for kind, value in maps
    ]  # fmt: skip
    named = [{"cluster": 0, "label": label, "n_features": 12, "token": label, "token_share": 0.5, "token_lift": 3.0},
             {"cluster": 1, "label": "mixed"}]  # fmt: skip
    tie = {"cluster": 0, "covariate": "sex", "category": "F", "n_features": 11, "difference": 1.5, "ci_low_difference": 0.5,
           "ci_high_difference": 2.5, "q": q, "q_select": q, "n_test": 900, "effect_adjusted": 0.4, "ci_low_adjusted": 0.2,
           "ci_high_adjusted": 0.6, "adjusted_name": "log odds ratio", "p_test_holm": 0.001}  # fmt: skip
    ties = [tie, tie | {"cluster": 1, "covariate": "never", "q": 0.9, "q_select": None}]
    return Mapped(table("map_quality", quality), table("clusters", named), table("cluster_enrichment", ties))


def test_the_maps_worth_its_clusters_and_their_ties_are_told(fake):
    part = clusters.part(fake(mapped=mapped()))
    assert "are firmer than on random directions" in part.body and "2 clusters" in part.body
    assert "50.0% of its rows, 3.0 times as often" in part.body
    assert "1.50 [0.50, 2.50]" in part.body and "0.40 [0.20, 0.60]" in part.body and "n 900, test split" in part.body
    assert "sex = F" in part.body and "never" not in part.body
    rows = part.charts["map-trustworthiness"]["datasets"]["rows"]
    assert [row["kind"] for row in rows[:3]] == ["this map", "other seeds", "random directions"]
    assert 'id="clusters"' in html(fake(mapped=mapped()))


def test_a_map_that_looks_random_says_so_and_no_tie_is_none(fake):
    part = clusters.part(fake(mapped=mapped(q=0.5, random=0.95)))
    assert "It looks the same on random directions" in part.body
    assert "No cluster is enriched for a covariate at q ≤ 0.05" in part.body


@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>", "\"'&", "\u202eabc", "=CMD()", "long" * 2500])
def test_names_are_harmless(fake, name):
    body = clusters.part(fake(mapped=mapped(label=name))).body
    assert "<img" not in body and "\u202e" not in body.replace(f"<bdi>{name}</bdi>", "") and len(body) < 20_000


def test_without_an_atlas_that_says_there_is_no_section(fake):
    assert clusters.part(fake()) is None
    assert 'id="clusters"' not in html(fake())
    empty = Mapped(*(schema.empty(name) for name in ("map_quality", "clusters", "cluster_enrichment")))
    assert clusters.part(fake(mapped=empty)) is None
