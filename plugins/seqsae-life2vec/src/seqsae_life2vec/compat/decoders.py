"""What may stand beside the transformer in a checkpoint: token table and heads, each built from its own tensors.

Shapes: B lives, L positions, d the width, V tokens, c classes.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqsae_life2vec.heads import ScaleNorm


class Table(nn.Module):
    """A table of vectors [V, d] under the original's parametrisation Center.

    Args:
        weight: [V, d] the raw table.
        ignored: ids whose rows are 0 and that do not count in the mean; None: all count, none is 0.
        centred, unit: whether the mean is removed, and whether rows are then brought to length 1.
    """

    def __init__(self, weight: Tensor, ignored: Tensor | None, centred: bool, unit: bool):
        super().__init__()
        self.weight = nn.Parameter(weight.float())
        keep = torch.ones(len(weight), 1)
        if ignored is not None:
            keep[ignored.long()] = 0
        self.register_buffer("keep", keep, persistent=False)
        self.centred, self.unit = centred, unit

    def table(self) -> Tensor:
        """[V, d] as it is read."""
        if not self.centred:
            return self.weight
        table = (self.weight - (self.weight * self.keep).sum(0) / self.keep.sum()) * self.keep
        return F.normalize(table, dim=-1) if self.unit else table

    def forward(self, token: Tensor) -> Tensor:
        return F.embedding(token, self.table())


class TokenDecoder(nn.Module):
    """Logits [.., V] = g * table . l2norm(tanh(V h)), the original's masked language model head."""

    def __init__(self, table: Table, d_model: int):
        super().__init__()
        self.inner = nn.Linear(d_model, d_model)
        self.g = nn.Parameter(torch.ones(1))
        self.out = table

    def forward(self, x: Tensor) -> Tensor:
        return self.g * F.normalize(torch.tanh(self.inner(x)), dim=-1) @ self.out.table().T


class ClassDecoder(nn.Module):
    """Logits [B, 1, c] from [CLS]: linear, swish, ScaleNorm, linear; the person vector is [CLS] itself."""

    def __init__(self, d_model: int, n_classes: int):
        super().__init__()
        self.inner, self.norm, self.out = nn.Linear(d_model, d_model), ScaleNorm(d_model), nn.Linear(d_model, n_classes)

    def pool(self, x: Tensor, real: Tensor) -> Tensor:
        """[B, 1, d]"""
        return x[:, :1]

    def forward(self, person: Tensor) -> Tensor:
        return self.out(self.norm(F.silu(self.inner(person))))


class PoolingDecoder(nn.Module):
    """Logits [B, 1, c] of the fine-tuned original: its person vector is a weighted mean over the positions.

        u = ScaleNorm(swish(F x));  s = context . tanh(P u);  weight = softmax(s + log(sigmoid(s) + 1e-12)) over real positions

    (SigSoftmax: Kanai et al. 2018, arXiv 1805.10829.)
    """

    def __init__(self, d_model: int, n_classes: int):
        super().__init__()
        self.inner, self.norm = nn.Linear(d_model, d_model), ScaleNorm(d_model)
        self.score = nn.Linear(d_model, d_model // 2)
        self.context = nn.Parameter(torch.zeros(d_model // 2))
        self.out = nn.Linear(d_model, n_classes)

    def pool(self, x: Tensor, real: Tensor) -> Tensor:
        """[B, 1, d]"""
        u = self.norm(F.silu(self.inner(x)))
        s = (torch.tanh(self.score(u)) * self.context).sum(-1).masked_fill(~real, -torch.inf)
        weight = torch.softmax(s + torch.log(torch.sigmoid(s) + 1e-12), dim=-1)
        return weight[:, None] @ u

    def forward(self, person: Tensor) -> Tensor:
        return self.out(person)


class OriginalPerson(nn.Module):
    """The network read once a life: `person` gives [B, 1, d]; out come the classes, or the vector itself without a decoder."""

    def __init__(self, encoder: nn.Module, decoder: ClassDecoder | PoolingDecoder | None):
        super().__init__()
        self.encoder, self.decoder, self.person = encoder, decoder, nn.Identity()

    def forward(self, real: Tensor, **channels: Tensor) -> Tensor:
        x = self.encoder.hidden(real=real, **channels)
        person = self.person(x[:, :1] if self.decoder is None else self.decoder.pool(x, real))
        return person if self.decoder is None else self.decoder(person)
