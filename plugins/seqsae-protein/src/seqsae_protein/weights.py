"""Weight files into modules: nothing is unpickled but tensors, and nothing is left out without a word."""

import json
from contextlib import nullcontext
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from seqsae.errors import SeqsaeError

FILES = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin")
# Buffers that older releases stored and newer ones compute.
BUFFERS = (".position_ids", ".attn.bias", ".attn.masked_bias", ".inv_freq")
OLD_NAMES = {".gamma": ".weight", ".beta": ".bias"}  # LayerNorm in the first BERT releases


def read_folder(folder: Path) -> dict[str, Tensor]:
    """The tensors of a model folder: safetensors (one file or several with an index) or pytorch_model.bin."""
    for name in FILES:
        if (folder / name).is_file():
            return _read_parts(folder / name) if name.endswith(".json") else read_file(folder / name)
    raise SeqsaeError(f"{folder}: no weights there; one of {', '.join(FILES)} must lie in it")


def read_file(path: Path, allowed: tuple[type, ...] = ()) -> dict:
    """What a .safetensors or torch file holds. Torch files load with `weights_only=True`.

    Args:
        allowed: harmless classes that the file may hold beside tensors.
    Raises:
        SeqsaeError: the file is damaged, cut short, or holds anything else.
    """
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        with torch.serialization.safe_globals(list(allowed)) if allowed else nullcontext():
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as cause:  # a damaged file can raise anything
        reason = (str(cause).splitlines() or [type(cause).__name__])[0][:120]
        raise SeqsaeError(
            f"{path}: cannot be read as weights ({reason}); it is damaged, cut short, or holds more than tensors: "
            "fetch it again"
        ) from None


def fill(module: nn.Module, state: dict[str, Tensor], where: str, spare: tuple[str, ...] = ()) -> None:
    """Load `state` into `module`, strictly.

    Args:
        where: what to call the weights in an error.
        spare: prefixes of names that the weights may hold and the module need not have (heads that are not used).
    Raises:
        SeqsaeError: a tensor is missing, unknown, of another shape, or two differ that the module ties.
    """
    wanted = module.state_dict(keep_vars=True)
    state = {_new_name(name): tensor for name, tensor in state.items()}
    state = {name: tensor for name, tensor in state.items() if name in wanted or not _spare(name, spare)}
    unknown = sorted(set(state) - set(wanted))
    if unknown:
        raise SeqsaeError(f"{where}: no place for {unknown[0]!r} ({len(unknown)} such); is it another architecture?")
    _check_shapes(state, wanted, where)
    missing = sorted(set(wanted) - set(state) - _given_by_ties(state, wanted, where))
    missing = [name for name in missing if not name.endswith(BUFFERS)]
    if missing:
        raise SeqsaeError(f"{where}: no {missing[0]!r} in it ({len(missing)} missing); is it another architecture?")
    module.load_state_dict(state, strict=False)


def _read_parts(index: Path) -> dict[str, Tensor]:
    try:
        parts = sorted(set(json.loads(index.read_text())["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise SeqsaeError(f"{index}: no weight_map in it; fetch the model again") from None
    state: dict[str, Tensor] = {}
    for part in parts:
        state.update(read_file(index.parent / Path(part).name))
    return state


def _new_name(name: str) -> str:
    for old, new in OLD_NAMES.items():
        name = name.removesuffix(old) + new if name.endswith(f"LayerNorm{old}") else name
    return name


def _spare(name: str, spare: tuple[str, ...]) -> bool:
    return name.endswith(BUFFERS) or name.startswith(spare)


def _check_shapes(state: dict[str, Tensor], wanted: dict[str, Tensor], where: str) -> None:
    for name, tensor in state.items():
        if tuple(tensor.shape) != tuple(wanted[name].shape):
            raise SeqsaeError(
                f"{where}: {name!r} has shape {tuple(tensor.shape)} where the config says {tuple(wanted[name].shape)}; "
                "weights and config are of different models"
            )


def _given_by_ties(state: dict[str, Tensor], wanted: dict[str, Tensor], where: str) -> set[str]:
    """Names that the module ties to a tensor in `state`: one storage under two names, often written once."""
    source: dict[int, str] = {}
    for name in state:
        first = source.setdefault(wanted[name].data_ptr(), name)
        if not torch.equal(state[first], state[name]):
            raise SeqsaeError(f"{where}: {first!r} and {name!r} differ, but the module ties them; it cannot be loaded")
    return {name for name, tensor in wanted.items() if tensor.data_ptr() in source}
