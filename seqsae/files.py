"""Files read and written with one kind of error: SeqsaeError for what cannot be read, OSError where there is no room."""

import errno
import json
import os
import re
from pathlib import Path
from typing import Any

import polars as pl

from seqsae.errors import SeqsaeError


def read_parquet(path: Path, **options) -> pl.DataFrame:
    """A parquet file. Raises SeqsaeError in one line if it is absent or unreadable."""
    try:
        return pl.read_parquet(path, **options)
    except FileNotFoundError:
        raise SeqsaeError(f"{path}: no such file; check the path") from None
    except (pl.exceptions.PolarsError, OSError) as cause:
        raise SeqsaeError(
            f"{path}: not a readable parquet file ({str(cause).splitlines()[0]}); write it again"
        ) from None


def save_tensors(path: Path, tensors: dict, note: dict[str, str] | None = None) -> None:
    """Write a safetensors file, `note` in its header. Raises OSError as other writers do if there is no room for it."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    path.touch()  # with the mode of all other files, which safetensors does not give
    mode = path.stat().st_mode
    try:
        save_file(tensors, path, note)
    except SafetensorError as cause:
        raise _os_error(cause, path) from None
    path.chmod(mode)


def write_table(path: Path, table: pl.DataFrame) -> None:
    """Write a parquet file. Raises OSError as other writers do if there is no room for it."""
    try:
        table.write_parquet(path)
    except pl.exceptions.PolarsError as cause:
        raise _os_error(cause, path) from None


def _os_error(cause: Exception, path: Path) -> OSError:
    """What a library's own error says of the file system."""
    found = re.search(r"\(os error (\d+)\)", str(cause))
    return OSError(number := int(found[1]) if found else errno.EIO, os.strerror(number), str(path))


def read_json(path: Path, remedy: str) -> Any:
    """A JSON document. Raises SeqsaeError, naming the file and the remedy, if it cannot be read as one."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise SeqsaeError(f"{path}: no such file; {remedy}") from None
    except (OSError, ValueError, RecursionError) as cause:
        reason = "nested too deep" if isinstance(cause, RecursionError) else getattr(cause, "strerror", None) or cause
        raise SeqsaeError(f"{path}: not a JSON document ({reason}); {remedy}") from None


def write_json(path: Path, document: dict, in_order: bool = True) -> None:
    """Write a document so that a reader sees the old or the new one, never half of it; keys sorted, or as they stand."""
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("w") as file:
            file.write(json.dumps(document, indent=2, sort_keys=in_order) + "\n")
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as cause:
        partial.unlink(missing_ok=True)
        raise OSError(cause.errno, cause.strerror, str(path)) from None
