"""The tensors of a file, taken by name and shape; what is left over at the end is an error, never dropped in silence."""

from pathlib import Path

import torch
from torch import Tensor

from seqsae.errors import SeqsaeError
from seqsae.sae.formats.files import shown


class Tensors:
    """Tensors of one file. Shapes are words: "F d" is [F, d]; a letter's first use settles its size, "" is a number.

    Args:
        sizes: letters that the config has settled: d the width of activations, F the number of latents.
    """

    def __init__(self, found: dict, path: Path, **sizes: int):
        for name, value in found.items():
            if not isinstance(value, Tensor) or not isinstance(name, str):
                raise SeqsaeError(
                    f"{path}: {shown(name)} is a {type(value).__name__}, not a named tensor; take the file of an SAE"
                )
        self.path, self.sizes = path, dict(sizes)
        self._left = dict(found)

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def take(self, name: str, shape: str) -> Tensor:
        """float32 tensor.

        Raises:
            SeqsaeError: absent, of another shape or no real numbers, NaN or infinite.
        """
        found = self._shaped(name, shape)
        if not found.is_floating_point():
            raise SeqsaeError(f"{self.path}: {name} holds {_kind(found)}, not real numbers; take an undamaged copy")
        found = found.float()
        if not torch.isfinite(found).all():
            raise SeqsaeError(f"{self.path}: {name} holds NaN or infinite values; take an undamaged copy")
        return found

    def take_whole(self, name: str, shape: str = "") -> list[int]:
        """Whole numbers, flat; one for the shape ""."""
        found = self._shaped(name, shape)
        if found.is_floating_point() or found.is_complex():
            raise SeqsaeError(f"{self.path}: {name} holds {_kind(found)}, not whole numbers; take an undamaged copy")
        return [int(value) for value in found.flatten().tolist()]

    def drop(self, *names: str) -> list[str]:
        """Leave out statistics that no code or reconstruction depends on; those that were there."""
        return [name for name in names if self._left.pop(name, None) is not None]

    def end(self) -> None:
        """Raises SeqsaeError if a tensor was neither taken nor dropped."""
        if self._left:
            raise SeqsaeError(
                f"{self.path}: unknown tensor {shown(next(iter(self._left)))}, which may change what the SAE gives; "
                "take a file of this format, or choose another --from"
            )

    def _shaped(self, name: str, shape: str) -> Tensor:
        if name not in self._left:
            raise SeqsaeError(
                f"{self.path}: no tensor {name!r}, it holds {', '.join(shown(one) for one in list(self._left)[:12]) or 'no more'}; "
                "take a file of this format, or choose another --from"
            )
        found, letters = self._left.pop(name), shape.split()
        if found.ndim == len(letters):
            for letter, size in zip(letters, found.shape, strict=True):
                self.sizes.setdefault(letter, size)
        wanted = [self.sizes.get(letter) for letter in letters]
        if list(found.shape) != wanted or 0 in wanted:
            raise SeqsaeError(
                f"{self.path}: {name} is {shown(list(found.shape))} where [{', '.join(letters)}] is "
                f"{shown(['?' if size is None else size for size in wanted])}; take config and weights from one place"
            )
        return found


def _kind(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
