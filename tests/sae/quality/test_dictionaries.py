import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from sklearn.metrics.pairwise import cosine_similarity

from seqsae.sae.base import Recipe, build
from seqsae.sae.fold import folded
from seqsae.sae.normalise import BY_ROW, KINDS, fit
from seqsae.sae.quality import dictionaries


def _dictionary(n, d=12, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def test_best_match_by_hand_and_in_chunks(monkeypatch):
    one = torch.tensor([[2.0, 0.0], [1.0, 1.0], [-1.0, 0.0]])
    other = torch.tensor([[0.0, 5.0], [3.0, 0.0]])
    for chunk in (2**24, 1):
        monkeypatch.setattr(dictionaries, "_CHUNK", chunk)
        match = dictionaries.best_match(one, other)
        torch.testing.assert_close(match.cosine, torch.tensor([1.0, 0.5**0.5, 0.0]))
        assert match.index[0] == 1 and match.index[2] == 0
        assert dictionaries.mmcs(one, other) == pytest.approx((1 + 0.5**0.5) / 3)


def test_nearest_other_row_is_scikit_learns(monkeypatch):
    rows = _dictionary(50)
    cosines = cosine_similarity(rows.double().numpy())
    np.fill_diagonal(cosines, -2)
    for chunk in (2**24, 70):
        monkeypatch.setattr(dictionaries, "_CHUNK", chunk)
        found = dictionaries.nearest(rows)
        np.testing.assert_allclose(found.cosine, cosines.max(1), atol=1e-6)
        assert found.index.tolist() == cosines.argmax(1).tolist()
        some = torch.tensor([3, 47, 8])
        assert torch.equal(dictionaries.nearest(rows, some).cosine, found.cosine[some])


def test_a_duplicate_is_its_own_rows_nearest_and_a_single_row_has_none():
    rows = _dictionary(4)
    twice = torch.cat([rows, 3 * rows[2:3]])
    found = dictionaries.nearest(twice)
    assert (found.index[2], found.index[4]) == (4, 2) and found.cosine[4] == pytest.approx(1)
    assert dictionaries.nearest(rows[:1]).cosine.isnan().all()


@pytest.mark.parametrize(("m", "w"), [(40, 60), (60, 40), (50, 50)])
@pytest.mark.parametrize("whole", [True, False])
def test_the_pairing_is_the_best_one_to_one(monkeypatch, m, w, whole):
    monkeypatch.setattr(dictionaries, "_WHOLE", 2**25 if whole else 0)
    one, other = _dictionary(m), _dictionary(w, seed=1)
    cosines = cosine_similarity(one.double().numpy(), other.double().numpy())
    left, right = linear_sum_assignment(cosines, maximize=True)
    found = dictionaries.paired(one, other, candidates=20)
    assert found.one.tolist() == left.tolist() and found.other.tolist() == right.tolist()
    np.testing.assert_allclose(found.cosine, cosines[left, right], atol=1e-6)


def test_rows_in_another_order_pair_up_even_with_few_candidates(monkeypatch):
    monkeypatch.setattr(dictionaries, "_WHOLE", 0)
    monkeypatch.setattr(dictionaries, "_CHUNK", 1000)
    one = _dictionary(300)
    order = torch.randperm(300, generator=torch.Generator().manual_seed(2))
    found = dictionaries.paired(one, 2 * one[order], candidates=2)
    assert torch.equal(order[found.other], found.one) and found.cosine.mean() == pytest.approx(1)


def test_rivals_for_one_row_still_all_find_a_partner(monkeypatch):
    monkeypatch.setattr(dictionaries, "_WHOLE", 0)
    one = torch.tensor([1.0, 0, 0]) + 1e-3 * _dictionary(30, 3)
    other = torch.cat([torch.tensor([[1.0, 0, 0]]), -one[:29]])
    found = dictionaries.paired(one, other, candidates=1)
    assert sorted(found.other.tolist()) == list(range(30))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in BY_ROW])
def test_directions_are_those_of_the_sae_that_reads_raw_rows(kind):
    x = _dictionary(400, 6) * torch.tensor([0.1, 1, 2, 3, 4, 50]) + 7
    sae = build(Recipe("topk", 6, 20, 3, kind))
    sae.set_normaliser(fit([x], kind, "here"))
    expected = folded(sae.eval()).W_dec
    torch.testing.assert_close(dictionaries.directions(sae), expected.detach(), rtol=1e-4, atol=1e-5)


def test_alignment_is_one_where_tied_and_falls_where_turned():
    sae = build(Recipe("topk", 6, 20, 3))
    torch.testing.assert_close(dictionaries.alignment(sae), torch.ones(20))
    with torch.no_grad():
        sae.W_enc[:, 3] *= -2
    assert dictionaries.alignment(sae)[3] == pytest.approx(-1)


def test_cosine_histogram_counts_all_but_nan():
    counts = dictionaries.cosine_histogram(torch.tensor([1.0000001, -1.0, 0.0, 0.04, 0.05, torch.nan]))
    assert sum(counts) == 5 and (counts[-1], counts[0], counts[20], counts[21]) == (1, 1, 2, 1)
