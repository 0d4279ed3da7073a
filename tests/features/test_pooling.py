"""Pooling, profile and examples, against loops over samples and features."""

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp
from features.small_stores import store_of
from hypothesis import given, settings
from hypothesis import strategies as st

from seqsae.errors import SeqsaeError
from seqsae.features.examples import examples
from seqsae.features.pooling import POOLINGS, pool
from seqsae.features.profile import profile
from seqsae.features.sources import token_codes

NAIVE = {
    "rate": lambda x: (x > 0).mean(0),
    "mean": lambda x: x.mean(0),
    "max": lambda x: x.max(0),
    "min": lambda x: x.min(0),
    "presence": lambda x: (x > 0).any(0),
    "count": lambda x: (x > 0).sum(0),
    "sum": lambda x: x.sum(0),
    "last": lambda x: x[-1],
}


def naive_pool(values, counts, pooling):
    """[samples, units]; samples without rows are 0."""
    out, start = [], 0
    for n in counts:
        out.append(NAIVE[pooling](values[start : start + n]) if n else np.zeros(values.shape[1]))
        start += n
    return np.array(out)


def values_of(seed, n, width, share):
    rng = np.random.default_rng(seed)
    return (rng.integers(1, 5, (n, width)) / 2 * (rng.random((n, width)) < share)).astype(np.float32)


@pytest.mark.parametrize("counts", [[3, 1, 4, 2], [0, 3, 0, 0, 7, 0], [0, 0], [10]], ids=str)
@pytest.mark.parametrize("pooling", list(NAIVE))
def test_pooling_is_that_of_a_loop(counts, pooling):
    counts = np.array(counts)
    values = values_of(0, counts.sum(), 6, 0.5)
    expected = naive_pool(values.astype(np.float64), counts, pooling)
    assert np.allclose(pool(values, counts, pooling), expected, atol=1e-12)
    pooled = pool(sp.csr_array(values), counts, pooling)
    assert pooled.shape == expected.shape and np.allclose(pooled.toarray(), expected, atol=1e-12)


@pytest.mark.parametrize("pooling", list(NAIVE))
def test_signed_units_are_pooled_with_their_signs(pooling):
    values, counts = np.random.default_rng(1).normal(size=(9, 4)), np.array([4, 0, 5])
    values[np.random.default_rng(2).random((9, 4)) < 0.4] = 0
    expected = naive_pool(values, counts, pooling)
    assert np.allclose(pool(values, counts, pooling), expected)
    for form in (sp.csr_array, sp.csc_array):
        assert np.allclose(pool(form(values), counts, pooling).toarray(), expected)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.lists(st.integers(0, 5), max_size=8), st.floats(0, 1), st.sampled_from(list(NAIVE)))
def test_pooling_any_small_data(seed, counts, share, pooling):
    counts = np.array(counts, dtype=np.int64)
    rng = np.random.default_rng(seed)
    values = values_of(seed, counts.sum(), 3, share) * rng.choice([-1, 1], (counts.sum(), 3))
    stored = sp.csr_array(values)
    stored.data[rng.random(stored.nnz) < 0.2] = 0  # stored zeros are zeros
    expected = naive_pool(stored.toarray().astype(np.float64), counts, pooling).reshape(len(counts), 3)
    before = stored.copy()
    pooled = pool(stored, counts, pooling)
    assert sp.issparse(pooled) and pooled.dtype == np.float64
    assert np.allclose(pooled.toarray(), expected, atol=1e-12)
    assert np.allclose(pool(stored.toarray(), counts, pooling), expected, atol=1e-12)
    assert (stored.data == before.data).all()  # what was handed in stays as it was


def test_sparse_units_are_pooled_without_a_dense_copy(monkeypatch):
    values = sp.csr_array(values_of(4, 30, 5, 0.2))
    for kind in (sp.csr_array, sp.coo_array, sp.csc_array):
        monkeypatch.setattr(kind, "toarray", lambda self: pytest.fail("made dense"))
    for pooling in POOLINGS:
        assert pool(values, np.array([10, 0, 20]), pooling).nnz <= values.nnz


def test_a_pooling_of_another_name_is_refused():
    assert set(POOLINGS) == set(NAIVE)
    with pytest.raises(SeqsaeError, match="pooling 'median' is not known"):
        pool(np.ones((2, 1)), np.array([2]), "median")


@pytest.mark.parametrize("pooling", ["rate", "mean"])
def test_equal_shares_are_equal_numbers(pooling):
    """1 of 2, 3 of 6, 5 of 10 ...: ties must stay ties, and a threshold must mean the same in every sample."""
    counts = np.array([2 * n for n in range(1, 60)] + [3 * n for n in range(1, 40)])
    on = [[1] * (c // 2) + [0] * (c // 2) for c in counts[:59]] + [
        [1] * (c // 3) + [0] * (2 * c // 3) for c in counts[59:]
    ]
    values = np.concatenate(on)[:, None].astype(np.float32)
    for form in (values, sp.csr_array(values)):
        pooled = pool(form, counts, pooling)
        pooled = (pooled.toarray() if sp.issparse(pooled) else pooled).ravel()
        assert set(pooled[:59]) == {1 / 2} and set(pooled[59:]) == {1 / 3}


@pytest.fixture
def small(tmp_path):
    """A store of 40 samples, some without rows, and codes in which feature 3 is dead."""
    rng = np.random.default_rng(2)
    n_rows = rng.integers(0, 9, 40)
    store = store_of(tmp_path, n_rows, tokens=rng.choice(list("abcd"), n_rows.sum()))
    codes = values_of(3, store.n_rows, 6, 0.3)
    codes[:, 3] = 0
    return store, codes


def test_the_profile_is_that_of_a_loop_over_the_train_rows(small):
    store, codes = small
    train = store.rows_in("train")
    numbers, names = token_codes(store)
    stability, norms = np.linspace(0, 1, 6), np.linspace(1, 2, 6)
    table = profile(sp.csr_array(codes[train]), store, numbers[train], names, stability, norms)
    tokens, subjects = store.rows["token"].to_numpy(), store.row_subject
    for row in table.iter_rows(named=True):
        f = row["feature"]
        on = [i for i in train if codes[i, f] > 0]
        assert row["dead"] == (not on) and row["n_subjects"] == len({subjects[i] for i in on})
        assert row["firing_rate"] == pytest.approx(len(on) / len(train))
        assert row["stability"] == pytest.approx(stability[f]) and row["decoder_norm"] == pytest.approx(norms[f])
        if not on:
            assert row["mean_when_active"] is row["max"] is row["token_purity"] is row["best_token"] is None
            continue
        assert row["mean_when_active"] == pytest.approx(np.mean([codes[i, f] for i in on]))
        assert row["max"] == pytest.approx(max(codes[i, f] for i in on))
        counts = {name: sum(tokens[i] == name for i in on) for name in names}
        assert counts[row["best_token"]] == max(counts.values())
        assert row["token_purity"] == pytest.approx(max(counts.values()) / len(on))
    assert table["dead"].to_list() == [f == 3 for f in range(6)]
    alone = profile(sp.csr_array(codes[train]), store, numbers[train], names, None, norms)
    assert alone["stability"].null_count() == 6


def test_what_other_splits_do_is_not_in_the_profile(small):
    store, codes = small
    numbers, names = token_codes(store)
    train = store.rows_in("train")
    held_out = np.setdiff1d(np.arange(store.n_rows), train)
    changed = codes.copy()
    changed[held_out] = 9
    made = [
        profile(sp.csr_array(one[train]), store, numbers[train], names, None, np.ones(6)) for one in (codes, changed)
    ]
    assert len(held_out) and made[0].equals(made[1])


@pytest.mark.parametrize("context", [0, 2, 50])
def test_examples_are_the_strongest_rows_one_a_sample_with_what_stands_around_them(small, context):
    store, codes = small
    train = store.rows_in("train")
    table = examples(sp.csr_array(codes[train]), train, store, 3, context)
    tokens, sample = store.rows["token"].to_list(), store.row_sample
    for f in range(6):
        best = {}
        for i in train:
            if codes[i, f] > 0 and codes[i, f] > best.get(sample[i], (0, 0))[0]:
                best[sample[i]] = (codes[i, f], i)
        wanted = sorted(best.values(), key=lambda found: (-found[0], found[1]))[:3]
        mine = table.filter(pl.col("feature") == f)
        assert mine["row"].to_list() == [i for _, i in wanted] and mine["rank"].to_list() == list(range(len(wanted)))
        for row in mine.iter_rows(named=True):
            i = row["row"]
            same = [j for j in range(store.n_rows) if sample[j] == sample[i]]
            assert row["value"] == codes[i, f] and row["token"] == tokens[i]
            assert row["before"] == [tokens[j] for j in same if i - context <= j < i]
            assert row["after"] == [tokens[j] for j in same if i < j <= i + context]


def test_no_examples_are_none(small):
    store, codes = small
    assert len(examples(sp.csr_array(codes), np.arange(store.n_rows), store, 0, 2)) == 0
    nothing = sp.csr_array(codes.shape, dtype=np.float32)
    assert len(examples(nothing, np.arange(store.n_rows), store, 3, 2)) == 0
