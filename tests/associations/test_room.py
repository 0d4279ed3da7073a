"""The associations table as a whole: what the select split decides, what the test split says, and the verdicts."""

import numpy as np
import polars as pl
import pytest
from associations import planted as study
from features.small_stores import Given, parts, store_of
from scipy.stats import false_discovery_control

from seqsae.associations.confounders import Confounders
from seqsae.associations.room import associate
from seqsae.associations.screening import Bench, screened_table, with_choice
from seqsae.associations.targets import Target
from seqsae.config import AssociateConfig
from seqsae.errors import SeqsaeError

CONFIG = AssociateConfig(
    baselines=("neuron", "pca", "token", "token-seen", "position", "composition"),
    poolings=("rate", "mean", "max"),
    min_support=5,
)
PAIR = ["feature", "covariate", "category", "pooling"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return study.planted(tmp_path_factory.mktemp("planted"))


@pytest.fixture(scope="module")
def found(made):
    return associate(made.encoded, made.covariates(), config=CONFIG)


def test_what_was_planted_is_found_and_nothing_else(found):
    held = found.table.filter((pl.col("q_select") <= 0.05) & (pl.col("p_test_holm") <= 0.05))
    pairs = set(held.select("feature", "covariate", "category").unique().rows())
    wanted = {(0, "sex", "m"), (1, "sex", "m"), (2, "age", None), (3, "group", "c")}
    assert wanted <= pairs and not any(covariate == "noise" for _, covariate, _ in pairs)
    turned = held.filter((pl.col("feature") == 1) & (pl.col("covariate") == "sex"))
    assert (turned["effect"] < 0.4).all()


def test_effects_of_the_chosen_are_those_of_the_test_subjects_and_of_the_others_those_of_select(made, found):
    matrices = {pooling: study.pooled(made.codes, made.store, pooling) for pooling in CONFIG.poolings}
    assert found.table.height == 9 * 3 * (1 + 1 + 3 + 1)
    for row in found.table.iter_rows(named=True):
        chosen = row["verdict"] != "not-selected"
        here = made.split == ("test" if chosen else "select")
        y, x = (
            study.label(made.columns[row["covariate"]], row["category"])[here],
            matrices[row["pooling"]][here, row["feature"]],
        )
        assert row["effect"] == pytest.approx(study.effect(x, y, row["effect_name"] == "AUROC"), abs=1e-9)
        assert row["n"] == np.isfinite(y).sum()
        assert row["n_positive"] == (None if row["category"] is None else (y == 1).sum())
        assert (row["p_test"] is None) == (row["ci_low"] is None) == (row["p_test_holm"] is None) == (not chosen)
        assert not chosen or row["ci_low"] <= row["effect"] <= row["ci_high"]


def test_q_and_holm_are_taken_over_all_that_was_tested_and_all_that_was_chosen(found):
    table = found.table
    either = table.with_columns(p=(2 * pl.min_horizontal("p_select", "p_select_adjusted")).clip(0, 1)).drop_nulls("p")
    assert np.allclose(either["q_select"], false_discovery_control(either["p"].to_numpy(), method="bh"))
    for name in ("p_test", "p_test_adjusted"):
        chosen = table.filter(pl.col(name).is_not_null())
        assert set(chosen["q_select"] <= 0.05) == {True}
        p = np.sort(chosen[name].to_numpy())
        stepped = np.minimum(np.maximum.accumulate(p * np.arange(len(p), 0, -1)), 1)
        assert len(p) > 5 and np.allclose(np.sort(chosen[f"{name}_holm"].to_numpy()), stepped)


def test_verdicts_follow_from_the_tables(found):
    rivals = {
        (row["covariate"], row["category"], row["source"]): row["effect"]
        for row in found.baselines.iter_rows(named=True)
    }
    for row in found.table.iter_rows(named=True):
        nothing = 0.5 if row["effect_name"] == "AUROC" else 0
        strength = abs(row["effect"] - nothing)
        token = rivals[row["covariate"], row["category"], "token"] - nothing
        assert (row["verdict"] == "not-selected") == (row["q_select"] is None or row["q_select"] > 0.05)
        if row["verdict"] == "supported":
            assert row["p_test_adjusted_holm"] <= 0.05 and row["ci_low_adjusted"] * row["ci_high_adjusted"] > 0
            assert abs(row["effect_adjusted"]) >= 0.1
            left = min(abs(row["ci_low_given_token"]), abs(row["ci_high_given_token"]))
            assert strength > token or (row["ci_low_given_token"] * row["ci_high_given_token"] > 0 and left > 0)
        if row["verdict"] == "token-readout":
            assert row["p_test_adjusted_holm"] <= 0.05 and (strength <= token or row["ci_high_given_token"] < 0.1)
        if row["verdict"] == "confounded":
            assert row["p_test_holm"] <= 0.05 and max(abs(row["ci_low_adjusted"]), abs(row["ci_high_adjusted"])) < 0.1
    assert {"not-selected", "supported"} <= set(found.table["verdict"])


def test_luck_reaches_less_than_what_was_planted_and_inflation_is_told(found):
    told = found.diagnostics
    assert told.height == 3 * (1 + 1 + 3 + 1) and set(told["n_permutations"]) == {200}
    null = found.table.select(*PAIR[1:], "null_95").unique()
    assert null.sort(*PAIR[1:], nulls_last=True).equals(
        told.select(*PAIR[1:], "null_95").sort(*PAIR[1:], nulls_last=True)
    )
    planted = found.table.filter(covariate="sex", feature=0)
    assert ((planted["effect"] - 0.5).abs() > planted["null_95"]).all()
    assert told["inflation"].null_count() == len(told), "nine features are too few for an inflation factor"


def shuffled(made, names, splits, seed=0):
    """The named covariates dealt anew among the subjects of some splits."""
    here = np.flatnonzero(np.isin(made.split, splits))
    order = np.random.default_rng(seed).permutation(here)
    changed = {}
    for name in names:
        column = list(made.columns[name])
        for place, source in zip(here, order, strict=True):
            column[place] = made.columns[name][source]
        changed[name] = column
    return made.covariates(**changed)


def test_labels_of_the_test_split_choose_nothing(made, found, tmp_path):
    other = associate(made.encoded, shuffled(made, made.columns, ["test"]), config=CONFIG, out=tmp_path)
    choice = [*PAIR, "p_select", "q_select"]
    assert other.table.select(choice).equals(found.table.select(choice))
    assert (other.table["p_test"].is_null() == found.table["p_test"].is_null()).all()
    assert not other.table["effect"].equals(found.table["effect"])
    chosen = ["covariate", "category", "source", "baseline"]
    assert other.baselines.select(chosen).equals(found.baselines.select(chosen))


def test_labels_of_the_other_splits_change_nothing(made, found, tmp_path):
    other = associate(made.encoded, shuffled(made, made.columns, ["train", "calibrate"]), config=CONFIG, out=tmp_path)
    assert other.table.equals(found.table) and other.baselines.equals(found.baselines)


def test_labels_of_the_select_split_do_not_reach_test_effects(made, found, tmp_path):
    turned = list(made.columns["sex"])
    for i in np.flatnonzero(made.split == "select")[:6]:
        turned[i] = {"f": "m", "m": "f", None: None}[turned[i]]
    other = associate(made.encoded, made.covariates(sex=turned), config=CONFIG, out=tmp_path)
    assert not other.table["p_select"].equals(found.table["p_select"])
    both = found.table.join(other.table, on=PAIR, how="inner", nulls_equal=True).filter(
        (pl.col("covariate") == "sex") & pl.col("p_test").is_not_null() & pl.col("p_test_right").is_not_null()
    )
    assert len(both) > 2
    for name in ("effect", "p_test", "ci_low", "ci_high", "n"):
        assert both[name].to_list() == both[f"{name}_right"].to_list()


def test_a_feature_silent_on_the_test_split_keeps_no_effect_of_the_select_split(tmp_path):
    rng = np.random.default_rng(0)
    n_rows = np.full(200, 3)
    split = np.array(parts(200))
    y = rng.normal(size=200)
    codes = np.zeros((600, 2))
    codes[:, 0] = np.where(split == "test", 0, np.maximum(y, 0) + 0.1).repeat(3)
    store = store_of(tmp_path, n_rows)
    table = associate(
        Given(store, codes),
        study.covariates_of({"y": y}, [{"name": "y", "type": "continuous"}]),
        config=CONFIG.model_copy(update={"baselines": ("token",)}),
    ).table
    chosen = table.filter((pl.col("feature") == 0) & (pl.col("q_select") <= 0.05))
    assert len(chosen) and chosen["effect"].null_count() == len(chosen)
    assert set(chosen["verdict"]) == {"inconclusive"}
    dead = table.filter(pl.col("feature") == 1)
    assert dead["effect"].null_count() == len(dead), "an effect that is not defined is null, not NaN"


def test_a_tie_that_turns_round_on_the_test_split_is_not_replicated(tmp_path):
    rng = np.random.default_rng(2)
    n_rows, split = np.full(300, 5), np.array(parts(300))
    y = rng.random(300) < 0.5
    codes = np.maximum(0, np.where(split == "test", ~y, y).repeat(5)[:, None] + rng.normal(size=(1500, 1)))
    found = associate(
        Given(store_of(tmp_path, n_rows), codes),
        study.covariates_of({"y": [str(one) for one in y]}, [{"name": "y", "type": "binary"}]),
        config=CONFIG.model_copy(update={"baselines": ("token",)}),
    )
    assert (found.table["p_test_holm"] < 0.05).all() and (found.table["effect"] < 0.4).all()
    assert set(found.table["verdict"]) == {"not-replicated"}


def test_a_rival_that_turned_round_on_the_test_split_beats_nothing(tmp_path):
    rng = np.random.default_rng(1)
    n_rows, split = np.full(300, 5), np.array(parts(300))
    y = rng.random(300) < 0.5
    share = np.where(split == "test", np.where(y, 0.2, 0.8), np.where(y, 0.8, 0.2))
    tokens = np.where(rng.random(1500) < share.repeat(5), "p", "q")
    codes = np.zeros((1500, 1))
    codes[:, 0] = np.maximum(0, y.repeat(5) + rng.normal(size=1500))
    found = associate(
        Given(store_of(tmp_path, n_rows, tokens=tokens), codes),
        study.covariates_of({"y": [str(one) for one in y]}, [{"name": "y", "type": "binary"}]),
        config=CONFIG.model_copy(update={"baselines": ("token",)}),
    )
    assert found.baselines.filter(pl.col("source") == "token")["effect"][0] < 0.2
    assert "token-readout" not in found.table["verdict"].to_list() and found.table["p_test"].null_count() < len(
        found.table
    )


def test_a_table_of_ones_own_is_keyed_by_subject_id(made, tmp_path):
    names = made.store.subjects["subject_id"].to_list()
    table = pl.DataFrame(
        {"subject_id": names[::-1], "noise": made.columns["noise"][::-1], "sex": made.columns["sex"][::-1]}
    )
    found = associate(made.encoded, table, config=CONFIG, out=tmp_path)
    direct = associate(
        made.encoded, made.covariates(study.ENTRIES[3:4] + study.ENTRIES[:1]), config=CONFIG, out=tmp_path / "b"
    )
    assert found.table.equals(direct.table)
    with_own = table.with_columns(pl.Series("subject", range(len(names)), dtype=pl.UInt32))
    assert (
        associate(made.encoded, with_own.drop("sex"), config=CONFIG, out=tmp_path / "c")
        .table.filter(pl.col("covariate") == "noise")["p_select"]
        .equals(direct.table.filter(pl.col("covariate") == "noise")["p_select"])
    )


def test_nothing_to_tie_to_is_said(made, tmp_path):
    rare = ["yes" if i < 3 else "no" for i in range(study.N)]
    with pytest.raises(SeqsaeError, match="no covariate has enough"):
        associate(
            made.encoded,
            study.covariates_of({"rare": rare}, [{"name": "rare", "type": "binary"}]),
            config=CONFIG,
            out=tmp_path,
        )


@pytest.mark.parametrize("shared", [False, True], ids=["dealt by subject", "dealt by cluster"])
def test_noise_makes_no_discoveries_beyond_the_level(made, shared):
    """100 covariates that mean nothing, each screened on its own: any discovery at q 0.05 in at most about 5 of them."""
    rng = np.random.default_rng(3)
    aims = []
    for number in range(100):
        binary = number % 2 == 0
        n = study.N // 2 if shared else study.N
        y = (rng.random(n) < rng.choice([0.1, 0.3, 0.5])).astype(float) if binary else np.round(rng.normal(size=n), 1)
        y = y.repeat(2) if shared else y
        aims.append(Target(f"n{number}", None, "binary" if binary else "continuous", "subject", y))
    bench = Bench(made.encoded, Confounders(made.covariates([]), made.store), CONFIG)
    table, _ = screened_table(bench, aims)
    runs = [with_choice(table.filter(pl.col("covariate") == aim.covariate), CONFIG) for aim in aims]
    assert sum(run["p_either"].drop_nulls().len() > 0 for run in runs) > 85, "a few are too rare to be tested"
    assert sum(run["selected"].any() for run in runs) <= 10
