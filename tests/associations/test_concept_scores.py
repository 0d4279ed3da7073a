"""Planted concepts: where they hold, and the scores of the chosen units, against loops and scikit-learn."""

import numpy as np
import polars as pl
import pytest
from associations import planted as study
from features.small_stores import Given, parts, store_of
from sklearn.metrics import f1_score, precision_score, recall_score, roc_auc_score

from seqsae.associations import concept_scores
from seqsae.associations.concept_room import concepts
from seqsae.associations.concept_scores import concept_labels, concept_table, found
from seqsae.errors import SeqsaeError
from seqsae.features.sources import Neurons, Tokens
from seqsae.records.covariates import Covariates

SPANS = {"subject_id": pl.String, "concept": pl.String, "start": pl.UInt32, "end": pl.UInt32}
TRUTH = {
    "format": 1,
    "covariates": [],
    "concepts": [
        {"name": name, "level": level, "prevalence_persons": 0.5, "prevalence_events": 0.1}
        for name, level in (("spell", "spell"), ("never", "token"), ("person", "person"))
    ],
}


def spans(*rows):
    return pl.DataFrame(rows, schema=SPANS, orient="row")


@pytest.mark.parametrize("view", ["full", "ill"])
def test_labels_are_those_of_a_loop(tmp_path, view):
    store = store_of(
        tmp_path,
        [2, 5, 0, 4] if view == "ill" else [5, 3, 4],
        subject=[0, 0, 1, 2] if view == "ill" else None,
        view=view,
    )
    table = spans(
        ("s0", "a", 1, 3),
        ("s0", "a", 2, 4),
        ("s2", "a", 0, 99),
        ("s1", "b", 7, 9),
        ("s0", "b", 4, 5),
        ("gone", "a", 0, 2),
    )
    made = concept_labels(store, table, ["a", "b", "c"], "token")
    for j, name in enumerate(["a", "b", "c"]):
        for row, (subject, event) in enumerate(zip(store.row_subject, store.rows["event"], strict=True)):
            held = any(
                who == f"s{subject}" and concept == name and start <= event < end
                for who, concept, start, end in table.rows()
            )
            assert made[row, j] == held
    people = concept_labels(store, table, ["a", "b", "c"], "subject")
    holders = {"a": {0, 2}, "b": {0, 1}, "c": set()}
    for sample, subject in enumerate(store.samples["subject"]):
        assert people[sample].tolist() == [subject in holders[name] for name in ("a", "b", "c")]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """150 subjects; a spell that feature 2 and neuron 1 (turned round) follow, and a person concept that feature 0 does."""
    rng = np.random.default_rng(0)
    n_rows = rng.integers(4, 10, 150)
    subject = np.repeat(np.arange(150), n_rows)
    event = np.concatenate([np.arange(n) for n in n_rows])
    start, length, person = rng.integers(0, 3, 150), rng.integers(1, 4, 150), rng.random(150) < 0.4
    inside = (event >= start[subject]) & (event < (start + length)[subject])
    codes = rng.random((len(subject), 4)) * (rng.random((len(subject), 4)) < 0.2)
    codes[:, 2] += inside * (rng.random(len(subject)) < 0.8)
    codes[:, 0] += person[subject] * (rng.random(len(subject)) < 0.5)
    x = rng.normal(size=(len(subject), 3))
    x[:, 1] -= 2.0 * inside
    store = store_of(tmp_path_factory.mktemp("concepts"), n_rows, x=x)
    table = spans(
        *[(f"s{i}", "spell", int(start[i]), int(start[i] + length[i])) for i in range(150)],
        *[(f"s{i}", "person", 0, int(n_rows[i])) for i in np.flatnonzero(person)],
    )
    covariates = Covariates(truth=TRUTH, truth_spans=table)
    return Given(store, codes.astype(np.float32)), covariates, {"spell": inside, "person": person}, x.astype(np.float32)


@pytest.fixture
def table(made, monkeypatch):
    encoded = made[0]
    monkeypatch.setattr(
        concept_scores,
        "_sources",
        lambda encoded, seed: [encoded, Neurons(encoded.store, "site"), Tokens(encoded.store)],
    )
    return concept_table(encoded, made[1], 0)


def values_of(row, made):
    """[units of the view] the values of the unit that the row names, its sign included."""
    encoded, _, _, x = made
    name, *notes = row["best_unit"].split(", ")
    number = int(name.split()[-1])
    matrix = encoded.matrix.toarray() if row["source"] == "sae" else x
    if row["level"] == "person":
        matrix = study.pooled(matrix, encoded.store, next(note for note in notes if note != "low"))
    return matrix[:, number] * (-1 if "low" in notes else 1)


@pytest.mark.parametrize("concept", ["spell", "person"])
@pytest.mark.parametrize("source", ["sae", "neuron"])
def test_scores_are_those_of_scikit_learn_at_the_chosen_threshold_on_the_test_split(made, table, concept, source):
    row = table.filter((pl.col("concept") == concept) & (pl.col("source") == source)).row(0, named=True)
    store, split = made[0].store, np.array(parts(150))
    per_unit = split if concept == "person" else split[store.row_subject]
    y, x = made[2][concept], values_of(row, made)
    called, test = x >= row["threshold"], per_unit == "test"
    assert row["f1"] == pytest.approx(f1_score(y[test], called[test]))
    assert row["precision"] == pytest.approx(precision_score(y[test], called[test]))
    assert row["recall"] == pytest.approx(recall_score(y[test], called[test]))
    assert row["trivial_f1"] == pytest.approx(f1_score(y[test], np.ones(test.sum())))
    assert row["n"] == test.sum() and row["n_positive"] == y[test].sum()
    select = per_unit == "select"
    here = f1_score(y[select], called[select])
    for threshold in np.unique(x[select]):
        assert f1_score(y[select], x[select] >= threshold) <= here + 1e-12, (
            "chosen on select, where no threshold does better"
        )


def test_the_planted_units_are_chosen(made, table):
    units = {(row["source"], row["concept"]): row["best_unit"] for row in table.iter_rows(named=True)}
    assert units["sae", "spell"] == "feature 2" and units["neuron", "spell"] == "neuron 1, low"
    assert units["sae", "person"].startswith("feature 0, ")
    spell = table.filter((pl.col("concept") == "spell") & (pl.col("source") == "sae")).row(0, named=True)
    test = np.array(parts(150))[made[0].store.row_subject] == "test"
    assert spell["auroc"] == pytest.approx(roc_auc_score(made[2]["spell"][test], made[0].matrix.toarray()[test, 2]))


def test_labels_of_the_test_split_choose_no_unit_and_no_threshold(made, table, tmp_path, monkeypatch):
    encoded, covariates = made[:2]
    gone = [f"s{i}" for i in np.flatnonzero(np.array(parts(150)) == "test")]
    turned = covariates.truth_spans.filter(~pl.col("subject_id").is_in(gone) | (pl.col("start") == 0))
    other = concept_table(encoded, Covariates(truth=TRUTH, truth_spans=turned), 0)
    chosen = ["source", "concept", "best_unit", "threshold"]
    assert other.select(chosen).equals(table.select(chosen)) and not other["f1"].equals(table["f1"])


def test_a_concept_that_nobody_has_is_not_found(table):
    never = table.filter(pl.col("concept") == "never")
    assert never["f1"].to_list() == [0, 0, 0] and never["n_positive"].to_list() == [0, 0, 0]
    assert never["auroc"].null_count() == 3 and never["threshold"].null_count() == 3


def test_found_asks_for_more_than_always_saying_yes():
    rows = [(0.9, 0.2), (0.6, 0.55), (0.5, 0.1), (1.0, 1.0), (0.95, 0.9)]
    table = pl.DataFrame(
        {
            "source": "sae",
            "level": "token",
            "f1": [f1 for f1, _ in rows],
            "trivial_f1": [trivial for _, trivial in rows],
            "auroc": [0.5, None, 1.0, None, None],
        }
    )
    made = found(table).row(0, named=True)
    assert made["concepts"] == 5 and made["found"] == 2, (
        "0.9 over 0.2, and 0.95 over 0.9; a concept that always holds is none"
    )
    assert made["auroc"] == 0.75 and made["f1"] == pytest.approx(np.mean([f1 for f1, _ in rows]))


def test_the_one_door_gives_planted_concepts_too(made, table, tmp_path):
    found_at_once = concepts(made[0], made[1], out=tmp_path)
    assert found_at_once.planted.equals(table) and not found_at_once.has_annotations
    with pytest.raises(SeqsaeError, match="no annotations, so there is no table 'pairs'"):
        found_at_once.pairs  # noqa: B018
