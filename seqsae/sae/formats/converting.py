"""`seqsae convert`: from one checkpoint on disk to another."""

import os
from pathlib import Path
from typing import Any, NamedTuple

from seqsae import shelf
from seqsae.errors import SeqsaeError
from seqsae.sae import checkpoint
from seqsae.sae.base import SAE
from seqsae.sae.formats import files
from seqsae.sae.formats.registry import detected, read, write

OURS = "seqsae"


class Converted(NamedTuple):
    """What a conversion gave."""

    sae: SAE
    """The SAE, as it lies at `path` if that is ours."""
    path: Path
    """Where it was written."""
    source: str
    """Name of the format it came from."""
    notes: tuple[str, ...]
    """What its reader should know."""

    def told(self) -> str:
        """All of it, a line each."""
        width = f"{self.sae.width:,} latents" + (f", {self.sae.k} active" if self.sae.k else "")
        first = (
            f"{self.sae.config.architecture} of {width}, d_model {self.sae.d_model}, from {self.source}: {self.path}"
        )
        notes = list(self.notes)
        if self.source != OURS and self.sae.identity["inputs"]["site"] is None:
            notes.append("it does not say which model and site it reads: name the site when you encode with it")
        return "\n".join([first, *(f"note: {note}" for note in notes)])


def convert(source: Path | str, path: Path | str, to: str, format: str | None = None, **options: Any) -> Converted:
    """Read an SAE in one format and write it in another, whole or not at all.

    Args:
        source: folder or file of an SAE, ours or another tool's.
        path: a new folder, or file where the format is one.
        to: "seqsae" or a name of `FORMATS`.
        format: the source's format; by default what its files look like.
        options: model, site and the reader's own (see `read`), for a source of another tool.
    Raises:
        SeqsaeError: see `read` and `write`; or `path` lies inside `source`.
    """
    source, path = Path(source), Path(path)
    _check_apart(source, path)
    known = format or (OURS if checkpoint.is_one(source) else detected(source))
    if known == OURS:
        given = [name for name, value in options.items() if value is not None and value is not False]
        if given:
            raise SeqsaeError(f"{source}: an SAE of seqsae says everything itself; leave out --{given[0]}")
        sae = checkpoint.load(source)
    else:
        sae = read(source, known, **options)
    if to != OURS:
        write(sae, path, to)
    else:
        _shelve(sae, path, known, options)
    notes = (sae.identity.get("imported") or {}).get("notes", []) if known != OURS else []
    return Converted(sae, path, known, tuple(notes))


def _check_apart(source: Path, path: Path) -> None:
    """Raises SeqsaeError if `path` lies inside the folder `source`, which would no longer be what was read."""
    inner, outer = Path(os.path.realpath(path)), Path(os.path.realpath(source))
    if outer in inner.parents and outer.is_dir():
        raise SeqsaeError(f"{path}: lies inside {source}, which is being read; give a path outside of it")


def _shelve(sae: SAE, path: Path, source: str, options: dict[str, Any]) -> None:
    """An artefact of kind "sae", as training leaves one, but without metrics."""
    sources = (sae.identity.get("imported") or {}).get("files", {})
    config = {
        "format": source,
        "files": sources,
        **{name: value for name, value in options.items() if value is not None},
    }
    with files.beside(path) as new:
        shelf.stage(new, "sae", config, {"source": shelf.digest(sources)}, lambda work: checkpoint.save(sae, work))
