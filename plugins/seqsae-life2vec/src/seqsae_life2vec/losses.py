"""How well a network guesses hidden events, beside the plainest guess there is."""

import numpy as np
import torch
from torch.nn import functional as F

from seqsae_life2vec import batching
from seqsae_life2vec.network import Life2VecEncoder
from seqsae_life2vec.tokenizer import UNDATED, Encoded
from seqsae_life2vec.vocabulary import SPECIALS, UNK

BATCH = 64  # lives


def unigram(train: list[Encoded], heldout: list[Encoded], n_tokens: int) -> float:
    """Nats an event of `heldout` costs under the token frequencies of `train` (each token counted once more than seen)."""
    seen = np.bincount(np.concatenate([_events(life) for life in train]), minlength=n_tokens).astype(float) + 1
    seen[[i for i in range(len(SPECIALS)) if i != UNK]] = 0
    wanted = np.concatenate([_events(life) for life in heldout])
    return float(np.log(seen.sum()) - np.log(seen[wanted]).mean())


def masked(network: Life2VecEncoder, heldout: list[Encoded], passes: int, seed: int) -> float:
    """Nats a hidden event of `heldout` costs under the network; each event is hidden once, in one of `passes` passes.

    The background is hidden with them but not counted.
    """
    network.eval()
    device = next(network.parameters()).device
    rng = np.random.default_rng([seed, 1])
    order = np.argsort([len(life) for life in heldout], kind="stable")
    total, count = 0.0, 0
    for start in range(0, len(order), BATCH):
        inputs = batching.pad([heldout[i] for i in order[start : start + BATCH]])
        fold = torch.from_numpy(rng.integers(0, passes, inputs["token"].shape))
        for number in range(passes):
            where = batching.rows(inputs["real"]) & (fold == number)
            counted = where & (inputs["segment"] != UNDATED)
            total += _nats(network, inputs, where, counted, device)
            count += int(counted.sum())
    return total / count


@torch.no_grad()
def _nats(network: Life2VecEncoder, inputs: dict, where: torch.Tensor, counted: torch.Tensor, device) -> float:
    hidden = network.hidden(**batching.to(batching.hide(inputs, where), device))[counted.to(device)]
    return F.cross_entropy(network.head(hidden), inputs["token"][counted].to(device), reduction="sum").item()


def _events(life: Encoded) -> np.ndarray:
    return life.token[life.segment != UNDATED]
