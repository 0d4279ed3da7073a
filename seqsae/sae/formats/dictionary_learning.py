"""dictionary_learning: a folder `trainer_<i>` with `ae.pt` and `config.json`, whose `trainer.dict_class` says what it is.

`ae.pt` is a state dict; while training with backups it is {step, ae, optimizer, config, norm_factor} instead, its SAE then one of
activations over norm_factor, which is put right as the package does at its end: biases and threshold times norm_factor.
All classes read x - their decoder bias but AutoEncoderNew and JumpReluAutoEncoder. BatchTopKSAE and MatryoshkaBatchTopKSAE:
relu(pre) where above `threshold`, which is -1 (all of them) until a thousand steps are done.
"""

import json
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from seqsae.errors import SeqsaeError
from seqsae.sae.formats import files, torchfile
from seqsae.sae.formats.parts import Parts, subtracting, unscaled
from seqsae.sae.formats.tensors import Tensors

NAME = "dictionary_learning"
KINDS = ("relu", "gated", "jumprelu", "topk", "batchtopk", "matryoshka")
INPUTS = ("none",)
OPTIONS = ("architecture",)
FILE = None
_CONFIG, _WEIGHTS = "config.json", "ae.pt"
_CLASSES = {
    "AutoEncoder": "relu",
    "AutoEncoderNew": "relu",
    "AutoEncoderTopK": "topk",
    "BatchTopKSAE": "batchtopk",
    "MatryoshkaBatchTopKSAE": "matryoshka",
    "JumpReluAutoEncoder": "jumprelu",
    "GatedAutoEncoder": "gated",
}
_TRAINERS = {
    "relu": "StandardTrainer",
    "gated": "GatedSAETrainer",
    "jumprelu": "JumpReluTrainer",
    "topk": "TopKTrainer",
    "batchtopk": "BatchTopKTrainer",
    "matryoshka": "MatryoshkaBatchTopKTrainer",
}
_SAID = ("lm_name", "layer", "submodule_name", "trainer_class", "dict_class", "steps", "seed")


def here(path: Path) -> bool:
    """Whether a path looks like this format: its folder, one of folders of trainers, or a checkpoint file inside one."""
    weights = path if path.suffix == ".pt" else path / _WEIGHTS
    if weights.is_file():
        return _config_of(weights) is not None or set(torchfile.names(weights)) in map(set, _TENSORS.values())
    return bool(_within(path))


def read(path: Path, architecture: str | None = None) -> Parts:
    """One dictionary.

    Args:
        architecture: what it is, as one of ours, if there is no config.json.
    Raises:
        SeqsaeError: several trainers (which?), a class that is not told or has no counterpart, or damaged files.
    """
    if path.is_dir() and not (path / _WEIGHTS).exists() and _within(path):
        raise SeqsaeError(
            f"{path}: holds several SAEs ({', '.join(_within(path)[:12])}); give the folder of one of them"
        )
    weights = path if path.suffix == ".pt" else path / _WEIGHTS
    state, norm = _state(torchfile.load(files.regular(weights)), weights)
    config = _config_of(weights)
    trainer = {} if config is None else _trainer(config)
    cls = _class(trainer, state, architecture, weights)
    tensors = Tensors(state, weights)
    parts = _READERS[cls](tensors)
    tensors.end()
    _agree(parts, trainer, weights)
    said = {key: trainer[key] for key in _SAID if isinstance(trainer.get(key), str | int)}
    parts = replace(parts, kind=_CLASSES[cls], said=said, files=(weights,) if config is None else (weights, config))
    return parts if norm is None else unscaled(parts, norm)


def write(parts: Parts, path: Path) -> None:
    """A folder that `load_dictionary` opens."""
    cls = next(name for name, kind in _CLASSES.items() if kind == parts.kind)
    if parts.kind == "relu" and not parts.subtract:
        cls = "AutoEncoderNew"
    parts = subtracting(parts, cls not in ("AutoEncoderNew", "JumpReluAutoEncoder"))
    width, d = parts.W_dec.shape
    trainer = {
        "dict_class": cls,
        "trainer_class": _TRAINERS[parts.kind],
        "activation_dim": d,
        "dict_size": width,
        "layer": None,
        "lm_name": parts.said.get("model"),
        "submodule_name": parts.said.get("site"),
    }
    if parts.k is not None:
        trainer["k"] = parts.k
    if parts.groups:
        trainer["group_sizes"] = list(parts.groups)
    with files.new_folder(path) as work:
        files.save_torch(work / _WEIGHTS, _state_dict(parts, cls))
        (work / _CONFIG).write_text(json.dumps({"trainer": trainer}, indent=2) + "\n")


def linear(tensors: Tensors) -> dict[str, Tensor]:
    """Encoder and decoder kept as `torch.nn.Linear` keeps them, without the decoder's bias."""
    return {
        "W_enc": tensors.take("encoder.weight", "F d").T,
        "b_enc": tensors.take("encoder.bias", "F"),
        "W_dec": tensors.take("decoder.weight", "d F").T,
    }


def chosen(tensors: Tensors) -> Parts:
    """A topk or batchtopk in the names of this package and its descendants; the kind is the caller's to say."""
    parts = Parts("topk", **linear(tensors), b_dec=tensors.take("b_dec", "d"), k=tensors.take_whole("k")[0])
    return thresholded(parts, tensors)


def thresholded(parts: Parts, tensors: Tensors) -> Parts:
    """With the one threshold; -1, never estimated, is kept as 0, which lets the same codes through."""
    threshold = tensors.take("threshold", "")
    if threshold >= 0:
        return replace(parts, threshold=threshold)
    return replace(parts, threshold=torch.zeros(())).noted(
        "its threshold was never estimated (-1): at inference every positive latent is active, and so it is here"
    )


def _named(tensors: Tensors) -> dict[str, Tensor]:
    """Weights kept under their own names."""
    return {
        "W_enc": tensors.take("W_enc", "d F"),
        "b_enc": tensors.take("b_enc", "F"),
        "W_dec": tensors.take("W_dec", "F d"),
        "b_dec": tensors.take("b_dec", "d"),
    }


def _gated(tensors: Tensors) -> Parts:
    weights = {"W_enc": tensors.take("encoder.weight", "F d").T, "W_dec": tensors.take("decoder.weight", "d F").T}
    names = {"b_enc": "gate_bias", "b_mag": "mag_bias", "r_mag": "r_mag"}
    rest = {ours: tensors.take(name, "F") for ours, name in names.items()}
    return Parts("gated", **weights, b_dec=tensors.take("decoder_bias", "d"), **rest)


def _matryoshka(tensors: Tensors) -> Parts:
    parts = Parts("matryoshka", **_named(tensors), k=tensors.take_whole("k")[0])
    return replace(thresholded(parts, tensors), groups=tuple(tensors.take_whole("group_sizes", "G")))


_READERS = {
    "AutoEncoder": lambda tensors: Parts("relu", **linear(tensors), b_dec=tensors.take("bias", "d")),
    "AutoEncoderNew": lambda tensors: Parts(
        "relu", **linear(tensors), b_dec=tensors.take("decoder.bias", "d"), subtract=False
    ),
    "AutoEncoderTopK": lambda tensors: replace(chosen(tensors), threshold=None, notes=()),
    "BatchTopKSAE": chosen,
    "MatryoshkaBatchTopKSAE": _matryoshka,
    "JumpReluAutoEncoder": lambda tensors: Parts(
        "jumprelu", **_named(tensors), subtract=False, threshold=tensors.take("threshold", "F")
    ),
    "GatedAutoEncoder": _gated,
}


def _state(found: object, path: Path) -> tuple[dict, float | None]:
    """The state dict, and what activations were divided by if the file is a backup of a training."""
    if isinstance(found, dict) and "ae" in found and "step" in found:
        norm = None if found.get("norm_factor") is None else files.positive(found, "norm_factor", path)
        found = found["ae"]
    else:
        norm = None
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise SeqsaeError(f"{path}: holds no state dict; take the ae.pt of a trained dictionary")
    return found, norm


def _config_of(weights: Path) -> Path | None:
    """config.json beside the weights, or above `checkpoints/`, if it speaks of a trainer."""
    for folder in (weights.parent, weights.parent.parent):
        config = folder / _CONFIG
        if config.is_file() and (folder == weights.parent or weights.parent.name == "checkpoints"):
            return config
    return None


def _trainer(path: Path) -> dict:
    trainer = files.read_json(path).get("trainer")
    if not isinstance(trainer, dict):
        raise SeqsaeError(f"{path}: no 'trainer' in it; take the config.json that was written beside ae.pt")
    return trainer


def _class(trainer: dict, state: dict, architecture: str | None, path: Path) -> str:
    """The dict_class by the config, else by the caller, else by tensors that only one class has."""
    said = trainer.get("dict_class")
    if said is not None:
        if not isinstance(said, str) or said not in _CLASSES:
            raise SeqsaeError(
                f"{path}: dict_class {files.shown(said)} has no counterpart here; those that can be imported are {', '.join(_CLASSES)}"
            )
        return said
    fitting = [cls for cls, names in _TENSORS.items() if set(names) == set(state)]
    fitting = [cls for cls in fitting if architecture in (None, _CLASSES[cls])]
    if len(fitting) == 1:
        return fitting[0]
    kinds = ", ".join(_CLASSES[cls] for cls in fitting)
    remedy = (
        f"give --architecture, one of {kinds}" if kinds else "put its config.json beside it, or choose another --from"
    )
    raise SeqsaeError(f"{path}: without config.json its tensors do not tell which class it is; {remedy}")


_LINEAR = ("encoder.weight", "encoder.bias", "decoder.weight")
_NAMED = ("W_enc", "b_enc", "W_dec", "b_dec", "threshold")
_TENSORS = {
    "AutoEncoder": (*_LINEAR, "bias"),
    "AutoEncoderNew": (*_LINEAR, "decoder.bias"),
    "AutoEncoderTopK": (*_LINEAR, "b_dec", "k", "threshold"),
    "BatchTopKSAE": (*_LINEAR, "b_dec", "k", "threshold"),
    "MatryoshkaBatchTopKSAE": (*_NAMED, "k", "group_sizes"),
    "JumpReluAutoEncoder": _NAMED,
    "GatedAutoEncoder": ("encoder.weight", "decoder.weight", "decoder_bias", "r_mag", "gate_bias", "mag_bias"),
}


def _agree(parts: Parts, trainer: dict, path: Path) -> None:
    """Raises SeqsaeError if config.json and the weights speak of different SAEs."""
    width, d = parts.W_dec.shape
    for key, found in (("activation_dim", d), ("dict_size", width), ("k", parts.k)):
        said = trainer.get(key)
        if said is not None and found is not None and said != found:
            raise SeqsaeError(
                f"{path}: {key} is {found} where config.json says {files.shown(said)}; take both from one folder"
            )


def _state_dict(parts: Parts, cls: str) -> dict[str, Tensor]:
    number = {"k": lambda: torch.tensor(parts.k, dtype=torch.int32), "threshold": lambda: parts.threshold}
    if cls == "AutoEncoderTopK":
        number["threshold"] = lambda: torch.tensor(-1.0)
    kept = {
        "encoder.weight": lambda: parts.W_enc.T.contiguous(),
        "encoder.bias": lambda: parts.b_enc,
        "decoder.weight": lambda: parts.W_dec.T.contiguous(),
        "W_enc": lambda: parts.W_enc.contiguous(),
        "W_dec": lambda: parts.W_dec.contiguous(),
        "group_sizes": lambda: torch.tensor(parts.groups),
        **dict.fromkeys(("bias", "b_dec", "decoder.bias", "decoder_bias"), lambda: parts.b_dec),
        **dict.fromkeys(("b_enc", "gate_bias"), lambda: parts.b_enc),
        **{"mag_bias": lambda: parts.b_mag, "r_mag": lambda: parts.r_mag},
        **number,
    }
    return {name: kept[name]() for name in _TENSORS[cls]}


def _within(path: Path) -> list[str]:
    """Folders of trainers below."""
    found = [*path.glob(f"*/{_WEIGHTS}"), *path.glob(f"*/*/{_WEIGHTS}")] if path.is_dir() else []
    return sorted(str(one.parent.relative_to(path)) for one in found if (one.parent / _CONFIG).exists())
