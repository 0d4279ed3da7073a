"""Files of other tools, read with care and written whole or not at all."""

import io
import json
import reprlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from seqsae.errors import SeqsaeError

_JSON_LIMIT = 16 * 2**20  # bytes of a config
_LARGEST = 2**63 - 1  # of whole numbers
LEAST, MOST = 1e-30, 1e30  # of factors: beyond them weights in float32 vanish or overflow
_BRIEF = reprlib.Repr()
_BRIEF.maxlevel, _BRIEF.maxlong, _BRIEF.maxstring, _BRIEF.maxother = 3, 40, 60, 60


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
        document = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_once)
    except RecursionError:
        raise SeqsaeError(f"{path}: not a JSON document (lists within lists without end); copy it again") from None
    except (OSError, ValueError) as cause:
        raise SeqsaeError(f"{path}: not a JSON document ({cause}); copy it again") from None
    if not isinstance(document, dict):
        raise SeqsaeError(f"{path}: a JSON {type(document).__name__}, not an object; take the config of the SAE")
    return document


def _once(pairs: list[tuple[str, Any]]) -> dict:
    """A JSON object. Raises ValueError if a key is repeated: readers differ in which of its values they take."""
    found = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {shown(key)} stands twice in one object")
        found[key] = value
    return found


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


def save_torch(path: Path, state: dict[str, Any]) -> None:
    """A file of `torch.save`. It is made in memory, for torch's own writer ends a full disk with an error of another kind.

    Raises:
        OSError: it cannot be written.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    path.write_bytes(buffer.getbuffer())


def whole(document: dict, key: str, path: Path, least: int = 1) -> int:
    """A whole number of a config, of 64 bits. Raises SeqsaeError if it is absent or anything else."""
    value = document.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= _LARGEST:
        raise SeqsaeError(f"{path}: {key} is {shown(value)}, not a whole number >= {least}; take an undamaged config")
    return value


def positive(document: dict, key: str, path: Path, least: float = LEAST) -> float:
    """A factor, up to 1e30. Raises SeqsaeError if it is absent, anything else, or so far from 1 that weights vanish or overflow."""
    value = document.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= MOST:
        raise SeqsaeError(
            f"{path}: {key} is {shown(value)}, not a number from {least:g} to {MOST:g}; take an undamaged copy, or give the right one"
        )
    return float(value)


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
    """A value as an error shows it: printable, on one line, cut if it is long or deep, whatever its size."""
    text = " ".join(_BRIEF.repr(value).split()).encode("ascii", "backslashreplace").decode()
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
    with beside(path) as work:
        work.mkdir()
        yield work


@contextmanager
def new_file(path: Path, suffix: str) -> Iterator[Path]:
    """Context with a file to write, which becomes `path` if all goes well.

    Raises:
        SeqsaeError: something is there, or the path does not end in `suffix`.
    """
    if path.suffix != suffix:
        raise SeqsaeError(f"{path}: this format is one file; give a path that ends in {suffix}")
    with beside(path) as work:
        yield work


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """Context with a path for a file or folder to make, which becomes `path` if all goes well, and leaves nothing if not.

    It lies in a hidden folder of a fresh name, so that no neighbour is touched.

    Raises:
        SeqsaeError: something is there.
        OSError: it cannot be written, naming `path`.
    """
    _check_free(path)
    prefix = f".{path.name[:50]}-"  # a name has room for 255 bytes
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=prefix, ignore_cleanup_errors=True) as folder:
            work = Path(folder) / "new"
            yield work
            _check_free(path)
            work.replace(path)
    except OSError as cause:  # which names what is gone by now, or nothing
        raise OSError(cause.errno, cause.strerror or str(cause), str(path)) from None


def _check_free(path: Path) -> None:
    if path.exists() or path.is_symlink():
        raise SeqsaeError(f"{path}: already there; give another path, nothing is overwritten")
