"""ESM C SAEs: a folder with `config.json` and `layer_<i>.safetensors`, one SAE a layer of the model. TopK without b_enc.

    z     = row less its mean, over its standard deviation (n - 1) plus 1e-5
    codes = the k largest of relu((z - b_dec) W_enc);  z_hat = codes W_dec + b_dec

There the reconstruction stays in units of z; here decoding a row also undoes its normalisation. `idf` and `max` scale codes for display
(codes / max * idf), which leaves which are active, and is left out here.
"""

import json
from dataclasses import replace
from pathlib import Path

import torch

from seqsae import shelf
from seqsae.errors import SeqsaeError
from seqsae.sae.formats import files
from seqsae.sae.formats.parts import Input, Parts, subtracting
from seqsae.sae.formats.tensors import Tensors

NAME = "esmc"
KINDS = ("topk",)
INPUTS = ("layer-norm",)
OPTIONS = ("layer",)
FILE = None
_CONFIG = "config.json"
_DIGITS = 6  # of a layer's number
_UPDATE = "residual update"  # said of one that reads what a layer adds
_KEYS = ("d_model", "codebook_dim", "k", "available_layers", "use_residual_update_instead_of_states", "model_type")
_IGNORED = ("architectures", "transformers_version", "torch_dtype", "dtype", "_name_or_path")


def here(path: Path) -> bool:
    """Whether a path looks like this format."""
    return (path / _CONFIG).exists() and any(path.glob("layer_*.safetensors"))


def read(path: Path, layer: int | None = None) -> Parts:
    """One layer's SAE.

    Args:
        layer: which; not needed if there is one.
    Raises:
        SeqsaeError: several layers (which?), SAEs of residual updates, or damaged files.
    """
    config, where = files.read_json(path / _CONFIG), path / _CONFIG
    files.known_keys(config, (*_KEYS, *_IGNORED), where)
    weights = _weights(path, layer)
    sizes = {"d": files.whole(config, "d_model", where), "F": files.whole(config, "codebook_dim", where)}
    tensors = Tensors(files.read_safetensors(weights), weights, **sizes)
    parts = Parts(
        "topk",
        W_enc=tensors.take("W_enc", "d F"),
        b_enc=torch.zeros(sizes["F"]),
        W_dec=tensors.take("W_dec", "F d"),
        b_dec=tensors.take("b_dec", "d"),
        k=files.whole(config, "k", where),
        input=Input("layer-norm"),
        files=(where, weights),
        said={"layer": int(weights.stem.removeprefix("layer_"))},
    )
    parts = _with_scaling(parts, tensors)
    tensors.end()
    if files.flag(config, "use_residual_update_instead_of_states", where):
        parts = parts.noted("it reads what a layer adds, h[i] - h[i-1], not the hidden state h[i]")
        parts = replace(parts, said={**parts.said, "reads": _UPDATE})
    return parts


def refusal(parts: Parts) -> str | None:
    """Why this format cannot hold an SAE of its kinds and inputs, None if it can."""
    scale = parts.W_enc.abs().max() * max(1.0, float(parts.b_dec.abs().max()))
    if (subtracting(parts, True).b_enc.abs() > 1e-7 * scale).any():
        return "it has no encoder bias, and this SAE's is not zero"
    return None


def write(parts: Parts, path: Path) -> None:
    """A folder with one layer."""
    parts = subtracting(parts, True)
    width, d = parts.W_dec.shape
    layer = parts.said.get("layer")
    layer = layer if type(layer) is int and 0 <= layer < 10**_DIGITS else 0
    config = {
        "d_model": d,
        "codebook_dim": width,
        "k": parts.k,
        "available_layers": [layer],
        "use_residual_update_instead_of_states": parts.said.get("reads") == _UPDATE,
        "model_type": "esmc_sae",
    }
    tensors = {"W_enc": parts.W_enc.contiguous(), "W_dec": parts.W_dec.contiguous(), "b_dec": parts.b_dec}
    tensors |= {"idf": torch.ones(width), "max": torch.ones(width)}
    with files.new_folder(path) as work:
        shelf.save_tensors(work / f"layer_{layer}.safetensors", tensors)
        (work / _CONFIG).write_text(json.dumps(config, indent=2) + "\n")


def _weights(path: Path, layer: int | None) -> Path:
    """The file of one layer."""
    there = {one.stem.removeprefix("layer_"): one for one in path.glob("layer_*.safetensors")}
    layers = sorted((name for name in there if name.isascii() and name.isdecimal() and len(name) <= _DIGITS), key=int)
    if layer is None and len(layers) == 1:
        return there[layers[0]]
    if not layers:
        raise SeqsaeError(f"{path}: no layer_<number>.safetensors in it; copy the whole folder")
    if layer is None or str(layer) not in layers:
        missing = "holds several layers" if layer is None else f"has no layer {files.shown(layer)}"
        raise SeqsaeError(f"{path}: {missing}; give --layer, one of {', '.join(layers[:40])}")
    return there[str(layer)]


def _with_scaling(parts: Parts, tensors: Tensors) -> Parts:
    """A note if codes are scaled for display by anything but 1."""
    scaled = [name for name in ("idf", "max") if name in tensors and not (tensors.take(name, "F") == 1).all()]
    if not scaled:
        return parts
    return parts.noted(f"codes are as encoded, not scaled by {' and '.join(scaled)} (codes / max * idf) as for display")
