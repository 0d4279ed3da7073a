"""SAELens (6.x, and what 3.x to 5.x wrote): a folder with `cfg.json` and `sae_weights.safetensors`; a training checkpoint adds
`activation_scaler.json` and `activation_whitening.safetensors`.

    x     = prepared row - apply_b_dec_to_input * b_dec;   pre = x W_enc + b_enc
    codes = standard relu(pre); topk relu of the k largest; jumprelu relu(pre) where pre > threshold;
            gated relu(exp(r_mag) x W_enc + b_mag) where x W_enc + b_gate > 0
    x_hat = codes W_dec + b_dec, preparation undone

With `rescale_acts_by_decoder_norm` pre is multiplied by, and codes are divided by, the decoder rows' lengths. BatchTopK and
Matryoshka are jumprelu once trained; `metadata.training_architecture` says what they were.
"""

import json
import re
from dataclasses import replace
from pathlib import Path

import torch

from seqsae import shelf
from seqsae.errors import SeqsaeError
from seqsae.sae.formats import files
from seqsae.sae.formats.parts import Input, Parts, rescaled
from seqsae.sae.formats.tensors import Tensors

NAME = "saelens"
KINDS = ("relu", "gated", "jumprelu", "topk", "batchtopk", "matryoshka")
INPUTS = ("none", "layer-norm", "row-norm")
OPTIONS = ("scale",)
FILE = None
_CONFIG, _WEIGHTS = "cfg.json", "sae_weights.safetensors"
_SCALER, _WHITENING = "activation_scaler.json", "activation_whitening.safetensors"
_NORMALISED = {"none": "none", "layer-norm": "layer_norm", "row-norm": "constant_norm_rescale"}  # ours: theirs
_VERSION = "6.54.12"  # whose layout is written
_KIND = {
    **{"standard": "relu", "gated": "gated", "jumprelu": "jumprelu", "topk": "topk"},
    **{"batchtopk": "batchtopk", "matryoshka_batchtopk": "matryoshka"},
}
_CHOOSING = ("topk", "batchtopk", "matryoshka")  # kinds that may rescale by the decoder's norms
_SAID = ("model_name", "hook_name", "hook_point", "hook_layer", "hook_head_index", "dataset_path", "context_size")


def here(path: Path) -> bool:
    """Whether a path looks like this format."""
    return (path / _CONFIG).exists() and (path / _WEIGHTS).exists()


def read(path: Path, scale: float | None = None) -> Parts:
    """One SAE.

    Args:
        scale: what activations were multiplied by before the SAE, where the config says that they were and no
            `activation_scaler.json` says by what.
    Raises:
        SeqsaeError: an architecture or a preparation of rows that has no counterpart here, or damaged files.
    """
    config, where = files.read_json(path / _CONFIG), path / _CONFIG
    config = config if _recent(config) else _renewed(config, where)
    kind = _kind(config, where)
    d_in, d_sae = (files.whole(config, key, where) for key in ("d_in", "d_sae"))
    tensors = Tensors(files.read_safetensors(path / _WEIGHTS), path / _WEIGHTS, d=d_in, F=d_sae)
    _check_scaling(tensors)
    parts = _parts(kind, config, where, tensors)
    tensors.end()
    rescale = kind in _CHOOSING and files.flag(config, "rescale_acts_by_decoder_norm", where)
    if files.text(config, "normalize_activations", where, "none") == "expected_average_only_in":
        parts = _unscaled(parts, _scale(path, scale), rescale)
    elif scale is not None:
        raise SeqsaeError(f"{where}: activations were not scaled; leave out --scale")
    if rescale:
        parts = rescaled(parts, torch.linalg.vector_norm(parts.W_dec, dim=1))
    if kind in _CHOOSING and parts.k is None:
        parts = replace(parts, kind="jumprelu", threshold=parts.threshold.expand(d_sae).clone(), groups=())
        parts = parts.noted(f"{kind} in training, with a k that is no whole number; kept as the jumprelu it becomes")
    parts = _reshaped(parts, files.text(config, "reshape_activations", where, "none"), where)
    there = tuple(path / name for name in (_CONFIG, _WEIGHTS, _SCALER, _WHITENING) if (path / name).is_file())
    return replace(parts, input=_input(config, path, d_in), said=_said(config), files=there)


def write(parts: Parts, path: Path) -> None:
    """A folder that `SAE.load_from_disk` opens."""
    kind = "jumprelu" if parts.kind in ("batchtopk", "matryoshka") else parts.kind
    width, d = parts.W_dec.shape
    config = {
        "architecture": {"relu": "standard"}.get(kind, kind),
        "d_in": d,
        "d_sae": width,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": parts.subtract,
        "normalize_activations": _NORMALISED[parts.input.kind],
        "reshape_activations": "none",
        "metadata": {
            "sae_lens_version": _VERSION,
            "sae_lens_training_version": None,
            "training_architecture": {"relu": "standard", "matryoshka": "matryoshka_batchtopk"}.get(
                parts.kind, parts.kind
            ),
            "seqsae": parts.said,
        },
    }
    if kind == "topk":
        config |= {"k": parts.k, "rescale_acts_by_decoder_norm": False}
    with files.new_folder(path) as work:
        shelf.save_tensors(work / _WEIGHTS, _tensors(parts, kind))
        (work / _CONFIG).write_text(json.dumps(config, indent=2) + "\n")


def _tensors(parts: Parts, kind: str) -> dict[str, torch.Tensor]:
    tensors = {"W_enc": parts.W_enc.contiguous(), "W_dec": parts.W_dec.contiguous(), "b_dec": parts.b_dec}
    if kind == "gated":
        return tensors | {"b_gate": parts.b_enc, "b_mag": parts.b_mag, "r_mag": parts.r_mag}
    if kind == "jumprelu":
        tensors["threshold"] = parts.threshold.expand(len(parts.b_enc)).contiguous()
    return tensors | {"b_enc": parts.b_enc}


def _recent(config: dict) -> bool:
    """Whether version 6 or later wrote it."""
    metadata = config.get("metadata")
    version = config.get("sae_lens_version") or (metadata.get("sae_lens_version") if isinstance(metadata, dict) else "")
    major = re.match("[0-9]{1,4}", version) if isinstance(version, str) else None
    return major is not None and int(major[0]) >= 6


def _renewed(config: dict, where: Path) -> dict:
    """A config of before version 6 in the words of version 6."""
    activation = config.get("activation_fn") or config.get("activation_fn_str") or "relu"
    arguments = config.get("activation_fn_kwargs") or {}
    if not isinstance(arguments, dict):
        raise SeqsaeError(
            f"{where}: activation_fn_kwargs is {files.shown(arguments)}, no options by name; take an undamaged config"
        )
    new = {"architecture": "standard", **config}
    if activation == "topk":
        new |= {"architecture": "topk", **({"k": arguments["k"]} if "k" in arguments else {})}
    elif activation != "relu":
        raise SeqsaeError(
            f"{where}: activation {files.shown(activation)} has no counterpart here; only relu and topk can be imported"
        )
    if isinstance(config.get("normalize_activations"), bool | None):
        new["normalize_activations"] = "expected_average_only_in" if config.get("normalize_activations") else "none"
    if config.get("finetuning_scaling_factor"):
        raise SeqsaeError(
            f"{where}: a finetuning_scaling_factor has no counterpart here; fold it into the decoder first"
        )
    return new


def _kind(config: dict, where: Path) -> str:
    architecture = files.text(config, "architecture", where)
    if architecture not in _KIND:
        raise SeqsaeError(
            f"{where}: architecture {files.shown(architecture)} has no counterpart here; those that can be imported are {', '.join(_KIND)}"
        )
    return _KIND[architecture]


def _check_scaling(tensors: Tensors) -> None:
    """Old files carry a scaling factor of ones, which does nothing; any other is refused."""
    if "scaling_factor" in tensors and not (tensors.take("scaling_factor", "F") == 1).all():
        raise SeqsaeError(f"{tensors.path}: a scaling_factor other than 1 has no counterpart here; fold it in first")


def _parts(kind: str, config: dict, where: Path, tensors: Tensors) -> Parts:
    weights = {"W_enc": tensors.take("W_enc", "d F"), "W_dec": tensors.take("W_dec", "F d")}
    weights["b_dec"] = tensors.take("b_dec", "d")
    weights["subtract"] = files.flag(config, "apply_b_dec_to_input", where, default=True)
    if kind == "gated":
        gate = {"b_enc": "b_gate", "b_mag": "b_mag", "r_mag": "r_mag"}
        return Parts(kind, **weights, **{ours: tensors.take(name, "F") for ours, name in gate.items()})
    parts = Parts(kind, b_enc=tensors.take("b_enc", "F"), **weights)
    if kind == "jumprelu":
        return replace(parts, threshold=tensors.take("threshold", "F"))
    if kind == "topk":
        return replace(parts, k=files.whole({"k": 100, **config}, "k", where))
    return parts if kind == "relu" else _in_training(parts, config, where, tensors)


def _in_training(parts: Parts, config: dict, where: Path, tensors: Tensors) -> Parts:
    """A training checkpoint of batchtopk or matryoshka: one threshold for all. k may be broken, and is None then."""
    k = config.get("k", 100)
    if isinstance(k, bool) or not isinstance(k, int | float) or not 0 < k < float("inf"):
        raise SeqsaeError(f"{where}: k is {files.shown(k)}, not a number above 0; take an undamaged config")
    parts = replace(parts, threshold=tensors.take("topk_threshold", ""), k=int(k) if int(k) == k else None)
    if parts.kind != "matryoshka":
        return parts
    ends = config.get("matryoshka_widths")
    width = len(parts.b_enc)
    if not isinstance(ends, list) or not all(isinstance(end, int) and 0 < end <= width for end in ends):
        raise SeqsaeError(
            f"{where}: matryoshka_widths is {files.shown(ends)}, no list of whole numbers up to {width}; take an undamaged config"
        )
    ends = ends if ends and ends[-1] == width else [*ends, width]
    return replace(parts, groups=tuple(end - start for start, end in zip([0, *ends], ends, strict=False)))


def _reshaped(parts: Parts, kind: str, where: Path) -> Parts:
    """Rows of attention heads lie flat here; any other reshaping is refused."""
    if kind == "hook_z":
        return parts.noted("it reads what attention heads give, side by side: heads * width of a head numbers a row")
    if kind != "none":
        raise SeqsaeError(
            f"{where}: reshape_activations {files.shown(kind)} has no counterpart here; only none and hook_z have"
        )
    return parts


def _unscaled(parts: Parts, scale: float, rescale: bool) -> Parts:
    """For raw rows, what was for rows times `scale`; as the package folds it, so that rescaled codes come in raw units."""
    threshold = parts.threshold
    if rescale and threshold is not None:
        threshold = threshold / scale
    weights = {"W_enc": parts.W_enc.double() * scale, "W_dec": parts.W_dec.double() / scale}
    weights["b_dec"] = parts.b_dec.double() / scale
    return replace(parts, threshold=threshold, **{name: value.float() for name, value in weights.items()})


def _input(config: dict, path: Path, d: int) -> Input:
    where = path / _CONFIG
    kind = files.text(config, "normalize_activations", where, "none")
    for ours, theirs in _NORMALISED.items():
        if kind == theirs:
            return Input(ours)
    if kind == "expected_average_only_in":
        return Input()
    if kind == "covariance_whitening":
        file = path / _WHITENING
        tensors = Tensors(files.read_safetensors(file), file, d=d)
        whitening = Input("whiten", tensors.take("mean", "d"), tensors.take("matrix", "d d"))
        return replace(whitening, unwhiten=tensors.take("inverse_matrix", "d d"))
    raise SeqsaeError(
        f"{where}: normalize_activations {files.shown(kind)} has no counterpart here; none, layer_norm, constant_norm_rescale, "
        "expected_average_only_in and covariance_whitening can be imported"
    )


def _scale(path: Path, given: float | None) -> float:
    """What activations were multiplied by."""
    if given is not None:
        return files.positive({"--scale": given}, "--scale", path / _CONFIG)
    said = files.read_json(path / _SCALER) if (path / _SCALER).exists() else {}
    if said.get("scaling_factor") is not None:
        return files.positive(said, "scaling_factor", path / _SCALER)
    raise SeqsaeError(
        f"{path / _CONFIG}: activations were scaled to a mean length and no {_SCALER} says by what; give --scale, the "
        "factor that they were multiplied by (1 if it is already folded into the weights)"
    )


def _said(config: dict) -> dict:
    metadata = config.get("metadata") if isinstance(config.get("metadata"), dict) else {}
    said = {key: metadata.get(key, config.get(key)) for key in (*_SAID, "training_architecture", "seqsae")}
    return {key: value for key, value in said.items() if value is not None}
