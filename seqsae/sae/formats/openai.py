"""openai/sparse_autoencoder: one `.pt` file, a state dict that also holds the activation's name and its k.

    codes = activation((x - pre_bias) encoder.weight^T + latent_bias), activation relu, or relu of the k largest
    x_hat = codes decoder.weight^T + pre_bias

With "TopK" rows are layer-normalised (Gao et al. 2024, arXiv 2406.04093, appendix A) and that is undone; with "ReLU" they are not.
"""

from pathlib import Path
from typing import Any

import torch

from seqsae.errors import SeqsaeError
from seqsae.sae.formats import files, torchfile
from seqsae.sae.formats.parts import Input, Parts, subtracting
from seqsae.sae.formats.tensors import Tensors

NAME = "openai"
KINDS = ("relu", "topk")
INPUTS = ("none", "layer-norm")
OPTIONS = ("k",)
FILE = ".pt"
_STATISTICS = ("stats_last_nonzero", "latents_activation_frequency", "latents_mean_square")


def here(path: Path) -> bool:
    """Whether a path looks like this format."""
    return path.suffix == ".pt" and "latent_bias" in torchfile.names(path)


def read(path: Path, k: int | None = None) -> Parts:
    """One autoencoder.

    Args:
        k: active latents a row, where the file does not say.
    Raises:
        SeqsaeError: an activation that has no counterpart, or a damaged file.
    """
    state = torchfile.load(files.regular(path))
    if not isinstance(state, dict):
        raise SeqsaeError(f"{path}: holds no state dict; take the autoencoder's own file")
    activation, kept = _activation(state, path)
    tensors = Tensors(state, path)
    W_enc = tensors.take("encoder.weight", "F d").T
    # A tied decoder is the encoder itself, kept a second time.
    decoder = "decoder.linear.weight" if "decoder.linear.weight" in tensors else "decoder.weight"
    shape = "F d" if decoder != "decoder.weight" else "d F"
    parts = Parts(
        activation,
        W_enc=W_enc,
        b_enc=tensors.take("latent_bias", "F"),
        W_dec=tensors.take(decoder, shape) if shape == "F d" else tensors.take(decoder, shape).T,
        b_dec=tensors.take("pre_bias", "d"),
        k=_k(kept, k, path) if activation == "topk" else None,
        input=Input("layer-norm" if activation == "topk" else "none"),
        files=(path,),
    )
    tensors.drop(*_STATISTICS)
    tensors.end()
    return parts


def refusal(parts: Parts) -> str | None:
    """Why this format cannot hold an SAE of its kinds and inputs, None if it can."""
    wanted = "layer-norm" if parts.kind == "topk" else "none"
    if parts.input.kind == wanted:
        return None
    if wanted == "none":
        return "it layer-normalises rows for topk alone, and this is a relu"
    return "its topk always layer-normalises rows, and this one does not"


def write(parts: Parts, path: Path) -> None:
    """A file that `Autoencoder.from_state_dict(torch.load(path))` opens."""
    parts = subtracting(parts, True)
    width = len(parts.b_enc)
    state: dict[str, Any] = {
        "pre_bias": parts.b_dec,
        "latent_bias": parts.b_enc,
        "stats_last_nonzero": torch.zeros(width, dtype=torch.long),
        "latents_activation_frequency": torch.ones(width),
        "latents_mean_square": torch.zeros(width),
        "encoder.weight": parts.W_enc.T.contiguous(),
        "decoder.weight": parts.W_dec.T.contiguous(),
        "activation": "TopK" if parts.kind == "topk" else "ReLU",
        "activation_state_dict": {"k": parts.k, "postact_fn": "ReLU"} if parts.kind == "topk" else {},
    }
    with files.new_file(path, FILE) as work:
        files.save_torch(work, state)


def _activation(state: dict, path: Path) -> tuple[str, dict]:
    """The activation as one of our kinds and what is kept of it, both taken out of the state dict."""
    name, kept = state.pop("activation", "ReLU"), state.pop("activation_state_dict", {})
    for key in ("k", "postact_fn"):  # a second copy that its own reader stumbles over
        state.pop(f"activation.{key}", None)
    if name not in ("ReLU", "TopK") or not isinstance(kept, dict):
        raise SeqsaeError(
            f"{path}: activation {files.shown(name)} has no counterpart here; only ReLU and TopK can be imported"
        )
    after = kept.get("postact_fn", "ReLU")
    if after != "ReLU":
        raise SeqsaeError(
            f"{path}: {files.shown(after)} after the topk has no counterpart here; only ReLU can be imported"
        )
    return ("topk" if name == "TopK" else "relu"), kept


def _k(kept: dict, given: int | None, path: Path) -> int:
    said = kept.get("k")
    if said is None and given is None:
        raise SeqsaeError(f"{path}: how many latents are active a row stands nowhere in it; give --k")
    if said is not None and given not in (None, said):
        raise SeqsaeError(f"{path}: k is {files.shown(said)} in it, {files.shown(given)} was given; leave --k out")
    return files.whole({"k": given if said is None else said}, "k", path)
