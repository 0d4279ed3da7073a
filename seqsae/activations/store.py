"""The stored activations of a view: rows by number, at any site, and a shuffled stream of them."""

from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from seqsae import schema, shelf
from seqsae.activations.events import Events, events_of
from seqsae.errors import SeqsaeError


def site_folder(site: str) -> str:
    """A site's folder name: `layers.2:in` becomes `layers.2--in`."""
    return site.replace(":", "--")


class Store:
    """An `activations` artefact. Rows are numbered 0 to n_rows - 1, the same at every site."""

    def __init__(self, artefact: shelf.Artefact | Path | str):
        self.artefact = (
            artefact if isinstance(artefact, shelf.Artefact) else shelf.open_artefact(artefact, "activations")
        )
        self.path = self.artefact.path
        self._shards: dict[tuple[str, int], Tensor] = {}

    @property
    def view(self) -> str:
        """Name of the view's folder."""
        return self.path.name

    @property
    def model(self) -> dict:
        """name, fingerprint, attention and vocabulary_hash of the model that was read."""
        return self.artefact.setting("model")

    @property
    def site_names(self) -> list[str]:
        return self.artefact.setting("sites")

    @cached_property
    def sites(self) -> dict[str, int]:
        """Site to its width d."""
        return {site: self._shard(site, 0).shape[1] for site in self.site_names}

    @cached_property
    def samples(self) -> pl.DataFrame:
        return schema.check_table(self.artefact.table("samples.parquet"), "samples", str(self.path))

    @cached_property
    def subjects(self) -> pl.DataFrame:
        """Schema `subjects`, with the column `split` beside it."""
        splits = self.artefact.table("splits.parquet")
        return self.artefact.table("subjects.parquet").join(splits, on="subject", how="left", maintain_order="left")

    @cached_property
    def rows(self) -> pl.DataFrame:
        """Schema `rows`, all of them."""
        return pl.concat([shelf.read_parquet(path) for path in self.artefact.files("rows-")])

    @cached_property
    def row_sample(self) -> np.ndarray:
        """[N] sample of each row."""
        return np.repeat(self.samples["sample"].to_numpy(), self.samples["n_rows"].to_numpy())

    @cached_property
    def row_subject(self) -> np.ndarray:
        """[N] subject of each row."""
        return self.samples["subject"].to_numpy()[self.row_sample]

    @cached_property
    def row_split(self) -> np.ndarray:
        """[N] split of each row, as text."""
        return self.subjects["split"].to_numpy()[self.row_subject]

    @cached_property
    def events(self) -> Events:
        """Rows by sample and event."""
        return events_of(self.row_sample, self.rows["event"].to_numpy())

    @property
    def n_rows(self) -> int:
        return int(self.samples["n_rows"].sum())

    def rows_in(self, *splits: str) -> np.ndarray:
        """Row numbers [n], ascending, of subjects in the named splits."""
        return np.flatnonzero(np.isin(self.row_split, splits))

    def read(self, site: str, rows: np.ndarray) -> Tensor:
        """Activations [len(rows), d] float32 of the given row numbers. Raises SeqsaeError for a site it does not hold."""
        self.check_site(site)
        shard_of = np.searchsorted(self._bounds, rows, side="right") - 1
        out = torch.empty(len(rows), self.sites[site])
        for shard in np.unique(shard_of):
            places = np.flatnonzero(shard_of == shard)
            local = torch.from_numpy(rows[places] - self._bounds[shard])
            out[torch.from_numpy(places)] = self._shard(site, int(shard))[local].float()
        return out

    def check_site(self, site: str) -> str:
        """`site` itself. Raises SeqsaeError naming the sites there are."""
        if site not in self.site_names:
            raise SeqsaeError(
                f"{self.path}: holds no site {site!r}; it has {', '.join(self.site_names)}: harvest it first"
            )
        return site

    @cached_property
    def _bounds(self) -> np.ndarray:
        """[shards + 1] first row of each shard."""
        per_shard = self.artefact.setting("shard_samples")
        ends = np.cumsum(
            np.add.reduceat(
                self.samples["n_rows"].to_numpy().astype(np.int64), np.arange(0, len(self.samples), per_shard)
            )
        )
        return np.concatenate([[0], ends])

    def _shard(self, site: str, number: int) -> Tensor:
        """[rows of the shard, d], memory-mapped."""
        if (site, number) not in self._shards:
            path = self.artefact.file(f"{site_folder(site)}/shard-{number:05d}.safetensors")
            try:
                with safe_open(path, framework="pt") as file:
                    self._shards[site, number] = file.get_tensor("activations")
            except (SafetensorError, OSError) as cause:
                raise SeqsaeError(
                    f"{path}: not a readable shard ({cause}); delete {self.path} and harvest again"
                ) from None
        return self._shards[site, number]
