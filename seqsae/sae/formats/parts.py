"""What an SAE of any format comes down to: weights, a rule for which latents are active, and how rows are prepared."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from seqsae.errors import SeqsaeError
from seqsae.sae.formats.files import shown

_TENSORS = ("W_enc", "b_enc", "W_dec", "b_dec", "threshold", "r_mag", "b_mag")
KINDS = ("relu", "gated", "jumprelu", "topk", "batchtopk", "matryoshka")


@dataclass(frozen=True)
class Input:
    """How raw rows [n, d] become what the weights read; undone after decoding. Kinds as in `seqsae.sae.normalise`.

    none: not at all. layer-norm: each row less its mean, over its standard deviation (n - 1) plus 1e-5. row-norm: each row to the length
    sqrt(d). whiten: (row - mean) whiten.
    """

    kind: str = "none"
    mean: Tensor | None = None
    """[d], for whiten."""
    whiten: Tensor | None = None
    """[d, d]."""
    unwhiten: Tensor | None = None
    """[d, d], its inverse."""


@dataclass(frozen=True)
class Parts:
    """One SAE, all tensors float32.

    pre   = (x - subtract * b_dec) W_enc + b_enc
    codes = relu(pre) where: relu everywhere; topk the k largest of the row; jumprelu, batchtopk, matryoshka pre > threshold;
            gated relu(exp(r_mag) * (pre - b_enc) + b_mag) where pre > 0
    x_hat = codes W_dec + b_dec
    """

    kind: str
    """One of `KINDS`."""
    W_enc: Tensor
    """[d, F]."""
    b_enc: Tensor
    """[F]; for gated the gate's bias."""
    W_dec: Tensor
    """[F, d]."""
    b_dec: Tensor
    """[d]."""
    subtract: bool = True
    """Whether the encoder reads x - b_dec."""
    k: int | None = None
    """topk: active latents a row; batchtopk, matryoshka: on average in training."""
    threshold: Tensor | None = None
    """[F] for jumprelu; [] for batchtopk and matryoshka."""
    r_mag: Tensor | None = None
    """[F], gated."""
    b_mag: Tensor | None = None
    """[F], gated."""
    groups: tuple[int, ...] = ()
    """Sizes of a matryoshka's groups of latents, in order."""
    input: Input = Input()
    """How rows are prepared."""
    said: dict = field(default_factory=dict)
    """What the file says of its model, layer and training; JSON-able."""
    notes: tuple[str, ...] = ()
    """What a reader should know of the conversion."""
    files: tuple[Path, ...] = ()
    """Files that it was read from."""

    def noted(self, *notes: str) -> "Parts":
        """With further notes."""
        return replace(self, notes=(*self.notes, *notes))


def checked(parts: Parts, where: str) -> Parts:
    """The parts themselves. Raises SeqsaeError, naming `where`, if k or groups cannot be, or numbers have become too large."""
    width = len(parts.b_enc)
    if parts.k is not None and not 1 <= parts.k <= width:
        raise SeqsaeError(f"{where}: k is {shown(parts.k)} with {width} latents; give 1 <= k <= {width}")
    if parts.kind == "topk" and parts.k is None:
        raise SeqsaeError(f"{where}: how many latents are active a row stands nowhere in it; give --k")
    if parts.kind == "matryoshka" and (min(parts.groups, default=0) < 1 or sum(parts.groups) != width):
        raise SeqsaeError(
            f"{where}: its groups {shown(list(parts.groups))} do not sum to {width} latents; take an undamaged copy"
        )
    for name in _TENSORS:
        if getattr(parts, name) is not None and not torch.isfinite(getattr(parts, name)).all():
            raise SeqsaeError(
                f"{where}: {name} is too large for float32 once scaled as the files say; take an undamaged copy"
            )
    return parts


def subtracting(parts: Parts, subtract: bool) -> Parts:
    """The same function with or without b_dec taken off what the encoder reads: b_enc takes over b_dec W_enc."""
    if parts.subtract == subtract:
        return parts
    shift = parts.b_dec.double() @ parts.W_enc.double()
    shift = shift if subtract else -shift
    moved = replace(parts, subtract=subtract, b_enc=(parts.b_enc.double() + shift).float())
    if parts.kind != "gated":
        return moved
    return replace(moved, b_mag=(parts.b_mag.double() + parts.r_mag.double().exp() * shift).float())


def rescaled(parts: Parts, scale: Tensor) -> Parts:
    """Codes times `scale` [F] >= 0, decoder rows over it, or over 1 where it is 0: the same reconstruction, wherever the
    active latents stay the same.

    topk and batchtopk then choose among the rescaled pre-activations.
    """
    scale = scale.double()

    def times(value: Tensor | None) -> Tensor | None:
        return None if value is None else (value.double() * scale).float()

    return replace(
        parts,
        W_enc=times(parts.W_enc),
        b_enc=times(parts.b_enc),
        W_dec=(parts.W_dec.double() / torch.where(scale > 0, scale, 1)[:, None]).float(),
        threshold=times(parts.threshold) if parts.kind == "jumprelu" else parts.threshold,
        b_mag=times(parts.b_mag),
    )


def unscaled(parts: Parts, factor: float) -> Parts:
    """For raw rows, what was for rows over `factor`; codes come in raw units: all biases and thresholds times `factor`."""

    def times(value: Tensor | None) -> Tensor | None:
        return None if value is None else (value.double() * factor).float()

    names = ("b_enc", "b_dec", "threshold", "b_mag")
    return replace(parts, **{name: times(getattr(parts, name)) for name in names})


def unit_rows(parts: Parts) -> bool:
    """Whether the decoder's rows all have length 1, to 1e-4."""
    return bool(((torch.linalg.vector_norm(parts.W_dec, dim=1) - 1).abs() < 1e-4).all())
