"""Delta mode: x' = x + decode(f') - decode(f). A feature is changed, all that the SAE does not explain stays as it is.

Decoding is linear in the codes, so of decode(f') - decode(f) only the changed features' decoder rows are left, in raw
units: biases and the normaliser's mean cancel. What does not change adds exactly 0.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from seqsae.errors import SeqsaeError
from seqsae.sae.base import SAE, Codes
from seqsae.sae.normalise import BY_ROW, undone_by_row

LARGEST = torch.finfo(torch.float32).max  # what activations are held in


@dataclass(frozen=True)
class Change:
    """What is done to a feature's value f."""

    kind: Literal["ablate", "scale", "clamp", "add"]
    amount: float = 0.0
    """Factor (scale), or a value in the SAE's own units (clamp, add)."""

    def __post_init__(self):
        if self.kind not in ("ablate", "scale", "clamp", "add"):
            raise SeqsaeError(f"change {self.kind!r}: it is ablate, scale, clamp or add")
        is_number = isinstance(self.amount, int | float) and not isinstance(self.amount, bool)
        if not (is_number and abs(self.amount) <= LARGEST):
            raise SeqsaeError(
                f"{self.kind} by {self.amount!r}: give a finite number that float32 holds, at most {LARGEST:.3g}"
            )

    def new(self, f: Tensor) -> Tensor:
        """[n] -> [n]: f'."""
        if self.kind == "ablate":
            return torch.zeros_like(f)
        if self.kind == "clamp":
            return torch.full_like(f, self.amount)
        return f * self.amount if self.kind == "scale" else f + self.amount

    @property
    def raises(self) -> bool:
        """Whether a value above 0 becomes larger; of a clamp it is not known."""
        return (self.kind == "scale" and self.amount > 1) or (self.kind == "add" and self.amount > 0)

    @property
    def told(self) -> str:
        """In a few words, as a folder may be called."""
        return self.kind if self.kind == "ablate" else f"{self.kind}{self.amount:g}"


class Writer:
    """What each feature of an SAE writes into raw rows, per unit of its value."""

    def __init__(self, sae: SAE):
        self.kind = sae.config.normalisation
        rows = sae.W_dec.detach()
        rows = rows @ sae.unwhiten if self.kind == "whiten" else rows
        self.rows = rows * sae.scale
        """[width, d]; times `size` of the row that is changed."""

    @property
    def norms(self) -> Tensor:
        """[width] L2 norms."""
        return self.rows.norm(dim=1)

    def size(self, x: Tensor) -> Tensor:
        """[n, 1] what the SAE's normaliser multiplies a raw row x [n, d] by when it decodes; 1 unless that is done row by row."""
        one = torch.ones_like(x[:, :1])
        if self.kind not in BY_ROW:
            return one
        about = x - x.mean(1, keepdim=True) if self.kind == "layer-norm" else x
        return undone_by_row(one, about, self.kind)

    def shift(self, x: Tensor, features: Tensor, by: Tensor) -> Tensor:
        """[n, d] what is added to raw rows x [n, d] when feature `features` [n] of each changes by `by` [n]."""
        return self.rows[features] * (by.to(self.rows)[:, None] * self.size(x.to(self.rows)))


def value_of(codes: Codes, features: Tensor) -> Tensor:
    """[n] the value of feature `features` [n] in each row's codes."""
    return torch.where(codes.indices == features[:, None], codes.values, 0).sum(1)


def moved(x: Tensor, shift: Tensor) -> Tensor:
    """x [n, d] plus a shift [n, d], in x's own number format; where the shift is 0 it is x to the bit."""
    wide = torch.promote_types(x.dtype, shift.dtype)
    return (x.to(wide) + shift.to(wide)).to(x.dtype)
