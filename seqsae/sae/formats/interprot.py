"""InterProt: one `.safetensors` file, or a Lightning `.ckpt` with the same tensors after `sae_model.`. TopK; k is in neither.

z     = row less its mean, over its standard deviation (n - 1) plus 1e-5
codes = relu of the k largest of (z - b_pre) w_enc + b_enc;  x_hat = codes w_dec + b_pre, times the deviation, plus the mean
"""

import re
from pathlib import Path

import torch

from seqsae import shelf
from seqsae.errors import SeqsaeError
from seqsae.sae.formats import files, torchfile
from seqsae.sae.formats.parts import Input, Parts, subtracting
from seqsae.sae.formats.tensors import Tensors

NAME = "interprot"
KINDS = ("topk",)
INPUTS = ("layer-norm",)
OPTIONS = ("k",)
FILE = ".safetensors"
_LIGHTNING = ("argparse.", "lightning", "pytorch_lightning", "interprot")


def here(path: Path) -> bool:
    """Whether a path looks like this format."""
    if path.suffix == ".safetensors" and path.is_file():
        return "b_pre" in files.safetensors_names(path)
    return path.suffix == ".ckpt" and path.is_file()


def read(path: Path, k: int | None = None) -> Parts:
    """One SAE.

    Args:
        k: active latents a row, as it was trained with; no file says it.
    Raises:
        SeqsaeError: no k, or a damaged file.
    """
    if k is None:
        hint = re.search("_k([0-9]{1,9})", path.name)
        hint = f", {hint.group(1)} by the file's name" if hint else " (those of the first release have 64 or 128)"
        raise SeqsaeError(f"{path}: how many latents are active a row stands nowhere in it; give --k{hint}")
    tensors = Tensors(_tensors(path), path)
    parts = Parts(
        "topk",
        W_enc=tensors.take("w_enc", "d F"),
        b_enc=tensors.take("b_enc", "F"),
        W_dec=tensors.take("w_dec", "F d"),
        b_dec=tensors.take("b_pre", "d"),
        k=k,
        input=Input("layer-norm"),
        said={"file": path.name},
        files=(path,),
        notes=(f"k {k} was given by whoever imported it",),
    )
    tensors.drop("stats_last_nonzero")
    tensors.end()
    return parts


def write(parts: Parts, path: Path) -> None:
    """A file of tensors; tell its readers k."""
    parts = subtracting(parts, True)
    tensors = {
        "w_enc": parts.W_enc.contiguous(),
        "w_dec": parts.W_dec.contiguous(),
        "b_enc": parts.b_enc,
        "b_pre": parts.b_dec,
        "stats_last_nonzero": torch.zeros(len(parts.b_enc), dtype=torch.long),
    }
    with files.new_file(path, FILE) as work:
        shelf.save_tensors(work, tensors)


def _tensors(path: Path) -> dict:
    if path.suffix != ".ckpt":
        return files.read_safetensors(path)
    found = torchfile.load(files.regular(path), _LIGHTNING)
    state = found.get("state_dict") if isinstance(found, dict) else None
    if not isinstance(state, dict):
        raise SeqsaeError(f"{path}: no state_dict in it; take a checkpoint of InterProt")
    prefix = "sae_model."
    named = {name: value for name, value in state.items() if isinstance(name, str) and name.startswith(prefix)}
    return {name.removeprefix(prefix): value for name, value in named.items()}
