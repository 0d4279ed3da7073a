"""A world in which every verdict is known beforehand: hidden states, age that moves both sides, a covariate that is one token."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from associations.planted import covariates_of
from features.small_stores import Given, store_of

from seqsae.associations.confounders import Confounders
from seqsae.associations.room import associate
from seqsae.associations.targets import targets
from seqsae.config import AssociateConfig
from seqsae.errors import SeqsaeError
from seqsae.progress import shown
from seqsae.records.covariates import check_schema, typed

N = 1600
CONFIG = AssociateConfig(
    poolings=("presence", "rate"), baselines=("token", "position", "confounders"), permutations=50, min_support=5
)
ENTRIES = [
    {"name": "age", "type": "continuous", "role": "confounder"},
    {"name": "region", "type": "categorical", "role": "stratum"},
    {"name": "ill", "type": "binary", "positive": "yes"},
    {"name": "debt", "type": "continuous"},
    {
        "name": "death",
        "type": "survival",
        "time": "t",
        "event": "d",
        "entry": "t0",
        "competing": "left",
        "origin": "record_end",
    },
    {"name": "glasses", "type": "binary", "positive": "yes"},
    {"name": "coded", "type": "binary", "positive": "yes"},
    {"name": "coin", "type": "binary", "role": "negative-control"},
]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Feature 0 fires in a hidden state, 1 with age, 2 where token X stands, the other 57 at random; households of two."""
    rng = np.random.default_rng(0)
    split = rng.choice(["train", "select", "calibrate", "test"], N // 2, p=[0.1, 0.4, 0.1, 0.4]).repeat(2)
    age = np.round(50 + 12 * (0.7 * rng.normal(size=N // 2).repeat(2) + 0.7 * rng.normal(size=N)), 1)
    state = rng.random(N) < 0.4
    n_rows = rng.integers(8, 25, N)
    subject = np.repeat(np.arange(N), n_rows)
    total = len(subject)
    chance = np.full((total, 60), 0.05)
    chance[:, 0] = np.where(state[subject], 0.35, 0.02)
    chance[:, 1] = np.clip(0.02 + 0.006 * (age[subject] - 35), 0.0, 0.6)
    coded = rng.random(N) < 0.4
    tokens = np.where(coded[subject] & (rng.random(total) < 0.3), "X", rng.choice(["a", "b", "c"], total))
    chance[:, 2] = np.where(tokens == "X", 0.9, 0.02)
    codes = (rng.random((total, 60)) < chance) * (0.5 + rng.random((total, 60)))
    lively = -3 + 0.04 * (age - 50) + 1.4 * state
    end = 1 + rng.exponential(1 / np.exp(lively + 2)) * 3
    censored, left = 1 + rng.exponential(4, N), 1 + rng.exponential(9, N)
    time = np.minimum(np.minimum(end, censored), left)
    columns = {
        "age": np.where(rng.random(N) < 0.05, np.nan, age),
        "region": rng.choice(["n", "s"], N),
        "ill": np.where(rng.random(N) < 1 / (1 + np.exp(1 - 0.03 * (age - 50) - 1.5 * state)), "yes", "no"),
        "debt": np.round(0.05 * (age - 50) + 1.2 * state + rng.normal(size=N), 2),
        "t": time, "d": (end <= np.minimum(censored, left)) * 1.0, "t0": rng.random(N), "left": left <= np.minimum(end, censored),
        "glasses": np.where(rng.random(N) < 1 / (1 + np.exp(-0.12 * (age - 50))), "yes", "no"),
        "coded": np.where(coded, "yes", "no"),
        "coin": rng.choice(["h", "t"], N),
    }  # fmt: skip
    store = store_of(tmp_path_factory.mktemp("world"), n_rows, tokens=tokens, split=split, cluster=np.arange(N) // 2)
    return store, codes, columns


def covariates(columns):
    made = covariates_of({name: list(values) for name, values in columns.items()}, ENTRIES)
    return replace(made, table=typed(made.table, made.schema, "test"))


@pytest.fixture(scope="module")
def found(world):
    store, codes, columns = world
    return associate(Given(store, codes), covariates(columns), config=CONFIG)


def verdicts_of(found, feature, covariate):
    return set(found.table.filter(feature=feature, covariate=covariate)["verdict"])


@pytest.mark.parametrize("covariate", ["ill", "debt", "death"])
def test_the_hidden_state_is_supported(found, covariate):
    assert verdicts_of(found, 0, covariate) == {"supported"}
    row = found.table.filter(feature=0, covariate=covariate, pooling="rate").row(0, named=True)
    assert (
        row["adjusted_name"]
        == {"ill": "log odds ratio", "debt": "partial spearman", "death": "log hazard ratio"}[covariate]
    )
    assert row["ci_low_adjusted"] < row["effect_adjusted"] < row["ci_high_adjusted"] and row["effect_adjusted"] > 0.2
    assert row["effect_name"] == {"ill": "AUROC", "debt": "spearman", "death": "C-index"}[covariate]
    assert row["ci_low"] < row["effect"] < row["ci_high"] and row["n_seeds"] is None


def test_what_age_alone_explains_is_not(found):
    rows = found.table.filter(feature=1, covariate="glasses")
    assert (rows["p_test_holm"] < 0.05).all(), "crudely it is there"
    assert set(rows["verdict"]) <= {"confounded", "inconclusive"}
    for covariate in ("ill", "debt", "death"):
        assert "supported" not in verdicts_of(found, 1, covariate)


def test_a_copy_of_a_token_is_a_token_readout(found):
    assert verdicts_of(found, 2, "coded") == {"token-readout"}
    rows = found.table.filter(feature=2, covariate="coded")
    assert (rows["effect"] > 0.8).all() and (rows["effect_given_token"].abs() < rows["effect_adjusted"].abs()).all()


def test_nothing_else_is_supported(found):
    others = found.table.filter((pl.col("feature") > 2) | (pl.col("covariate") == "coin"))
    assert set(others["verdict"]) <= {"not-selected", "not-replicated", "inconclusive"}
    assert not {"age", "region"} & set(found.table["covariate"]), "confounders and strata are not tested"


def test_inflation_tells_of_confounding_and_adjustment_takes_it_away(found):
    told = found.diagnostics.filter(pooling="rate")
    assert told.filter(covariate="coin")["inflation"].is_between(0.5, 2).all()
    assert (told["inflation_adjusted"].is_between(0.4, 2.2)).all()
    assert told.filter(covariate="death")["null_95"].null_count() == 1 and told["null_95"].null_count() == 1
    assert told.filter(covariate="ill")["null_95"].is_between(0.03, 0.15).all()


def test_controls_come_out_as_they_must(found):
    told = found.controls
    assert told["control"].to_list() == ["coin of the cluster", "coin of the sample", "drawn by length", "planted"]
    assert told["as_expected"].all() and told.filter(kind="negative")["supported"].sum() == 0
    planted = told.filter(kind="positive").row(0, named=True)
    assert planted["selected"] >= 1 and planted["feature"] is not None


def test_the_confounders_alone_stand_beside(found):
    alone = found.baselines.filter(source="confounders")
    assert set(alone["covariate"]) == {"ill", "debt", "death", "glasses", "coded", "coin"}
    by = dict(alone.select("covariate", "effect").iter_rows())
    assert by["glasses"] > 0.75 and by["death"] > 0.53 and 0.4 < by["coin"] < 0.6


def test_who_has_no_age_is_left_out_or_has_a_level_of_its_own(world, capsys):
    store, _, columns = world
    made, gone = Confounders(covariates(columns), store), np.isnan(columns["age"])
    with shown():
        z = made.of("subject")
    assert made.names == ["age", "region", "log rows"]
    assert z.shape == (N, 4 + 5 + 1) and (np.isfinite(z).all(axis=1) == ~gone).all()
    assert f"confounder 'age': {gone.sum()} of 1,600 have no value and are left out" in capsys.readouterr().err
    assert made.of("token").shape[0] == store.n_rows
    given = covariates(columns)
    entries = [
        entry | {"missing": "level"} if entry["name"] == "age" else entry for entry in given.schema["covariates"]
    ]
    z = Confounders(replace(given, schema={"covariates": entries}), store).of("subject")
    assert np.isfinite(z).all() and any((z[:, j] == gone).all() for j in range(z.shape[1]))


def test_a_missing_category_may_be_a_category(world):
    store, codes, columns = world
    table = columns | {"ill": [None if i % 3 == 0 else value for i, value in enumerate(columns["ill"])]}
    entries = [{"name": "ill", "type": "categorical", "missing": "level"}]
    made = covariates_of({"ill": table["ill"]}, entries)
    assert {aim.category for aim in targets(made, store)} == {"no", "yes", "missing"}
    made = covariates_of({"ill": table["ill"]}, [{"name": "ill", "type": "categorical"}])
    assert {aim.category for aim in targets(made, store)} == {"no", "yes"}


SURVIVAL = {"name": "death", "type": "survival", "time": "t", "event": "d", "entry": "t0"}


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"t": [1.0, -2.0, 3.0]}, "row 1 \\(1 in all\\): -2.0 is negative"),
        ({"t": [1.0, float("inf"), 3.0]}, "row 1 .* is infinite"),
        ({"t": ["1", "x", "3"]}, "column 't', row 1: 'x' is no number; give years or days"),
        ({"d": [True, False, "maybe"]}, "column 'd', row 2: 'maybe' is neither yes nor no"),
        ({"d": [0, 0, None]}, "nobody has the event"),
        ({"t0": [0.0, 5.0, 0.0]}, "row 1 .* is no later than the entry"),
    ],
)
def test_follow_up_that_cannot_be_is_one_line(changed, told):
    given = {"t": [1.0, 2.0, 3.0], "d": [1, 0, 1], "t0": [0.0, 0.5, 0.0]} | changed
    table = pl.DataFrame(
        {
            "subject": pl.Series(range(3), dtype=pl.UInt32),
            **{
                k: pl.Series(v, strict=False) if k != "d" else pl.Series([None if x is None else str(x) for x in v])
                for k, v in given.items()
            },
        }
    )
    document = check_schema({"covariates": [SURVIVAL]}, "here")
    with pytest.raises(SeqsaeError, match=f"here: survival covariate 'death'.*{told}") as caught:
        typed(table, document, "here")
    assert "\n" not in str(caught.value)


def test_a_survival_schema_must_name_its_columns():
    with pytest.raises(SeqsaeError, match="names no column 'event'; add it"):
        check_schema({"covariates": [{"name": "x", "type": "survival", "time": "t"}]}, "here")
    with pytest.raises(SeqsaeError, match="is of level token; it holds for whole subjects"):
        check_schema({"covariates": [SURVIVAL | {"level": "token"}]}, "here")
    table = pl.DataFrame({"subject": pl.Series([0], dtype=pl.UInt32), "t": [1.0]})
    with pytest.raises(SeqsaeError, match="no column 'd' for its event; found subject, t"):
        typed(table, check_schema({"covariates": [SURVIVAL]}, "here"), "here")
