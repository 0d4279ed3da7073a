import pytest
import torch

from seqsae.errors import SeqsaeError
from seqsae.sae.base import Recipe, build
from seqsae.sae.fold import folded
from seqsae.sae.normalise import BY_ROW, KINDS, fit


def _sae(kind, **options):
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(600, 8, generator=generator) @ torch.randn(8, 8, generator=generator) + 5
    sae = build(Recipe("topk", 8, 24, 3, kind, options=options))
    sae.set_normaliser(fit([x], kind, "s"))
    with torch.no_grad():
        sae.b_enc.copy_(torch.randn(24, generator=generator) / 4)
        sae.b_dec.add_(torch.randn(8, generator=generator) / 4)
    return sae.eval(), x


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in BY_ROW])
@pytest.mark.parametrize("options", [{}, {"subtract_b_dec": False}, {"tied": True}], ids=str)
def test_a_folded_sae_gives_the_same_codes_and_rows_without_a_normaliser(kind, options):
    sae, x = _sae(kind, **options)
    plain = folded(sae)
    assert plain.config.normalisation == "none" and plain.mean.abs().max() == 0 and plain.scale == 1
    one, other = sae.encode(x), plain.encode(x)
    assert torch.equal(one.indices.sort(1).values, other.indices.sort(1).values)
    torch.testing.assert_close(one.values.sort(1).values, other.values.sort(1).values, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(sae(x), plain(x), rtol=1e-4, atol=1e-4)


def test_what_depends_on_the_row_cannot_be_folded():
    sae, _ = _sae("layer-norm")
    with pytest.raises(SeqsaeError, match="cannot be worked into the weights, each row is normalised by itself"):
        folded(sae)
