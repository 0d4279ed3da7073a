"""Sources of units against naive loops, scikit-learn and the SAE itself."""

import numpy as np
import polars as pl
import pytest
import torch
from conftest import write_events
from features.small_stores import store_of
from sklearn.decomposition import PCA
from torch import nn

import seqsae
from seqsae.activations.store import Store
from seqsae.errors import SeqsaeError
from seqsae.features.sources import Dictionary, Neurons, Pca, Tokens, TokensSeen, as_csr, blocks, token_codes
from seqsae.sae.base import Codes

ROWS = {
    "all": lambda n: np.arange(n),
    "some": lambda n: np.arange(0, n, 3),
    "one": lambda n: np.array([n - 1]),
    "none": lambda n: np.arange(0),
}


@pytest.fixture
def store(tmp_path):
    rng = np.random.default_rng(0)
    n_rows = rng.integers(0, 12, 50)
    x = rng.normal(size=(n_rows.sum(), 6)) @ rng.normal(size=(6, 6)) + 5
    return store_of(tmp_path, n_rows, x=x, tokens=rng.choice(["x", "yy", "z", "w"], n_rows.sum()))


@pytest.mark.parametrize("which", list(ROWS))
def test_tokens_now_and_seen_so_far(store, which):
    rows = ROWS[which](store.n_rows)
    names, tokens, sample = sorted({"x", "yy", "z", "w"}), store.rows["token"].to_list(), store.row_sample
    now, seen = np.zeros((len(rows), 4)), np.zeros((len(rows), 4))
    for place, row in enumerate(rows):
        for t, name in enumerate(names):
            now[place, t] = tokens[row] == name
            seen[place, t] = any(tokens[j] == name and sample[j] == sample[row] for j in range(row + 1))
    for source, expected in ((Tokens(store), now), (TokensSeen(store), seen)):
        assert source.labels == names
        assert np.array_equal(source.values(rows).toarray(), expected), source.name


def test_token_codes_name_each_rows_token(store):
    numbers, names = token_codes(store)
    assert [names[i] for i in numbers] == store.rows["token"].to_list() and names == sorted(names)


def test_neurons_are_the_site_itself(store):
    rows = np.arange(5, store.n_rows, 2)
    assert np.array_equal(Neurons(store, "site").values(rows), store.read("site", rows).numpy())


def test_components_are_those_of_scikit_learn_fitted_on_the_train_rows(store):
    everything = np.arange(store.n_rows)
    x, train = store.read("site", everything).double().numpy(), store.rows_in("train")
    oracle = PCA(svd_solver="full").fit(x[train])
    expected = oracle.transform(x)
    source = Pca(store, "site")
    mine = source.values(everything)
    sign = np.sign((mine * expected).sum(0))
    assert np.allclose(mine * sign, expected, atol=1e-3)
    assert np.allclose(source.axes[0], x[train].mean(0))
    vectors = source.axes[1]
    assert (vectors[np.abs(vectors).argmax(0), np.arange(6)] > 0).all()


def test_components_do_not_see_held_out_rows(tmp_path):
    rng = np.random.default_rng(1)
    n_rows = np.full(20, 5)
    x = rng.normal(size=(100, 4))
    one = store_of(tmp_path / "a", n_rows, x=x)
    changed = x.copy()
    changed[np.setdiff1d(np.arange(100), one.rows_in("train"))] *= 7
    other = store_of(tmp_path / "b", n_rows, x=changed)
    for mine, theirs in zip(Pca(one, "site").axes, Pca(other, "site").axes, strict=True):
        assert np.array_equal(mine, theirs)


def test_codes_become_a_matrix_in_column_order_without_zeros():
    codes = Codes(
        torch.tensor([[0.5, 0.0, 2.0], [0.0, 0.0, 0.0], [1.0, 3.0, 0.0]]),
        torch.tensor([[4, 1, 0], [0, 1, 2], [2, 1, 0]]),
    )
    matrix = as_csr(codes, 5)
    assert matrix.nnz == 4 and matrix.has_sorted_indices
    assert matrix.toarray().tolist() == [[2, 0, 0, 0, 0.5], [0] * 5, [0, 3, 1, 0, 0]]


def test_blocks_cover_the_rows_in_order():
    rows = np.arange(40_000)[::2]
    assert np.array_equal(np.concatenate(list(blocks(rows))), rows) and max(map(len, blocks(rows))) <= 16_384
    assert list(blocks(np.arange(0))) == []


class Words(nn.Module):
    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.embed = nn.Embedding(100, 8)
        self.second = nn.Linear(8, 8)

    def forward(self, ids):
        return self.second(self.embed(ids))


def collate(items):
    ids = nn.utils.rnn.pad_sequence(
        [torch.tensor([1 + sum(token.encode()) % 98 for token in item["token"]]) for item in items], batch_first=True
    )
    return ids, ids != 0


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A store of a small model, and two SAEs trained on it for a moment."""
    out = tmp_path_factory.mktemp("study")
    data = seqsae.dataset(write_events(out / "d", 60))
    model = seqsae.wrap(Words(), ["embed", "second"], collate)
    store = seqsae.harvest(model, data, out=out)
    return (
        data,
        store,
        seqsae.train(store, "topk", site="second", width=24, k=3, seeds=2, steps=20, batch=64, check_every=10),
    )


def dense(codes, width):
    out = torch.zeros(len(codes.values), width)
    return out.scatter_(1, codes.indices, codes.values).numpy()


def test_encoded_rows_are_what_the_sae_gives(study):
    _, store, saes = study
    encoded = seqsae.encode(saes, store)
    everything = np.arange(store.n_rows)
    with torch.no_grad():
        expected = dense(saes[0].encode(store.read("second", everything)), 24)
    assert np.array_equal(encoded.matrix.toarray(), expected) and (encoded.matrix.data > 0).all()
    train, tokens = store.rows_in("train"), store.rows["token"].to_numpy()
    for row in encoded.profile.filter(~pl.col("dead")).iter_rows(named=True):
        on = train[expected[train, row["feature"]] > 0]
        assert row["firing_rate"] == pytest.approx(len(on) / len(train))
        assert row["token_purity"] == pytest.approx((tokens[on] == row["best_token"]).mean())
    assert set(encoded.examples["row"]) <= set(train.tolist()) and len(encoded.examples)
    some = np.array([3, 100, 101, 250])
    assert np.array_equal(encoded.values(some).toarray(), expected[some])
    assert encoded.labels[23] == "feature 23" and encoded.profile["stability"].null_count() == 0
    with torch.no_grad():
        on_request = Dictionary(store, "second", saes[0]).values(some)
    assert np.array_equal(on_request.toarray(), expected[some])
    assert Dictionary(store, "second", saes[0]).values(np.arange(0)).shape == (0, 24)


def test_an_sae_meets_only_the_activations_it_was_trained_on(study, tmp_path):
    data, store, saes = study
    other = seqsae.harvest(seqsae.wrap(Words(1), ["second"], collate), data, out=tmp_path / "weights")
    with pytest.raises(SeqsaeError, match="this SAE reads second of Words .* these activations are second of Words"):
        seqsae.encode(saes, other)
    site = seqsae.harvest(seqsae.wrap(Words(), ["embed"], collate), data, out=tmp_path / "site")
    with pytest.raises(SeqsaeError, match="second of Words .* embed of Words"):
        seqsae.encode(saes, site)
    loose = seqsae.train(
        np.random.default_rng(0).normal(size=(200, 8)).astype(np.float32),
        "topk",
        width=8,
        k=2,
        seeds=1,
        steps=2,
        batch=16,
    )
    with pytest.raises(SeqsaeError, match="on no shelf"):
        seqsae.encode(loose, store)
    assert isinstance(store, Store)
