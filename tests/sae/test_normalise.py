import numpy as np
import pytest
import torch

from seqsae.errors import SeqsaeError
from seqsae.sae.base import Recipe, build
from seqsae.sae.normalise import fit, sample
from seqsae.sae.stream import ArrayStream


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
    with pytest.raises(SeqsaeError, match="unknown normalisation 'whiten'; choose one of center-scale, none"):
        fit([_rows()], "whiten", "s")


def test_sampling_puts_the_stream_back():
    stream, other = ArrayStream(_rows(), "s"), ArrayStream(_rows(), "s")
    seen = torch.cat(list(sample(stream, "s", 500)))
    assert seen.shape == (500, 6)
    assert sum(len(part) for part in sample(stream, "s", 10**9)) == 900
    assert torch.equal(stream.next(500)["s"], other.next(500)["s"])
