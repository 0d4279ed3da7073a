"""Captions as a whole: planted rules get their words and scores, features without one get none, chance gives few."""

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp
from associations.captions import made
from features.small_stores import parts
from sklearn.metrics import balanced_accuracy_score, f1_score, precision_score, recall_score

from seqsae.associations.captions.captioning import NOTHING, RARE, captions
from seqsae.associations.captions.chance import deal, dealt, null_95, spread
from seqsae.associations.captions.lines import with_rows
from seqsae.associations.concept_spans import part_of
from seqsae.associations.room import associate
from seqsae.config import AssociateConfig, CaptionConfig

CONFIG = CaptionConfig(min_clusters=5, nulls=40)
WORDS = {
    0: ("token", "token is EARN//high"),
    1: ("token", "token is one of DIAG//A21, x"),
    2: ("mixed", "token is DIAG//A10 and JOB//senior seen in the last 5 rows"),
    3: ("covariate", "sex is f"),
    4: ("mixed", "token is one of EARN//high, EARN//top and JOB//senior seen in the last 5 rows"),
    5: ("family", "token begins with JOB//"),
    6: ("seen", "y seen before"),
}
RANDOM, NEVER, LATE, SILENT = 7, 8, 9, 10


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    rng = np.random.default_rng(1)
    n_rows, tokens = made.sequences(400)
    whole = np.concatenate(tokens)
    sex = rng.choice(["f", "m"], 400)
    near = made.within(tokens, {"JOB//senior"}, 5)
    test, token = made.split_rows(n_rows, "test"), (lambda *names: np.isin(whole, names))
    fires = [
        token("EARN//high"), token("x", "DIAG//A21"), token("DIAG//A10") & near, np.repeat(sex == "f", n_rows),
        token("EARN//high", "EARN//top") & near, token("JOB//junior", "JOB//senior"), made.within(tokens, {"y"}, 100),
        rng.random(len(whole)) < 0.1, np.zeros(len(whole)), test & token("x"), token("x") & ~test,
    ]  # fmt: skip
    encoded = made.given(tmp_path_factory.mktemp("s"), n_rows, tokens, *fires)
    return encoded, made.covariates({"sex": sex.tolist()}, [{"name": "sex", "type": "binary"}])


@pytest.fixture(scope="module")
def table(study):
    return captions(*study, CONFIG)


def test_planted_rules_get_their_words_and_full_marks(table):
    for feature, (kind, text) in WORDS.items():
        row = table.row(feature, named=True)
        assert (row["kind"], row["caption"]) == (kind, text) and row["rule"] == text
        assert row["f1"] == row["balanced_accuracy"] == row["subject_f1"] == row["f1_select"] == 1
        assert row["ci_low"] == row["ci_high"] == 1 and row["null_95"] < 1


def test_features_without_a_rule_get_none(table):
    assert table["caption"][RANDOM] == NOTHING and table["kind"][RANDOM] == "none" and table["rule"][RANDOM]
    assert table["f1"][RANDOM] < 0.3 and table["f1_select"][RANDOM] is not None
    for feature in (NEVER, LATE):
        row = table.row(feature, named=True)
        assert row["caption"] == RARE and row["kind"] == "none" and row["f1"] is row["rule"] is None
    silent = table.row(SILENT, named=True)
    assert silent["kind"] == "none" and silent["f1"] is None and silent["n_fired"] == 0 and silent["f1_select"] == 1


def test_figures_are_those_of_the_test_rows_alone(study, table):
    encoded, _ = study
    here = encoded.store.row_split == "test"
    fires = encoded.matrix.toarray()[here] > 0
    for row in table.filter(pl.col("token").is_not_null() & (pl.col("n_fired") > 0)).iter_rows(named=True):
        y = fires[:, row["feature"]]
        said = encoded.store.rows["token"].to_numpy()[here] == row["token"]
        assert row["f1_token"] == pytest.approx(f1_score(y, said), abs=1e-12)
        assert row["balanced_accuracy_token"] == pytest.approx(balanced_accuracy_score(y, said), abs=1e-12)
        assert row["precision_token"] == pytest.approx(precision_score(y, said), abs=1e-12)
        assert row["recall_token"] == pytest.approx(recall_score(y, said), abs=1e-12)
        assert row["f1_always"] == pytest.approx(f1_score(y, np.ones(len(y))), abs=1e-12)
        assert (row["n_rows"], row["n_fired"]) == (len(y), y.sum())
        assert row["n_fired_subjects"] == len(np.unique(encoded.store.row_subject[here][y]))


def test_the_test_split_chooses_nothing_and_the_others_are_not_read(study, table):
    encoded, known = study
    rng = np.random.default_rng(0)
    split = encoded.store.row_split
    changed = {}
    for part in ("test", "train"):
        codes = encoded.matrix.toarray()
        codes[split == part] = rng.random((int((split == part).sum()), codes.shape[1])) < 0.3
        changed[part] = captions(type(encoded)(encoded.store, codes), known, CONFIG)
    choice = ["feature", "rule", "n_literals", "f1_select", "token"]
    assert changed["test"].select(choice).equals(table.select(choice)) and (changed["test"]["kind"] == "none").all()
    assert changed["train"].equals(table)


def test_the_same_seed_gives_the_same_table_and_another_another_null(study, table):
    assert captions(*study, CONFIG).equals(table)
    other = captions(*study, CONFIG, seed=1)
    assert other.drop("null_95").equals(table.drop("null_95")) and not other["null_95"].equals(table["null_95"])


def test_rules_of_few_rows_are_scored_on_all_of_the_test_split(study, table):
    few = captions(*study, CONFIG.model_copy(update={"rows": 600, "min_clusters": 3}))
    assert few["n_rows"].drop_nulls().unique().to_list() == table["n_rows"].drop_nulls().unique().to_list()
    assert few["caption"][0] == "token is EARN//high"


def test_chance_gives_few_captions(tmp_path):
    """Features that fire in runs, at rates of 2 to 40%, and know of nothing."""
    rng = np.random.default_rng(3)
    n_rows, tokens = made.sequences(400, seed=3)
    starts = rng.random((int(n_rows.sum()), 60)) < np.geomspace(0.02, 0.4, 60)
    runs = starts | np.roll(starts, 1, axis=0)
    sex = rng.choice(["f", "m"], 400).tolist()
    known = made.covariates({"sex": sex}, [{"name": "sex", "type": "binary"}])
    table = captions(made.given(tmp_path, n_rows, tokens, *runs.T), known, CONFIG)
    assert (table["kind"] != "none").sum() <= 3
    assert (table["f1"] > table["null_95"]).sum() <= 12
    assert table["null_95"].to_numpy()[:10].mean() < table["null_95"].to_numpy()[-10:].mean()


def test_dealt_features_keep_rates_and_runs_and_lose_their_samples(study):
    encoded, _ = study
    part = with_rows(part_of(encoded.store, "select"))
    order = deal(part, np.random.default_rng(0))
    sample = part.sample_of
    assert all(len(np.unique(sample[order[sample == one]])) == 1 for one in range(len(part.samples)))
    steps = np.diff(order)[(np.diff(sample) == 0) & (np.diff(sample[order]) == 0)]
    assert (steps == 1).mean() > 0.9
    firing = sp.csr_array(encoded.matrix[part.rows] > 0)
    made_up = dealt(firing, part, [np.array([0, 3]), np.array([3])], 0)
    assert made_up.shape[1] == 3 and np.array_equal(
        made_up.toarray()[:, 1], firing.toarray()[deal(part, np.random.default_rng([0, 31, 0])), 3]
    )
    assert abs(made_up.mean(axis=0)[0] - firing.mean(axis=0)[0]) < 0.03


def test_nulls_are_of_the_nearest_firing_rates():
    shares = spread(np.linspace(0.01, 0.5, 100), 40)
    assert sorted(map(len, shares)) == [10] * 4 and len(np.unique(np.concatenate(shares))) == 40
    assert spread(np.array([0.1]), 3)[0].tolist() == [0] and spread(np.empty(0), 9) == [] == spread(np.ones(3), 0)
    rates, scores = np.repeat([0.01, 0.2], 40), np.repeat([0.1, 0.5], 40)
    assert null_95(np.array([0.012, 0.3]), rates, scores).tolist() == [0.1, 0.5]
    assert np.isnan(null_95(np.array([0.1]), np.empty(0), np.empty(0))).all()


def test_without_nulls_a_caption_need_only_beat_always(study):
    table = captions(*study, CONFIG.model_copy(update={"nulls": 0}))
    assert table["null_95"].null_count() == len(table) and table["caption"][0] == "token is EARN//high"


@pytest.mark.parametrize("n", [1, 2, 12])
def test_few_subjects_are_no_trouble(tmp_path, n):
    n_rows = np.full(n, 4)
    tokens = [np.array(["a", "b", "a", "b"])] * n
    encoded = made.given(tmp_path, n_rows, tokens, np.tile([1, 0, 1, 0], n), np.zeros(4 * n))
    table = captions(encoded, made.NONE, CaptionConfig(min_clusters=1, nulls=4))
    assert len(table) == 2 and (table["kind"] == "none").all() == ("test" not in parts(n))
    if n == 12:
        assert table["caption"][0] == "token is a" and table["f1"][0] == 1 and table["ci_low"][0] is None


def test_every_sample_empty(tmp_path):
    encoded = made.given(tmp_path, np.array([3, 0, 0, 0]), [np.array(["a", "b", "c"])], np.ones(3))
    assert captions(encoded, made.NONE)["caption"].to_list() == [RARE]


def test_associations_come_with_captions_unless_told_not_to(study, tmp_path):
    encoded, known = study
    config = AssociateConfig(baselines=("token",), captions=CONFIG)
    found = associate(encoded, known, config=config, out=tmp_path / "a")
    assert found.captions.equals(captions(encoded, known, CONFIG))
    without = config.model_copy(update={"captions": CaptionConfig(make=False)})
    assert associate(encoded, known, config=without, out=tmp_path / "b").captions is None
