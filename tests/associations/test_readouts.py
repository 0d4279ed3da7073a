"""A feature that is one token and nothing else is told so, whatever the best token is and whatever baselines a run has."""

import numpy as np
import polars as pl
import pytest
from associations.planted import covariates_of
from features.small_stores import Given, store_of

from seqsae.associations.room import associate
from seqsae.caption_options import CaptionConfig
from seqsae.config import AssociateConfig

N = 2400


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Token B tells most of the covariate, token A tells of it too; feature 0 is A, feature 1 a state behind both and more."""
    rng = np.random.default_rng(0)
    n_rows = rng.integers(8, 30, N)
    subject = np.repeat(np.arange(N), n_rows)
    token = rng.choice(list("ABcdefgh"), len(subject), p=[0.03, 0.05] + [0.92 / 6] * 6)
    has = {name: np.bincount(subject, token == name, N) > 0 for name in "AB"}
    state = rng.random(N) < 0.3
    y = rng.random(N) < 1 / (1 + np.exp(-(-2.5 + 1.0 * has["A"] + 1.8 * has["B"] + 1.6 * state)))
    codes = np.where(rng.random((len(subject), 5)) < 0.05, 1.0, 0)
    codes[:, 0] = token == "A"
    codes[:, 1] = (rng.random(len(subject)) < 0.4) * state[subject]
    split = rng.choice(["train", "select", "calibrate", "test"], N, p=[0.05, 0.45, 0.05, 0.45])
    store = store_of(tmp_path_factory.mktemp("readouts"), n_rows, tokens=token, split=split)
    covariates = covariates_of({"ill": np.where(y, "yes", "no").tolist()}, [{"name": "ill", "type": "binary"}])
    return Given(store, codes), covariates


@pytest.mark.parametrize("baselines", [("token", "token-pair"), ("neuron",), ()])
def test_its_own_token_is_what_a_copy_must_beat(world, tmp_path, baselines):
    config = AssociateConfig(baselines=baselines, permutations=0, captions=CaptionConfig(make=False))
    table = associate(*world, out=tmp_path, config=config).table
    copy, state = (table.filter(feature=feature) for feature in (0, 1))
    assert (copy["p_test_adjusted_holm"] <= 0.05).any() and (copy["ci_low"] > 0.5).any(), "it tells of the covariate"
    held = copy.filter(pl.col("p_test_adjusted_holm") <= 0.05)
    assert set(held["verdict"]) == {"token-readout"} and (held["effect_given_token"] == 0).all()
    assert "supported" not in set(copy["verdict"])
    assert "supported" in set(state["verdict"])
    assert (state.filter(verdict="supported")["ci_low_given_token"] > 0).all()


def test_what_could_be_held_for_true_is_refitted_however_few_refits_are_asked(world, tmp_path):
    config = AssociateConfig(baselines=(), permutations=0, refits=0, captions=CaptionConfig(make=False))
    table = associate(*world, out=tmp_path, config=config).table.filter(pl.col("verdict") != "not-selected")
    true = pl.min_horizontal("p_test_holm", "p_test_adjusted_holm") <= 0.05
    first_order = pl.col("note") == "intervals to first order"
    assert not table.filter(true).select(first_order.any()).item()
    assert table.filter(~true).select(first_order.all()).item()
