"""Artefact folders: written whole or not at all, recognised by content, skipped when already there, resumable.

A finished artefact is a folder with a `manifest.json` that names its schema, its config, the manifests it was made from
and the SHA-256 of each of its files. A stage writes into `<folder>.partial` beside it and is renamed into place when it
is complete, so that a kill leaves either the old artefact or a partial one that the next run goes on with.
Timings never enter a manifest: the same inputs give the same bytes.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from seqsae import schema
from seqsae.errors import SeqsaeError
from seqsae.files import read_json, read_parquet, save_tensors, write_json, write_table
from seqsae.hashing import digest, hash_table, sha256
from seqsae.progress import say

__all__ = [
    "Artefact", "digest", "existing", "hash_table", "key_of", "locked", "open_artefact", "read_json", "read_parquet", "save_tensors",
    "sha256", "stage", "versions", "write_json", "write_table",
]  # fmt: skip

MANIFEST = "manifest.json"
HASH_ON_READ = 64 * 2**20  # bytes; a larger file is checked by its size alone, its hash stays in the manifest


@dataclass(frozen=True)
class Artefact:
    """A finished folder on the shelf."""

    path: Path

    @cached_property
    def manifest(self) -> dict:
        return _read_manifest(self.path)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the manifest, which holds the hash of every data file: the artefact's identity."""
        return sha256(self.path / MANIFEST)

    def file(self, name: str) -> Path:
        """The path of a data file. Raises SeqsaeError if it is absent or was cut or changed since it was written."""
        recorded = self.manifest["files"].get(name)
        path = self.path / name
        if recorded is None:
            raise SeqsaeError(
                f"{self.path}: its manifest names no file {name!r}, it has {', '.join(self.manifest['files']) or 'none'}; "
                f"delete {self.path} and run the stage again"
            )
        if not path.is_file() or path.stat().st_size != recorded["bytes"]:
            size = path.stat().st_size if path.is_file() else 0
            raise SeqsaeError(
                f"{path}: {size:,} bytes where the manifest says {recorded['bytes']:,}: the file was cut or changed; "
                f"delete {self.path} and run the stage again"
            )
        if recorded["bytes"] <= HASH_ON_READ and sha256(path) != recorded["sha256"]:
            raise SeqsaeError(
                f"{path}: its content is not what was written (SHA-256 differs); delete {self.path} and run again"
            )
        return path

    def files(self, prefix: str) -> list[Path]:
        """Paths of the data files whose name starts with `prefix`, sorted."""
        return [self.file(name) for name in sorted(self.manifest["files"]) if name.startswith(prefix)]

    def setting(self, name: str) -> Any:
        """What it was made with. Raises SeqsaeError if its manifest does not say."""
        if name not in self.manifest["config"]:
            raise SeqsaeError(
                f"{self.path / MANIFEST}: its config has no {name!r}; delete {self.path} and run the stage again"
            )
        return self.manifest["config"][name]

    def table(self, name: str) -> pl.DataFrame:
        """A parquet file as a table."""
        return read_parquet(self.file(name))

    def has(self, name: str) -> bool:
        return name in self.manifest["files"]


def open_artefact(path: Path | str, kind: str) -> Artefact:
    """The finished artefact at `path`. Raises SeqsaeError if there is none or it is of another kind."""
    artefact = Artefact(Path(path))
    if artefact.manifest["kind"] != kind:
        raise SeqsaeError(
            f"{path}: holds {artefact.manifest['kind']!r}, not {kind!r}; give the path of a {kind} artefact"
        )
    return artefact


def stage(
    out: Path | str,
    kind: str,
    config: dict,
    inputs: dict[str, Artefact | str],
    write: Callable[[Path], None],
    packages: tuple[str, ...] = (),
) -> Artefact:
    """The artefact that `write(folder)` makes at `out`: kept if it is there and nothing it depends on has changed.

    Args:
        kind: the artefact's kind, a word that names its room's product ("records", "activations", "sae", ...).
        config: JSON-able; every option that shapes the bytes.
        inputs: what it is made from: artefacts, or hex hashes of things that are not artefacts.
        write: fills the folder it is given. It may find there what an interrupted run with the same key has left, and
            goes on from it.
        packages: packages whose versions shape the bytes, beyond those that always do.
    """
    out = Path(out)
    sources = _hashes(inputs)
    key = key_of(kind, config, inputs, packages)
    kept = existing(out, kind, key)
    if kept is not None:
        say(f"{out}: unchanged, kept")
        return kept
    work = _work_folder(out, key)
    write(work)
    manifest = {
        "kind": kind,
        "key": key,
        "config": config,
        "inputs": sources,
        "versions": versions(packages),
        "files": _files(work),
    }
    write_json(work / MANIFEST, schema.check_document(manifest, "manifest", str(out)))
    move_in(work, out)
    (out / "key").unlink()
    return Artefact(out)


def key_of(kind: str, config: dict, inputs: dict[str, Artefact | str], packages: tuple[str, ...] = ()) -> str:
    """The key under which `stage` makes an artefact of these: `existing` tells whether it is there."""
    return digest({"kind": kind, "config": config, "inputs": _hashes(inputs), "versions": versions(packages)})


def _hashes(inputs: dict[str, Artefact | str]) -> dict[str, str]:
    return {name: source.hash if isinstance(source, Artefact) else source for name, source in sorted(inputs.items())}


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Context in which no other process works on a run folder. Raises SeqsaeError if one does."""
    if folder.exists() and not folder.is_dir():
        raise SeqsaeError(f"{folder}: a file stands where a run folder is to be written; choose another --out")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        import fcntl
    except ImportError:  # not on Windows
        yield
        return
    handle = os.open(folder, os.O_RDONLY)  # the folder itself is locked, so that no file is left behind
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SeqsaeError(
                f"{folder}: another seqsae run is at work there; wait for it, or choose another --out"
            ) from None
        yield
    finally:
        os.close(handle)


def existing(out: Path, kind: str, key: str) -> Artefact | None:
    """The artefact at `out` if it is of this kind, was made under `key` and its files are as they were written, else None."""
    if not (out / MANIFEST).is_file():
        return None
    try:
        artefact = Artefact(out)
        if (artefact.manifest["kind"], artefact.manifest["key"]) != (kind, key):
            return None
        for name in artefact.manifest["files"]:
            artefact.file(name)
    except SeqsaeError:
        return None
    return artefact


def versions(packages: tuple[str, ...] = ()) -> dict[str, str]:
    """Versions of seqsae, of what always shapes its bytes, and of `packages`."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for package in ("seqsae", "torch", "polars", "numpy", *packages):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found


def _read_manifest(path: Path) -> dict:
    file = path / MANIFEST
    if not file.is_file():
        raise SeqsaeError(
            f"{path}: no finished artefact there (no {MANIFEST}); give the folder that a seqsae command printed"
        )
    document = read_json(file, f"delete {path} and run the stage again")
    return schema.check_document(document, "manifest", str(file))


def _work_folder(out: Path, key: str) -> Path:
    """`<out>.partial`, kept if an interrupted run with the same key left it, else emptied."""
    work = out.with_name(out.name + ".partial")
    for path in (out, work, _old(out), *out.parents):
        if os.path.lexists(path) and not path.is_dir():
            raise SeqsaeError(
                f"{path}: a file stands where a folder is to be written; remove it, or choose another --out"
            )
    note = work / "key"
    if note.is_file() and note.read_bytes() == key.encode():
        (work / MANIFEST).unlink(missing_ok=True)
        say(f"{out}: going on where an interrupted run stopped")
        return work
    if work.exists():
        shutil.rmtree(work)
    work.mkdir(parents=True)
    note.write_text(key)
    return work


def _files(work: Path) -> dict[str, dict]:
    """Name, size and hash of every data file; files under a dotted name are scratch and are removed."""
    for scratch in [path for path in work.iterdir() if path.name.startswith(".")]:
        shutil.rmtree(scratch) if scratch.is_dir() else scratch.unlink()
    paths = sorted(path for path in work.rglob("*") if path.is_file() and path != work / "key")
    return {path.relative_to(work).as_posix(): {"bytes": path.stat().st_size, "sha256": sha256(path)} for path in paths}


def move_in(work: Path, out: Path, old: Path | None = None) -> None:
    """Put `work` in the place of `out`; the old folder, for a moment at `old`, is gone only once the new one stands."""
    old = old or _old(out)
    if old.exists():
        shutil.rmtree(old)
    if out.exists():
        out.replace(old)
    work.replace(out)
    if old.exists():
        shutil.rmtree(old)


def _old(out: Path) -> Path:
    """Where the artefact that is replaced stands for a moment."""
    return out.with_name(out.name + ".old")
