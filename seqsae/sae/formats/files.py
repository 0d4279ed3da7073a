"""Files of other tools, read with care and written whole or not at all."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from seqsae.errors import SeqsaeError

_JSON_LIMIT = 16 * 2**20  # bytes of a config


def regular(path: Path) -> Path:
    """The path itself if it is a file. Links to files are followed (download caches are made of them).

    Raises:
        SeqsaeError: there is none, or it is a folder, a device or a pipe.
    """
    if not path.exists():
        raise SeqsaeError(f"{path}: no such file; copy the whole folder of the SAE")
    if not path.is_file():
        raise SeqsaeError(f"{path}: not a file; copy the whole folder of the SAE")
    return path


def read_json(path: Path) -> dict:
    """A JSON object. Raises SeqsaeError if it is anything else."""
    if regular(path).stat().st_size > _JSON_LIMIT:
        raise SeqsaeError(f"{path}: {path.stat().st_size:,} bytes, too large for a config; take the file of the SAE")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as cause:
        raise SeqsaeError(f"{path}: not a JSON document ({cause}); copy it again") from None
    if not isinstance(document, dict):
        raise SeqsaeError(f"{path}: a JSON {type(document).__name__}, not an object; take the config of the SAE")
    return document


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Tensors by name, on the CPU. Raises SeqsaeError if the file is cut or of another kind."""
    try:
        return load_file(regular(path))
    except (OSError, SafetensorError, ValueError, KeyError) as cause:
        raise SeqsaeError(f"{path}: not a whole safetensors file ({cause}); copy it again") from None


def safetensors_names(path: Path) -> list[str]:
    """Names of the tensors of a file, none if it is no safetensors file."""
    try:
        with safe_open(regular(path), "pt") as file:
            return list(file.keys())
    except (OSError, SafetensorError, ValueError):
        return []


def whole(document: dict, key: str, path: Path, least: int = 1) -> int:
    """A whole number of a config. Raises SeqsaeError if it is absent or anything else."""
    value = document.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise SeqsaeError(f"{path}: {key} is {shown(value)}, not a whole number >= {least}; take an undamaged config")
    return value


def flag(document: dict, key: str, path: Path, default: bool = False) -> bool:
    """A yes or no of a config. Raises SeqsaeError if it is anything else."""
    value = document.get(key, default)
    if not isinstance(value, bool):
        raise SeqsaeError(f"{path}: {key} is {shown(value)}, neither true nor false; take an undamaged config")
    return value


def text(document: dict, key: str, path: Path, default: str | None = None) -> str:
    """A word of a config. Raises SeqsaeError if it is absent without a default, or anything else."""
    value = document.get(key, default)
    if not isinstance(value, str):
        raise SeqsaeError(f"{path}: {key} is {shown(value)}, not a word; take an undamaged config")
    return value


def shown(value: Any) -> str:
    """A value as an error shows it: printable, cut if it is long."""
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."


def known_keys(document: dict, known: tuple[str, ...], path: Path) -> None:
    """Raises SeqsaeError if a config that lists its options has one, switched on, that is not known: it could change numbers."""
    for key, value in document.items():
        if key not in known and value not in (None, False, 0, "", [], {}):
            raise SeqsaeError(
                f"{path}: unknown option {shown(key)} ({shown(value)}), which may change what the SAE gives; "
                "take it out if it does not"
            )


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Context with a folder to fill, which becomes `path` if all goes well. Raises SeqsaeError if something is there."""
    work = _work(path)
    work.mkdir(parents=True)
    try:
        yield work
        work.replace(path)
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def new_file(path: Path, suffix: str) -> Iterator[Path]:
    """Context with a file to write, which becomes `path` if all goes well.

    Raises:
        SeqsaeError: something is there, or the path does not end in `suffix`.
    """
    if path.suffix != suffix:
        raise SeqsaeError(f"{path}: this format is one file; give a path that ends in {suffix}")
    work = _work(path)
    work.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield work
        work.replace(path)
    finally:
        work.unlink(missing_ok=True)


def _work(path: Path) -> Path:
    if path.exists() or path.is_symlink():
        raise SeqsaeError(f"{path}: already there; give another path, nothing is overwritten")
    work = path.with_name(path.name + ".partial")
    if work.is_dir() and not work.is_symlink():
        shutil.rmtree(work)
    work.unlink(missing_ok=True)
    return work
