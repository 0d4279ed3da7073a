import numpy as np
import pytest
import torch
from sklearn.metrics import r2_score

from seqsae.sae.base import Codes, Recipe, build
from seqsae.sae.quality.density import EDGES
from seqsae.sae.quality.metrics import HELDOUT, Firing, Unexplained, measure


def _rows(n=1000, d=5):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n, d, generator=generator) * torch.tensor([0.01, 1, 2, 3, 4]) + torch.tensor([1e4, -50, 0, 7, 1])


def _fvu(x, x_hat, sizes):
    found = Unexplained()
    for one, other in zip(x.split(sizes), x_hat.split(sizes), strict=True):
        found.update(one, other)
    return found


@pytest.mark.parametrize("sizes", [1000, 1, 333, [1, 0, 998, 1]])
def test_predicting_the_mean_gives_one_however_the_rows_are_cut(sizes):
    x = _rows().double()
    found = _fvu(x, x.mean(0).expand_as(x), sizes)
    assert found.value() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(found.explained(), 0, atol=1e-8)


def test_fvu_is_one_less_r2_of_scikit_learn_per_dimension_and_overall():
    x = _rows()
    x_hat = x + 0.3 * torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    found = _fvu(x, x_hat, 77)
    np.testing.assert_allclose(found.explained(), r2_score(x, x_hat, multioutput="raw_values"), rtol=1e-3)
    x64, hat64 = x.numpy().astype(np.float64), x_hat.numpy().astype(np.float64)
    expected = ((x64 - hat64) ** 2).sum() / ((x64 - x64.mean(0)) ** 2).sum()
    assert found.value() == pytest.approx(expected, rel=1e-10)


def test_fvu_merges_over_shards_and_is_nan_without_variance():
    x = _rows()
    one, other = _fvu(x[:300], x[:300] + 0.1, 50), _fvu(x[300:], x[300:] + 0.1, 50)
    one.merge(other)
    assert one.value() == pytest.approx(_fvu(x, x + 0.1, 1000).value(), rel=1e-12)
    assert np.isnan(Unexplained().value())
    assert np.isnan(_fvu(torch.ones(4, 2), torch.ones(4, 2), 4).value())


def test_firing_by_hand():
    firing = Firing(4)
    firing.update(Codes(torch.tensor([[1.0, 0.0], [2.0, 3.0]]), torch.tensor([[0, 1], [0, 2]])))
    other = Firing(4)
    other.update(Codes(torch.tensor([[0.0, 0.5], [0.0, 0.0]]), torch.tensor([[3, 2], [0, 2]])))
    firing.merge(other)
    assert firing.density().tolist() == [0.5, 0.0, 0.5, 0.0]
    assert (firing.l0(), firing.dead()) == (1.0, 0.5)


def test_measure_leaves_the_sae_alone_and_counts_rows():
    sae = build(Recipe("topk", 5, 16, 3)).train()
    before = {name: value.clone() for name, value in sae.state_dict().items()}
    quality = measure(sae, _rows().split(90))
    assert quality.n == 1000 and 0 < quality.l0 <= 3 and quality.density.shape == (16,)
    assert all(torch.equal(value, before[name]) for name, value in sae.state_dict().items())
    assert sae.training and all(weight.grad is None for weight in sae.parameters())


def test_offsets_of_the_dimensions_buy_nothing():
    """One mean over all numbers, or variance about zero, would call predicting the mean almost perfect on these rows."""
    x = _rows().double()
    mean = x.mean(0).expand_as(x)
    residual = (x - mean).square().sum()
    assert residual / (x - x.mean()).square().sum() < 1e-6 and residual / x.square().sum() < 1e-6
    assert _fvu(x, mean, 64).value() == pytest.approx(1, abs=1e-12)
    assert r2_score(x, mean) == pytest.approx(0, abs=1e-9)


def test_dense_latents_are_those_in_more_than_a_tenth_of_the_rows():
    firing = Firing(3)
    values = torch.zeros(20, 3)
    values[:2, 0] = values[:3, 1] = 1.0
    firing.update(Codes(values, torch.arange(3).expand(20, 3)))
    assert firing.density().tolist() == [0.1, 0.15, 0.0]
    assert firing.dense() == pytest.approx(1 / 3)


@pytest.mark.parametrize("normalisation", ["none", "center-scale", "layer-norm", "row-norm"])
def test_measure_is_the_float64_formula_however_the_rows_are_cut(normalisation):
    x = _rows()
    sae = build(Recipe("topk", 5, 16, 3, normalisation)).eval()
    with torch.no_grad():
        sae.b_dec += 0.3
        codes = sae.encode(x)
        x_hat = sae.decode(codes, x).double()
        b = sae.decode(Codes(torch.zeros(1000, 1), torch.zeros(1000, 1).long()), x).double()
    x64 = x.double()
    gamma = (x_hat - b).square().sum() / ((x_hat - b) * (x64 - b)).sum()
    fvu = (x64 - x_hat).square().sum() / (x64 - x64.mean(0)).square().sum()
    one, other = measure(sae, [x]), measure(sae, x.split(90))
    for quality in (one, other):
        assert quality.shrinkage == pytest.approx(gamma.item(), rel=1e-5)
        assert quality.fvu == pytest.approx(fvu.item(), rel=1e-5)
    assert one.row()["density"] == other.row()["density"]


def test_the_row_of_the_metrics_has_every_column_and_nulls_without_rows():
    sae = build(Recipe("topk", 5, 16, 3)).eval()
    found = measure(sae, _rows().split(90))
    row = found.row()
    assert list(row) == list(HELDOUT)
    assert (row["fvu"], row["l0"], row["dead_heldout"], row["dense"]) == (found.fvu, found.l0, found.dead, found.dense)
    assert sum(row["density"]) == 16 and len(row["density"]) == len(EDGES) + 1
    assert row["density"][0] == round(16 * found.dead)
    assert set(measure(sae, []).row().values()) == {None}


def test_a_dimension_that_does_not_vary_has_no_explained_variance():
    x = torch.randn(1000, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x[:, 1] = 0.1
    seen = Unexplained()
    for part in x.split(77):
        seen.update(part, part + 0.01)
    assert seen.explained().isnan().tolist() == [False, True, False]
