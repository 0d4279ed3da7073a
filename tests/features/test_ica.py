"""Independent components against scikit-learn's, and what they do where there are none."""

import numpy as np
import pytest
from features.small_stores import store_of
from sklearn.decomposition import FastICA

from seqsae.features import ica
from seqsae.features.ica import Ica, independent, spread
from seqsae.progress import shown


@pytest.fixture
def mixed(tmp_path):
    """Three heavy-tailed sources, mixed into five dimensions: the store, and the sources [rows, 3]."""
    rng = np.random.default_rng(0)
    n_rows = rng.integers(5, 30, 120)
    sources = rng.laplace(size=(n_rows.sum(), 3))
    x = sources @ rng.normal(size=(3, 5)) + 2
    return store_of(tmp_path, n_rows, x=x, shard_samples=40), sources


def test_components_are_those_of_scikit_learn_fitted_on_the_train_rows(mixed):
    store, _ = mixed
    everything = np.arange(store.n_rows)
    x, train = store.read("site", everything).double().numpy(), store.rows_in("train")
    oracle = FastICA(3, whiten="unit-variance", random_state=4, max_iter=ica.STEPS, tol=ica.TOLERANCE).fit(x[train])
    source = Ica(store, "site", seed=4)
    assert source.labels == [f"independent component {i}" for i in range(3)]
    assert np.allclose(source.values(everything), oracle.transform(x), atol=1e-6)
    assert np.array_equal(source.values(everything[::7]), source.values(everything)[::7])
    assert np.allclose(source.values(train).var(axis=0), 1, atol=1e-3)
    assert np.array_equal(Ica(store, "site", seed=4).values(train), source.values(train))


def test_mixed_sources_are_found_again_one_by_one(mixed):
    store, sources = mixed
    found = Ica(store, "site").values(np.arange(store.n_rows))
    alike = np.abs(np.corrcoef(found.T, sources.T)[:3, 3:])
    assert (alike.max(axis=0) > 0.97).all() and sorted(alike.argmax(axis=0)) == [0, 1, 2]


def test_held_out_rows_are_not_seen(tmp_path):
    rng = np.random.default_rng(1)
    n_rows, x = np.full(40, 20), rng.laplace(size=(800, 4))
    one = store_of(tmp_path / "a", n_rows, x=x)
    changed = x.copy()
    changed[np.setdiff1d(np.arange(800), one.rows_in("train"))] *= 7
    other = store_of(tmp_path / "b", n_rows, x=changed)
    rows = one.rows_in("train")
    assert np.array_equal(Ica(one, "site").values(rows), Ica(other, "site").values(rows))


def test_a_site_that_never_varies_has_no_components(tmp_path):
    store = store_of(tmp_path, [4] * 20, x=np.full((80, 3), 1.5))
    assert Ica(store, "site").labels == []
    assert Ica(store, "site").values(np.arange(5)).shape == (5, 0)


def test_where_it_does_not_come_to_rest_that_is_one_plain_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(ica, "STEPS", 2)
    monkeypatch.setattr(ica, "TOLERANCE", 1e-12)
    rng = np.random.default_rng(2)
    store = store_of(tmp_path, [10] * 40, x=rng.normal(size=(400, 6)))
    with shown():
        assert len(Ica(store, "site").labels) == 6
    told = capsys.readouterr().err.strip().splitlines()
    assert told == ["ica: the 6 components of site still moved after 2 steps; they are used as they are"]


def test_no_more_components_than_asked_and_no_more_rows_read(tmp_path, monkeypatch):
    monkeypatch.setattr(ica, "MOST", 2)
    rng = np.random.default_rng(3)
    store = store_of(tmp_path, [10] * 40, x=rng.laplace(size=(400, 6)))
    assert len(Ica(store, "site").labels) == 2
    assert spread(np.arange(1000), 100).tolist() == list(range(0, 1000, 10))
    assert len(spread(np.arange(50), 100)) == 50 and len(spread(np.arange(0), 100)) == 0


def test_rank_is_counted_to_rounding():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(200, 3)) @ rng.normal(size=(3, 8)) * 1e3
    assert independent(x) == 3 and independent(x.astype(np.float16).astype(float)[:1]) == 0
    assert independent(rng.normal(size=(50, 1))) == 1
