"""A model folder of the transformers library, read offline: config.json and safetensors, no code of its own, no pickle."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from seqsae.errors import SeqsaeError
from seqsae.files import read_json

WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
# Fields that shape nothing: they stay out of the fingerprint.
UNUSED = ("_name_or_path", "transformers_version", "dtype", "torch_dtype", "use_cache", "architectures", "auto_map")


def load(folder: Path) -> tuple[nn.Module, dict[str, Any]]:
    """The module in `folder` in float32, and those fields of its config.json that shape what it computes.

    Raises:
        SeqsaeError: no such folder, no config or weights, an architecture that the library does not have, weights that do not
            fit it.
    """
    fields = _fields(folder)
    kind = _class(folder, fields)
    if not any((folder / name).is_file() for name in WEIGHTS):
        raise SeqsaeError(f"{folder}: no {WEIGHTS[0]}; pickled weights are not read: save the model with safetensors")
    try:
        with _quiet():
            module, info = kind.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, dtype=torch.float32, output_loading_info=True
            )
    except Exception as cause:  # the library and the files can raise anything
        reason = (str(cause).strip().splitlines() or [type(cause).__name__])[0][:200]
        raise SeqsaeError(f"{folder}: does not load as {kind.__name__} ({reason}); save the model again") from None
    missing = sorted(info["missing_keys"])
    if missing:
        raise SeqsaeError(
            f"{folder}: no weights for {missing[0]!r} ({len(missing)} missing) of {kind.__name__}; is it another architecture?"
        )
    if getattr(module.config, "is_encoder_decoder", False):
        raise SeqsaeError(
            f"{folder}: {kind.__name__} is an encoder and a decoder; meds reads one of them, use seqsae.wrap"
        )
    module.config.use_cache = False
    return module, {key: value for key, value in fields.items() if key not in UNUSED}


def _fields(folder: Path) -> dict[str, Any]:
    file = folder / "config.json"
    if not file.is_file():
        raise SeqsaeError(f"{folder}: no config.json there; give the folder of a model saved with save_pretrained")
    fields = read_json(file, "save the model again")
    if not isinstance(fields, dict):
        raise SeqsaeError(f"{file}: not a JSON object; save the model again")
    return fields


def _class(folder: Path, fields: dict[str, Any]) -> type:
    """The library's own class of the first architecture that config.json names."""
    try:
        import transformers  # heavy, and not needed by other models
    except ImportError:
        raise SeqsaeError("model meds needs the transformers library; run: pip install transformers") from None
    named = fields.get("architectures") or []
    if not isinstance(named, list) or not all(isinstance(one, str) for one in named):
        raise SeqsaeError(
            f"{folder / 'config.json'}: architectures = {named!r} is no list of names; save the model again"
        )
    kind = getattr(transformers, named[0], None) if named else None
    if not (isinstance(kind, type) and issubclass(kind, transformers.PreTrainedModel)):
        found = named[0] if named else "none"
        raise SeqsaeError(
            f"{folder / 'config.json'}: architecture {found!r} is none of the transformers library, and code in a model folder "
            "is never run; use seqsae.wrap"
        )
    return kind


@contextmanager
def _quiet() -> Iterator[None]:
    """Inside, the library says nothing and draws no bar; torch's random state is kept."""
    from transformers import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
