"""What the page of a covariate carries: its leading features, the others as points, and why each verdict, in words."""

import polars as pl
import pytest
from pages import made_study
from pages.conftest import PAIRS

from seqsae.pages import covariate_view, tables
from seqsae.pages.reasons import reason, sentences
from seqsae.pages.shorten import cut, shorten


def prepared(content):
    known = tables.pairs(content)
    return known, tables.tested(content, known)


def test_leading_rows_are_the_supported_ones_first_and_then_the_smallest_q(fake):
    content = fake(width=400)
    known, found = prepared(content)
    rows = covariate_view.leading(content, known, found)
    for (pair,), mine in rows.group_by("pair"):
        supported = (mine["verdict"] == "supported").to_list()
        assert supported == sorted(supported, reverse=True)
        whole = found.filter(pl.col("pair") == pair)
        assert len(mine) == min(covariate_view.MOST, len(whole))
        rest = mine.filter(pl.col("verdict") != "supported")["q_select"].to_list()
        assert rest == sorted(rest)
        assert (whole["verdict"] == "supported").sum() >= sum(supported) > 0 or pair == 4


def test_points_are_the_other_features_selected_ones_among_them_and_not_too_many(fake):
    content = fake(width=4096)
    known, found = prepared(content)
    rows = covariate_view.leading(content, known, found)
    points = covariate_view.points(found, rows, len(known))
    assert points.join(rows, on=["pair", "feature"], how="semi").is_empty()
    assert points.group_by("pair").len()["len"].to_list() == [covariate_view.MOST_POINTS] * len(known)
    coin = points.filter(pl.col("pair") == 4)["feature"]
    assert coin.min() < 300 and coin.max() > 3800  # evenly over all features


def test_a_supported_pooling_stands_before_one_of_smaller_q(fake):
    content = fake()
    best = (pl.col("feature") == 0) & (pl.col("covariate") == "sex")
    by_pooling = pl.when(best & (pl.col("pooling") == "rate")).then(pl.lit("confounded")).otherwise("verdict")
    smaller = pl.when(best & (pl.col("pooling") == "rate")).then(0.0).otherwise("q_select")
    content = fake(associations=content.associations.with_columns(verdict=by_pooling, q_select=smaller))
    _, found = prepared(content)
    row = found.filter((pl.col("feature") == 0) & (pl.col("pair") == 0)).row(0, named=True)
    assert (row["pooling"], row["verdict"]) == ("max", "supported")


def test_all_levels_together_are_told_in_a_row(fake):
    row = covariate_view.omnibus(fake(omnibus=made_study.omnibus())).row(0, named=True)
    assert (row["features"], row["chosen"], row["held"], row["n_levels"], row["feature"]) == (10, 2, 1, 3, 0)
    assert covariate_view.omnibus(fake()).is_empty()


HOLDS = {
    "verdict": "supported", "note": None, "p_test_adjusted_holm": 0.01, "effect_adjusted": 0.4, "ci_low_adjusted": 0.2, "ci_high_adjusted": 0.6,
    "effect_given_token": 0.3, "ci_low_given_token": 0.15, "ci_high_given_token": 0.45,
    "effect_given_products": 0.3, "ci_low_given_products": 0.15, "ci_high_given_products": 0.45,
}  # fmt: skip
TURNED = {"effect_adjusted": -0.4, "ci_low_adjusted": -0.6, "ci_high_adjusted": -0.2}
NO_TOKEN = dict.fromkeys(("effect_given_token", "ci_low_given_token", "ci_high_given_token"))
NO_PRODUCTS = dict.fromkeys(("effect_given_products", "ci_low_given_products", "ci_high_given_products"))
CASES = [
    ({}, "supported"),
    (NO_PRODUCTS, "supported-few"),
    ({"verdict": None}, "unknown"),
    ({"verdict": "unstable"}, "unstable"),
    ({"verdict": "confounded", "ci_low_adjusted": -0.05, "ci_high_adjusted": 0.09}, "confounded"),
    ({"verdict": "confounded", "ci_low_given_products": -0.05, "ci_high_given_products": 0.09}, "confounded-products"),
    ({"verdict": "token-readout", "ci_low_given_token": -0.05, "ci_high_given_token": 0.09}, "token-less"),
    ({"verdict": "token-readout"}, "token-rival"),
    ({"verdict": "inconclusive", "note": "separated; may count what came after follow-up began"}, "ahead"),
    ({"verdict": "inconclusive", "effect_adjusted": None}, "no-fit"),
    ({"verdict": "inconclusive", "p_test_adjusted_holm": 0.2}, "not-again"),
    ({"verdict": "inconclusive", "ci_low_adjusted": -0.01}, "reaches"),
    ({"verdict": "inconclusive", "effect_adjusted": 0.08, "ci_low_adjusted": 0.02, "ci_high_adjusted": 0.14}, "small"),
    ({"verdict": "inconclusive", "ci_low_given_token": -0.01}, "token-reaches"),
    ({"verdict": "inconclusive", **NO_PRODUCTS, "note": "no fit beyond products of confounders"}, "products-lost"),
    ({"verdict": "inconclusive", "ci_low_given_products": -0.01}, "products-reaches"),
    ({"verdict": "inconclusive", "effect_given_products": 0.05, "ci_low_given_products": 0.01}, "products-small"),
    ({"verdict": "inconclusive", **TURNED, **NO_TOKEN, **NO_PRODUCTS}, "turned"),
    ({"verdict": "position-readout"}, "position-readout"),
    ({"verdict": "not-replicated"}, "not-replicated"),
    ({"verdict": "not-selected", "p_test_adjusted_holm": None}, "not-selected"),
]


def test_every_verdict_has_its_reason_and_every_reason_its_sentence():
    types = {name: pl.String if name in ("verdict", "note") else pl.Float64 for name in HOLDS}
    rows = pl.DataFrame([HOLDS | changes for changes, _ in CASES], schema=types)
    told = rows.select(reason=reason(0.1))["reason"].to_list()
    assert told == [expected for _, expected in CASES]
    said = sentences(0.05, 0.1, 0.05)
    assert set(told) == set(said)
    assert "{" not in "".join(said.values())
    assert "0.1" in said["small"]


@pytest.mark.parametrize("name", ["a" * 10_000, "x\u202egnp.exe", "\u2067right", "line\nbreak\x00", ""])
def test_names_in_charts_are_short_and_turn_nothing_round(name):
    short = shorten(name)
    assert 0 < len(short) <= 60
    assert not set(short) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\n\x00")


def test_a_cut_name_keeps_its_end():
    assert cut("diagnosis at first visit", 12) == "diagnosi…sit"
    assert cut("short", 12) == "short"


def test_the_charts_are_of_the_first_pair_until_the_page_puts_in_another(fake):
    content = fake()
    known, found = prepared(content)
    drawn = covariate_view.charts(content, known, found)
    rows = drawn["volcano"]["datasets"]["rows"]
    assert len(rows) == 42 and {row["of"] for row in rows} == {f"{PAIRS[0][0]} = {PAIRS[0][1]}"}
    assert covariate_view.charts(content, known, found.clear()) == {}
