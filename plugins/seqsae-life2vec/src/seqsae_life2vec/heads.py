"""What the network says from its last states: the token at a position, the order of a life's moments.

Shapes: d the width, V tokens.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqsae_life2vec.embedding import Centred, centre, counted
from seqsae_life2vec.shape import Shape

ORDERS = ("in order", "reversed", "shuffled")


class TokenHead(nn.Module):
    """Logits [.., V] = g * U l2norm(tanh(A h)), U the centred rows of the output table at length 1, g learnt from sqrt(d).

    Args:
        tokens: the token table, which is the output table too if the shape says `tied`.
    """

    def __init__(self, shape: Shape, tokens: Centred):
        super().__init__()
        self.inner = nn.Linear(shape.d_model, shape.d_model)
        self.g = nn.Parameter(torch.full((1,), shape.d_model**0.5))
        self.dropout = nn.Dropout(shape.dropout)
        bound = shape.d_model**-0.5
        own = torch.empty(shape.n_tokens, shape.d_model).uniform_(-bound, bound)
        self.out = tokens.weight if shape.tied else nn.Parameter(own)
        self.register_buffer("counted", counted(shape.n_tokens), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        h = F.normalize(torch.tanh(self.inner(self.dropout(x))), dim=-1)
        return self.g * self.dropout(h) @ F.normalize(centre(self.out, self.counted), dim=-1).T


class PlainHead(nn.Module):
    """Logits [.., V] = W layernorm(h) + bias."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.norm = nn.LayerNorm(shape.d_model)
        self.out = nn.Linear(shape.d_model, shape.n_tokens)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.norm(x))


class ScaleNorm(nn.Module):
    """g x / max(|x|, eps), g learnt from sqrt(d) (Nguyen and Salazar 2019, arXiv 1910.05895)."""

    def __init__(self, d_model: int, eps: float = 1e-6):
        super().__init__()
        self.g, self.eps = nn.Parameter(torch.full((1,), d_model**0.5)), eps

    def forward(self, x: Tensor) -> Tensor:
        return x * (self.g / x.norm(dim=-1, keepdim=True).clamp(min=self.eps))


class OrderHead(nn.Module):
    """Logits [.., 3] of ORDERS from the [CLS] state: linear, swish, ScaleNorm, linear."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.inner = nn.Linear(shape.d_model, shape.d_model)
        self.norm = ScaleNorm(shape.d_model)
        self.dropout = nn.Dropout(shape.dropout)
        self.out = nn.Linear(shape.d_model, len(ORDERS))

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.dropout(self.norm(F.silu(self.inner(x)))))
