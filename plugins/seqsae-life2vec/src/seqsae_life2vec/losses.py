"""How well a network guesses the events of held-out lives, beside the plainest guess there is."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from seqsae_life2vec import batching
from seqsae_life2vec.network import Life2VecEncoder
from seqsae_life2vec.objectives import following
from seqsae_life2vec.order import with_moments
from seqsae_life2vec.tokenizer import PREFIX, Encoded
from seqsae_life2vec.vocabulary import SPECIALS, UNK

POSITIONS = 16_384  # in a forward pass


def unigram(train: list[Encoded], heldout: list[Encoded], n_tokens: int) -> float:
    """Nats an event of `heldout` costs under the token frequencies of `train` (each token counted once more than seen)."""
    seen = np.bincount(np.concatenate([_events(life) for life in train]), minlength=n_tokens).astype(float) + 1
    seen[[i for i in range(len(SPECIALS)) if i != UNK]] = 0
    wanted = np.concatenate([_events(life) for life in heldout])
    return float(np.log(seen.sum()) - np.log(seen[wanted]).mean())


def nats(network: Life2VecEncoder, heldout: list[Encoded], passes: int, seed: int) -> float:
    """Nats an event of `heldout` costs: guessed from what stands before it if the network is causal, else hidden.

    Each event is then hidden once, in one of `passes` passes, all that are hidden showing [MASK]; the background is
    hidden with them but not counted.
    """
    network.eval()
    rng = np.random.default_rng([seed, 1])
    total, count = 0.0, 0
    for lives in _batches(heldout):
        inputs, rows = batching.pad(lives), batching.rows(lives)
        events = rows & inputs["dated"]
        count += int(events.sum())
        if network.shape.causal:
            total += _next(network, inputs, events)
            continue
        fold = torch.from_numpy(rng.integers(0, passes, tuple(rows.shape)))
        for number in range(passes):
            where = rows & (fold == number)
            total += _said(network, batching.hide(inputs, where), where & events, inputs["token"])
    return total / count


def order_accuracy(network: Life2VecEncoder, heldout: list[Encoded], seed: int) -> float:
    """Share of the held-out lives of at least three moments told right, as they are, reversed and shuffled; 1/3 by chance."""
    network.eval()
    device, rng = next(network.parameters()).device, np.random.default_rng([seed, 3])
    long = [life for life in heldout if life.moment.max() >= 3]
    right = 0
    for lives in _batches(long):
        for answer in range(3):
            inputs = batching.to(batching.pad([_ordered(life, answer, rng) for life in lives]), device)
            with torch.no_grad():
                said = network.order(network.hidden(**inputs)[:, 0]).argmax(-1)
            right += int((said == answer).sum())
    return right / max(1, 3 * len(long))


def _ordered(life: Encoded, answer: int, rng: np.random.Generator) -> Encoded:
    moments = np.arange(1, int(life.moment.max()) + 1)
    return with_moments(life, [moments, moments[::-1], rng.permutation(moments)][answer])


def _batches(lives: list[Encoded]) -> list[list[Encoded]]:
    """Like lengths together, at most POSITIONS padded positions in each."""
    batches: list[list[Encoded]] = [[]]
    for life in sorted(lives, key=len):
        if batches[-1] and (len(batches[-1]) + 1) * len(life) > POSITIONS:
            batches.append([])
        batches[-1].append(life)
    return [batch for batch in batches if batch]


def _next(network: Life2VecEncoder, inputs: dict[str, Tensor], events: Tensor) -> float:
    """Summed nats of the events, each told one position before it."""
    asked = following(inputs).where & events.roll(-1, 1)
    return _said(network, inputs, asked, inputs["token"].roll(-1, 1))


@torch.no_grad()
def _said(network: Life2VecEncoder, inputs: dict, where: Tensor, token: Tensor) -> float:
    device = next(network.parameters()).device
    states = network.hidden(**batching.to(inputs, device))[where.to(device)]
    return F.cross_entropy(network.head(states), token[where].to(device), reduction="sum").item()


def _events(life: Encoded) -> np.ndarray:
    return life.token[life.row & (life.moment > PREFIX)]
