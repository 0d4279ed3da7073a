"""The map of persons: shares by hand, a draw by hash, planted kinds of people apart, who has nothing on has no place."""

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp

from seqsae import schema
from seqsae.maps import persons as module
from seqsae.maps.persons import chosen, persons, reduced, shares


class Rows:
    """As much of an `Encoded` as the map reads: 30 subjects, two samples of some, codes of two kinds of people."""

    def __init__(self, n: int = 30, width: int = 50):
        rng = np.random.default_rng(0)
        subject = np.sort(np.concatenate([np.arange(n), np.arange(0, n, 3)])).astype(np.uint32)
        counts = rng.integers(3, 9, len(subject))
        counts[subject == 7] = 0
        kind = np.arange(n) % 2
        self.row_subject = np.repeat(subject, counts)
        on = rng.random((counts.sum(), width)) < np.where(
            np.arange(width) % 2 == kind[self.row_subject, None], 0.4, 0.01
        )
        on[self.row_subject == 5] = False
        self.codes = sp.csr_array(on * rng.random(on.shape).astype(np.float32))
        self.store = SimpleNamespace(
            samples=pl.DataFrame({"sample": np.arange(len(subject)), "subject": subject, "n_rows": counts}),
            subjects=pl.DataFrame({"subject": np.arange(n, dtype=np.uint32), "split": ["train", "test"] * (n // 2)}),
            row_subject=self.row_subject,
            row_sample=np.repeat(np.arange(len(subject)), counts),
        )

    def values(self, rows: np.ndarray) -> sp.csr_array:
        return self.codes[rows]


@pytest.fixture(scope="module")
def encoded() -> Rows:
    return Rows()


def test_shares_are_over_all_rows_of_a_subject(encoded, monkeypatch):
    subjects = np.array([0, 2, 5, 9])
    got = shares(encoded, subjects).toarray()
    for row, subject in zip(got, subjects, strict=True):
        mine = encoded.codes.toarray()[encoded.row_subject == subject] > 0
        assert row == pytest.approx(np.sqrt(mine.mean(axis=0)))
    monkeypatch.setattr(module, "ROWS", 10)
    assert np.array_equal(shares(encoded, subjects).toarray(), got)


def test_a_row_a_subject_with_a_feature_and_two_kinds_stand_apart(encoded):
    table = persons(encoded, 8, 0.1, 100, seed=0)
    assert table.equals(schema.check_table(table, "persons", "test"))
    assert table["subject"].to_list() == [i for i in range(30) if i not in (5, 7)]  # nothing on, no rows
    assert table["split"].to_list()[:3] == ["train", "test", "train"]
    points, kind = table.select("x", "y").to_numpy(), table["subject"].to_numpy() % 2
    near = np.linalg.norm(points[:, None] - points, axis=2)
    np.fill_diagonal(near, np.inf)
    assert (kind[near.argmin(axis=1)] == kind).mean() > 0.9
    assert table.equals(persons(encoded, 8, 0.1, 100, seed=0))


def test_the_draw_is_by_hash_and_nested(encoded):
    few, more = chosen(encoded.store, 6, 0), chosen(encoded.store, 12, 0)
    assert len(few) == 6 and set(few) < set(more) and (np.diff(few) > 0).all() and 7 not in more
    assert set(few) != set(chosen(encoded.store, 6, 1))


def test_nobody_at_all():
    nobody = Rows(2)
    nobody.store.samples = nobody.store.samples.with_columns(n_rows=0)
    nobody.store.row_subject = nobody.store.row_sample = np.zeros(0, int)
    assert persons(nobody, 8, 0.1, 100, seed=0).equals(schema.empty("persons"))


def test_many_features_are_reduced_and_keep_who_is_near_whom():
    rng = np.random.default_rng(1)
    kinds = rng.random((4, 200)) * (rng.random((4, 200)) < 0.1)
    rates = sp.csr_array(kinds[np.arange(80) % 4] * rng.uniform(0.8, 1.2, (80, 200)))
    short = reduced(rates, 0)
    assert short.shape == (80, module.AXES)
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (short, rates.toarray())]
    assert np.abs(unit[0] @ unit[0].T - unit[1] @ unit[1].T).max() < 0.05
