"""Where an interrupted training left off: folders `step-000000200` of tensors and one document, whole or not there."""

import json
import shutil
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from seqsae.errors import SeqsaeError
from seqsae.shelf import digest, read_json, save_tensors, sha256

_TENSORS, _DOCUMENT = "state.safetensors", "state.json"


def save(work: Path, step: int, tensors: dict[str, Tensor], document: dict) -> None:
    """Write the state after `step` steps, then drop older ones. A kill leaves either the old state or the new one."""
    partial, final = work / "partial", work / f"step-{step:09d}"
    for folder in (partial, final):
        shutil.rmtree(folder, ignore_errors=True)
    partial.mkdir(parents=True)
    save_tensors(partial / _TENSORS, {name: value.contiguous() for name, value in tensors.items()})
    sealed = {"document": document, "digest": digest(document), "tensors": sha256(partial / _TENSORS)}
    (partial / _DOCUMENT).write_text(json.dumps(sealed))
    partial.replace(final)
    for older in work.glob("step-*"):
        if older.name < final.name:
            shutil.rmtree(older)


def latest(work: Path, run: dict) -> tuple[dict[str, Tensor], dict] | None:
    """The newest state in `work`, or None.

    Args:
        run: JSON-able settings of this training; those saved must be the same.
    Raises:
        SeqsaeError: the state is of another training, or unreadable.
    """
    folder = max(work.glob("step-*"), default=None)
    if folder is None:
        return None
    tensors, document = _read(folder, f"delete {work} to train anew")
    run = json.loads(json.dumps(run))  # as it reads after a round trip: tuples are lists
    other = [key for key in run if document["run"].get(key) != run[key]]
    if other:
        key = other[0]
        raise SeqsaeError(
            f"{work}: holds the state of a training with {key} {document['run'].get(key)}, this one has {run[key]}; "
            f"use the same settings or delete {work}"
        )
    return tensors, document


def _read(folder: Path, remedy: str) -> tuple[dict[str, Tensor], dict]:
    """A state's tensors and document. Raises SeqsaeError unless they are what was written."""
    sealed = read_json(folder / _DOCUMENT, remedy)
    try:
        whole = digest(sealed["document"]) == sealed["digest"] and sha256(folder / _TENSORS) == sealed["tensors"]
        tensors = load_file(folder / _TENSORS) if whole else {}
    except (KeyError, TypeError, OSError, SafetensorError):
        whole = False
    if not whole:
        raise SeqsaeError(f"{folder}: the saved training state was cut or changed; {remedy}")
    return tensors, sealed["document"]
