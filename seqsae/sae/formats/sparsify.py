"""sparsify (EleutherAI): a folder for each hookpoint, `cfg.json` and `sae.safetensors`. TopK alone.

    codes = the k largest of relu((x - b_dec) encoder.weight^T + encoder.bias);  x_hat = codes W_dec + b_dec

`num_latents` 0, its default, stands for d_in * expansion_factor. A run holds a folder a hookpoint, and in it one a seed if there are several.
"""

import json
from pathlib import Path

from seqsae import shelf
from seqsae.errors import SeqsaeError
from seqsae.sae.formats import files
from seqsae.sae.formats.parts import Parts, subtracting, unit_rows
from seqsae.sae.formats.tensors import Tensors

NAME = "sparsify"
KINDS = ("topk",)
INPUTS = ("none",)
OPTIONS = ()
FILE = None
_CONFIG, _WEIGHTS = "cfg.json", "sae.safetensors"
_KEYS = (
    *("activation", "expansion_factor", "normalize_decoder", "num_latents", "k", "multi_topk"),
    *("skip_connection", "transcode", "d_in"),
)


def here(path: Path) -> bool:
    """Whether a path looks like this format."""
    return (path / _CONFIG).exists() and (path / _WEIGHTS).exists() or bool(_within(path))


def read(path: Path) -> Parts:
    """One hookpoint's SAE.

    Raises:
        SeqsaeError: a whole run (which hookpoint?), a transcoder, a skip connection, groupmax, or damaged files.
    """
    if not (path / _CONFIG).exists() and _within(path):
        raise SeqsaeError(
            f"{path}: holds several SAEs ({', '.join(_within(path)[:12])}); give the folder of one of them"
        )
    config = files.read_json(path / _CONFIG)
    _check(config, path / _CONFIG)
    d = files.whole(config, "d_in", path / _CONFIG)
    width = files.whole({"num_latents": 0, **config}, "num_latents", path / _CONFIG, least=0)
    width = width or d * files.whole({"expansion_factor": 32, **config}, "expansion_factor", path / _CONFIG)
    tensors = Tensors(files.read_safetensors(path / _WEIGHTS), path / _WEIGHTS, d=d, F=width)
    parts = Parts(
        "topk",
        W_enc=tensors.take("encoder.weight", "F d").T,
        b_enc=tensors.take("encoder.bias", "F"),
        W_dec=tensors.take("W_dec", "F d"),
        b_dec=tensors.take("b_dec", "d"),
        k=files.whole({"k": 32, **config}, "k", path / _CONFIG),
        files=(path / _CONFIG, path / _WEIGHTS),
        said={"hookpoint": path.parent.name if path.name.startswith("seed") else path.name},
    )
    tensors.end()
    return parts


def write(parts: Parts, path: Path) -> None:
    """A hookpoint's folder."""
    parts = subtracting(parts, True)
    width, d = parts.W_dec.shape
    config = {
        "activation": "topk",
        "expansion_factor": max(1, width // d),
        "normalize_decoder": unit_rows(parts),
        "num_latents": width,
        "k": parts.k,
        "multi_topk": False,
        "skip_connection": False,
        "transcode": False,
        "d_in": d,
    }
    tensors = {
        "encoder.weight": parts.W_enc.T.contiguous(),
        "encoder.bias": parts.b_enc,
        "W_dec": parts.W_dec.contiguous(),
        "b_dec": parts.b_dec,
    }
    with files.new_folder(path) as work:
        shelf.save_tensors(work / _WEIGHTS, tensors)
        (work / _CONFIG).write_text(json.dumps(config, indent=2) + "\n")


def _check(config: dict, path: Path) -> None:
    files.known_keys(config, _KEYS, path)
    activation = files.text(config, "activation", path, "topk")
    if activation != "topk":
        raise SeqsaeError(
            f"{path}: activation {files.shown(activation)} has no counterpart here; only topk can be imported"
        )
    for key, what in (("transcode", "a transcoder"), ("skip_connection", "an SAE with a skip connection")):
        if files.flag(config, key, path):
            raise SeqsaeError(f"{path}: {what} has no counterpart here; only plain SAEs can be imported")


def _within(path: Path) -> list[str]:
    """SAE folders one or two levels below."""
    found = [*path.glob(f"*/{_WEIGHTS}"), *path.glob(f"*/*/{_WEIGHTS}")] if path.is_dir() else []
    return sorted(str(one.parent.relative_to(path)) for one in found if (one.parent / _CONFIG).exists())
