"""An original checkpoint as tensors, read without unpickling anything.

Two forms: Lightning's `.ckpt` (`state_dict` with `transformer.` in front of the network's keys, `hyper_parameters`), and a
`.pth` that is the transformer's bare state dict.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from seqsae.errors import SeqsaeError
from seqsae.sae.formats import torchfile
from seqsae.sae.formats.opcodes import Record
from seqsae_life2vec.compat.decoders import ClassDecoder, PoolingDecoder, Table, TokenDecoder

INERT = (  # whose objects stand in Lightning's checkpoints beside the tensors; they are never made
    *(
        "pytorch_lightning.",
        "lightning.",
        "lightning_fabric.",
        "torch.optim.",
        "torch.nn.",
        "torch.utils.",
        "omegaconf.",
    ),
    *("src.", "pathlib.", "argparse.", "functools.", "numpy.", "_codecs.", "typing.", "enum."),
)
CENTER = "parametrizations.weight"
BLOCK = {
    "attention.attention.to_q.weight": "attention.to_q.weight",
    "attention.attention.to_k.weight": "attention.to_k.weight",
    "attention.attention.to_v.weight": "attention.to_v.weight",
    "attention.attention.to_out.weight": "attention.to_out.weight",
    "attention.attention.to_out.bias": "attention.to_out.bias",
    "attention.attention.fast_attention.projection_matrix": "attention.projection",
    "attention_sublayer.norm.weights": "attention.gate",
    "position_wise.hidden2ff.weight": "mlp.hidden.0.weight",
    "position_wise.hidden2ff.bias": "mlp.hidden.0.bias",
    "position_wise.ff2hidden.weight": "mlp.out.weight",
    "position_wise.ff2hidden.bias": "mlp.out.bias",
    "position_sublayer.norm.weights": "mlp.gate",
}
EMBEDDING = {
    "segment.weight": "segment.weight",
    **{f"age.{name}": f"age.{name}" for name in ("w0", "b0", "w", "b")},
    **{f"abspos.{name}": f"time.{name}" for name in ("w0", "b0", "w", "b")},
    **{
        f"res_{theirs}.weights": f"{ours}_gate"
        for theirs, ours in (("age", "age"), ("abs", "time"), ("seg", "segment"))
    },
}
CLASSES = {
    **{f"{theirs}.{part}": f"inner.{part}" for theirs in ("in_layer", "ff1", "ff") for part in ("weight", "bias")},
    **{f"out_layer.{part}": f"out.{part}" for part in ("weight", "bias")},
    **{f"out.{part}": f"out.{part}" for part in ("weight", "bias")},
    **{"norm.g": "norm.g", "norm_1.g": "norm.g", "context": "context"},
    **{f"pool.{part}": f"score.{part}" for part in ("weight", "bias")},
}


@dataclass(frozen=True)
class Checkpoint:
    """What of a file this package reads; keys are the original's, without their prefix."""

    path: Path
    transformer: dict[str, Tensor]
    tokens: dict[str, Tensor]
    """`mlm_decoder.`"""
    order: dict[str, Tensor]
    """`cls_decoder.` of pretraining."""
    person: dict[str, Tensor]
    """`decoder.` of fine-tuning."""
    hparams: dict[str, Any]


def read(path: Path) -> Checkpoint:
    """The checkpoint at `path`.

    Raises:
        SeqsaeError: no such file, one that is cut, is no file of torch.save or asks for code, or holds no transformer.
    """
    if not path.is_file():
        raise SeqsaeError(f"{path}: no such file; give an original checkpoint (.ckpt or .pth)")
    found = torchfile.load(path, INERT)
    if not isinstance(found, dict):
        raise SeqsaeError(f"{path}: holds no dict of tensors but {type(found).__name__}; give a .ckpt or a state dict")
    stored = found.get("hyper_parameters", {})
    stored = stored.state if isinstance(stored, Record) else stored
    state = found.get("state_dict", found)
    state = _tensors(state, path) if isinstance(state, dict) else {}
    bare = any(key.startswith("embedding.") for key in state)
    parts = {prefix: _below(state, prefix) for prefix in ("transformer.", "mlm_decoder.", "cls_decoder.", "decoder.")}
    transformer = state if bare else parts.pop("transformer.")
    if not transformer:
        raise SeqsaeError(
            f"{path}: no keys 'transformer.*' or 'embedding.*'; give a Life2Vec checkpoint (.ckpt or .pth)"
        )
    parts.pop("transformer.", None)
    return Checkpoint(path, transformer, *parts.values(), stored if isinstance(stored, Mapping) else {})


def load_network(network: nn.Module, checkpoint: Checkpoint) -> None:
    """Fill an `Original` with every key of the transformer but the token table's.

    Raises:
        SeqsaeError: a key is missing or not known, or a tensor has another shape.
    """
    names = {f"embedding.{theirs}": f"embedding.{ours}" for theirs, ours in EMBEDDING.items()}
    for i in range(network.hparams.n_blocks):
        names |= {f"encoders.{i}.{theirs}": f"blocks.{i}.{ours}" for theirs, ours in BLOCK.items()}
    state = {key: value for key, value in checkpoint.transformer.items() if not key.startswith("embedding.token.")}
    _fill(network, state, names, checkpoint.path)


def table(state: Mapping[str, Tensor], key: str, path: Path) -> Table:
    """The table under `key` (`embedding.token`, `out`), with the flags of its parametrisation Center, if it has one.

    Raises:
        SeqsaeError: it is not there, or there are keys beside it that are not known.
    """
    held = _below(state, key + ".")
    known = {f"{CENTER}.original", *(f"{CENTER}.0.{flag}" for flag in ("norm", "use_ignore_index", "ignore_index"))}
    if set(held) == {"weight"}:
        return Table(held["weight"], None, centred=False, unit=False)
    _same_keys({f"{key}.{name}" for name in held}, {f"{key}.{name}" for name in known}, path)
    flags = {flag: held[f"{CENTER}.0.{flag}"] for flag in ("norm", "use_ignore_index", "ignore_index")}
    ignored = flags["ignore_index"] if bool(flags["use_ignore_index"].any()) else None
    weight = held[f"{CENTER}.original"]
    if ignored is not None and not _ids_below(ignored, len(weight)):
        raise SeqsaeError(
            f"{path}: {key}.{CENTER}.0.ignore_index names tokens that the table has not; copy the file again"
        )
    return Table(weight, ignored, centred=True, unit=bool(flags["norm"].any()))


def token_decoder(checkpoint: Checkpoint, d_model: int) -> TokenDecoder | None:
    """The masked language model's head, None if the file has none."""
    if not checkpoint.tokens:
        return None
    decoder = TokenDecoder(table(checkpoint.tokens, "out", checkpoint.path), d_model)
    state = {key: value for key, value in checkpoint.tokens.items() if not key.startswith("out.")}
    _fill(
        decoder, state, {"V.weight": "inner.weight", "V.bias": "inner.bias", "g": "g"}, checkpoint.path, "mlm_decoder."
    )
    return decoder


def person_decoder(checkpoint: Checkpoint, d_model: int) -> ClassDecoder | PoolingDecoder | None:
    """The head that reads a life: of fine-tuning, or else of sentence order; None if the file has neither."""
    state, prefix = (checkpoint.person, "decoder.") if checkpoint.person else (checkpoint.order, "cls_decoder.")
    state = {key: value for key, value in state.items() if not key.startswith(("out_1.", "out_2.", "out_3."))}
    if not state:
        return None
    out = next((state[key] for key in ("out.weight", "out_layer.weight") if key in state), None)
    kind = PoolingDecoder if "context" in state else ClassDecoder
    decoder = kind(d_model, len(out) if out is not None else 1)
    wanted = {key: ours for key, ours in CLASSES.items() if key in state}
    told = {ours: key for key, ours in wanted.items()}
    names = wanted | {ours: ours for ours in decoder.state_dict() if ours not in told}
    _fill(decoder, state, names, checkpoint.path, prefix)
    return decoder


def _tensors(state: Mapping, path: Path) -> dict[str, Tensor]:
    """The tensors of a state dict by name. Raises SeqsaeError for a name that is no text, and for weights that are no numbers."""
    for key, value in state.items():
        if isinstance(value, Tensor) and not isinstance(key, str):
            raise SeqsaeError(f"{path}: the key {key!r} is no name; give a Life2Vec checkpoint (.ckpt or .pth)")
        if isinstance(value, Tensor) and not torch.isfinite(value).all():
            raise SeqsaeError(f"{path}: {key} holds NaN or infinite numbers; copy the file again")
    return {key: value for key, value in state.items() if isinstance(value, Tensor)}


def _ids_below(ids: Tensor, n: int) -> bool:
    """Whether these are whole numbers from 0 to n - 1, and at least one."""
    return ids.numel() > 0 and bool(((ids >= 0) & (ids < n) & (ids == ids.long())).all())


def _below(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def _fill(module: nn.Module, state: Mapping[str, Tensor], names: dict[str, str], path: Path, prefix: str = "") -> None:
    """Load `state` under our names; one-number and one-row tensors may come in the original's shapes."""
    _same_keys({prefix + key for key in state}, {prefix + key for key in names}, path)
    own = module.state_dict()
    for theirs, ours in names.items():
        given, wanted = state[theirs], own[ours]
        if tuple(n for n in given.shape if n != 1) != tuple(n for n in wanted.shape if n != 1):
            raise SeqsaeError(
                f"{path}: {prefix}{theirs} has shape {list(given.shape)}, the network takes {list(wanted.shape)}; "
                "the hyper-parameters or the file are of another model"
            )
        own[ours] = given.reshape(wanted.shape).to(wanted.dtype)
    module.load_state_dict(own)


def _same_keys(found: set[str], wanted: set[str], path: Path) -> None:
    missing, unknown = sorted(wanted - found), sorted(found - wanted)
    if missing or unknown:
        told = [
            f"{len(keys)} {kind} ({', '.join(keys[:3])})"
            for kind, keys in (("missing", missing), ("unknown", unknown))
            if keys
        ]
        raise SeqsaeError(f"{path}: keys of another network: {'; '.join(told)}; give a Life2Vec checkpoint with ReZero")
