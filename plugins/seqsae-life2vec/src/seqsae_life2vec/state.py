"""What an interrupted training goes on from: one file, replaced whole, under a dotted name that the shelf removes."""

import shutil
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn, optim

from seqsae.shelf import write_json

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
        partial = self.file.with_suffix(".partial")
        save_file(
            {name: value.detach().cpu().contiguous() for name, value in tensors.items()},
            partial,
            {"step": str(step), "key": self.key},
        )
        partial.replace(self.file)
        write_json(self.folder / "progress.json", {"step": step, "key": self.key})

    def load(self, module: nn.Module, optimiser: optim.Optimizer) -> int:
        """Put back what was kept and return its step; 0, with nothing touched, if there is none of this training."""
        try:
            with safe_open(self.file, "pt") as file:
                note = file.metadata() or {}
                if note.get("key") != self.key:
                    return 0
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (safe_open is no mapping)
        except (FileNotFoundError, SafetensorError):
            return 0
        module.load_state_dict(
            {name.removeprefix("module."): value for name, value in tensors.items() if name.startswith("module.")}
        )
        kept: dict[int, dict[str, torch.Tensor]] = {}
        for name, value in tensors.items():
            if name.startswith("optimiser."):
                _, number, entry = name.split(".")
                kept.setdefault(int(number), {})[entry] = value
        optimiser.load_state_dict({**optimiser.state_dict(), "state": kept})
        return int(note["step"])

    def remove(self) -> None:
        """Forget it, once the training is done."""
        shutil.rmtree(self.folder, ignore_errors=True)
