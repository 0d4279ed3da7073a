"""What the page says of annotated concepts and position patterns, on made-up tables."""

import polars as pl
from pages import made_up

from seqsae import schema
from seqsae.pages import annotated


def part_of(fake, **changes):
    return annotated.part(fake(annotated=made_up.annotated(**changes)))


def test_the_headline_has_token_f1_first_and_the_sae_on_top(fake):
    data = part_of(fake).data["matches"]
    assert list(zip(data["score"], data["source"], strict=True)) == [
        (score, source) for score in ("f1", "f1_per_domain") for source in ("sae", "random-dictionary", "random-model")
    ]
    assert data["concepts_matched"] == [2, 0, 0, 3, 3, 1]


def test_the_best_feature_of_each_concept_has_its_own_figures(fake):
    pairs = made_up.pairs()
    best = pl.DataFrame(part_of(fake).data["best"])
    assert best.filter(pl.col("score") == "f1")["unit"].to_list() == [0, 2, 4]
    assert best.filter(pl.col("score") == "f1_per_domain")["unit"].to_list() == [1, 3, 5]
    row = best.filter((pl.col("score") == "f1") & (pl.col("value") == "CDR2")).row(0, named=True)
    there = pairs.filter(
        (pl.col("score") == "f1") & (pl.col("value") == "CDR2") & pl.col("best") & (pl.col("source") == "sae")
    ).row(0, named=True)
    for name in ("precision", "recall", "domain_recall", "f1", "f1_per_domain"):
        assert row[f"own_{name}"] == there[name]
    assert (row["sae"], row["ci_low"], row["threshold"]) == (there["f1"], there["ci_low"], 0.15)
    assert row["random-dictionary"] < row["sae"]
    assert row["trivial_f1"] == 0.13


def test_a_concept_that_nothing_is_on_for_stays_in_the_table(fake):
    named = [*made_up.CONCEPTS, ("region", "silent")]
    best = pl.DataFrame(part_of(fake, concepts=made_up.concepts(named)).data["best"])
    silent = best.filter(pl.col("value") == "silent")
    assert len(silent) == 2 and silent["unit"].null_count() == 2


def test_a_feature_is_told_the_concept_it_goes_with_best(fake):
    own = annotated.own_rows(made_up.pairs())
    told = part_of(fake).data["own"]
    assert told == own.select(*told).to_dict(as_series=False) and "precision" not in told  # what a card shows, no more
    assert own["unit"].is_unique().all()
    rows = {row["unit"]: row for row in own.iter_rows(named=True)}
    assert (rows[0]["value"], rows[0]["score"]) == ("CDR1", "f1")  # not CDR2, with which it goes too
    assert rows[1]["score"] == "f1_per_domain"  # token F1 chose another feature
    assert 7 not in rows  # a random direction


def test_many_concepts_are_cut_at_the_weak_end(fake):
    many = [("region", f"r{i}") for i in range(annotated.SHOWN + 5)]
    best = part_of(fake, pairs=made_up.pairs(many[:3]), concepts=made_up.concepts(many)).data["best"]
    assert len(best["value"]) == 2 * annotated.SHOWN
    assert best["value"][:3] == ["r0", "r1", "r2"]


def test_it_is_said_that_one_score_flatters_and_what_is_left_out(fake):
    body = part_of(fake).body
    assert "F1 per domain flatters units that mark one row a domain" in body
    assert "3 of 5 annotated values are there often enough to be scored. Left out: 2 rare." in body


def test_the_chart_holds_both_scores_of_each_source(fake):
    rows = part_of(fake).charts["matched"]["datasets"]["rows"]
    assert {(row["level"], row["source"]) for row in rows} == {
        (level, source)
        for level in ("token F1", "F1 per domain")
        for source in ("SAE feature", "random dictionary", "random model")
    }


def test_without_draws_nothing_is_said_of_chance(fake):
    none = made_up.matches().with_columns(
        pl.lit(None, pl.Float64).alias(name) for name in ("null_units", "null_concepts")
    )
    rows = part_of(fake, matches=none).charts["matched"]["datasets"]["rows"]
    assert {row["null_concepts"] for row in rows} == {None}


def test_only_patterns_without_annotations(fake):
    part = part_of(fake, matches=None, pairs=None, concepts=None)
    assert part.heading == "Position patterns" and part.charts == {}
    assert "match-table" not in part.body and "pattern-table" in part.body and "<p" in part.body
    assert set(part.data) == {"kinds", "patterns"}


def test_values_all_too_rare_are_said_so(fake):
    empty = {"matches": schema.empty("concept_matches"), "pairs": schema.empty("concept_pairs")}
    part = part_of(fake, **empty, concepts=made_up.concepts([]))
    assert "0 of 2 annotated values" in part.body and "match-table" not in part.body
    assert part.heading == "Annotated concepts"


def test_dead_features_have_no_pattern_on_the_page(fake):
    assert not [feature for feature in part_of(fake).data["patterns"]["feature"] if feature % 8 == 7]
