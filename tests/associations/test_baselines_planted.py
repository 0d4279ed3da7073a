"""A covariate that only two tokens side by side can tell, and a feature that says no more than they do."""

import numpy as np
import polars as pl
import pytest
from associations.planted import covariates_of
from features.small_stores import Given, store_of

from seqsae.associations.baselines import FITTED, K_SPARSE, sources_of
from seqsae.associations.judging import RIVALS
from seqsae.associations.room import associate
from seqsae.associations.targets import targets
from seqsae.associations.units import Units
from seqsae.config import AssociateConfig
from seqsae.features.sources import Tokens
from seqsae.progress import shown

N = 900
ENTRIES = [{"name": "ill", "type": "binary", "positive": "yes"}]
CONFIG = AssociateConfig(poolings=("presence", "rate"), permutations=0, min_support=5)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """All have an A and behind it a B: most of the ill side by side, most others one row apart. Feature 0 fires on the pair."""
    rng = np.random.default_rng(0)
    split = rng.choice(["train", "select", "calibrate", "test"], N, p=[0.1, 0.4, 0.1, 0.4])
    ill, n_rows = rng.random(N) < 0.4, rng.integers(8, 20, N)
    ends = np.cumsum(n_rows)
    tokens = rng.choice(["c", "d"], n_rows.sum()).astype("<U1")
    for sick, end, n in zip(ill, ends, n_rows, strict=True):
        place = end - n + rng.integers(0, n - 2)
        tokens[place] = "A"
        tokens[place + (1 if sick ^ (rng.random() < 0.15) else 2)] = "B"
    paired = np.r_[False, (tokens[:-1] == "A") & (tokens[1:] == "B")]
    paired[ends[:-1]] = False
    codes = (rng.random((len(tokens), 30)) < 0.1) * (0.5 + rng.random((len(tokens), 30)))
    codes[:, 0] = paired * (rng.random(len(tokens)) < 0.95)
    store = store_of(tmp_path_factory.mktemp("pairs"), n_rows, tokens=tokens, split=split)
    return Given(store, codes), covariates_of({"ill": np.where(ill, "yes", "no").tolist()}, ENTRIES)


def told(world, out, *baselines):
    found = associate(*world, config=CONFIG.model_copy(update={"baselines": baselines}), out=out)
    return found, set(found.table.filter(feature=0)["verdict"])


def test_a_pair_tells_what_no_token_does_and_takes_back_the_claim(world, tmp_path):
    found, before = told(world, tmp_path / "a", "token", "token-last")
    assert before == {"supported"}
    assert found.baselines.filter(source="token")["effect"][0] < 0.6
    found, after = told(world, tmp_path / "b", "token", "token-last", "token-pair")
    assert after == {"token-readout"}
    pair = found.baselines.filter(source="token-pair").row(0, named=True)
    assert pair["baseline"].startswith("A then B, ") and pair["effect"] > 0.75 and pair["ci_low"] > 0.7
    assert found.controls["as_expected"].all()


def test_every_baseline_of_the_config_is_there_once_and_by_its_name(world, capsys):
    encoded, covariates = world
    names = tuple(AssociateConfig.model_fields["baselines"].default)
    assert "token-pair" in names and set(RIVALS["token"]) <= set(names)
    with shown():
        sources = sources_of(encoded, ("token-pair", "ica", "mlp-neuron", *K_SPARSE), 0, None, CONFIG)
    assert [source.name for source in sources] == ["sae", "token-pair", "ica", *K_SPARSE]
    told = "baseline mlp-neuron left out: no harvested site is the hidden layer of an MLP; harvest one, or name it in mlp_sites"
    assert capsys.readouterr().err.count(told) == 1
    assert set(K_SPARSE) < set(FITTED)
    [aim] = targets(covariates, encoded.store)
    here = Units(encoded.store, "subject", "select"), Units(encoded.store, "subject", "test")
    probe = next(source for source in sources if source.name == "k-sparse-1")
    assert probe.label(aim) == "ridge on 1 feature" and len(probe.scores(aim, *here)) == len(here[1].chosen)


def test_sites_may_be_named_mlp_neurons(world):
    encoded, _ = world
    config = CONFIG.model_copy(update={"mlp_sites": ("site",)})
    [_, source] = sources_of(encoded, ("mlp-neuron",), 0, None, config)
    assert source.labels[4] == "site neuron 4"


def test_pairs_in_too_few_clusters_are_left_out_and_that_is_said(world, capsys):
    with shown():
        sources = sources_of(world[0], ("token-pair",), 0, None, CONFIG.model_copy(update={"min_support": 10_000}))
    assert len(sources) == 1
    assert (
        "baseline token-pair left out: no two tokens stand side by side in enough clusters" in capsys.readouterr().err
    )


def test_a_pair_is_no_more_than_its_tokens_in_length(world):
    """Many units are many chances; what is chosen on select is scored elsewhere, so a coin stays a coin."""
    encoded, _ = world
    coin = np.random.default_rng(5).choice(["h", "t"], N).tolist()
    found = associate(
        encoded,
        covariates_of({"coin": coin}, [{"name": "coin", "type": "binary"}]),
        config=CONFIG.model_copy(update={"baselines": ("token-pair", "ica", "k-sparse-50")}),
        out=encoded.path.parents[2] / "coin",
    )
    effects = found.baselines.filter(pl.col("source") != "sae")["effect"]
    assert len(effects) == 3 and effects.is_between(0.4, 0.6).all()
    assert Tokens(encoded.store).labels == ["A", "B", "c", "d"]
