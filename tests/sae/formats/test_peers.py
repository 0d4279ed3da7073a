"""The real packages load what we export and we load what they save: the same codes and reconstructions, to 1e-6."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from sae.formats.formulas import assert_close, dense
from safetensors.torch import load_file, save_file

from seqsae.sae import formats
from seqsae.sae.base import Recipe, build

ROOT = Path(__file__).parents[3]
PYTHON = ROOT / ".venv-bench" / "bin" / "python"
D, F, K, N = 16, 64, 5, 300

pytestmark = pytest.mark.skipif(
    not (ROOT / ".venv-bench" / "ready").exists(),
    reason="the peers' packages are not here: `make bench` builds .venv-bench with sae-lens, sparsify, dictionary-learning and overcomplete",
)

OURS = {
    "relu": {},
    "gated": {},
    "jumprelu": {},
    "topk": {"k": K},
    "batchtopk": {"k": K},
    "matryoshka": {"k": K, "options": {"groups": [8, 16, 40]}},
}
EXPORTS = {
    **{f"saelens {kind}": ("saelens", kind, "center-scale", {}) for kind in OURS},
    "saelens topk layer-norm": ("saelens", "topk", "layer-norm", {}),
    "saelens topk row-norm": ("saelens", "topk", "row-norm", {}),
    "saelens relu whiten": ("saelens", "relu", "whiten", {}),
    "sparsify topk": ("sparsify", "topk", "center-scale", {}),
    **{f"dictionary_learning {kind}": ("dictionary_learning", kind, "center-scale", {}) for kind in OURS},
    "overcomplete relu": ("overcomplete", "relu", "none", {"cls": "SAE"}),
    "overcomplete topk": ("overcomplete", "topk", "none", {"cls": "TopKSAE", "top_k": K}),
    "overcomplete jumprelu": ("overcomplete", "jumprelu", "none", {"cls": "JumpSAE"}),
    "overcomplete batchtopk": ("overcomplete", "batchtopk", "none", {"cls": "JumpSAE"}),
    "saelens tied": ("saelens", "topk", "none", {}),
    "sparsify tied": ("sparsify", "topk", "none", {}),
    "dictionary_learning tied": ("dictionary_learning", "topk", "none", {}),
}
"""Name to format, architecture, normaliser and what the package is told besides."""

IMPORTS = {
    **{f"saelens {name}": ("saelens_save", {"architecture": name}) for name in ("standard", "gated", "jumprelu")},
    "saelens topk": ("saelens_save", {"architecture": "topk", "k": K}),
    "saelens topk rescaled": ("saelens_save", {"architecture": "topk", "k": K, "rescale_acts_by_decoder_norm": True}),
    "saelens topk layer_norm": (
        "saelens_save",
        {"architecture": "topk", "k": K, "normalize_activations": "layer_norm"},
    ),
    "saelens topk constant_norm_rescale": (
        "saelens_save",
        {"architecture": "topk", "k": K, "normalize_activations": "constant_norm_rescale"},
    ),
    "saelens standard bare": ("saelens_save", {"architecture": "standard", "apply_b_dec_to_input": False}),
    "saelens whitened standard": ("saelens_save_whitened", {"architecture": "standard", "apply_b_dec_to_input": False}),
    "saelens whitened gated": ("saelens_save_whitened", {"architecture": "gated"}),
    "saelens whitened topk": ("saelens_save_whitened", {"architecture": "topk", "k": K}),
    **{
        f"saelens training {name}": ("saelens_save_training", {"architecture": name, "scale": 0.4, **more})
        for name, more in {
            "standard": {},
            "gated": {},
            "jumprelu": {},
            "topk": {"k": K},
            "batchtopk": {"k": K},
            "matryoshka_batchtopk": {"k": K, "matryoshka_widths": [8, 24, 64]},
        }.items()
    },
    "sparsify": ("sparsify_save", {"num_latents": F, "k": K}),
    "sparsify num_latents 0": ("sparsify_save", {"expansion_factor": 4, "k": K}),
    "sparsify as wide as its input": ("sparsify_save", {"expansion_factor": 1, "k": K}),
    **{
        f"dictionary_learning {cls}": ("dictionary_learning_save", {"cls": cls})
        for cls in (
            *("AutoEncoder", "AutoEncoderNew", "AutoEncoderTopK", "BatchTopKSAE", "MatryoshkaBatchTopKSAE"),
            *("JumpReluAutoEncoder", "GatedAutoEncoder"),
        )
    },
    "overcomplete SAE": ("overcomplete_save", {"cls": "SAE"}),
    "overcomplete TopKSAE": ("overcomplete_save", {"cls": "TopKSAE", "top_k": K}),
    "overcomplete TopKSAE in training": ("overcomplete_save", {"cls": "TopKSAE", "top_k": K, "mode": "train"}),
    "overcomplete tied": ("overcomplete_save", {"cls": "TopKSAE", "top_k": K, "encoder": "tied"}),
    "overcomplete untied": ("overcomplete_save", {"cls": "TopKSAE", "top_k": K, "encoder": "untied"}),
    "overcomplete BatchTopKSAE": ("overcomplete_save", {"cls": "BatchTopKSAE", "top_k": K * N}),
    "overcomplete JumpSAE": ("overcomplete_save", {"cls": "JumpSAE"}),
    "overcomplete RATopKSAE": ("overcomplete_save", {"cls": "RATopKSAE", "top_k": K}),
}
"""Name to what the package does and how."""


def sae_of(architecture: str, normalisation: str, name: str):
    """One of ours with random weights; "tied" ones have four equal latents, those for overcomplete no decoder bias."""
    settings = OURS[architecture]
    sae = build(Recipe(architecture, D, F, settings.get("k"), normalisation, options=settings.get("options", {})))
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for key, value in sae.state_dict().items():
            if key in ("W_enc", "W_dec", "b_enc", "b_dec", "r_mag", "b_mag"):
                value.add_(0.2 * torch.randn(value.shape, generator=draw))
            elif "threshold" in key:
                value.copy_(0.6 + 0.1 * torch.rand(value.shape, generator=draw))
        if normalisation in ("center-scale", "whiten"):
            sae.mean.normal_(generator=draw)
            sae.scale.fill_(1.7)
        if normalisation == "whiten":
            sae.whiten.add_(0.1 * torch.randn(D, D, generator=draw))
            sae.unwhiten.copy_(torch.linalg.inv(sae.whiten.double()))
        if name.startswith("overcomplete"):
            sae.b_dec.zero_()
            sae.W_dec.copy_(1.3 * torch.nn.functional.normalize(sae.W_dec, dim=1))
        if name.endswith("tied"):
            for value in (sae.W_enc.T, sae.W_dec, sae.b_enc):
                value[1:4] = value[0].clone()
    return sae.eval()


def place(folder: Path, name: str) -> Path:
    suffix = ".pt" if name.startswith("overcomplete") else ""
    return folder / (name.replace(" ", "-") + suffix)


@pytest.fixture(scope="module")
def x():
    return torch.randn(N, D, generator=torch.Generator().manual_seed(7)) * 1.5 + 0.3


@pytest.fixture(scope="module")
def done(tmp_path_factory, x):
    """The folder in which one process of theirs has loaded all exports and saved all imports."""
    folder = tmp_path_factory.mktemp("peers")
    save_file({"x": x}, folder / "rows.safetensors")
    jobs = []
    for name, (form, architecture, normalisation, more) in EXPORTS.items():
        path = place(folder, f"{name} out")
        formats.write(sae_of(architecture, normalisation, name), path, form)
        more = {**more, "width": F} if form == "overcomplete" else more
        jobs.append({"do": f"{form}_load", "path": str(path), **more})
    for name, (do, more) in IMPORTS.items():
        jobs.append({"do": do, "path": str(place(folder, f"{name} in")), **more})
    (folder / "jobs.json").write_text(json.dumps([{**job, "rows": str(folder / "rows.safetensors")} for job in jobs]))
    command = [str(PYTHON), str(Path(__file__).with_name("peer.py")), str(folder / "jobs.json")]
    run = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    assert run.returncode == 0, run.stderr[-3000:]
    return folder


def theirs(path: Path) -> tuple[np.ndarray, np.ndarray]:
    found = load_file(str(path) + ".out.safetensors")
    return found["codes"].double().numpy(), found["x_hat"].double().numpy()


def ours(sae, x) -> tuple[np.ndarray, np.ndarray]:
    with torch.no_grad():
        return dense(sae, x.double().numpy()), sae(x).double().numpy()


@pytest.mark.parametrize("name", [name for name in EXPORTS if not name.endswith("tied")])
def test_they_load_what_we_export(name, done, x):
    _, architecture, normalisation, _ = EXPORTS[name]
    codes, x_hat = ours(sae_of(architecture, normalisation, name), x)
    found = theirs(place(done, f"{name} out"))
    assert_close(found[0], codes)
    assert_close(found[1], x_hat)


@pytest.mark.parametrize("name", IMPORTS)
def test_we_load_what_they_save(name, done, x):
    codes, x_hat = theirs(place(done, f"{name} in"))
    assert 0 < (codes > 0).mean() < 0.9
    path = place(done, f"{name} in")
    assert formats.detected(path) == name.split()[0]
    found = ours(formats.read(path), x)
    assert_close(found[0], codes)
    assert_close(found[1], x_hat)


@pytest.mark.parametrize("name", [name for name in EXPORTS if name.endswith("tied")])
def test_of_tied_latents_the_sum_of_codes_and_the_reconstruction_agree(name, done, x):
    """Four latents with the same weights tie on every row; which of them a top-k keeps is nobody's promise."""
    _, architecture, normalisation, _ = EXPORTS[name]
    codes, x_hat = ours(sae_of(architecture, normalisation, name), x)
    found = theirs(place(done, f"{name} out"))
    kept = (codes[:, :4] > 0).sum(1)
    assert ((kept > 0) & (kept < 4)).any(), "no tie at the end of the choice"
    assert_close(found[0][:, :4].sum(1), codes[:, :4].sum(1))
    assert_close(found[0][:, 4:], codes[:, 4:])
    assert_close(found[1], x_hat)
