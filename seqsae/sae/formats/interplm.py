"""InterPLM: a folder with `ae.pt` (`ae_normalized.pt`, `ae_unnormalized.pt`), a state dict of one of its classes. Its config.yaml may
hold code and is never read.

    ReLUSAE       relu((x - bias) encoder.weight^T + encoder.bias);          x_hat = codes decoder.weight^T + bias
    ReLUSAE_Tied  relu(x encoder.weight^T + encoder.bias);                   x_hat = codes decoder.weight^T + decoder.bias
    TopKSAE, BatchTopKSAE   as in dictionary_learning, one set of names for both: the caller says which
    JumpReLUSAE   relu(pre) where pre = x encoder.weight^T + encoder.bias > threshold;  decoder.bias added

Codes over their largest value on Swiss-Prot, which its concept scores need, were worked into the weights before version 1.0
(`ae_normalized.pt`); since then the divisor stands in `activation_rescale_factor` and is used when asked for.
"""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from seqsae.errors import SeqsaeError
from seqsae.sae.formats import files, torchfile
from seqsae.sae.formats.dictionary_learning import chosen, linear
from seqsae.sae.formats.parts import Parts, rescaled, subtracting
from seqsae.sae.formats.tensors import Tensors

NAME = "interplm"
KINDS = ("relu", "jumprelu", "topk", "batchtopk")
INPUTS = ("none",)
OPTIONS = ("architecture", "scaled")
FILE = None
_FILES = ("ae.pt", "ae_normalized.pt", "ae_unnormalized.pt")
_EXTRA = {"activation_rescale_factor", "normalize_to_sqrt_d"}


def here(path: Path) -> bool:
    """Whether a path looks like this format."""
    if any((path / name).exists() for name in _FILES[1:]) or path.name in _FILES[1:]:
        return True
    weights = path if path.suffix == ".pt" else path / _FILES[0]
    if (weights.parent / "config.json").exists() or not weights.is_file():
        return False
    return (weights.parent / "config.yaml").exists() or bool(_EXTRA & set(torchfile.names(weights)))


def read(path: Path, architecture: str | None = None, scaled: bool = False) -> Parts:
    """One SAE.

    Args:
        architecture: topk or batchtopk, where the tensors fit both.
        scaled: whether codes are divided by `activation_rescale_factor`.
    Raises:
        SeqsaeError: several files (which?), a class that is not told, rows brought to length sqrt(d), or a damaged file.
    """
    path = _weights(path)
    state = torchfile.load(files.regular(path))
    if not isinstance(state, dict):
        raise SeqsaeError(f"{path}: holds no state dict; take the ae.pt of an SAE")
    tensors = Tensors(state, path)
    if "normalize_to_sqrt_d" in tensors and tensors.take_whole("normalize_to_sqrt_d")[0]:
        raise SeqsaeError(
            f"{path}: it brings each row to length sqrt(d), which has no counterpart here; it cannot be imported"
        )
    parts = _parts(tensors, architecture)
    tensors.sizes["F"] = len(parts.b_enc)
    name = "activation_rescale_factor"
    factor = tensors.take(name, "F") if name in tensors else torch.ones(len(parts.b_enc))
    tensors.end()
    parts = replace(parts, said={"file": path.name, "folder": path.parent.name}, files=(path,))
    return _scaled(parts, factor, path) if scaled else _unscaled(parts, factor)


def write(parts: Parts, path: Path) -> None:
    """A folder with an `ae.pt` that the class's own `from_pretrained` opens."""
    parts = subtracting(parts, parts.kind != "jumprelu" and (parts.kind != "relu" or parts.subtract))
    state = {
        "encoder.weight": parts.W_enc.T.contiguous(),
        "encoder.bias": parts.b_enc,
        "decoder.weight": parts.W_dec.T.contiguous(),
        "activation_rescale_factor": torch.ones(len(parts.b_enc)),
        "normalize_to_sqrt_d": torch.tensor(False),
        **_own(parts),
    }
    with files.new_folder(path) as work:
        files.save_torch(work / _FILES[0], state)


def _own(parts: Parts) -> dict[str, Tensor]:
    """What only its class has."""
    if parts.kind == "jumprelu":
        return {"threshold": parts.threshold, "decoder.bias": parts.b_dec}
    if parts.kind == "relu":
        return {"bias" if parts.subtract else "decoder.bias": parts.b_dec}
    threshold = torch.tensor(-1.0) if parts.threshold is None else parts.threshold
    return {"b_dec": parts.b_dec, "k": torch.tensor(parts.k, dtype=torch.int32), "threshold": threshold}


def _weights(path: Path) -> Path:
    """The file of weights."""
    if not path.is_dir():
        return path
    there = [name for name in _FILES if (path / name).exists()]
    if len(there) != 1:
        found = f"holds {' and '.join(there)}" if there else f"holds none of {', '.join(_FILES)}"
        raise SeqsaeError(f"{path}: {found}; give the file that is meant")
    return path / there[0]


def _parts(tensors: Tensors, architecture: str | None) -> Parts:
    if "bias" in tensors:
        return Parts("relu", **linear(tensors), b_dec=tensors.take("bias", "d"))
    if "b_dec" in tensors:
        if architecture not in ("topk", "batchtopk"):
            raise SeqsaeError(
                f"{tensors.path}: its tensors are those of a TopKSAE and of a BatchTopKSAE; give --architecture topk or batchtopk"
            )
        parts = chosen(tensors)
        return replace(parts, threshold=None, notes=()) if architecture == "topk" else replace(parts, kind="batchtopk")
    if "threshold" in tensors:
        parts = Parts("jumprelu", **linear(tensors), b_dec=tensors.take("decoder.bias", "d"), subtract=False)
        return replace(parts, threshold=tensors.take("threshold", "F"))
    return Parts("relu", **linear(tensors), b_dec=tensors.take("decoder.bias", "d"), subtract=False)


def _scaled(parts: Parts, factor: Tensor, path: Path) -> Parts:
    """Codes over the factor; latents that never fired, whose factor is 0, as they are."""
    if parts.kind == "topk":
        raise SeqsaeError(
            f"{path}: a topk chooses among unscaled codes, so scaled ones have no counterpart here; leave out --scaled"
        )
    fired = factor[factor != 0]
    if not ((fired >= files.LEAST) & (fired <= files.MOST)).all():
        raise SeqsaeError(
            f"{path}: activation_rescale_factor is not from {files.LEAST:g} to {files.MOST:g} everywhere; take an undamaged copy"
        )
    if parts.kind == "batchtopk":  # one threshold becomes one for each latent
        parts = replace(parts, kind="jumprelu", k=None, threshold=parts.threshold.expand(len(factor)))
    return rescaled(parts, 1 / torch.where(factor > 0, factor, 1)).noted(
        "codes are divided by activation_rescale_factor"
    )


def _unscaled(parts: Parts, factor: Tensor) -> Parts:
    if (factor == 1).all():
        return parts
    return parts.noted("codes are as encoded, not divided by activation_rescale_factor; --scaled divides them")
