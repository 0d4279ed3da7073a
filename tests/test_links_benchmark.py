"""The part of the recovery benchmark that asks whether planted links come out: its counting, its choices, its cohorts."""

import numpy as np
import polars as pl
import pytest
from features.small_stores import Given, store_of
from sklearn.metrics import f1_score
from tests_support import benchmark_package

from seqsae.records.covariates import Covariates

TRUTH = {
    "concepts": [{"name": "ill", "level": "spell"}, {"name": "rich", "level": "person"}],
    "covariates": [
        {"name": "pain", "status": "caused", "concepts": ["ill", "rich"]},
        {"name": "coin", "status": "null", "concepts": []},
        {"name": "jury", "status": "leaking", "concepts": []},
    ],
}


@pytest.fixture
def recovered(monkeypatch):
    """The benchmark's package, importable for one test."""
    yield from benchmark_package(monkeypatch, "recovered")


def rows(*given):
    columns = ("feature", "covariate", "verdict", "effect_adjusted")
    table = pl.DataFrame(given, schema=columns, orient="row", schema_overrides={"feature": pl.Int32})
    return table.with_columns(kind=pl.lit("continuous"))


def cohort(oracle, sae, best=((1, 7), (2, 8))):
    columns = {"concept": pl.String, "rank": pl.UInt32, "feature": pl.Int32, "f1_select": pl.Float64}
    table = [("ill", rank, feature, 0.5) for rank, feature in best]
    return {"oracle": rows(*oracle), "sae": rows(*sae), "best": pl.DataFrame(table, schema=columns, orient="row")}


@pytest.fixture
def cohorts():
    """Two cohorts: in the first both links come out for the truth, and one for the SAE; in the second one is a token's."""
    first = cohort(
        [(0, "pain", "inconclusive", 0.2), (0, "pain", "supported", -0.4), (1, "pain", "supported", 0.1)],
        [(8, "pain", "supported", 0.3), (7, "pain", "token-readout", 0.3), (9, "coin", "supported", 0.1)],
    )
    second = cohort(
        [(0, "pain", "token-readout", 0.3), (1, "pain", "supported", 0.1), (1, "jury", "supported", 0.1)],
        [(9, "pain", "supported", 0.3), (7, "jury", "token-readout", 0.9)],
    )
    return [first, second]


def test_links_are_counted_by_their_best_row(recovered, cohorts):
    from recovered.links import by_link, eligible, link_table

    found = link_table(TRUTH, cohorts, {"ill": 0.95, "rich": 0.8})
    ill = found.filter(concept="ill").sort("cohort")
    assert ill["oracle"].to_list() == ["supported", "token-readout"] and ill["effect"].to_list() == [0.4, 0.3]
    assert ill.select("one", "five", "any").rows() == [(False, True, True), (False, False, True)]
    assert not found.filter(concept="rich")["five"].any() and found.filter(concept="rich")["any"].all()
    assert eligible(found).select("cohort", "concept").rows() == [(0, "ill")], "rich is below the probe's bar"
    told = by_link(found)
    assert told["concept"].to_list() == ["ill", "rich"] and told["truth"].to_list() == [0.5, 1.0]


def test_a_link_that_is_in_no_table_was_not_tested(recovered):
    from recovered.links import verdict_of

    assert verdict_of(rows()) == "not-tested"
    assert verdict_of(rows((0, "x", "not-selected", None), (0, "x", "unstable", 0.1))) == "unstable"


def test_a_decoy_counts_once_however_many_features(recovered, cohorts):
    from recovered.links import decoy_table, shares

    cohorts[0]["sae"] = pl.concat([cohorts[0]["sae"], rows((4, "coin", "supported", 0.2))])
    fooled = decoy_table(TRUTH, cohorts)
    assert fooled.filter(cohort=0, covariate="coin", source="sae")["supported"].item() == 2
    told = shares(fooled)
    whole = told.filter(source="sae", kind="all").row(0, named=True)
    assert (whole["n"], whole["with any"], whole["share"]) == (4, 1, 0.25)
    assert whole["low"] == pytest.approx(0.0063, abs=1e-4) and whole["high"] == pytest.approx(0.8059, abs=1e-4)
    jury = told.filter(source="oracle", covariate="jury").row(0, named=True)
    assert (jury["kind"], jury["with any"], jury["n"]) == ("leaking", 1, 2)


def test_the_best_features_are_those_of_the_best_thresholds(recovered, tmp_path):
    from recovered.links_cohort import best_features

    rng = np.random.default_rng(0)
    n_rows = np.full(60, 6)
    codes = np.round(rng.random((360, 4)) * (rng.random((360, 4)) < 0.4), 1)
    held = rng.random(60) < 0.5
    spans = [(f"s{i}", "ill", 1, 4) for i in range(60)] + [(f"s{i}", "rich", 0, 6) for i in np.flatnonzero(held)]
    inside = np.tile(np.arange(6), 60) % 6
    inside = (inside >= 1) & (inside < 4)
    codes[:, 2] += inside * (rng.random(360) < 0.8)
    codes[:, 1] += np.repeat(held, 6) * (rng.random(360) < 0.7)
    store = store_of(tmp_path, n_rows, split=["select"] * 60)
    schema = {"subject_id": pl.String, "concept": pl.String, "start": pl.UInt32, "end": pl.UInt32}
    covariates = Covariates(truth=TRUTH, truth_spans=pl.DataFrame(spans, schema=schema, orient="row"))
    best = best_features(Given(store, codes), store, covariates, most=2)
    first = best.filter(rank=1)
    assert dict(first.select("concept", "feature").iter_rows()) == {"ill": 2, "rich": 1}
    by_hand = max(f1_score(inside, codes[:, 2] >= t) for t in np.unique(codes[:, 2])[1:])
    assert first.filter(concept="ill")["f1_select"].item() == pytest.approx(by_hand, abs=1e-6)


def test_a_cohort_is_dealt_by_household(recovered):
    from recovered.links_study import dealt

    subjects = pl.DataFrame({"subject": range(3000), "cluster": [f"h{i // 2}" for i in range(3000)]})
    parts = dealt(subjects, "links 7")
    share = dict(parts["split"].value_counts(normalize=True).iter_rows())
    assert share["train"] == pytest.approx(0.1, abs=0.03) and share["select"] == pytest.approx(0.4, abs=0.04)
    assert share["test"] == pytest.approx(0.5, abs=0.04)
    assert parts["split"].to_list()[::2] == parts["split"].to_list()[1::2]
    assert dealt(subjects, "links 8")["split"].to_list() != parts["split"].to_list()
