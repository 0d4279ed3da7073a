"""Where a release stands: written beside its place and put there whole; nothing but a release is ever replaced."""

import os
import shutil
from pathlib import Path

from seqsae import shelf
from seqsae.errors import SeqsaeError
from seqsae.exports.release_files import FORMAT

OTHER = "choose another --out"


def place_of(out: Path) -> Path:
    """`out` itself, or where it leads if it is a link or has no name of its own. Raises SeqsaeError if none can stand beside it."""
    plain = out.resolve() if out.is_symlink() or out.name in ("", "..") else out
    if not plain.name:
        raise SeqsaeError(f"{out}: no folder for a release; {OTHER}")
    return plain


def work_folder(out: Path) -> Path:
    """An empty folder beside `out`. Raises SeqsaeError if something stands in the way that is no release."""
    work, refused = beside(out, "partial"), beside(out, "refused")
    for path in (out, refused):
        if os.path.lexists(path) and not is_release(path):
            raise SeqsaeError(f"{path}: something that is no release stands there; move it, or {OTHER}")
    if os.path.lexists(work) and not work.is_dir():
        raise SeqsaeError(f"{work}: a file stands where a release is to be written; move it, or {OTHER}")
    if work.exists():
        shutil.rmtree(work)
    work.mkdir(parents=True)
    return work


def is_release(path: Path) -> bool:
    """Whether a folder holds a release's manifest: other artefacts have one of another form."""
    try:
        document = shelf.read_json(path / shelf.MANIFEST, "")
    except SeqsaeError:
        return False
    return isinstance(document, dict) and document.get("format") == FORMAT


def put(work: Path, place: Path) -> Path:
    """`work` in its place; what stood there is gone only once the new one stands."""
    shelf.move_in(work, place, old=place.with_name(f".{place.name}.replaced"))
    return place


def beside(out: Path, what: str) -> Path:
    """The folder `<out>.<what>`."""
    return out.with_name(f"{out.name}.{what}")
