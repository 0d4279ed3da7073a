"""Where an interrupted training left off: folders `step-000000200` of tensors and one document, whole or not there."""

import json
import shutil
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from seqsae.errors import SeqsaeError

_TENSORS, _DOCUMENT = "state.safetensors", "state.json"


def save(work: Path, step: int, tensors: dict[str, Tensor], document: dict) -> None:
    """Write the state after `step` steps, then drop older ones. A kill leaves either the old state or the new one."""
    partial, final = work / "partial", work / f"step-{step:09d}"
    for folder in (partial, final):
        shutil.rmtree(folder, ignore_errors=True)
    partial.mkdir(parents=True)
    save_file({name: value.contiguous() for name, value in tensors.items()}, partial / _TENSORS)
    (partial / _DOCUMENT).write_text(json.dumps(document))
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
    try:
        document = json.loads((folder / _DOCUMENT).read_text())
        tensors = load_file(folder / _TENSORS)
    except (OSError, ValueError, SafetensorError) as cause:
        raise SeqsaeError(
            f"{folder}: the saved training state is unreadable ({cause}); delete {work} to train anew"
        ) from None
    run = json.loads(json.dumps(run))  # as it reads after a round trip: tuples are lists
    other = [key for key in run if document["run"].get(key) != run[key]]
    if other:
        key = other[0]
        raise SeqsaeError(
            f"{work}: holds the state of a training with {key} {document['run'].get(key)}, this one has {run[key]}; "
            f"use the same settings or delete {work}"
        )
    return tensors, document
