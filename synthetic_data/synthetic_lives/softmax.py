"""One draw from a softmax whose logits are a sum of effects, and what each effect is worth in it.

m draws, G options, K concepts. logit = base + sum over the concepts that hold of effect; with Z = sum of exp(logit) and
Z_k the same without concept k, knowing k is worth log p - log p_without_k = effect_k[option] + log Z_k - log Z nats.
"""

from dataclasses import dataclass

import numpy as np

GRAIN = 1024
"""Logits are whole multiples of 1/GRAIN, so that a sum of effects is exact in whatever order it is taken."""


def grained(logits) -> np.ndarray:
    """The nearest multiples of 1/GRAIN; single precision holds them and their sums exactly, up to 2**14."""
    return (np.round(np.asarray(logits, float) * GRAIN) / GRAIN).astype(np.float32)


@dataclass(frozen=True)
class Effects:
    """What K concepts add to the logits of G options."""

    size: np.ndarray
    """[K, G]"""
    undo: np.ndarray
    """[G, K] exp(-size): what a mass is multiplied by to take a concept away."""
    active: np.ndarray
    """The concepts that do anything here."""


def effects(by_concept: list[dict[str, float]], names: tuple[str, ...], strength: float) -> Effects:
    """Effects from dicts of name to size; names that are not among `names` belong to another draw."""
    place = {name: i for i, name in enumerate(names)}
    size = np.zeros((len(by_concept), len(names)))
    for k, sizes in enumerate(by_concept):
        for name, value in sizes.items():
            if name in place:
                size[k, place[name]] = strength * value
    size = grained(size)
    return Effects(size, np.exp(-size).T.copy(), np.flatnonzero(size.any(axis=1)))


@dataclass(frozen=True)
class Drawn:
    """The outcome of m draws."""

    option: np.ndarray
    """[m] which option."""
    nats: np.ndarray
    """[m] -log p(option)."""
    worth: np.ndarray
    """[K] sum over the draws in which a concept held of what knowing it is worth, in nats."""


def draw(base: np.ndarray, states: np.ndarray, known: Effects, uniform: np.ndarray) -> Drawn:
    """Draw by inverting the distribution.

    Args:
        base: [m, G] logits without concepts; -inf is never drawn.
        states: [m, K] 1.0 where a concept holds.
        uniform: [m] in [0, 1).
    """
    held = states[:, known.active]
    logits = base + held @ known.size[known.active]
    mass = np.exp(logits - logits.max(axis=1, keepdims=True))
    reached = mass.cumsum(axis=1)
    total = reached[:, -1]
    option = (reached <= (uniform * total).astype(np.float32)[:, None]).sum(axis=1)
    option = np.minimum(option, mass.shape[1] - 1 - (mass[:, ::-1] > 0).argmax(axis=1))
    log_total = np.log(total)
    nats = log_total - np.log(mass[np.arange(len(option)), option])
    gain = known.size[known.active][:, option].T + np.log(mass @ known.undo[:, known.active]) - log_total[:, None]
    worth = np.zeros(len(known.size))
    worth[known.active] = (gain * held).sum(axis=0)
    return Drawn(option, nats, worth)
