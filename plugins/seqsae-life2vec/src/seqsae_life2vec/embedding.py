"""The embedding of the channels: Center-parametrised tokens, Time2Vec of age and date, segments, behind ReZero gates.

Shapes: B lives, T positions, d the width, V tokens.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqsae_life2vec.shape import Shape, Start
from seqsae_life2vec.vocabulary import IGNORED

SHORTEST, LONGEST = 0.5, 160.0  # years, periods of the spread frequencies


class Centred(nn.Module):
    """A table of vectors [V, d] of which only the centred form is read: the mean over real tokens is removed.

        table = weight - mean of weight over the tokens that are not ignored;  rows of ignored tokens = 0

    (Life2Vec: Savcisens et al. 2024, Nature Computational Science 4, 43, there called Center.)
    """

    def __init__(self, n_tokens: int, d_model: int, bound: float):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_tokens, d_model).uniform_(-bound, bound))
        self.register_buffer("counted", counted(n_tokens), persistent=False)

    def table(self) -> Tensor:
        """[V, d] the centred table."""
        return centre(self.weight, self.counted)

    def forward(self, token: Tensor) -> Tensor:
        return F.embedding(token, self.table())


def counted(n_tokens: int) -> Tensor:
    """[V] bool: False on [PAD] and the placeholders."""
    return torch.tensor([i not in IGNORED for i in range(n_tokens)])


def centre(weight: Tensor, real: Tensor) -> Tensor:
    """[V, d] `weight` less its mean over the `real` rows [V], 0 on the others."""
    keep = real[:, None].to(weight.dtype)
    return (weight - (weight * keep).sum(0) / keep.sum()) * keep


class Time2Vec(nn.Module):
    """A moment as waves of it: [f(w t + b); w0 t + b0], d - 1 waves and a line (Kazemi et al. 2019, arXiv 1907.05321, Eq. 1).

    Args:
        wave: f, cosine for ages and sine for dates.
    """

    def __init__(self, d_model: int, wave: Callable[[Tensor], Tensor], start: Start):
        super().__init__()
        self.wave = wave
        self.w0, self.b0, self.w, self.b = (
            nn.Parameter(torch.empty(n).uniform_(-0.01, 0.01)) for n in (1, 1, d_model - 1, d_model - 1)
        )
        if start.spread:
            self._spread()

    def forward(self, t: Tensor) -> Tensor:
        t = t[..., None]
        return torch.cat([self.wave(t * self.w + self.b), t * self.w0 + self.b0], dim=-1)

    @torch.no_grad()
    def _spread(self) -> None:
        n = (len(self.w) + 1) // 2
        periods = torch.logspace(math.log10(SHORTEST), math.log10(LONGEST), n)
        self.w.copy_((2 * math.pi / periods).repeat_interleave(2)[: len(self.w)])
        self.b.copy_(torch.tensor([0.0, math.pi / 2]).repeat(n)[: len(self.b)])


class Embedding(nn.Module):
    """token + a * age + c * time + s * segment [B, T, d], with learnt scalars a, c, s (ReZero).

    Age and time are left out where a position has no date (`dated` False), and age where there is no birth (age < 0).
    In the published layout these are the first five positions.
    """

    def __init__(self, shape: Shape, start: Start):
        super().__init__()
        self.days_per_unit = shape.days_per_unit
        self.token = Centred(shape.n_tokens, shape.d_model, start.token)
        self.age = Time2Vec(shape.d_model, torch.cos, start)
        self.time = Time2Vec(shape.d_model, torch.sin, start)
        self.segment = nn.Embedding(4, shape.d_model, padding_idx=0)
        nn.init.uniform_(self.segment.weight, -start.token, start.token)
        self.age_gate, self.time_gate, self.segment_gate = (
            nn.Parameter(torch.full((1,), start.time_gate)) for _ in range(3)
        )
        self.dropout = nn.Dropout(shape.dropout)

    def forward(self, token: Tensor, age: Tensor, time: Tensor, segment: Tensor, dated: Tensor) -> Tensor:
        x = self.token(token)
        x = x + self.age_gate * self.age(age) * (dated & (age >= 0))[..., None]
        x = x + self.time_gate * self.time(time / self.days_per_unit) * dated[..., None]
        return self.dropout(x + self.segment_gate * self.segment(segment))
