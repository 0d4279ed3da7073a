"""What an original checkpoint's tensors do not say about its network, and what they do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from seqsae.errors import SeqsaeError

LONGEST = 65_536  # positions; the original pads every life to its trained length, 2560
ACTIVATIONS = ("swish", "gelu", "relu")
NAMES = {
    "heads": "n_heads",
    "local_heads": "n_local",
    "window": "local_window_size",
    "max_length": "max_length",
    "activation": "hidden_act",
}  # our option to the original's hyper-parameter


@dataclass(frozen=True)
class Hparams:
    """The sizes that are read from shapes, and the options that are not."""

    n_tokens: int
    d_model: int
    n_blocks: int
    d_hidden: int
    n_features: int
    """Random features of the FAVOR+ heads."""
    heads: int
    local_heads: int
    """The last of the heads; those before them are FAVOR+ heads."""
    window: int
    """Positions in a local window."""
    max_length: int
    """The length that every input is padded to, as in training."""
    activation: str = "swish"


def gather(state: Mapping[str, Tensor], stored: Mapping[str, Any], given: Mapping[str, Any], where: str) -> Hparams:
    """The hyper-parameters from a transformer's state dict, those stored in the file, and those that the caller gives.

    Raises:
        SeqsaeError: one is in none of them, two of them contradict each other, or a value is impossible.
    """
    sizes = _sizes(state, where)
    known = {ours: stored[theirs] for ours, theirs in NAMES.items() if isinstance(stored.get(theirs), int | str)}
    known.setdefault("heads", sizes.pop("heads"))
    for name, value in given.items():
        if known.setdefault(name, value) != value:
            raise SeqsaeError(f"{where}: {name} = {value!r} is given but the file says {known[name]!r}; take it out")
    missing = [name for name in NAMES if name not in known and name != "activation"]
    if missing:
        raise SeqsaeError(f"{where}: the file does not say {', '.join(missing)}; give them as options, as in training")
    return _checked(Hparams(**sizes, **known), where)


def _sizes(state: Mapping[str, Tensor], where: str) -> dict[str, int]:
    """Sizes from the shapes of the tensors that every such file has."""
    blocks = {int(key.split(".")[1]) for key in state if key.startswith("encoders.") and key.split(".")[1].isdigit()}
    token = next((key for key in state if key.startswith("embedding.token.") and state[key].ndim == 2), None)
    needed = [
        token or "embedding.token.parametrizations.weight.original",
        "encoders.0.attention.attention.fast_attention.projection_matrix",
        "encoders.0.position_wise.hidden2ff.weight",
    ]
    for key in needed:
        if key not in state or state[key].ndim != 2:
            raise SeqsaeError(f"{where}: no matrix {key!r}; give a Life2Vec checkpoint (.ckpt or .pth)")
    if blocks != set(range(len(blocks))):
        raise SeqsaeError(f"{where}: its blocks are not numbered 0, 1, 2, ...; copy the file again")
    (n_tokens, d_model), (n_features, d_head), (d_hidden, _) = (tuple(state[key].shape) for key in needed)
    return {
        "n_tokens": n_tokens,
        "d_model": d_model,
        "n_blocks": len(blocks),
        "d_hidden": d_hidden,
        "n_features": n_features,
        "heads": d_model // max(1, d_head),
    }


def _checked(hparams: Hparams, where: str) -> Hparams:
    numbers = {name: getattr(hparams, name) for name in ("heads", "local_heads", "window", "max_length")}
    for name, value in numbers.items():
        least = 0 if name == "local_heads" else 1
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= LONGEST:
            raise SeqsaeError(f"{where}: {name} = {value!r}; it must be a whole number, {least} to {LONGEST:,}")
    if hparams.local_heads > hparams.heads or hparams.d_model % hparams.heads:
        raise SeqsaeError(
            f"{where}: {hparams.heads} heads, {hparams.local_heads} of them local, of width {hparams.d_model} together "
            "do not go; give heads and local_heads as in training"
        )
    if hparams.activation not in ACTIVATIONS:
        raise SeqsaeError(f"{where}: activation = {hparams.activation!r}; known are {', '.join(ACTIVATIONS)}")
    return hparams
