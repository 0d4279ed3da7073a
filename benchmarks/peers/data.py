"""Rows of which the true directions are known, written once and read batch by batch from the disk.

x = s (A D + mu + noise). D: unit directions in families of one parent and seven children, where a child is active only
beside its parent. Parents fall off as a power law, and those of a row's topic are six times as likely. Noise is 2% of the
variance; s makes the mean squared length of a row its width.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

FAMILY = 8  # a parent and its children
TOPICS, BOOST, FALL_OFF = 32, 6.0, 0.8
NOISE = 0.02  # share of the variance
CHUNK = 8192


@dataclass(frozen=True)
class Planted:
    """A data set by its settings."""

    d: int
    """Numbers in a row."""
    directions: int
    """True directions."""
    rows: int
    """Rows to train on."""
    heldout: int
    """Rows to measure on."""
    active: float
    """Mean active directions a row."""
    seed: int = 0


SETS = {"small": Planted(128, 512, 400_000, 16_384, 12.0), "large": Planted(512, 1024, 120_000, 8_192, 24.0)}


class Truth(NamedTuple):
    """What an SAE should find."""

    directions: np.ndarray
    """[G, d] float32, unit rows."""
    active: np.ndarray
    """[n, G] bool, on the held-out rows."""
    heldout: np.ndarray
    """[n, d] float32."""


def written(name: str, folder: Path) -> Path:
    """The folder that holds set `name`, made if it is not there yet."""
    target = folder / f"data-{name}"
    settings = json.dumps(asdict(SETS[name]))
    done = target / "settings.json"
    if not (done.exists() and done.read_text() == settings):
        target.mkdir(parents=True, exist_ok=True)
        _write(SETS[name], target)
        done.write_text(settings)
    return target


def read_truth(folder: Path, d: int) -> Truth:
    """Directions and held-out rows of a written set of width d."""
    directions = np.load(folder / "directions.npy")
    active = np.unpackbits(np.load(folder / "active.npy"), axis=1, count=len(directions)).astype(bool)
    return Truth(directions, active, np.fromfile(folder / "heldout.f32", np.float32).reshape(-1, d))


class Generator:
    """Draws rows of a set."""

    def __init__(self, planted: Planted):
        self.set = planted
        self.random = np.random.default_rng([0xDA7A, planted.seed])
        draw, parents = self.random, planted.directions // FAMILY
        directions = draw.standard_normal((planted.directions, planted.d))
        self.directions = (directions / np.linalg.norm(directions, axis=1, keepdims=True)).astype(np.float32)
        self.topic = draw.integers(TOPICS, size=parents)
        self.child = draw.uniform(0.1, 0.5, size=(parents, FAMILY - 1))
        self.size = np.exp(0.3 * draw.standard_normal(planted.directions)).astype(np.float32)
        self.base = self._base((1 + np.arange(parents)) ** -FALL_OFF)
        self.mean, self.noise, self.scale = 0.0, 0.0, 1.0
        self._measure()

    def codes(self, n: int) -> np.ndarray:
        """[n, G] float32, how strongly each direction is active."""
        draw = self.random
        boosted = draw.integers(TOPICS, size=n)[:, None] == self.topic
        parent = draw.random((n, len(self.topic))) < self.base * np.where(boosted, BOOST, 1.0)
        child = parent[:, :, None] & (draw.random((n, *self.child.shape)) < self.child)
        active = np.concatenate([parent[:, :, None], child], axis=2).reshape(n, -1)
        strength = 0.6 + 0.4 * np.abs(draw.standard_normal(active.shape, dtype=np.float32))
        return np.where(active, strength * self.size, np.float32(0))

    def rows(self, codes: np.ndarray) -> np.ndarray:
        """[n, d] float32."""
        noise = self.random.standard_normal((len(codes), self.set.d), dtype=np.float32)
        return ((codes @ self.directions + self.mean + self.noise * noise) * self.scale).astype(np.float32)

    def _base(self, shape: np.ndarray) -> np.ndarray:
        """Chances of the parents outside their topic, such that `active` directions are active in the mean."""
        members = 1 + self.child.sum(1)
        low, high = 0.0, 10.0
        for _ in range(60):
            middle = (low + high) / 2
            inside, outside = np.minimum(1, BOOST * middle * shape), np.minimum(1, middle * shape)
            mean = (members * (inside / TOPICS + outside * (1 - 1 / TOPICS))).sum()
            low, high = (middle, high) if mean < self.set.active else (low, middle)
        return np.minimum(1, low * shape)

    def _measure(self) -> None:
        """Set mean, noise and scale by the variance of a first sample."""
        signal = self.codes(CHUNK) @ self.directions
        variance = signal.var(0).sum()
        mean = self.random.standard_normal(self.set.d).astype(np.float32)
        self.mean = mean * np.float32(0.5 * np.sqrt(variance) / np.linalg.norm(mean))
        self.noise = np.float32(np.sqrt(NOISE * variance / self.set.d))
        squares = ((signal + self.mean) ** 2).sum(1).mean() + NOISE * variance
        self.scale = np.float32(np.sqrt(self.set.d / squares))


def _write(planted: Planted, target: Path) -> None:
    generator = Generator(planted)
    np.save(target / "directions.npy", generator.directions)
    active = _stream(generator, planted.heldout, target / "heldout.f32")
    np.save(target / "active.npy", np.packbits(active, axis=1))
    _stream(generator, planted.rows, target / "rows.f32")


def _stream(generator: Generator, n: int, path: Path) -> np.ndarray:
    """Write n rows; gives which directions are active in the first 16,384 of them."""
    kept = []
    with path.open("wb") as file:
        for start in range(0, n, CHUNK):
            codes = generator.codes(min(CHUNK, n - start))
            generator.rows(codes).tofile(file)
            if start < 2 * CHUNK:
                kept.append(codes > 0)
    return np.concatenate(kept)
