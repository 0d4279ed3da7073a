import numpy as np
import pytest
import torch

from seqsae.errors import SeqsaeError
from seqsae.sae.base import Recipe, build
from seqsae.sae.moments import sample
from seqsae.sae.normalise import BY_ROW, KINDS, fit
from seqsae.sae.training.stream import ArrayStream


def _rows(n=900, d=6):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(0)) * torch.tensor([0.1, 1, 2, 3, 0, 5]) + 1000


def test_center_scale_gives_mean_zero_and_mean_square_length_d():
    x = _rows()
    sae = build(Recipe("topk", 6, 8, 2))
    sae.set_normaliser(fit(x.split(100), "center-scale", "layers.1"))
    z = sae.normalise(x).double()
    assert z.mean(0).abs().max() < 1e-3
    assert z.square().sum(1).mean().item() == pytest.approx(6, rel=1e-4)
    torch.testing.assert_close(z.float() * sae.scale + sae.mean, x)
    assert sae.b_dec.abs().max() == 0


def test_fit_is_numpy_in_float64_whatever_the_batches():
    x = _rows()
    for size in (1, 7, 900):
        found = fit(x.split(size), "center-scale", "s")
        np.testing.assert_allclose(found.mean, x.numpy().astype(np.float64).mean(0), rtol=1e-7)
        expected = np.sqrt(x.numpy().astype(np.float64).var(0).sum() / 6)
        assert found.scale.item() == pytest.approx(expected, rel=1e-6)


def test_none_leaves_rows_and_starts_the_bias_at_their_mean():
    x = _rows()
    sae = build(Recipe("topk", 6, 8, 2, "none"))
    sae.set_normaliser(fit([x], "none", "s"))
    assert torch.equal(sae.normalise(x), x)
    torch.testing.assert_close(sae.b_dec, x.double().mean(0).float())


def test_many_identical_rows_are_fine_but_all_equal_ones_are_refused():
    same = torch.full((500, 6), 0.1)
    mixed = torch.cat([same, same[:3] + 1])
    found = fit([mixed], "center-scale", "s")
    assert torch.isfinite(found.scale) and found.scale > 0
    for kind in ("center-scale", "none"):
        with pytest.raises(SeqsaeError, match=r"site 'layers.1': all 500 sampled rows are equal"):
            fit([same], kind, "layers.1")


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_values_that_are_no_numbers_name_the_site(bad):
    x = _rows()
    x[5, 2] = bad
    with pytest.raises(SeqsaeError, match=r"site 'layers.1'.*NaN or infinite"):
        fit(x.split(100), "center-scale", "layers.1")


def test_no_rows_and_unknown_kinds_are_refused():
    with pytest.raises(SeqsaeError, match="site 's': no rows"):
        fit([], "center-scale", "s")
    with pytest.raises(SeqsaeError, match="unknown normalisation 'batch'; choose one of center-scale, none"):
        fit([_rows()], "batch", "s")
    with pytest.raises(SeqsaeError, match="unknown bias 'mode'; choose one of mean, geometric-median, zeros"):
        fit([_rows()], "none", "s", "mode")
    with pytest.raises(SeqsaeError, match="layer-norm of rows of width 1"):
        Recipe("topk", 1, 8, 2, "layer-norm")


def test_sampling_puts_the_stream_back():
    stream, other = ArrayStream(_rows(), "s"), ArrayStream(_rows(), "s")
    seen = torch.cat(list(sample(stream, "s", 500)))
    assert seen.shape == (500, 6)
    assert sum(len(part) for part in sample(stream, "s", 10**9)) == 900
    assert torch.equal(stream.next(500)["s"], other.next(500)["s"])


def _fitted(kind, x, bias="mean", d=6):
    sae = build(Recipe("topk", d, 8, 2, kind))
    sae.set_normaliser(fit(x.split(100), kind, "s", bias))
    return sae


def test_mean_norm_divides_so_that_the_mean_length_is_the_root_of_d():
    x = _rows()
    z = _fitted("mean-norm", x).normalise(x).double()
    assert z.norm(dim=1).mean().item() == pytest.approx(6**0.5, rel=1e-5)
    torch.testing.assert_close(z[0] / z[0].norm(), x[0].double() / x[0].double().norm(), rtol=1e-5, atol=0)


def test_standardise_gives_each_dimension_variance_one_and_only_centres_a_still_one():
    x = _rows() - 1000
    z = _fitted("standardise", x).normalise(x).double()
    assert z.mean(0).abs().max() < 1e-5
    np.testing.assert_allclose(z.std(0, correction=0), [1, 1, 1, 1, 0, 1], rtol=1e-5)


def test_whitening_is_the_symmetric_inverse_root_of_the_covariance():
    mix = torch.randn(6, 6, generator=torch.Generator().manual_seed(3))
    x = torch.randn(5000, 6, generator=torch.Generator().manual_seed(4)) @ mix + 2
    sae = _fitted("whiten", x)
    z = sae.normalise(x).double().numpy()
    values, vectors = np.linalg.eigh(np.cov(x.double().numpy().T, bias=True))
    root = np.sqrt(values + 1e-3 * values.mean())
    np.testing.assert_allclose(sae.whiten, (vectors / root) @ vectors.T, atol=1e-5)
    np.testing.assert_allclose(np.cov(z.T, bias=True), (vectors * (values / root**2)) @ vectors.T, atol=1e-4)
    np.testing.assert_allclose(sae.whiten @ sae.unwhiten, np.eye(6), atol=1e-5)


def test_row_norm_brings_each_row_to_the_length_root_d_and_decoding_undoes_it():
    x = torch.cat([_rows(), torch.zeros(1, 6)])
    sae = _fitted("row-norm", x)
    z = sae.normalise(x)
    np.testing.assert_allclose(torch.linalg.vector_norm(z[:-1], dim=1), 6**0.5, rtol=1e-5)
    assert not z[-1].any() and not sae(x)[-1].any()
    codes = sae.encode(x)
    length = torch.linalg.vector_norm(x, dim=1, keepdim=True)
    torch.testing.assert_close(sae(x), sae.decode_normalised(codes) * length / 6**0.5)
    with pytest.raises(SeqsaeError, match="decode: this SAE normalises each row by itself; give decode the rows"):
        sae.decode(codes)


def test_layer_norm_standardises_each_row_and_decoding_undoes_it_with_the_row_at_hand():
    x = _rows() - 1000
    sae = _fitted("layer-norm", x)
    z = sae.normalise(x)
    np.testing.assert_allclose(z.mean(1), 0, atol=1e-5)
    np.testing.assert_allclose(z.std(1), 1, rtol=1e-3)
    codes = sae.encode(x)
    expected = sae.decode_normalised(codes) * x.std(1, keepdim=True) + x.mean(1, keepdim=True)
    torch.testing.assert_close(sae(x), expected)
    with pytest.raises(SeqsaeError, match="decode: this SAE normalises each row by itself; give decode the rows"):
        sae.decode(codes)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bias", ["mean", "geometric-median", "zeros"])
def test_with_no_latent_active_the_reconstruction_is_where_the_bias_starts(kind, bias):
    x = torch.cat([_rows() - 1000, torch.full((300, 6), 7.0)])  # a quarter of the rows are equal
    sae = _fitted(kind, x, bias)
    with torch.no_grad():
        sae.b_enc.fill_(-1e6)
    guess = sae(x)
    assert torch.isfinite(guess).all()
    if bias == "zeros":
        assert sae.b_dec.abs().max() == 0
    elif bias == "mean" and kind not in BY_ROW:
        torch.testing.assert_close(guess[0], x.double().mean(0).float(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_dictionary_that_holds_everything_gives_rows_back_whatever_the_normaliser(kind):
    x = _rows() - 900
    sae = build(Recipe("topk", 6, 12, 12, kind))
    sae.set_normaliser(fit([x], kind, "s"))
    with torch.no_grad():
        sae.W_dec.copy_(torch.cat([torch.eye(6), -torch.eye(6)]))
        sae.W_enc.copy_(sae.W_dec.T)
    torch.testing.assert_close(sae(x), x, rtol=1e-4, atol=2e-3)


def test_small_columns_beside_large_ones_are_standardised_too():
    x = torch.randn(3000, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([1e4, 1.0, 1e-3])
    x[:, 1] += 1e3
    z = _fitted_of(x, "standardise").normalise(x)
    np.testing.assert_allclose(z.std(0), 1, rtol=1e-2)


def test_rows_far_from_zero_that_vary_little_are_not_called_equal():
    x = 1e6 + 0.5 * torch.randn(3000, 4, generator=torch.Generator().manual_seed(0))
    z = _fitted_of(x, "center-scale").normalise(x)
    np.testing.assert_allclose(z.std(0), 1, rtol=0.1)


def _fitted_of(x, kind):
    sae = build(Recipe("topk", x.shape[1], 8, 2, kind))
    sae.set_normaliser(fit([x], kind, "s"))
    return sae
