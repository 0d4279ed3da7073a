"""What an interrupted training goes on from: one file, replaced whole, under a dotted name that the shelf removes."""

import hashlib
import shutil
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn, optim

from seqsae.progress import say
from seqsae.shelf import write_json
from seqsae_life2vec.folder import save_whole

FOLDER = ".state"


class State:
    """Module and optimiser after some step, kept in `<out>/.state/` for the training that `key` identifies."""

    def __init__(self, out: Path, key: str):
        self.folder, self.key = out / FOLDER, key
        self.file = self.folder / "state.safetensors"

    def save(self, step: int, module: nn.Module, optimiser: optim.Optimizer) -> None:
        """Keep the state after `step` steps; a kill while writing leaves the last one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        tensors = {f"module.{name}": value.clone() for name, value in module.state_dict().items()}  # a tied table twice
        for number, values in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{number}.{name}": value for name, value in values.items()}
        save_whole(self.file, tensors, {"step": str(step), "key": self.key, "sha256": _sha256(tensors)})
        write_json(self.folder / "progress.json", {"step": step, "key": self.key})

    def load(self, module: nn.Module, optimiser: optim.Optimizer) -> int:
        """Put back what was kept and return its step; 0, with nothing touched, if there is none of this training.

        A state that is damaged or of another training is said.
        """
        step, tensors = self._read()
        if not step:
            return 0
        module.load_state_dict(
            {name.removeprefix("module."): value for name, value in tensors.items() if name.startswith("module.")}
        )
        kept: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            if name.startswith("optimiser."):
                _, number, entry = name.split(".")
                kept.setdefault(int(number), {})[entry] = value
        optimiser.load_state_dict({**optimiser.state_dict(), "state": kept})
        return step

    def _read(self) -> tuple[int, dict[str, Tensor]]:
        """Step and tensors of the file; step 0 if it cannot be gone on from."""
        if not self.file.exists():
            return 0, {}
        try:
            with safe_open(self.file, "pt") as file:
                note = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (safe_open is no mapping)
        except (OSError, SafetensorError):
            note, tensors = {}, {}
        if note.get("sha256") != _sha256(tensors):
            say(f"life2vec: {self.file} is damaged: training begins anew")
            return 0, {}
        if note["key"] != self.key:
            say(f"life2vec: {self.file} is of other data, options or another seed: training begins anew")
            return 0, {}
        return int(note["step"]), tensors

    def remove(self) -> None:
        """Forget it, once the training is done."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _sha256(tensors: dict[str, Tensor]) -> str:
    """Over the names and bytes of some tensors."""
    whole = hashlib.sha256()
    for name in sorted(tensors):
        flat = tensors[name].detach().cpu().contiguous().reshape(-1)
        whole.update(name.encode() + b"\0" + flat.view(torch.uint8).numpy().tobytes())
    return whole.hexdigest()
