"""A block: attention and MLP, each times a learnt scalar gate, added to the stream.

Shapes: B lives, T positions, d the width, H heads.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqsae_life2vec.shape import Shape, Start


class Block(nn.Module):
    """x + a * attention(x), then x + b * mlp(x), with no norm anywhere (ReZero: Bachlechner et al. 2020, arXiv 2003.04887).

    Both sublayers gate themselves, so their outputs are the true residual writes.
    """

    def __init__(self, shape: Shape, start: Start):
        super().__init__()
        self.attention = Attention(shape, start)
        self.mlp = MLP(shape, start)

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        x = x + self.attention(x, real)
        return x + self.mlp(x)


class Attention(nn.Module):
    """Softmax attention over the real positions, over the earlier ones of them if causal, times the gate.

    Queries, keys and values have no bias, the output has one, as published.
    """

    def __init__(self, shape: Shape, start: Start):
        super().__init__()
        self.n_heads, self.causal = shape.n_heads, shape.causal
        self.qkv = nn.Linear(shape.d_model, 3 * shape.d_model, bias=False)
        self.out = nn.Linear(shape.d_model, shape.d_model)
        self.gate = nn.Parameter(torch.full((1,), start.gate))
        self.dropout = nn.Dropout(shape.dropout)

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        B, T, d = x.shape
        q, k, v = self.qkv(x).view(B, T, 3, self.n_heads, d // self.n_heads).permute(2, 0, 3, 1, 4)
        if self.causal:  # padding stands behind every real position, so that no mask of it is needed
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=real[:, None, None, :])  # [B, H, T, d/H]
        return self.gate * self.dropout(self.out(mixed.transpose(1, 2).reshape(B, T, d)))


class MLP(nn.Module):
    """One hidden layer with swish, times the gate; `hidden` is a module so that its neurons [B, T, d_hidden] can be read."""

    def __init__(self, shape: Shape, start: Start):
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(shape.d_model, shape.d_hidden), nn.Dropout(shape.dropout), nn.SiLU())
        self.out = nn.Linear(shape.d_hidden, shape.d_model)
        self.gate = nn.Parameter(torch.full((1,), start.gate))

    def forward(self, x: Tensor) -> Tensor:
        return self.gate * self.out(self.hidden(x))
