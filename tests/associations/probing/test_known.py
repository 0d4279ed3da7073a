"""Concepts on rows, and the tables over them, from planted and annotated labels."""

import numpy as np
import polars as pl
import pytest
from associations.planted import covariates_of
from features.small_stores import Given, store_of

from seqsae.associations.probing.bases import Basis
from seqsae.associations.probing.concepts import coverage_table, loss_table
from seqsae.associations.probing.known import known_concepts, rows_of
from seqsae.associations.targets import targets

N, ROWS = 120, 10


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Rows 2 to 4 of every other subject hold `planted`; rows 5 and 6 of every third are annotated as `helix`."""
    rng = np.random.default_rng(0)
    place, subject = np.tile(np.arange(ROWS), N), np.repeat(np.arange(N), ROWS)
    planted = (subject % 2 == 0) & (place >= 2) & (place < 5)
    helix = (subject % 3 == 0) & (place >= 5) & (place < 7)
    codes = np.round(rng.random((N * ROWS, 6)) * (rng.random((N * ROWS, 6)) < 0.1), 2)
    codes[planted, 4], codes[helix, 2] = 2, 3
    split = np.array(["select", "test", "train"])[np.arange(N) // 6 % 3]
    store = store_of(tmp_path_factory.mktemp("known"), [ROWS] * N, split=split)
    spans = pl.DataFrame({"subject_id": [f"s{i}" for i in range(0, N, 2)], "concept": "planted", "start": 2, "end": 5})
    annotations = pl.DataFrame(
        {
            "sample": pl.Series(range(0, N), dtype=pl.UInt32),
            "start": pl.Series([5 if i % 3 == 0 else 0 for i in range(N)], dtype=pl.UInt32),
            "end": pl.Series([7 if i % 3 == 0 else 1 for i in range(N)], dtype=pl.UInt32),
            "covariate": "structure",
            "value": ["helix" if i % 3 == 0 else "start" for i in range(N)],
        }
    )
    truth = {"concepts": [{"name": "planted", "level": "spell"}, {"name": "who", "level": "person"}]}
    entries = [
        {"name": "structure", "type": "categorical", "level": "token"},
        {"name": "half", "type": "binary", "positive": "y"},
    ]
    columns = {"half": np.where(np.arange(N) % 2, "n", "y").tolist()}
    covariates = covariates_of(columns, entries, annotations, truth=truth, truth_spans=spans)
    return Given(store, codes), covariates, planted, helix


def test_labels_are_those_that_were_planted_and_annotated(made):
    encoded, covariates, planted, helix = made
    store = encoded.store
    (one, test), (other, _) = known_concepts(covariates, store, targets(covariates, store), 10**6)
    assert (one.origin, one.names) == ("planted", ["planted"]) and other.names == [
        "structure = helix",
        "structure = start",
    ]
    np.testing.assert_array_equal(one.rows, store.rows_in("select"))
    np.testing.assert_array_equal(test.rows, store.rows_in("test"))
    np.testing.assert_array_equal(one.y[:, 0], planted[one.rows])
    np.testing.assert_array_equal(other.y[:, 0], helix[other.rows])


def test_thinned_rows_are_whole_samples(made):
    store = made[0].store
    rows = rows_of(store, "select", 105)
    counts = np.bincount(store.row_sample[rows])
    assert set(counts) == {0, ROWS} and 90 <= len(rows) <= 105


def test_the_unit_that_was_planted_has_the_least_loss_and_covers_the_concept(made):
    encoded, covariates, planted, _ = made
    aims = targets(covariates, encoded.store)
    sets = known_concepts(covariates, encoded.store, aims, 10**6)
    bases = [Basis("sae", "site", encoded)]
    losses = loss_table(bases, sets, aims, encoded.store)
    best = dict(losses.select("concept", "best_unit").iter_rows())
    assert (
        best["planted"] == "feature 4" and best["structure = helix"] == "feature 2" and best["half = y"] == "feature 4"
    )
    told = losses.filter(pl.col("concept") == "planted").row(0, named=True)
    assert told["loss"] < 0.01 < 0.3 < told["entropy"] and told["n_positive"] == planted[sets[0][1].rows].sum()
    assert losses["origin"].to_list() == ["planted", "annotated", "annotated", "covariate"]
    cover = coverage_table(bases, sets)
    assert cover["origin"].to_list() == ["planted", "annotated"]
    first = cover.row(0, named=True)
    assert (first["coverage"], first["reconstruction"], first["precise"], first["n_concepts"]) == (1, 1, 1, 1)


def test_without_concepts_there_is_nothing_to_measure(made):
    encoded, _, _, _ = made
    covariates = covariates_of({"half": ["y", "n"] * (N // 2)}, [{"name": "half", "type": "binary"}])
    assert known_concepts(covariates, encoded.store, targets(covariates, encoded.store), 100) == []
