"""How two outputs of the model differ: its token probabilities, its loss, its task head. In float64.

Shapes: P scored positions of a sample, r its rows, V tokens.
"""

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import torch
from torch import Tensor

from seqsae.faithfulness.objectives import Laid, Objective, Task, Tokens

NOISE = 1e-5  # relative to the logits: differences below it are rounding, no effect


class Said(NamedTuple):
    """What the model says of one sample."""

    scored: Tensor
    """[P, V] logits at the scored positions."""
    wanted: Tensor
    """[P] int64, the ids scored there."""
    at_rows: Tensor
    """[r, V] logits at the sample's rows."""


class Sum(NamedTuple):
    """A sum and how much it is over."""

    total: float
    count: float


class Reader(ABC):
    """Takes the outputs for a batch apart, sample by sample, and tells two of them apart."""

    names: tuple[str, ...]
    """What it measures."""

    @abstractmethod
    def read(self, output: Any, laid: Laid) -> list:
        """One entry a sample."""

    @abstractmethod
    def differ(self, before: Any, after: Any, fired: Tensor) -> dict[str, Sum]:
        """Each measure for one sample; `fired` [r] bool are the rows that were changed."""


class TaskReader(Reader):
    """The change of a task head's loss."""

    names = ("task",)

    def __init__(self, objective: Task):
        self.objective = objective

    def read(self, output: Any, laid: Laid) -> list[tuple[float, float]]:
        cost = self.objective.cost(output, laid)
        return list(zip(cost.total.tolist(), cost.count.tolist(), strict=True))

    def differ(self, before: tuple, after: tuple, fired: Tensor) -> dict[str, Sum]:
        return {"task": Sum(after[0] - before[0], before[1])}


class TokenReader(Reader):
    """Token probabilities: at all scored positions of the sample (kl, tv, loss, sparsity) and at the changed rows (own)."""

    names = ("kl", "tv", "loss", "kl-own", "tv-own", "sparsity")

    def __init__(self, objective: Tokens):
        self.objective = objective

    def read(self, output: Any, laid: Laid) -> list[Said]:
        logits = self.objective.logits(output, laid)
        wanted = laid.wanted.to(logits.device)
        mask = laid.batch.mask.to(logits.device)
        return [Said(one[w >= 0], w[w >= 0], one[m]) for one, w, m in zip(logits, wanted, mask, strict=True)]

    def differ(self, before: Said, after: Said, fired: Tensor) -> dict[str, Sum]:
        p, q = log_softmax(before.scored), log_softmax(after.scored)
        fired = fired.to(before.at_rows.device)
        p_own, q_own = log_softmax(before.at_rows[fired]), log_softmax(after.at_rows[fired])
        rise = (p - q).gather(1, before.wanted[:, None])
        sparse = ablation_sparsity(before.scored, after.scored)
        every, own = len(p), len(p_own)
        return {
            "kl": Sum(kl(p, q).sum().item(), every),
            "tv": Sum(total_variation(p, q).sum().item(), every),
            "loss": Sum(rise.sum().item(), every),
            "kl-own": Sum(kl(p_own, q_own).sum().item(), own),
            "tv-own": Sum(total_variation(p_own, q_own).sum().item(), own),
            "sparsity": Sum(sparse.sum().item(), len(sparse)),
        }


def reader_of(objective: Objective) -> Reader:
    """The reader for an objective."""
    return TokenReader(objective) if isinstance(objective, Tokens) else TaskReader(objective)


def log_softmax(logits: Tensor) -> Tensor:
    """[.., V] float64 log-probabilities."""
    return logits.double().log_softmax(-1)


def kl(p: Tensor, q: Tensor) -> Tensor:
    """[P] Kullback-Leibler divergence sum p (log p - log q) in nats, of log-probabilities p and q [P, V]; never below 0."""
    weight = p.exp()
    return torch.where(weight > 0, weight * (p - q), 0).sum(-1).clamp_min(0)


def total_variation(p: Tensor, q: Tensor) -> Tensor:
    """[P] half the sum of |p - q|, of log-probabilities [P, V]."""
    return (p.exp() - q.exp()).abs().sum(-1) / 2


def ablation_sparsity(before: Tensor, after: Tensor) -> Tensor:
    """[p] (L1 / L2)^2 / V of the change of the logits [P, V] at each position, where there is one.

    After Gao et al. 2024 (arXiv 2406.04093, section 4.5), who take all positions together; here it is over the vocabulary
    at each position. 1 / V if one token's logit changes alone, 1 if all change by the same size, about 2 / pi = 0.64 if the
    change is dense but random (normal). The median change is taken off first, since a softmax does not see what is added
    to all of its logits.
    """
    before, after = before.double(), after.double()
    change = after - before
    change = change - change.median(1, keepdim=True).values
    size = change.norm(dim=1)
    there = size > NOISE * before.norm(dim=1)
    return (change.abs().sum(1)[there] / size[there]).square() / before.shape[1]
