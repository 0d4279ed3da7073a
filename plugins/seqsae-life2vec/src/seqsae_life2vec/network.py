"""The network: token, age, absolute-time and segment embeddings, then blocks of attention and MLP behind ReZero gates.

Shapes: B lives, T padded positions, d the width, H heads, V tokens in the vocabulary.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqsae_life2vec.tokenizer import SEGMENTS
from seqsae_life2vec.vocabulary import PAD

GATE = 1.0  # where a gate starts. The paper's 0 pays in deep stacks; two blocks learn faster when they are open at once


@dataclass(frozen=True)
class Shape:
    """What fixes the network's parameters."""

    n_tokens: int
    d_model: int = 64
    n_blocks: int = 2
    n_heads: int = 4
    d_hidden: int = 256
    """Width of the MLP's hidden layer."""
    n_periods: int = 32
    """Sine waves in each time embedding."""


class Life2VecEncoder(nn.Module):
    """A small masked language model of lives, after Life2Vec (Savcisens et al. 2024, Nature Computational Science 4, 43).

        x   = token + age + time + segment
        x   = x + a * attention(x);  x = x + b * mlp(x)      for each block, scalars a and b learnt (ReZero)
        out = x W_token^T + bias                              logits [B, T, V]

    As there: the four channels, time embeddings of age and date that vanish for the background, ReZero instead of layer
    norms, no index of the position. Otherwise: plain masked softmax attention instead of Performer (so padding changes no
    real row), no sentence-order task, and every position after [CLS] is an event of its own.
    """

    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = shape
        self.embedding = Embedding(shape)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.n_blocks))
        self.head = Head(shape)

    def hidden(self, token: Tensor, age: Tensor, time: Tensor, segment: Tensor, real: Tensor) -> Tensor:
        """[B, T, d] after the last block; `real` [B, T] bool is False on padding."""
        x = self.embedding(token, age, time, segment)
        for block in self.blocks:
            x = block(x, real[:, None, None, :])
        return x

    def forward(self, token: Tensor, age: Tensor, time: Tensor, segment: Tensor, real: Tensor) -> Tensor:
        """Logits [B, T, V]."""
        return self.head(self.hidden(token, age, time, segment, real))


class Embedding(nn.Module):
    """Sum of what the four channels say, [B, T, d]."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.token = nn.Embedding(shape.n_tokens, shape.d_model, padding_idx=PAD)
        self.segment = nn.Embedding(SEGMENTS + 1, shape.d_model)
        self.age = Time2Vec(shape.n_periods, shape.d_model, longest=160.0)
        self.time = Time2Vec(shape.n_periods, shape.d_model, longest=160.0)

    def forward(self, token: Tensor, age: Tensor, time: Tensor, segment: Tensor) -> Tensor:
        x = self.token(token) + self.segment(segment)
        x = x + self.age(age) * (age >= 0)[..., None] + self.time(time) * (segment > 0)[..., None]
        return x


class Time2Vec(nn.Module):
    """A moment as waves of it: W [t / longest; sin(w t + b)] (Time2Vec, Kazemi et al. 2019, arXiv 1907.05321, Eq. 1).

    The frequencies w start with periods spread geometrically from half a year to `longest` years, in pairs a quarter
    period apart, so that attention can weigh an event by how long ago it was; w and b are learnt. The projection W to
    the width d is added here.
    """

    def __init__(self, n_periods: int, d_model: int, longest: float, shortest: float = 0.5):
        super().__init__()
        self.longest = longest
        periods = torch.logspace(math.log10(shortest), math.log10(longest), n_periods // 2)
        self.frequency = nn.Parameter((2 * math.pi / periods).repeat_interleave(2))
        self.phase = nn.Parameter(torch.tensor([0.0, math.pi / 2]).repeat(n_periods // 2))
        self.project = nn.Linear(2 * (n_periods // 2) + 1, d_model)

    def forward(self, years: Tensor) -> Tensor:
        t = years[..., None]
        return self.project(torch.cat([t / self.longest, torch.sin(t * self.frequency + self.phase)], dim=-1))


class Block(nn.Module):
    """x + attention(x), then x + mlp(x). Both sublayers gate themselves, so their outputs are the true residual writes."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.attention = Attention(shape)
        self.mlp = MLP(shape)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = x + self.attention(x, mask)
        return x + self.mlp(x)


class Attention(nn.Module):
    """Masked softmax attention over all real positions, times a learnt scalar gate (ReZero, Bachlechner et al. 2020)."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.n_heads = shape.n_heads
        self.qkv = nn.Linear(shape.d_model, 3 * shape.d_model)
        self.out = nn.Linear(shape.d_model, shape.d_model)
        self.gate = nn.Parameter(torch.tensor(GATE))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        B, T, d = x.shape
        q, k, v = self.qkv(x).view(B, T, 3, self.n_heads, d // self.n_heads).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)  # [B, H, T, d/H]
        return self.gate * self.out(mixed.transpose(1, 2).reshape(B, T, d))


class MLP(nn.Module):
    """One hidden layer, times a learnt scalar gate; `hidden` is a module so that its neurons [B, T, d_hidden] can be read."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(shape.d_model, shape.d_hidden), nn.GELU())
        self.out = nn.Linear(shape.d_hidden, shape.d_model)
        self.gate = nn.Parameter(torch.tensor(GATE))

    def forward(self, x: Tensor) -> Tensor:
        return self.gate * self.out(self.hidden(x))


class Head(nn.Module):
    """Logits over the vocabulary [.., V]."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.norm = nn.LayerNorm(shape.d_model)
        self.out = nn.Linear(shape.d_model, shape.n_tokens)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.norm(x))
