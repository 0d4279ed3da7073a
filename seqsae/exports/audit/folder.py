"""The files of a release: only kinds that a reader can look into, no links, nothing hidden."""

import os
import re
from pathlib import Path

from seqsae.exports.audit.findings import Notes

ALLOWED = {".html", ".csv", ".png", ".txt", ".md"}
"""Suffixes of files that may lie in a release; besides, `manifest.json` at its root (and weights with a sign-off)."""
WEIGHTS = {
    ".safetensors",
    ".pt",
    ".pth",
    ".ckpt",
    ".bin",
    ".npz",
    ".npy",
    ".pkl",
    ".pickle",
    ".joblib",
    ".onnx",
    ".gguf",
}
PICTURES = {
    ".svg",
    ".svgz",
    ".gph",
    ".pdf",
    ".jpg",
    ".jpeg",
    ".gif",
    ".webp",
    ".tif",
    ".tiff",
    ".emf",
    ".wmf",
    ".eps",
    ".bmp",
}
LOGS = {".ipynb", ".log", ".jsonl", ".wandb", ".tfevents", ".out", ".err", ".history", ".toml", ".yaml", ".yml", ".py"}
PLAIN_NAME = re.compile(r"\w[\w.-]*(?:/\w[\w.-]*)*", re.ASCII)
MOST_FILES = 2_000


def files_of(directory: Path, notes: Notes) -> list[str]:
    """Relative paths of the regular files, in order; findings for what else lies there."""
    found: list[str] = []
    _walk(directory, directory, found, notes)
    for name in found:
        _kind(name, notes)
    notes.looked_at(f"{len(found)} files: kinds, links, hidden names")
    return sorted(found)


def _walk(root: Path, folder: Path, found: list[str], notes: Notes) -> None:
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        place = Path(entry.path).relative_to(root).as_posix()
        if len(found) >= MOST_FILES or place.count("/") > 8:
            notes.against("M3", place, "more files or folders than an audit reads", "release less at a time")
            return
        if entry.name.startswith("."):
            notes.against("M1", place, "is hidden", "remove it: a release holds only what its manifest lists")
        if entry.is_symlink():
            notes.against(
                "M1", place, "is a link, which leads out of the folder", "remove it or put the file itself there"
            )
        elif entry.is_dir(follow_symlinks=False):
            _walk(root, Path(entry.path), found, notes)
        elif not entry.is_file(follow_symlinks=False):
            notes.against("M1", place, "is no regular file", "remove it")
        elif Path(entry.path).stat().st_nlink > 1:
            notes.against("M1", place, "is one file under several names", "copy it: a release shares no file")
            found.append(place)
        else:
            found.append(place)


def _kind(name: str, notes: Notes) -> None:
    """The rule that a file's kind breaks, if any; weights are judged with their sign-off."""
    if not PLAIN_NAME.fullmatch(name):
        notes.against(
            "M1", name, "has other signs than letters, digits, ., - and _ in its name", "give it a plain name"
        )
    suffix = Path(name).suffix.lower()
    if name == "manifest.json" or suffix in ALLOWED or suffix in WEIGHTS:
        return
    if suffix in PICTURES:
        notes.against(
            "D15", name, f"a picture of kind {suffix} can hold every point it draws", "give HTML or PNG instead"
        )
    elif suffix in LOGS:
        notes.against("D13", name, f"{suffix} files tell how and where the work was done", "remove it")
    else:
        kinds = ", ".join(sorted(ALLOWED))
        notes.against(
            "D19", name, f"a file of kind {suffix or '(none)'} can hold rows of persons", f"release only {kinds}"
        )
