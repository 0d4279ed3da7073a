"""The table of probes on small studies: planted targets, noise, folds, what cannot be probed, and a pipeline of scikit-learn."""

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp
from associations.planted import covariates_of
from features.small_stores import Given, store_of
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from seqsae.associations.confounders import Confounders
from seqsae.associations.probing import study
from seqsae.associations.probing.bases import Basis, bases_of, pooled
from seqsae.associations.probing.folds import HeldOut, folds_of
from seqsae.associations.probing.ridge import STRENGTHS
from seqsae.associations.targets import targets
from seqsae.probe_options import ProbeConfig
from seqsae.progress import shown
from seqsae.records.covariates import check_schema, typed

N = 400  # subjects, half of them held out, two a cluster
WIDTH = 40
CONFIG = ProbeConfig(bases=("sae", "neuron"), ks=(1, 2, 3, 5), poolings=("mean",), min_support=3)
ENTRIES = [
    {"name": "two", "type": "binary", "positive": "y"},
    {"name": "sum", "type": "continuous"},
    {"name": "coin", "type": "binary", "positive": "y"},
    {"name": "sized", "type": "continuous", "role": "confounder"},
    {"name": "follows", "type": "continuous"},
]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Features 3 and 8 decide `two`, 1, 2 and 4 `sum`; `follows` is a confounder's and no feature's."""
    rng = np.random.default_rng(0)
    n_rows = rng.integers(2, 6, N)
    subject = np.repeat(np.arange(N), n_rows)
    own = rng.exponential(size=(N, WIDTH)) * (rng.random((N, WIDTH)) < 0.5)
    codes = own[subject] + 0.01 * (own[subject] > 0) * rng.random((len(subject), WIDTH))
    split = np.array(["train", "select", "train", "test"] * (N // 4))[np.arange(N) // 2 % 4]
    mixing = rng.normal(size=(WIDTH, 5))
    store = store_of(tmp_path_factory.mktemp("study"), n_rows, x=codes @ mixing, split=split, cluster=np.arange(N) // 2)
    sized = rng.normal(size=N)
    columns = {
        "two": np.where(own[:, 3] - own[:, 8] + rng.normal(0, 0.2, N) > 0, "y", "n").tolist(),
        "sum": (own[:, 1] + own[:, 2] + own[:, 4] + rng.normal(0, 0.1, N)).tolist(),
        "coin": rng.choice(["y", "n"], N).tolist(),
        "sized": sized.tolist(),
        "follows": (sized + rng.normal(0, 0.3, N)).tolist(),
    }
    return Given(store, codes), covariates_of(columns, ENTRIES)


@pytest.fixture(scope="module")
def table(made):
    encoded, covariates = made
    aims = targets(covariates, encoded.store)
    return study.probe_table(encoded, Confounders(covariates, encoded.store), aims, CONFIG, 0)


def row(table, covariate, basis, k=None):
    [found] = table.filter(
        pl.col("covariate") == covariate, pl.col("basis") == basis, pl.col("k").eq_missing(pl.lit(k, pl.Int64))
    ).iter_rows(named=True)
    return found


def test_a_target_of_k_features_is_read_off_k_features(table):
    assert row(table, "two", "sae", 2)["effect"] > row(table, "two", "sae", 1)["effect"] + 0.05
    assert row(table, "two", "sae", 2)["effect"] > 0.87
    assert row(table, "two", "sae", 5)["effect"] == pytest.approx(row(table, "two", "sae", 2)["effect"], abs=0.06)
    assert {part.split(" (")[0] for part in row(table, "two", "sae", 2)["chosen"].split(", ")} == {
        "feature 3",
        "feature 8",
    }
    three = row(table, "sum", "sae", 3)
    assert three["effect"] > 0.97 and three["r2"] > 0.95 > row(table, "sum", "sae", 2)["r2"]
    assert row(table, "sum", "neuron")["effect"] < three["effect"]


def test_a_coin_is_at_chance(table):
    coins = table.filter(pl.col("covariate") == "coin")
    assert len(coins) == 1 + 2 * 5
    assert (coins["ci_low"] <= 0.5).all() and (coins["ci_high"] >= 0.5).all()
    gains = coins.drop_nulls("gain")
    assert (gains["gain_low"] <= 0.01).all() and (gains["gain_high"] >= -0.01).all()


def test_noise_with_more_features_than_subjects_is_at_chance(tmp_path):
    rng = np.random.default_rng(4)
    store = store_of(tmp_path, np.ones(200, int), split=["select", "train"] * 100)
    encoded = Given(store, rng.random((200, 500)) * (rng.random((200, 500)) < 0.3))
    columns = {f"n{i}": rng.choice(["y", "n"], 200).tolist() for i in range(4)}
    covariates = covariates_of(columns, [{"name": name, "type": "binary", "positive": "y"} for name in columns])
    aims = targets(covariates, store)
    config = ProbeConfig(bases=("sae",), ks=(1, 10), poolings=("mean",), folds=5, min_support=3)
    table = study.probe_table(encoded, Confounders(covariates, store), aims, config, 0)
    mine = table.filter(pl.col("basis") == "sae")
    assert len(mine) == 4 * 3 and mine["n"].unique().to_list() == [100]
    assert (mine["ci_low"] <= 0.5).all() and (mine["ci_high"] >= 0.5).all()


def test_what_confounders_say_is_no_gain(table):
    alone, sae = row(table, "follows", "confounders"), row(table, "follows", "sae")
    assert alone["effect"] > 0.9 and alone["effect_given"] is None
    assert abs(sae["effect"]) < 0.25 and sae["effect_given"] > 0.85 and sae["gain_high"] < 0.03
    assert row(table, "sum", "sae", 3)["gain"] > 0.5


def test_dense_effects_are_those_of_a_pipeline(made, table):
    """StandardScaler and Ridge with the same folds, inner ones by leaving out each of the others."""
    encoded, covariates = made
    here = HeldOut(encoded.store, "subject")
    fold = folds_of(here.cluster, CONFIG.folds, 0)
    sample = encoded.store.row_sample
    dense = encoded.matrix.toarray().astype(float)
    x = np.array([dense[sample == i].mean(axis=0) for i in here.chosen])
    y = (covariates.table["two"].to_numpy()[here.chosen] == "y").astype(float)
    scores = np.empty(len(y))
    for held in range(CONFIG.folds):
        inside = np.flatnonzero(fold != held)
        loss = np.zeros(len(STRENGTHS))
        for inner in set(fold[inside]):
            fit, rest = inside[fold[inside] != inner], inside[fold[inside] == inner]
            scaler = StandardScaler().fit(x[fit])
            for j, strength in enumerate(STRENGTHS):
                model = Ridge(alpha=strength * len(fit)).fit(scaler.transform(x[fit]), y[fit])
                loss[j] += ((model.predict(scaler.transform(x[rest])) - y[rest]) ** 2).sum()
        scaler = StandardScaler().fit(x[inside])
        model = Ridge(alpha=STRENGTHS[loss.argmin()] * len(inside)).fit(scaler.transform(x[inside]), y[inside])
        seen = model.predict(scaler.transform(x[inside]))
        scores[fold == held] = (model.predict(scaler.transform(x[fold == held])) - seen.mean()) / seen.std()
    assert row(table, "two", "sae")["effect"] == pytest.approx(roc_auc_score(y, scores), abs=1e-6)


def test_train_subjects_and_the_other_folds_do_not_matter_to_who_is_scored(made):
    encoded, _ = made
    here = HeldOut(encoded.store, "subject")
    split = encoded.store.subjects["split"].to_numpy()
    assert set(split[here.chosen]) == {"select", "test"} and len(here.chosen) == N // 2
    fold = folds_of(here.cluster, 5, 3)
    assert all(len(set(fold[here.cluster == one])) == 1 for one in set(here.cluster))


def test_the_same_seed_gives_the_same_table_and_another_one_another(made, table):
    encoded, covariates = made
    aims = targets(covariates, encoded.store)
    confounders = Confounders(covariates, encoded.store)
    few = CONFIG.model_copy(update={"bases": ("sae",), "ks": (1,)})
    again = [study.probe_table(encoded, confounders, aims, few, seed) for seed in (0, 0, 1)]
    assert again[0].equals(again[1]) and not again[0].equals(again[2])


@pytest.mark.parametrize("options", [{"fit": "logistic"}, {"choice": "greedy"}])
def test_other_fits_and_choices_find_what_is_planted(made, options):
    encoded, covariates = made
    aims = [aim for aim in targets(covariates, encoded.store) if aim.covariate == "two"]
    config = CONFIG.model_copy(update={"bases": ("sae",), "ks": (2,), **options})
    table = study.probe_table(encoded, Confounders(covariates, encoded.store), aims, config, 0)
    assert row(table, "two", "sae", 2)["effect"] > 0.85 and row(table, "two", "sae")["effect"] > 0.75


def test_what_cannot_be_probed_is_one_line_or_a_note(made, capsys):
    encoded, _ = made
    rng = np.random.default_rng(0)
    gap = [None] * N
    columns = {
        "constant": [1.0] * N,
        "gone": gap,
        "rare": ["y" if i == 1 else "n" for i in range(N)],
        "copy": np.where(np.arange(N) % 2, "y", "n").tolist(),
        "few": [float(v) if i % 40 < 6 else None for i, v in enumerate(rng.normal(size=N))],
    }
    kinds = {"constant": "continuous", "gone": "continuous", "few": "continuous"}
    covariates = covariates_of(columns, [{"name": name, "type": kinds.get(name, "binary")} for name in columns])
    covariates = type(covariates)(covariates.table.with_columns(pl.col("gone").cast(pl.Float64)), covariates.schema)
    aims = targets(covariates, encoded.store)
    config = CONFIG.model_copy(update={"bases": ("sae",), "ks": (1,), "min_support": 1000})
    with shown():
        table = study.probe_table(encoded, Confounders(covariates, encoded.store), aims, config, 0)
    said = capsys.readouterr().err
    assert all(f"covariate {name}" in said and "not probed" in said for name in ("constant", "gone", "rare"))
    assert set(table["covariate"]) == {"copy", "few"}
    none = table.filter(pl.col("probe") == "k-sparse")
    assert none["effect"].null_count() == len(none) and none["note"].null_count() == 0
    dense = table.filter((pl.col("probe") == "dense") & (pl.col("basis") == "sae"))
    assert dense["note"].null_count() == len(dense)


def test_classes_that_can_be_told_apart_have_an_interval(tmp_path):
    y = np.arange(120) % 3 == 0
    store = store_of(tmp_path, np.ones(120, int), split=["select"] * 120)
    encoded = Given(store, np.column_stack([y, ~y, np.ones(120)]))
    covariates = covariates_of(
        {"told": np.where(y, "y", "n").tolist()}, [{"name": "told", "type": "binary", "positive": "y"}]
    )
    config = ProbeConfig(bases=("sae",), ks=(1, 2), poolings=("mean", "presence"), min_support=1)
    table = study.probe_table(encoded, Confounders(covariates, store), targets(covariates, store), config, 0)
    found = table.filter(pl.col("basis") == "sae")
    assert (found["effect"] == 1).all() and (found["ci_low"] > 0.8).all() and (found["ci_low"] < 1).all()


def test_time_to_an_event_is_read_off_the_feature_that_hastens_it(tmp_path):
    rng = np.random.default_rng(1)
    x = rng.random((300, 6)) * (rng.random((300, 6)) < 0.6)
    time = rng.exponential(np.exp(-3 * x[:, 2])) + 0.01
    end = rng.uniform(0.5, 3, 300)
    store = store_of(tmp_path, np.ones(300, int), split=["select", "test", "calibrate"] * 100)
    entries = [{"name": "death", "type": "survival", "time": "t", "event": "e"}]
    frame = pl.DataFrame(
        {
            "subject": pl.Series(range(300), dtype=pl.UInt32),
            "t": np.minimum(time, end),
            "e": (time <= end).astype(np.int64),
        }
    )
    document = check_schema({"covariates": entries}, "test")
    covariates = covariates_of({"x": [0] * 300}, [])
    covariates = type(covariates)(typed(frame, document, "test"), document)
    config = ProbeConfig(bases=("sae",), ks=(1,), poolings=("mean",), min_support=3)
    table = study.probe_table(Given(store, x), Confounders(covariates, store), targets(covariates, store), config, 0)
    found = row(table, "death", "sae", 1)
    assert found["effect_name"] == "C-index" and found["ci_low"] > 0.6 and found["chosen"].startswith("feature 2 (5/5)")


def test_wide_bases_are_cut_to_what_is_on_most_often(made):
    encoded, _ = made
    here = HeldOut(encoded.store, "subject")
    found = pooled(Basis("sae", "site", encoded), here, CONFIG)
    narrow = found.dense(7)
    often = np.argsort(-np.diff(sp.csc_array(found.matrices[0]).indptr), kind="stable")[:7]
    np.testing.assert_array_equal(narrow.toarray(), found.matrices[0].toarray()[:, np.sort(often)])
    assert found.dense(100).shape[1] == WIDTH
    names = [(basis.name, basis.site) for basis in bases_of(encoded, CONFIG, 0)]
    assert names == [("sae", "site"), ("neuron", "site")]
