"""overcomplete: one `.pt` file, a whole pickled module (read without unpickling it) or its state dict.

    pre   = x encoder.weight^T + encoder.bias;   x_hat = codes D
    codes = relu(pre): of the k largest (TopKSAE); where >= the running threshold (BatchTopKSAE); where >= exp(thresholds) (JumpSAE)
    D     = normalise(_weights) exp(multiplier), or for archetypal dictionaries (stochastic(W) C + clipped(Relax)) exp(multiplier)

There is no decoder bias. A state dict does not say which class it was of; its k comes from the caller.
"""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from seqsae.errors import SeqsaeError
from seqsae.sae.formats import files, torchfile
from seqsae.sae.formats.opcodes import Name, Record
from seqsae.sae.formats.parts import Parts, subtracting
from seqsae.sae.formats.tensors import Tensors

NAME = "overcomplete"
KINDS = ("relu", "jumprelu", "topk", "batchtopk", "matryoshka")
INPUTS = ("none",)
OPTIONS = ("k", "architecture")
FILE = ".pt"
_INERT = ("overcomplete.", "torch.nn.")
_CLASSES = {
    "overcomplete.sae.base.SAE": "relu",
    "overcomplete.sae.topk_sae.TopKSAE": "topk",
    "overcomplete.sae.rasae.RATopKSAE": "topk",
    "overcomplete.sae.jump_sae.JumpSAE": "jumprelu",
    "overcomplete.sae.rasae.RAJumpSAE": "jumprelu",
    "overcomplete.sae.batchtopk_sae.BatchTopKSAE": "batchtopk",
}
_ENCODERS = ("overcomplete.sae.modules.MLPEncoder", "overcomplete.sae.modules.TieableEncoder")
_TINY = torch.finfo(torch.float32).tiny


def here(path: Path) -> bool:
    """Whether a path looks like this format."""
    if path.suffix not in (".pt", ".pth"):
        return False
    names = torchfile.names(path)
    return any(name.startswith(("overcomplete.", "dictionary.")) for name in names)


def read(path: Path, k: int | None = None, architecture: str | None = None) -> Parts:
    """One SAE.

    Args:
        k: active latents a row of a TopKSAE's state dict; a pickled module says it itself.
        architecture: relu for the state dict of a plain SAE.
    Raises:
        SeqsaeError: a class or an encoder that has no counterpart, a state dict that says too little, or a damaged file.
    """
    found = torchfile.load(files.regular(path), _INERT)
    if isinstance(found, Record):
        return replace(_of_module(found, path), files=(path,))
    if not isinstance(found, dict):
        raise SeqsaeError(
            f"{path}: holds neither a module nor a state dict; save the SAE again with torch.save(sae, path)"
        )
    tensors = Tensors(found, path)
    if "thresholds" in tensors:
        kind = "jumprelu"
    elif "Q" in tensors:
        raise SeqsaeError(f"{path}: a QSAE's quantised codes have no counterpart here; it cannot be imported")
    else:
        kind = "topk" if k is not None else architecture
    if kind not in ("relu", "topk", "jumprelu"):
        raise SeqsaeError(
            f"{path}: a state dict does not say which class it was of; give --k for a TopKSAE, --architecture relu for a "
            "plain SAE, or save the whole module with torch.save(sae, path)"
        )
    D = _dictionary(tensors, {})
    parts = replace(_parts(kind, tensors, D, k, None), files=(path,))
    return parts.noted("read from a state dict: its dictionary's rows were brought to length 1")


def refusal(parts: Parts) -> str | None:
    """Why this format cannot hold an SAE of its kinds and inputs, None if it can."""
    if parts.b_dec.any():
        return "it has no decoder bias, and this SAE's is not zero"
    lengths = torch.linalg.vector_norm(parts.W_dec.double(), dim=1)
    if not ((lengths - lengths.mean()).abs() <= 1e-6 * lengths.mean()).all():
        return "all rows of its decoder have one length, and this SAE's do not"
    return None


def write(parts: Parts, path: Path) -> None:
    """A state dict for SAE, TopKSAE (tell it k) or JumpSAE, to be loaded in training mode, before `.eval()`."""
    parts = subtracting(parts, False)
    lengths = torch.linalg.vector_norm(parts.W_dec.double(), dim=1)
    state = {
        "encoder.final_block.0.weight": parts.W_enc.T.contiguous(),
        "encoder.final_block.0.bias": parts.b_enc,
        "dictionary._weights": (parts.W_dec.double() / lengths[:, None]).float(),
        "dictionary.multiplier": lengths.mean().log().float(),
    }
    if parts.threshold is not None:
        state["thresholds"] = parts.threshold.double().expand(len(parts.b_enc)).clamp_min(_TINY).log().float()
    with files.new_file(path, FILE) as work:
        files.save_torch(work, state)


def _of_module(module: Record, path: Path) -> Parts:
    name = str(module.cls)
    if name not in _CLASSES:
        raise SeqsaeError(
            f"{path}: a {_class(module)} has no counterpart here; those that can be imported are "
            f"{', '.join(known.rpartition('.')[2] for known in _CLASSES)}"
        )
    encoder, dictionary = (_part(module, part, path) for part in ("encoder", "dictionary"))
    _check_encoder(encoder, path)
    tensors = Tensors(torchfile.state_of(module, path), path)
    kind, k = _CLASSES[name], None
    if kind == "topk":
        k = files.whole(module.state, "top_k", path)
    running = module.state.get("running_threshold") if kind == "batchtopk" else None
    if kind == "batchtopk" and not isinstance(running, Tensor):
        raise SeqsaeError(f"{path}: its running threshold was never set; train it, or save it after its training")
    D = _dictionary(tensors, dictionary.state)
    return replace(_parts(kind, tensors, D, k, running), said={"class": module.cls.name})


def _part(module: Record, name: str, path: Path) -> Record:
    modules = module.state.get("_modules")
    found = modules.get(name) if isinstance(modules, dict) else None
    if not isinstance(found, Record):
        raise SeqsaeError(f"{path}: a module without {name}; save the SAE again with torch.save(sae, path)")
    return found


def _class(module: Record) -> str:
    """Name of its class, without the module it comes from, as an error shows it."""
    return str(module.cls).rpartition(".")[2]


def _named(value: object) -> str:
    """What a name stands for, nothing for anything else."""
    return str(value) if isinstance(value, Name) else ""


def _check_encoder(encoder: Record, path: Path) -> None:
    """Raises SeqsaeError unless the encoder is one linear map and a relu."""
    name, state = str(encoder.cls), encoder.state
    norm, after = (_named(state.get(key)) for key in ("norm_layer", "output_activation"))
    plain = name == _ENCODERS[1] or (
        state.get("nb_blocks") == 0 and norm.endswith(".Identity") and after.endswith("activation.ReLU")
    )
    if name not in _ENCODERS or not plain:
        raise SeqsaeError(
            f"{path}: its encoder ({_class(encoder)}) is not one linear map and a relu; such an encoder has no counterpart here"
        )


def _parts(kind: str, tensors: Tensors, D: Tensor, k: int | None, running: Tensor | None) -> Parts:
    width, d = D.shape
    tensors.sizes.update(F=width, d=d)
    if "encoder.tied_to.multiplier" in tensors:  # the dictionary a second time
        tensors.drop(*[name.replace("dictionary", "encoder.tied_to") for name in _DICTIONARY])
        W_enc, bias = D.T, "encoder.bias"
    else:
        place = "encoder" if "encoder.weight" in tensors else "encoder.final_block.0"
        W_enc, bias = tensors.take(f"{place}.weight", "F d").T, f"{place}.bias"
    b_enc = tensors.take(bias, "F") if bias in tensors else torch.zeros(width)
    parts = Parts(kind, W_enc, b_enc, D, torch.zeros(d), subtract=False, k=k)
    if kind == "jumprelu":
        parts = replace(parts, threshold=_below(tensors.take("thresholds", "F").exp()))
    elif kind == "batchtopk":  # k counts a whole batch there; what is left of it is one threshold
        tensors = _ended(tensors)
        one = Tensors({"running_threshold": running}, tensors.path).take("running_threshold", "")
        return replace(parts, kind="jumprelu", threshold=_below(one.expand(width)))
    _ended(tensors)
    return parts


def _ended(tensors: Tensors) -> Tensors:
    tensors.end()
    return tensors


def _below(threshold: Tensor) -> Tensor:
    """Thresholds t' for which pre > t' where pre >= t: the next number below, 0 where everything positive passes."""
    return torch.nextafter(threshold, torch.full_like(threshold, -torch.inf)).clamp_min(0)


_DICTIONARY = ("dictionary._weights", "dictionary.multiplier", "dictionary.W", "dictionary.C", "dictionary.Relax")
_NORMS = {
    "normalize_l2": lambda x: x / (torch.linalg.vector_norm(x, dim=1, keepdim=True) + 1e-8),
    "normalize_max_l2": lambda x: x / torch.linalg.vector_norm(x, dim=1).max(),
    "normalize_l1": lambda x: x / (x.abs().sum(1, keepdim=True) + 1e-8),
    "normalize_max_l1": lambda x: x / x.abs().sum(1).max(),
    "normalize_identity": lambda x: x,
}


def _dictionary(tensors: Tensors, state: dict) -> Tensor:
    """D [F, d]. A module in eval mode keeps it fused, whatever its weights have become since."""
    name = "exp(multiplier)"
    stretch = files.positive({name: float(tensors.take("dictionary.multiplier", "").exp())}, name, tensors.path)
    if "dictionary.W" in tensors:
        C, W = tensors.take("dictionary.C", "P d"), tensors.take("dictionary.W", "F P").relu()
        relax = tensors.take("dictionary.Relax", "F d")
        delta = files.positive({"delta": 1.0, **state}, "delta", tensors.path, least=0)
        relax = relax * (delta / torch.linalg.vector_norm(relax, dim=1, keepdim=True)).clamp(max=1)
        D = W / (W.sum(1, keepdim=True) + 1e-8) @ C + relax
    else:
        norm = getattr(state.get("normalization"), "name", "normalize_l2")
        if norm not in _NORMS:
            raise SeqsaeError(
                f"{tensors.path}: its dictionary is normalised by {files.shown(norm)}, which is not known here"
            )
        D = _NORMS[norm](tensors.take("dictionary._weights", "F d"))
    fused = state.get("_fused_dictionary") if state.get("training") is False else None
    D = fused if isinstance(fused, Tensor) else D * stretch
    return Tensors({"dictionary": D}, tensors.path, **tensors.sizes).take("dictionary", "F d")
