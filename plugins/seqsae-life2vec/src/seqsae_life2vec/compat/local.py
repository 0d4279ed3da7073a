"""Attention within local windows, non-causal.

Facts of the original's implementation (package local-attention, with its relative positions switched off): the length is
padded to whole windows on the right; a query of window b attends the keys of windows b - 1, b and b + 1.
Shapes: B lives, G heads, L positions, w window, n windows, h width of a head.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def attend(q: Tensor, k: Tensor, v: Tensor, real: Tensor, window: int) -> Tensor:
    """[B, G, L, h]: softmax(q . k h^-1/2) v over the real keys of three windows.

    Rows at padding are the mean of what is there and mean nothing; drop them.
    """
    length = q.shape[2]
    window = min(window, length)  # a longer one sees no more
    extra = -length % window
    q, k, v = (F.pad(x, (0, 0, 0, extra)) for x in (q, k, v))
    real = F.pad(real, (0, extra))
    scores = _windows(q, window) @ _around(k, window).transpose(-1, -2) * q.shape[-1] ** -0.5  # [B, G, n, w, 3w]
    seen = _around(real[:, None, :, None], window).squeeze(-1)[:, :, :, None, :]
    scores = scores.masked_fill(~seen, torch.finfo(scores.dtype).min)
    mixed = scores.softmax(-1) @ _around(v, window)
    return mixed.flatten(2, 3)[:, :, :length]


def _windows(x: Tensor, window: int) -> Tensor:
    """[B, G, n, w, .]"""
    return x.unflatten(2, (-1, window))


def _around(x: Tensor, window: int) -> Tensor:
    """[B, G, n, 3w, .]: each window with its two neighbours, zeros (False) where there is none."""
    padded = _windows(F.pad(x, (0, 0, window, window)), window)
    return torch.cat([padded[:, :, :-2], padded[:, :, 1:-1], padded[:, :, 2:]], dim=3)
