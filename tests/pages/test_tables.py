"""What the page's tables hold, counted by hand on made-up content."""

from dataclasses import replace

import polars as pl

from seqsae.pages import tables
from seqsae.pages.drawing import resplit_differences, resplit_rows, worth_rows


def prepared(content):
    known = tables.pairs(content)
    return known, tables.tested(content, known), tables.best_units(content, known)


def test_pairs_stand_in_the_order_of_the_covariates(fake):
    known = tables.pairs(fake())
    assert known["label"].to_list() == ["sex = F", "region = north", "region = south", "age", "coin = heads"]
    assert known["effect_name"].to_list() == ["AUROC", "AUROC", "AUROC", "spearman", "AUROC"]


def test_one_pooling_a_feature_and_pair_stays_that_of_the_smallest_q(fake):
    content = fake()
    _, found, _ = prepared(content)
    assert found.select("feature", "pair").is_unique().all()
    smallest = content.associations.group_by("feature", *tables.PAIR).agg(pl.col("q_select").min().alias("least"))
    joined = found.join(smallest, on=["feature", *tables.PAIR], nulls_equal=True)
    assert len(joined) == len(found) == 42 * 5  # six of the 48 features are dead and untested
    assert (joined["q_select"] == joined["least"]).all()


def test_discoveries_are_counted_as_the_table_says(fake):
    content = fake()
    _, found, _ = prepared(content)
    counts = tables.discoveries(found, 0.05)
    sex = content.associations.filter(pl.col("covariate") == "sex")
    first = counts.filter(pl.col("pair") == 0).row(0, named=True)
    assert first["discoveries"] == sex.filter(pl.col("q_select") <= 0.05)["feature"].n_unique() > 0
    assert 4 not in counts["pair"]  # nothing is found for the coin


def test_the_best_feature_is_read_from_the_sae_row(fake):
    _, _, units = prepared(fake())
    assert units.filter(pl.col("source") == "sae").sort("pair")["feature"].to_list() == [0, 2, 4, 6, 8]
    assert units.filter(pl.col("source") != "sae")["feature"].null_count() == 25


def test_a_covariate_that_was_not_tested_has_a_row_that_says_so(fake):
    content = fake()
    known, found, _ = prepared(content)
    rows = tables.covariates(content, known, found)
    death = rows.filter(pl.col("covariate") == "death").row(0, named=True)
    assert death["status"] == "not tested"
    assert death["pair"] is None
    assert rows.filter(pl.col("covariate") == "coin")["n_test"].to_list() == [None]
    assert rows.filter(pl.col("covariate") == "sex")["n_test"].to_list() == [600]


def test_cards_hold_the_best_feature_of_every_pair_and_no_dead_one(fake):
    content = fake(cards=7)
    known, found, units = prepared(content)
    cards = tables.carded(content, units, found)
    assert len(cards) == 7
    assert {0, 2, 4, 6, 8} <= set(cards)
    assert not [feature for feature in cards if feature % 8 == 7]


def test_the_chart_has_one_category_a_covariate_the_strongest_on_top(fake):
    rows = worth_rows(*prepared(fake()), ("AUROC", "C-index"))
    assert rows["label"].unique(maintain_order=True).to_list() == [
        "sex = F",
        "region = north",
        "coin = heads",
    ]
    assert rows.filter(pl.col("source") == "sae")["effect"].to_list() == [0.88, 0.7, 0.52]
    assert worth_rows(*prepared(fake()), ("spearman",))["label"].unique().to_list() == ["age"]


def test_what_is_not_computed_is_told_and_only_that(fake):
    content = fake()
    assert len(tables.pending(content)) == 2
    done = content.associations.with_columns(
        effect_adjusted=pl.lit(0.5), null_95=pl.lit(0.5), replicated_seeds=1, verdict=pl.lit("supported")
    )
    assert tables.pending(fake(associations=done)) == []
    assert tables.pending(fake(associations=done.with_columns(null_95=pl.lit(None)))) == ["the permutation null"]


def test_resplits_average_categories_within_a_cut_and_pair_the_sources():
    cuts = pl.DataFrame(
        {
            "split": [0, 0, 0, 0, 1, 1, 1, 1],
            "covariate": ["c"] * 8,
            "category": ["a", "a", "b", "b"] * 2,
            "source": ["sae", "token"] * 4,
            "top": [0.0] * 8,
            "best": [0.9, 0.8, 0.7, 0.8, 1.0, 0.7, 0.8, 0.7],
        }
    )
    rows = resplit_rows(cuts).filter(pl.col("source") == "sae").row(0, named=True)
    assert round(rows["mean"], 12) == 0.85  # of 0.8 and 0.9
    assert round(rows["high"] - rows["mean"], 12) == round(0.1 / 2**0.5, 12)
    difference = resplit_differences(cuts).row(0, named=True)
    assert difference["source"] == "token"
    assert round(difference["mean"], 12) == 0.1  # of 0.0 and 0.2


def test_a_tie_that_turned_round_on_the_test_split_is_not_confirmed(fake):
    content = fake()
    turned = content.associations.with_columns(
        verdict=pl.when(pl.col("covariate") == "sex").then(pl.lit("not-replicated")).otherwise("verdict")
    )
    for table, confirmed in ((content.associations, True), (turned, False)):
        _, found, _ = prepared(fake(associations=table))
        assert (tables.discoveries(found, 0.05).filter(pl.col("pair") == 0)["held"].item() > 0) is confirmed


def test_tokens_are_shown_with_their_names_where_there_are_some(fake):
    content = fake()
    token = content.profile["best_token"].drop_nulls()[0]
    rows = content.baselines.with_columns(
        baseline=pl.when(pl.col("source") == "token").then(pl.lit(f"{token}, rate, low")).otherwise("baseline")
    )
    named = replace(content, baselines=rows, names={token: "Metformin", "UNSEEN": "nobody"})
    units = tables.best_units(named, tables.pairs(named))
    assert units.filter(pl.col("source") == "token")["baseline"].unique().to_list() == [
        f"{token} (Metformin), rate, low"
    ]
    assert "Metformin" not in "".join(units.filter(pl.col("source") != "token")["baseline"])
    assert tables.names(named, []) == {token: "Metformin"}
    assert tables.names(content, ["x"]) == {}
