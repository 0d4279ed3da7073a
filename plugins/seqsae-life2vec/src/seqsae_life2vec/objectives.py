"""What a step asks of the network: hidden tokens, the next token, the order of a life's moments.

Shapes: B lives, T positions.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from seqsae_life2vec import batching
from seqsae_life2vec.network import Life2VecEncoder
from seqsae_life2vec.options import Options
from seqsae_life2vec.order import reorder
from seqsae_life2vec.tokenizer import Encoded
from seqsae_life2vec.vocabulary import SPECIALS, UNK

ORDER_WEIGHTS = (1 / 0.9, 10.0, 10.0)  # of the three orders, as published; by how rarely they are drawn
SMOOTHING = 0.1


class Question(NamedTuple):
    """One forward pass with its answers."""

    inputs: dict[str, Tensor]
    """What the network is shown."""
    where: Tensor
    """[B, T] bool: positions whose state is asked."""
    answer: Tensor
    """[where] int64: the tokens to be said there."""
    order: Tensor | None
    """[B] int64: index in ORDERS; None where it is not asked."""


def ask(lives: list[Encoded], chosen: Options, n_tokens: int, *seed: int) -> Question:
    """The question of a training step, a function of the lives, the options and `seed` alone."""
    rng = np.random.default_rng(seed)
    order = None
    if chosen.order_weight:
        lives, order = reorder(lives, rng)
    inputs = batching.pad(lives)
    if chosen.objective == "next":
        return following(inputs, order)
    where = _legal(inputs, lives) & torch.from_numpy(rng.random(tuple(inputs["token"].shape)) < chosen.mask_share)
    return Question(_corrupt(inputs, where, chosen, n_tokens, rng), where, inputs["token"][where], order)


def following(inputs: dict[str, Tensor], order: Tensor | None = None) -> Question:
    """Every position is asked for the token behind it."""
    where = torch.zeros_like(inputs["real"])
    where[:, :-1] = inputs["real"][:, 1:]
    return Question(inputs, where, inputs["token"].roll(-1, 1)[where], order)


def loss(network: Life2VecEncoder, question: Question, chosen: Options) -> Tensor:
    """Nats: (1 - w) * token loss + w * order loss."""
    inputs = batching.to(question.inputs, chosen.device)
    states = network.hidden(**inputs)
    asked = states[question.where.to(chosen.device)]
    tokens = F.cross_entropy(network.head(asked), question.answer.to(chosen.device)) if len(asked) else asked.sum()
    if question.order is None:
        return tokens
    weights = torch.tensor(ORDER_WEIGHTS, device=states.device)
    said = network.order(states[:, 0])
    order = F.cross_entropy(said, question.order.to(chosen.device), weights, label_smoothing=SMOOTHING)
    return (1 - chosen.order_weight) * tokens + chosen.order_weight * order


def _legal(inputs: dict[str, Tensor], lives: list[Encoded]) -> Tensor:
    """[B, T] bool: rows that can be asked for; [UNK] is none, as published."""
    return batching.rows(lives) & (inputs["token"] != UNK)


def _corrupt(inputs: dict, where: Tensor, chosen: Options, n_tokens: int, rng: np.random.Generator) -> dict:
    """The inputs with [MASK] at `where`, but for the shares that keep their token or get a random one (BERT's rule)."""
    if not chosen.keep_share and not chosen.random_share:
        return batching.hide(inputs, where)
    shape = tuple(where.shape)
    draw = torch.from_numpy(rng.random(shape))
    other = torch.from_numpy(rng.integers(len(SPECIALS), n_tokens, shape))
    kept = where & (draw < chosen.keep_share)
    swapped = where & ~kept & (draw < chosen.keep_share + chosen.random_share)
    hidden = batching.hide(inputs, where & ~kept & ~swapped)
    return {**hidden, "token": torch.where(swapped, other, hidden["token"])}
