"""Shuffled streaming from the store, in bounded memory, from a state that can be resumed exactly."""

import numpy as np
import torch
from torch import Tensor

from seqsae.activations.store import Store
from seqsae.errors import SeqsaeError

CHUNK = 64  # neighbouring rows read together: about one subject's


class StoreStream:
    """Endless batches of rows from many subjects at once.

    An epoch is a random order of chunks of neighbouring rows; a buffer takes in some hundreds of chunks from all over the
    store and deals its rows in random order. Every order is a function of (seed, epoch, buffer), so the state is three
    numbers.

    Args:
        rows: row numbers to draw from, usually those of the train split.
        buffer_rows: rows held in memory at a time; bytes = buffer_rows x sum of widths x 4.
    """

    def __init__(self, store: Store, sites: list[str], rows: np.ndarray, seed: int, buffer_rows: int = 65_536):
        if not len(rows):
            raise SeqsaeError(f"{store.path}: no rows to train on; are there subjects in the train split?")
        self.store, self.rows, self.seed = store, rows, seed
        self.sites = {store.check_site(site): store.sites[site] for site in sites}
        self.per_buffer = max(1, buffer_rows // CHUNK)
        self.n_chunks = -(-len(rows) // CHUNK)
        self.epoch, self.buffer, self.offset = 0, 0, 0
        self._held: dict[str, Tensor] | None = None

    @property
    def n_rows(self) -> int:
        """Rows an epoch."""
        return len(self.rows)

    def next(self, n: int) -> dict[str, Tensor]:
        """The next n rows: site -> [n, d] float32; epochs follow each other without a seam."""
        parts: list[dict[str, Tensor]] = []
        while n:
            held = self._fill()
            size = len(next(iter(held.values())))
            take = min(n, size - self.offset)
            parts.append({site: value[self.offset : self.offset + take] for site, value in held.items()})
            self.offset += take
            n -= take
            if self.offset == size:
                self._advance()
        return parts[0] if len(parts) == 1 else {site: torch.cat([part[site] for part in parts]) for site in self.sites}

    def state(self) -> dict:
        """Where the stream stands."""
        return {"epoch": self.epoch, "buffer": self.buffer, "offset": self.offset}

    def restore(self, state: dict) -> None:
        """Go on from where `state` was taken."""
        self.epoch, self.buffer, self.offset = state["epoch"], state["buffer"], state["offset"]
        self._held = None

    def _advance(self) -> None:
        self.buffer, self.offset, self._held = self.buffer + 1, 0, None
        if self.buffer * self.per_buffer >= self.n_chunks:
            self.epoch, self.buffer = self.epoch + 1, 0

    def _fill(self) -> dict[str, Tensor]:
        if self._held is None:
            order = np.random.default_rng([self.seed, self.epoch]).permutation(self.n_chunks)
            chunks = np.sort(order[self.buffer * self.per_buffer : (self.buffer + 1) * self.per_buffer])
            rows = np.concatenate([self.rows[chunk * CHUNK : (chunk + 1) * CHUNK] for chunk in chunks])
            deal = torch.from_numpy(np.random.default_rng([self.seed, self.epoch, self.buffer]).permutation(len(rows)))
            self._held = {site: self.store.read(site, rows)[deal] for site in self.sites}
        return self._held
