"""Our SAEs out to each format and back: the same codes and reconstructions, or a refusal that says why."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from sae.formats.cases import CASES
from sae.formats.formulas import assert_close, dense, rows, weights
from safetensors.torch import load_file

from seqsae.errors import SeqsaeError
from seqsae.sae import formats
from seqsae.sae.base import Recipe, build
from seqsae.sae.normalise import BY_ROW

ARCHITECTURES = {
    "relu": {},
    "gated": {},
    "jumprelu": {},
    "topk": {"k": 3},
    "batchtopk": {"k": 3},
    "matryoshka": {"k": 3, "options": {"groups": [4, 6, 10]}},
}
HOLDS = {
    "saelens": set(ARCHITECTURES),
    "sparsify": {"topk"},
    "dictionary_learning": set(ARCHITECTURES),
    "openai": {"relu"},
    "interplm": {"relu", "jumprelu", "topk", "batchtopk"},
}
"""What each holds of SAEs whose normaliser can be worked into the weights and whose decoder has a bias."""


def sae_of(architecture: str, normalisation: str = "none", seed: int = 0, **options):
    """One of ours with random weights, thresholds and normaliser."""
    settings = ARCHITECTURES[architecture]
    options = {**settings.get("options", {}), **options}
    sae = build(Recipe(architecture, 6, 20, settings.get("k"), normalisation, options=options))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in sae.state_dict().items():
            if name in ("W_enc", "W_dec", "b_enc", "b_dec", "r_mag", "b_mag"):
                value.add_(0.3 * torch.randn(value.shape, generator=generator))
            elif "threshold" in name:
                value.copy_(0.5 + 0.1 * torch.rand(value.shape, generator=generator))
        if normalisation not in ("none", *BY_ROW):
            sae.scale.copy_(0.5 + torch.rand(sae.scale.shape, generator=generator))
        if normalisation in ("center-scale", "standardise", "whiten"):
            sae.mean.copy_(torch.randn(6, generator=generator))
        if normalisation == "whiten":
            sae.whiten.add_(0.2 * torch.randn(6, 6, generator=generator))
            sae.unwhiten.copy_(torch.linalg.inv(sae.whiten.double()))
    return sae.eval()


def out_and_back(sae, folder, name: str):
    path = folder / ("sae" + (formats.FORMATS[name].FILE or ""))
    formats.write(sae, path, name)
    kind = sae.config.architecture
    options = {"interprot": {"k": sae.k}, "interplm": {"architecture": kind} if sae.k else {}}
    if name == "overcomplete" and kind in ("relu", "topk"):
        options[name] = {"k": sae.k} if sae.k else {"architecture": kind}
    assert formats.detected(path) == name
    assert sorted(one.name for one in folder.iterdir()) == [path.name]
    return formats.read(path, **options.get(name, {}))


def assert_same(sae, back, x=None):
    x = rows() if x is None else x
    assert (dense(sae, x) > 0).any()
    assert_close(dense(back, x), dense(sae, x))
    rows_ = torch.from_numpy(x).float()
    with torch.no_grad():
        assert_close(back(rows_).numpy(), sae(rows_).numpy())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("name", HOLDS)
def test_what_a_format_holds_comes_back_the_same_and_the_rest_is_refused(name, architecture, tmp_path):
    sae = sae_of(architecture)
    if architecture in HOLDS[name]:
        assert_same(sae, out_and_back(sae, tmp_path, name))
    else:
        with pytest.raises(SeqsaeError, match=f"{name} cannot hold this SAE: it"):
            formats.write(sae, tmp_path / "a.pt", name)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("normalisation", ["center-scale", "mean-norm", "standardise", "whiten"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_normaliser_that_weights_can_take_over_is_worked_in(architecture, normalisation, tmp_path):
    for name in ("saelens", "dictionary_learning"):
        (tmp_path / name).mkdir()
        sae = sae_of(architecture, normalisation)
        assert_same(sae, out_and_back(sae, tmp_path / name, name))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_encoder_that_does_not_subtract_the_bias_and_one_that_is_tied_come_back_the_same(architecture, tmp_path):
    for i, options in enumerate(({"subtract_b_dec": False}, {"tied": True}, {"subtract_b_dec": True})):
        for name in ("saelens", "dictionary_learning"):
            folder = tmp_path / f"{i}{name}"
            folder.mkdir()
            sae = sae_of(architecture, "center-scale", **options)
            assert_same(sae, out_and_back(sae, folder, name))


@pytest.mark.parametrize("architecture", ["relu", "gated", "jumprelu", "topk"])
def test_rows_of_one_length_come_back_the_same(architecture, tmp_path):
    sae = sae_of(architecture, "row-norm")
    assert_same(sae, out_and_back(sae, tmp_path, "saelens"), 30 * rows())


@pytest.mark.parametrize("name", ["saelens", "openai", "interprot"])
def test_layer_normalised_rows_come_back_the_same(name, tmp_path):
    sae = sae_of("topk", "layer-norm")
    assert_same(sae, out_and_back(sae, tmp_path, name), 30 * rows())


def test_esmc_holds_a_topk_without_encoder_bias(tmp_path):
    sae = sae_of("topk", "layer-norm")
    with pytest.raises(
        SeqsaeError, match="esmc cannot hold this SAE: it has no encoder bias, and this SAE's is not zero"
    ):
        formats.write(sae, tmp_path / "no", "esmc")
    with torch.no_grad():
        sae.b_enc.zero_()
    assert_same(sae, out_and_back(sae, tmp_path, "esmc"))


@pytest.mark.parametrize("architecture", ["relu", "topk", "jumprelu", "batchtopk"])
def test_overcomplete_holds_what_has_no_decoder_bias_and_rows_of_one_length(architecture, tmp_path):
    sae = sae_of(architecture)
    with pytest.raises(SeqsaeError, match="overcomplete cannot hold this SAE: it has no decoder bias"):
        formats.write(sae, tmp_path / "a.pt", "overcomplete")
    with torch.no_grad():
        sae.b_dec.zero_()
    with pytest.raises(SeqsaeError, match="all rows of its decoder have one length, and this SAE's do not"):
        formats.write(sae, tmp_path / "a.pt", "overcomplete")
    with torch.no_grad():
        sae.W_dec.copy_(torch.nn.functional.normalize(sae.W_dec, dim=1))
    assert_same(sae, out_and_back(sae, tmp_path, "overcomplete"))


REFUSED = {
    "rows normalised one by one": (
        "sparsify",
        "topk",
        "layer-norm",
        "sparsify cannot hold this SAE: .*each row is normalised",
    ),
    "openai's relu": ("openai", "relu", "layer-norm", "it layer-normalises rows for topk alone, and this is a relu"),
    "openai's topk": ("openai", "topk", "none", "its topk always layer-normalises rows, and this one does not"),
    "interprot's rows": ("interprot", "topk", "none", "that format normalises rows by layer-norm, this SAE by none"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_format_cannot_hold_is_refused_and_nothing_is_written(case, tmp_path):
    name, architecture, normalisation, words = REFUSED[case]
    with pytest.raises(SeqsaeError, match=words) as caught:
        formats.write(sae_of(architecture, normalisation), tmp_path / ("a" + (formats.FORMATS[name].FILE or "")), name)
    assert "\n" not in str(caught.value) and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("architecture", ["switch", "codebook"])
def test_architectures_of_our_own_are_held_by_no_other_format(architecture, tmp_path):
    sae = sae_of("topk")
    sae.config = replace(sae.config, architecture=architecture)
    with pytest.raises(SeqsaeError, match=f"no other tool's format holds a {architecture!r} SAE"):
        formats.write(sae, tmp_path / "a", "saelens")


@pytest.mark.parametrize(
    "name", ["saelens_topk", "saelens_jumprelu", "saelens_gated", "sparsify_layer", "interprot_safetensors"]
)
def test_a_foreign_file_read_and_written_again_holds_the_same_numbers(name, tmp_path):
    path, options, _ = CASES[name](tmp_path, weights(), rows())
    out = tmp_path / ("out" + (path.suffix if path.is_file() else ""))
    formats.write(formats.read(path, **options), out, name.partition("_")[0])
    before, after = (load_file(one if one.is_file() else next(one.glob("*.safetensors"))) for one in (path, out))
    assert set(before) == set(after)
    for tensor in before:
        if tensor == "threshold":  # kept as its logarithm here
            torch.testing.assert_close(after[tensor], before[tensor].clamp_min(0), rtol=1e-6, atol=1e-30)
        else:
            assert torch.equal(before[tensor], after[tensor]), tensor


def _tied_weights(sae, copies: int = 4):
    """Latents 0 to copies - 1 the same in all: each row ties them."""
    with torch.no_grad():
        for name in ("W_enc", "W_dec", "b_enc"):
            value = getattr(sae, name)
            value = value.T if name == "W_enc" else value
            value[1:copies] = value[0].clone()
    return sae


@pytest.mark.parametrize("name", ["saelens", "sparsify", "dictionary_learning", "interplm"])
def test_of_tied_latents_the_sum_of_codes_and_the_reconstruction_come_back(name, tmp_path):
    """Which of equal pre-activations a top-k keeps is nobody's promise; that they are equal, and what they add up to, is."""
    sae = _tied_weights(sae_of("topk"))
    back = out_and_back(sae, tmp_path, name)
    x = rows(400)
    ours, theirs = dense(sae, x), dense(back, x)
    kept = (ours[:, :4] > 0).sum(1)
    assert ((kept > 0) & (kept < 4)).any(), "no tie at the end of the choice"
    assert_close(theirs[:, :4].sum(1), ours[:, :4].sum(1))
    assert_close(theirs[:, 4:], ours[:, 4:])
    rows_ = torch.from_numpy(x).float()
    with torch.no_grad():
        assert_close(back(rows_).numpy(), sae(rows_).numpy())


def test_ties_at_zero_are_no_codes(tmp_path):
    """Rows with fewer positive latents than k: the rest of the choice is arbitrary and its codes are 0."""
    sae = sae_of("topk")
    with torch.no_grad():
        sae.b_enc.sub_(1.5)
    x = rows()
    assert ((dense(sae, x) > 0).sum(1) < 3).any()
    assert_same(sae, out_and_back(sae, tmp_path, "sparsify"), x)


def test_bits_do_not_depend_on_the_run(tmp_path):
    for name in ("saelens", "dictionary_learning", "interplm", "openai"):
        file = formats.FORMATS[name].FILE or ""
        for copy in "ab":
            formats.write(sae_of("relu"), tmp_path / f"{copy}-{name}{file}", name)
        one, two = (sorted(p for p in (tmp_path / f"{c}-{name}{file}").rglob("*") if p.is_file()) for c in "ab")
        assert [p.read_bytes() for p in one] == [p.read_bytes() for p in two]


def test_float64_numbers_are_close_at_a_large_offset(tmp_path):
    """Activations far from 0, as in residual streams: the error is of the size of float32's own."""
    sae = sae_of("topk", "center-scale")
    with torch.no_grad():
        sae.mean.add_(50)
    x = rows() + 50
    back = out_and_back(sae, tmp_path, "saelens")
    assert np.abs(dense(back, x) - dense(sae, x)).max() < 1e-6 * 50 * 6


def test_what_an_esmc_sae_reads_is_kept(tmp_path):
    sae = sae_of("topk", "layer-norm")
    with torch.no_grad():
        sae.b_enc.zero_()
    formats.write(sae, tmp_path / "a", "esmc")
    config = json.loads((tmp_path / "a" / "config.json").read_text())
    (tmp_path / "a" / "config.json").write_text(json.dumps(config | {"use_residual_update_instead_of_states": True}))
    formats.write(formats.read(tmp_path / "a"), tmp_path / "b", "esmc")
    assert json.loads((tmp_path / "b" / "config.json").read_text())["use_residual_update_instead_of_states"] is True


def test_weights_that_are_no_numbers_are_not_written(tmp_path):
    sae = sae_of("topk", "none")
    with torch.no_grad():
        sae.W_dec[0, 0] = torch.nan
    with pytest.raises(SeqsaeError, match="cannot hold this SAE: its weights: W_dec is too large"):
        formats.write(sae, tmp_path / "x", "sparsify")
