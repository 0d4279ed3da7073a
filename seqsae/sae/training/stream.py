"""A Stream over rows in memory. The contract: `sites`, `n_rows`, `next(n)`, `state()`, `restore(state)`; endless, seeded."""

import hashlib
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from seqsae.errors import SeqsaeError
from seqsae.sae.arrays import as_rows


class ArrayStream:
    """Shuffled rows of one array, epoch after epoch.

    Args:
        array: [n, d] numpy array or tensor of floats, in raw units. Kept in its own format, handed out as float32.
        site: the name under which the rows are handed out.
        seed: seed of the order; each epoch has its own.
        groups: [n] subject or cluster of each row; None: each row is its own.
    Raises:
        SeqsaeError: not two-dimensional, empty, not numbers, or NaN or infinite somewhere; not as many groups as rows.
    """

    def __init__(self, array: np.ndarray | Tensor, site: str = "array", seed: int = 0, groups=None):
        rows = as_rows(array, f"site {site!r}").detach()
        if 0 in rows.shape:
            raise SeqsaeError(
                f"site {site!r}: an array of shape {tuple(rows.shape)}; give real numbers [rows, d_model]"
            )
        if not isinstance(seed, int) or seed < 0:
            raise SeqsaeError(f"seed {seed!r}; give a whole number >= 0")
        if not torch.isfinite(rows.float() if rows.dtype == torch.float64 else rows).all():
            raise SeqsaeError(f"site {site!r}: the array holds NaN, infinite or too large values; drop those rows")
        self._grouped = groups is not None
        self._groups = np.arange(len(rows)) if groups is None else np.asarray(groups)
        if self._groups.shape != (len(rows),):
            raise SeqsaeError(
                f"site {site!r}: groups of shape {self._groups.shape} for {len(rows)} rows; give the subject of each row"
            )
        self._rows = rows
        self._site = site
        self._seed = seed
        self._epoch, self._position = 0, 0
        self._order = self._shuffled()

    @property
    def sites(self) -> dict[str, int]:
        """Site to d_model."""
        return {self._site: self._rows.shape[1]}

    @property
    def n_groups(self) -> int | None:
        """Number of different groups; None if each row is its own."""
        return len(np.unique(self._groups)) if self._grouped else None

    @cached_property
    def fingerprint(self) -> str:
        """Hex SHA-256 of the rows and their groups."""
        found = hashlib.sha256(f"{self._rows.dtype}{tuple(self._rows.shape)}".encode())
        found.update(self._rows.contiguous().view(torch.uint8).numpy().data)
        found.update(repr(self._groups.tolist()).encode() if self._grouped else b"")
        return found.hexdigest()

    @property
    def n_rows(self) -> int:
        """Rows in an epoch."""
        return len(self._rows)

    def next(self, n: int) -> dict[str, Tensor]:
        """The next n rows: site to [n, d] float32. Epochs follow each other without a gap."""
        parts = []
        while n > 0:
            if self._position == self.n_rows:
                self._epoch, self._position = self._epoch + 1, 0
                self._order = self._shuffled()
            take = self._order[self._position : self._position + n]
            parts.append(self._rows[take].float())
            self._position += len(take)
            n -= len(take)
        return {self._site: torch.cat(parts)}

    def parted(self, share: float) -> tuple["ArrayStream", list[Tensor]]:
        """A stream of the rows of most groups, and the rows [m, d] of a share of the groups, held out of it.

        Raises:
            SeqsaeError: there are fewer than two groups.
        """
        held = held_out(self._groups, share, f"site {self._site!r}")
        rest, held = torch.from_numpy(~held), torch.from_numpy(held)
        groups = self._groups[rest.numpy()] if self._grouped else None
        return ArrayStream(self._rows[rest], self._site, self._seed, groups), [self._rows[held].float()]

    def state(self) -> dict:
        """JSON-able; enough to go on from here."""
        return {"seed": self._seed, "n_rows": self.n_rows, "epoch": self._epoch, "position": self._position}

    def restore(self, state: dict) -> None:
        """Go on from `state`. Raises SeqsaeError if it is of another array or seed."""
        here = self.state()
        for key in ("seed", "n_rows"):
            if state[key] != here[key]:
                raise SeqsaeError(
                    f"site {self._site!r}: the saved stream had {key} {state[key]}, this one has {here[key]}; give the same data"
                )
        self._epoch, self._position = state["epoch"], state["position"]
        self._order = self._shuffled()

    def _shuffled(self) -> Tensor:
        seed = np.random.SeedSequence([self._seed, self._epoch]).generate_state(1, np.uint64)[0]
        generator = torch.Generator().manual_seed(int(seed >> np.uint64(1)))
        return torch.randperm(self.n_rows, generator=generator)


def held_out(clusters: np.ndarray, share: float, where: str) -> np.ndarray:
    """[n] bool: rows of a share of the clusters, at least one and not all, the same on every machine."""
    names = np.unique(clusters)
    if len(names) < 2:
        raise SeqsaeError(
            f"{where}: early stopping needs at least two clusters of rows, there is {len(names)}; set no patience"
        )
    n = min(max(1, round(share * len(names))), len(names) - 1)
    return np.isin(clusters, np.random.default_rng(0x5AE).permutation(names)[:n])
