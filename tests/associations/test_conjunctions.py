"""Beyond products of confounders: those that matter are found, a meeting of two confounders is no finding, a cause of its own is."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import statsmodels.api as sm
from associations.planted import covariates_of
from features.small_stores import Given, store_of
from scipy.special import expit

from seqsae.associations import conjunctions
from seqsae.associations.conjunctions import TOO_FEW, Products, cases
from seqsae.associations.refits import ranked
from seqsae.associations.room import associate
from seqsae.caption_options import CaptionConfig
from seqsae.config import AssociateConfig
from seqsae.records.covariates import typed

CONFIG = AssociateConfig(
    baselines=(), permutations=0, poolings=("presence",), captions=CaptionConfig(make=False), smallest_adjusted=0.05
)


def test_the_products_that_tell_most_of_a_feature_are_taken():
    rng = np.random.default_rng(0)
    z = np.column_stack([rng.normal(size=(400, 3)), rng.random((400, 2)) < 0.5, np.ones(400)])
    x = ((z[:, 0] > 0.5) & (z[:, 3] == 1)) * rng.random(400)
    products = Products(z)
    assert len(products.pairs) == 10  # the constant has none
    taken = products.nearest(x, 3)
    by_hand = {}
    told = sm.add_constant(z[:, :5])
    for i in range(5):
        for j in range(i + 1, 5):
            left = sm.OLS(z[:, i] * z[:, j], told).fit().resid
            by_hand[i, j] = abs(np.corrcoef(left, sm.OLS(ranked(x), told).fit().resid)[0, 1])
    best = sorted(sorted(by_hand, key=by_hand.get)[-3:])
    assert (0, 3) in best and taken.shape == (400, 3)
    for pair, column in zip(best, taken.T, strict=True):
        left, wanted = (sm.OLS(one, told).fit().resid for one in (column, z[:, pair[0]] * z[:, pair[1]]))
        assert abs(np.corrcoef(left, wanted)[0, 1]) == pytest.approx(1, abs=1e-9)
    assert products.nearest(x, 0).shape == (400, 0)


def test_cases_are_of_the_rarer_side_and_of_clusters():
    here = SimpleNamespace(chosen=np.arange(12), cluster=np.repeat(np.arange(4), 3))
    known = np.arange(12) < 11
    binary = SimpleNamespace(is_survival=False, is_binary=True, y=np.r_[np.ones(4), np.zeros(8)])
    assert cases(binary, here, known) == 2  # the first four units are of two clusters
    assert cases(SimpleNamespace(is_survival=False, is_binary=False, y=np.arange(12.0)), here, known) == 4
    follow = np.column_stack([np.zeros(12), np.arange(12) % 3 == 0, np.zeros(12)])
    died = SimpleNamespace(is_survival=True, is_binary=False, y=np.ones(12), follow=follow)
    assert cases(died, here, known) == 4


def test_products_that_few_units_carry_are_none():
    rng = np.random.default_rng(0)
    flag = np.r_[np.ones(2), np.zeros(1998)]
    assert Products(np.column_stack([flag, rng.random(2000) < 0.5])).pairs == []
    assert len(Products(np.column_stack([rng.random(2000) < 0.05, rng.random(2000) < 0.5])).pairs) == 1


def test_they_are_chosen_from_a_draw_of_many_units(monkeypatch):
    rng = np.random.default_rng(1)
    z = rng.normal(size=(3000, 4))
    x = np.maximum(z[:, 1] * z[:, 2] - 0.5, 0)
    whole = Products(z).nearest(x, 1)
    monkeypatch.setattr(conjunctions, "DRAWN", 500)
    some = Products(z)
    assert len(some.drawn) == 500 and some.drawn[-1] == 2999
    np.testing.assert_array_equal(some.nearest(x, 1), whole)


@pytest.mark.parametrize("slips", [0, 0.01])
def test_the_meeting_of_two_confounders_itself_is_no_finding(tmp_path, slips):
    """What the products tell without error leaves nothing, or no fit; neither is a word for the feature."""
    rng, n = np.random.default_rng(2), 4000
    old, man = rng.random(n) < 0.5, rng.random(n) < 0.5
    both = (old & man) ^ (rng.random(n) < slips)
    subject = np.repeat(np.arange(n), 3)
    codes = np.column_stack([both[subject], rng.random((3 * n, 3)) < 0.05])
    end = rng.exponential(1 / np.exp(-1 + 1.5 * (old & man)))
    columns = {
        "old": np.where(old, "yes", "no"), "man": np.where(man, "yes", "no"),
        "ill": np.where(rng.random(n) < expit(-1 + 2 * (old & man)), "yes", "no"), "both": np.where(old & man, "yes", "no"),
        "cost": 1.0 * (old & man) + rng.normal(size=n), "t": np.minimum(end, 2.0), "d": 1.0 * (end < 2),
    }  # fmt: skip
    entries = [{"name": name, "type": "binary", "role": "confounder"} for name in ("old", "man")]
    entries += [{"name": name, "type": "binary", "positive": "yes"} for name in ("ill", "both")]
    entries += [
        {"name": "cost", "type": "continuous"},
        {"name": "died", "type": "survival", "time": "t", "event": "d", "origin": "record_end"},
    ]
    made = covariates_of({name: list(values) for name, values in columns.items()}, entries)
    made = replace(made, table=typed(made.table, made.schema, "test"))
    store = store_of(tmp_path, np.full(n, 3), split=rng.choice(["select", "test"], n), shard_samples=1000)
    found = associate(Given(store, codes), made, config=CONFIG).table.filter(feature=0)
    assert set(found["covariate"]) == {"ill", "both", "cost", "died"}
    assert set(found["verdict"]) <= {"confounded", "inconclusive", "token-readout"}
    assert (found["p_test_adjusted_holm"] < 0.001).sum() >= 3, "side by side the confounders do not tell it"


def test_too_few_cases_are_said(tmp_path):
    rng, n = np.random.default_rng(3), 700
    state = rng.random(n) < 0.4
    codes = np.column_stack([np.repeat(state, 3), rng.random((3 * n, 3)) < 0.05])
    ill = np.where(rng.random(n) < np.where(state, 0.25, 0.02), "yes", "no").tolist()
    made = covariates_of(
        {"ill": ill, "age": rng.normal(50, 9, n).tolist()},
        [
            {"name": "ill", "type": "binary", "positive": "yes"},
            {"name": "age", "type": "continuous", "role": "confounder"},
        ],
    )
    store = store_of(tmp_path, np.full(n, 3), split=rng.choice(["select", "test"], n), shard_samples=1000)
    row = associate(Given(store, codes), made, config=CONFIG).table.filter(feature=0).row(0, named=True)
    assert row["verdict"] == "supported" and row["effect_given_products"] is None and TOO_FEW in row["note"]


@pytest.fixture(scope="module")
def old_men(tmp_path_factory):
    """Feature 0 fires in old men alone, whose illness age drives twice as steeply; 1 in a state that makes ill of itself."""
    rng, n = np.random.default_rng(41), 7000
    age, man, state = 50 + 12 * rng.normal(size=n), rng.random(n) < 0.5, rng.random(n) < 0.3
    n_rows = np.maximum(2, rng.poisson(6, n))
    subject = np.repeat(np.arange(n), n_rows)
    codes = rng.random((len(subject), 6)) < 0.05
    codes[:, 0] = ((age > 55) & man)[subject] & (rng.random(len(subject)) < 0.3)
    codes[:, 1] = state[subject] & (rng.random(len(subject)) < 0.4)
    steep = (age - 50) / 12 * (0.5 + 0.7 * man)
    columns = {
        "age": age.tolist(), "man": np.where(man, "yes", "no").tolist(),
        "ill": np.where(rng.random(n) < expit(-1.5 + steep + 0.5 * man + state), "yes", "no").tolist(),
        "cost": (steep + 0.5 * man + state + rng.normal(size=n)).tolist(),
    }  # fmt: skip
    entries = [
        {"name": "age", "type": "continuous", "role": "confounder"},
        {"name": "man", "type": "binary", "role": "confounder"},
        {"name": "ill", "type": "binary", "positive": "yes"},
        {"name": "cost", "type": "continuous"},
    ]
    split = rng.choice(["train", "select", "test"], n, p=[0.1, 0.45, 0.45])
    store = store_of(tmp_path_factory.mktemp("old"), n_rows, split=split, shard_samples=1000)
    return associate(Given(store, codes), covariates_of(columns, entries), config=CONFIG).table


@pytest.mark.parametrize("covariate", ["ill", "cost"])
def test_a_feature_of_two_confounders_together_is_no_finding(old_men, covariate):
    row = old_men.filter(feature=0, covariate=covariate).row(0, named=True)
    assert row["p_test_adjusted_holm"] < 0.01 and row["ci_low_adjusted"] > 0.05, "side by side they do not tell it"
    assert row["effect_given_products"] < row["ci_low_adjusted"] and row["ci_low_given_products"] < 0.05
    assert row["verdict"] in ("confounded", "inconclusive")


@pytest.mark.parametrize("covariate", ["ill", "cost"])
def test_a_feature_with_a_cause_of_its_own_stays(old_men, covariate):
    row = old_men.filter(feature=1, covariate=covariate).row(0, named=True)
    assert row["verdict"] == "supported" and row["effect_given_products"] == pytest.approx(
        row["effect_adjusted"], rel=0.2
    )
    others = old_men.filter(~(old_men["verdict"].is_in(["supported", "confounded", "inconclusive"])))
    assert others["effect_given_products"].null_count() == len(others)
