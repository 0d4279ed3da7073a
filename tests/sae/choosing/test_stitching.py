import numpy as np
import pytest
import torch
from sae.by_hand import random_sae, sae_of
from sklearn.metrics import roc_auc_score

from seqsae.sae.base import Codes
from seqsae.sae.choosing.stitching import Stitching, agreement, stitching
from seqsae.sae.normalise import BY_ROW

E = torch.eye(16)


def _rows(n: int = 2000, of: int = 12) -> torch.Tensor:
    """Two of the first `of` directions a row."""
    generator = torch.Generator().manual_seed(0)
    which = torch.rand(n, of, generator=generator).topk(2, dim=1).indices
    rows = torch.zeros(n, 16).scatter_(1, which, 0.5 + torch.rand(n, 2, generator=generator))
    return rows + 0.01 * torch.randn(n, 16, generator=generator)


def test_planted_novel_and_reconstruction_latents_are_told_apart():
    small, large = sae_of(E[:8], 2), sae_of(torch.cat([E[:8] + 0.3 * E[13], E[8:12], E[14:15]]), 2)
    with torch.no_grad():
        large.b_enc[12] = -9  # the last one never fires
    table = stitching(("small", small), ("large", large), _rows().split(300))
    assert table["kind"].to_list() == ["reconstruction"] * 8 + ["novel"] * 4 + ["unseen"]
    assert table["nearest"].to_list()[:8] == list(range(8))
    assert (table["cosine"][:8] > 0.9).all() and (table["cosine"][8:] < 0.1).all()
    assert table["change"][12] is None and table["rows"][12] == 0
    # one that stands for another costs nearly nothing in its place; a novel one, put there, costs what the other held
    assert (table["swap"][:8] < 0.3 * table["change"][:8]).all()
    assert (table["swap"][8:12] > table["change"][8:12]).all()
    found = agreement(table).row(0, named=True)
    assert (found["novel"], found["reconstruction"], found["unclear"], found["unseen"]) == (4, 8, 0, 1)
    assert found["auroc"] == found["agree"] == found["agree_threshold"] == 1
    assert 0.1 < found["threshold"] < 0.95 and -1 < found["change_novel"] < -0.5


def test_the_change_is_that_of_each_insertion_done(tmp_path):
    small, large = random_sae(12, 20, 4, seed=0), random_sae(12, 31, 3, seed=1)
    rows = torch.randn(300, 12, generator=torch.Generator().manual_seed(2))
    table = stitching(("small", small), ("large", large), rows.split(70))
    a, s = (_dense(sae, rows).double() for sae in (large, small))
    error = rows.double() - (s @ small.W_dec.double() + small.b_dec.double())
    whole = error.square().sum()
    for row in table.iter_rows(named=True):
        j, i = row["feature"], row["nearest"]
        added = a[:, j, None] * large.W_dec[j].double()
        taken = s[:, i, None] * small.W_dec[i].double()
        each = (error - added).square().sum(1) - error.square().sum(1)
        assert row["rows"] == (a[:, j] > 0).sum()
        assert row["change"] == pytest.approx((each.sum() / whole).item(), rel=1e-5, abs=1e-9)
        assert row["change_se"] == pytest.approx((each.std(correction=0) * 300**0.5 / whole).item(), rel=1e-5)
        swap = (error + taken - added).square().sum() - whole
        assert row["swap"] == pytest.approx((swap / whole).item(), rel=1e-5, abs=1e-9)
        cosines = torch.cosine_similarity(large.W_dec[j, None], small.W_dec, dim=1)
        assert i == cosines.argmax() and row["cosine"] == pytest.approx(cosines.max().item(), abs=1e-6)


def _dense(sae, rows):
    codes = sae.encode(rows)
    return torch.zeros(len(rows), sae.width).scatter_(1, codes.indices, codes.values)


@pytest.mark.parametrize("kind", ["center-scale", "layer-norm", "row-norm", "standardise"])
def test_changes_are_in_the_units_of_training(kind):
    small, large = sae_of(E[:8], 2, kind), sae_of(E[:12], 2, kind)
    rows = 5 * _rows() + 3
    if kind not in BY_ROW:
        for sae in (small, large):
            sae.mean.fill_(3.0)
            sae.scale.fill_(5.0)
    table = stitching(("small", small), ("large", large), [rows])
    x = small.normalise(rows)
    error = x - small.decode_normalised(small.encode(rows))
    j = 9
    added = _dense(large, rows)[:, j, None] * large.W_dec[j]
    change = ((error - added).square().sum() / error.square().sum() - 1).item()
    assert table["change"][j] == pytest.approx(change, rel=1e-3) and table["kind"][j] == "novel"


def test_a_change_within_its_noise_is_unclear():
    small, large = sae_of(E[:1], 1), sae_of(E[1:2], 1)
    found = Stitching(("small", small), ("large", large))
    rows = torch.zeros(100, 16)
    rows[:50, 1], rows[50:, 1] = 1.0, -1.0
    none = torch.zeros(100, 1, dtype=torch.int64)
    # right on 50 rows (-1 each), wrong on 17 (+3 each): the sum is 1, its error about 12
    on = torch.zeros(100, 1)
    on[:67] = 1.0
    found.update(rows, Codes(torch.zeros(100, 1), none), Codes(on, none))
    row = found.table().row(0, named=True)
    assert row["kind"] == "unclear" and row["change"] == pytest.approx(0.01) and row["change_se"] > 0.1


def test_a_perfect_smaller_sae_leaves_nothing_to_tell():
    small = sae_of(E, 16)
    with torch.no_grad():
        small.W_enc.copy_(E)
    table = stitching(("small", small), ("large", sae_of(E[:4], 1)), [_rows().abs() // 0.5 * 0.5])
    assert table["change"].null_count() == 4 and set(table["kind"]) == {"unclear"}
    assert agreement(table).row(0, named=True)["auroc"] is None


def test_the_best_threshold_is_found_by_trying_them_all():
    rng = np.random.default_rng(0)
    import polars as pl

    cosine = rng.integers(0, 20, 300) / 20  # many ties
    novel = rng.random(300) < np.clip(1.1 - cosine, 0.1, 0.9)
    table = pl.DataFrame(
        {
            "small": "a", "large": "b", "cosine": cosine, "change": np.where(novel, -0.1, 0.1),
            "kind": np.where(novel, "novel", "reconstruction"),
        }
    )  # fmt: skip
    found = agreement(table).row(0, named=True)
    assert found["auroc"] == pytest.approx(roc_auc_score(~novel, cosine))

    def share(threshold):
        return ((cosine[novel] < threshold).mean() + (cosine[~novel] >= threshold).mean()) / 2

    best = max(share(threshold) for threshold in np.linspace(-0.01, 1.01, 500))
    assert found["agree_threshold"] == pytest.approx(best) and share(found["threshold"]) == pytest.approx(best)
    assert found["agree"] == pytest.approx(share(0.7)) and found["change_novel"] == pytest.approx(-0.1 * novel.sum())
