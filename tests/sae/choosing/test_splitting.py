import polars as pl
import pytest
import torch
from sae.by_hand import random_sae, sae_of

from seqsae.errors import SeqsaeError
from seqsae.sae.base import Codes
from seqsae.sae.choosing.splitting import Splitting, splitting

E = torch.eye(16)
PARENTS = torch.stack([E[0], E[3], E[4]])  # the first splits, the second stays, the third never fires
CHILDREN = torch.stack([E[5], E[0] + E[1], E[0] + E[2], E[3]])  # the first is new


def _rows(n: int = 400) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    kinds = torch.stack([E[0] + E[1], E[0] + E[2], E[3], E[5]])
    return kinds[torch.randint(4, (n,), generator=generator)] * (1 + torch.rand(n, 1, generator=generator))


def _split(small, large, k=1):
    batches = _rows().split(150)
    return splitting(("small", sae_of(small, k)), ("large", sae_of(large, k)), batches)


def test_a_planted_parent_has_its_children():
    table = _split(PARENTS, CHILDREN)
    found = {row["child"]: row for row in table.iter_rows(named=True)}
    assert set(zip(table["feature"], table["child"], table["relation"], strict=True)) == {
        (0, 1, "part"), (0, 2, "part"), (1, 3, "same"),
    }  # fmt: skip
    assert found[1]["cosine"] == pytest.approx(0.5**0.5, abs=1e-6)
    assert found[1]["within"] == found[2]["within"] == found[3]["within"] == found[3]["covered"] == 1
    assert found[1]["covered"] + found[2]["covered"] == pytest.approx(1)
    assert found[1]["rows"] + found[2]["rows"] == (_rows()[:, 0] > 0).sum()
    assert table["children"].to_list() == [2, 2, 1]
    assert table["covered"].to_list()[0] >= table["covered"].to_list()[1]


def test_merging_is_told_from_splitting():
    table = _split(CHILDREN, PARENTS)
    assert set(zip(table["feature"], table["child"], table["relation"], strict=True)) == {
        (1, 0, "wider"), (2, 0, "wider"), (3, 1, "same"),
    }  # fmt: skip
    assert table["children"].to_list() == [0, 0, 1]


def test_firing_together_by_chance_is_no_relation():
    generator = torch.Generator().manual_seed(1)
    pair = torch.stack([E[0], E[0] + E[1]])
    found = Splitting(("small", sae_of(pair[:1], 1)), ("large", sae_of(pair[1:], 1)))
    n, zeros = 5000, torch.zeros(5000, 1, dtype=torch.int64)
    dense, rare = (torch.rand(n, 1, generator=generator) < share for share in (0.8, 0.05))
    found.update(Codes(dense.float(), zeros), Codes(rare.float(), zeros))
    assert found.table().is_empty()  # within is .8, and so would it be for any latent
    found = Splitting(("small", sae_of(pair[:1], 1)), ("large", sae_of(pair[1:], 1)))
    found.update(Codes(dense.float(), zeros), Codes((dense & rare).float(), zeros))
    assert found.table()["relation"].to_list() == ["part"]


def test_counts_are_those_of_dense_codes_and_of_any_batches():
    small, large = random_sae(12, 24, 6, seed=0), random_sae(12, 40, 5, seed=1)
    rows = torch.randn(600, 12, generator=torch.Generator().manual_seed(2))
    table = splitting(("a", small), ("b", large), [rows])
    assert table.equals(splitting(("a", small), ("b", large), rows.split(77)))
    on = [_dense(sae, rows) > 0 for sae in (small, large)]
    assert len(table) >= 3
    for row in table.iter_rows(named=True):
        feature, child = on[0][:, row["feature"]], on[1][:, row["child"]]
        assert row["rows"] == (feature & child).sum()
        assert row["covered"] == pytest.approx((feature & child).sum().item() / feature.sum().item())
        assert row["within"] == pytest.approx((feature & child).sum().item() / child.sum().item())
        cosine = torch.cosine_similarity(small.W_dec[row["feature"]], large.W_dec[row["child"]], dim=0)
        assert row["cosine"] == pytest.approx(cosine.item(), abs=1e-5) and row["cosine"] >= 0.4


def _dense(sae, rows):
    codes = sae.encode(rows)
    return torch.zeros(len(rows), sae.width).scatter_(1, codes.indices, codes.values)


def test_saes_that_are_silent_or_unlike_have_no_pairs():
    silent = sae_of(PARENTS, 1)
    with torch.no_grad():
        silent.b_enc.fill_(-100.0)
    assert splitting(("a", silent), ("b", sae_of(CHILDREN, 1)), [_rows()]).is_empty()
    assert splitting(("a", sae_of(E[6:8], 1)), ("b", sae_of(CHILDREN, 1)), [_rows()]).is_empty()
    empty = splitting(("a", sae_of(PARENTS, 1)), ("b", sae_of(CHILDREN, 1)), [])
    assert empty.is_empty() and empty.schema["children"] == pl.UInt32


def test_other_units_are_refused():
    with pytest.raises(SeqsaeError, match="one reads rows of width 16, the other of 12"):
        Splitting(("a", sae_of(PARENTS, 1)), ("b", random_sae(12, 24, 6, seed=0)))
    with pytest.raises(SeqsaeError, match=r"normalisers differ \(none, center-scale\)"):
        Splitting(("a", sae_of(PARENTS, 1)), ("b", sae_of(CHILDREN, 1, "center-scale")))
