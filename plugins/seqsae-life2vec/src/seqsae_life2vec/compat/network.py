"""The original network, whose parameters are those of a checkpoint and whose outputs are the original's.

Shapes: B lives, L the trained length, d the width, H heads of which the first G are FAVOR+ heads, V tokens.
"""

import torch
from torch import Tensor, nn

from seqsae_life2vec.blocks import MLP
from seqsae_life2vec.compat import favor, local
from seqsae_life2vec.compat.hparams import Hparams
from seqsae_life2vec.embedding import Embedding
from seqsae_life2vec.shape import Shape, Start

UNDATED = 5  # first positions, which get no time embeddings: [CLS] and four background tokens
ACTIVATIONS = {"swish": nn.SiLU, "gelu": nn.GELU, "relu": nn.ReLU}


class Original(nn.Module):
    """Life2Vec as published (SocialComplexityLab/life2vec, src/transformer), its sublayers' gates inside the sublayers.

        x = embedding(channels);   x = x * real;  x = x + a * attention(x, real);  x = x + b * mlp(x)      for each block

    Args:
        decoder: the head that says tokens, if the file has one; else the states [B, L, d] come out.
    """

    def __init__(self, hparams: Hparams, tokens: nn.Module, decoder: nn.Module | None = None):
        super().__init__()
        sizes = {name: getattr(hparams, name) for name in ("n_tokens", "d_model", "n_blocks", "d_hidden")}
        shape = Shape(**sizes, n_heads=hparams.heads, dropout=0.0)
        self.hparams = hparams
        self.embedding = Embedding(shape, Start())
        self.embedding.token = tokens
        self.blocks = nn.ModuleList(OriginalBlock(hparams, shape) for _ in range(hparams.n_blocks))
        self.decoder = decoder

    def hidden(self, token: Tensor, time: Tensor, age: Tensor, segment: Tensor, real: Tensor) -> Tensor:
        """[B, L, d] after the last block; rows at padding are not 0 and mean nothing.

        Args:
            time, age: [B, L] int64 days and years, as the original truncates them; age -1, without a birth, adds nothing.
            real: [B, L] bool.
        """
        dated = (torch.arange(token.shape[1], device=token.device) >= UNDATED).expand(token.shape)
        x = self.embedding(token=token, age=age.float(), time=time.float(), segment=segment, dated=dated)
        for block in self.blocks:
            x = block(x, real)
        return x

    def forward(self, real: Tensor, **channels: Tensor) -> Tensor:
        """Logits [B, L, V], or states without a decoder."""
        x = self.hidden(real=real, **channels)
        return x if self.decoder is None else self.decoder(x)


class OriginalBlock(nn.Module):
    """x * real, then two gated sublayers."""

    def __init__(self, hparams: Hparams, shape: Shape):
        super().__init__()
        self.attention = OriginalAttention(hparams)
        self.mlp = MLP(shape, Start())
        self.mlp.hidden[-1] = ACTIVATIONS[hparams.activation]()

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        x = x * real[..., None]
        x = x + self.attention(x, real)
        return x + self.mlp(x)


class OriginalAttention(nn.Module):
    """The first heads by random features over the whole life, the last by windows, times the gate.

    `projection` [m, d/H] is a buffer that comes from the file; it is never drawn again.
    """

    def __init__(self, hparams: Hparams):
        super().__init__()
        self.hparams = hparams
        d = hparams.d_model
        self.to_q, self.to_k, self.to_v = (nn.Linear(d, d, bias=False) for _ in range(3))
        self.to_out = nn.Linear(d, d)
        self.gate = nn.Parameter(torch.zeros(1))
        self.register_buffer("projection", torch.zeros(hparams.n_features, d // hparams.heads))

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        q, k, v = (self._heads(linear(x)) for linear in (self.to_q, self.to_k, self.to_v))
        near, mixed = self.hparams.local_heads, []
        g = self.hparams.heads - near
        if g:
            mixed.append(favor.attend(q[:, :g], k[:, :g], v[:, :g], real, self.projection))
        if near:
            mixed.append(local.attend(q[:, g:], k[:, g:], v[:, g:], real, self.hparams.window))
        return self.gate * self.to_out(torch.cat(mixed, dim=1).transpose(1, 2).flatten(2))

    def _heads(self, x: Tensor) -> Tensor:
        """[B, H, L, d/H]"""
        return x.unflatten(-1, (self.hparams.heads, -1)).transpose(1, 2)
