"""The features room: every row of a view encoded, sparsely, and each feature's profile."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
import scipy.sparse as sp
import torch

from seqsae import schema, shelf
from seqsae.activations.store import Store
from seqsae.config import FeaturesConfig
from seqsae.errors import SeqsaeError
from seqsae.features.examples import examples
from seqsae.features.placing import placed
from seqsae.features.profile import profile
from seqsae.features.sources import BLOCK, as_csr, blocks, token_codes
from seqsae.progress import track
from seqsae.sae.base import SAE
from seqsae.sae.room import stability

KEPT_ROWS = 1 << 22  # of a view whose codes are held in memory once they were read


class Encoded:
    """A `features` artefact beside the activations it was made from. It is a FeatureSource."""

    name = "sae"

    def __init__(self, artefact: shelf.Artefact, store: Store, sae: SAE, site: str, siblings: Sequence[SAE] = ()):
        self.artefact, self.store, self.sae, self.site = artefact, store, sae, site
        self.siblings = list(siblings)
        """The SAE's other seeds."""
        self.path = artefact.path
        self.labels = [f"feature {i}" for i in range(sae.W_dec.shape[0])]

    @cached_property
    def matrix(self) -> sp.csr_array:
        """[N, width] codes of every row of the view."""
        return self._codes(0, len(self.artefact.files("codes-")))

    def values(self, rows: np.ndarray) -> sp.csr_array:
        """[len(rows), width]; of a large view the files that hold the rows are read, and no others."""
        if self.store.n_rows <= KEPT_ROWS or not len(rows):
            return self.matrix[rows]
        first, last = int(rows.min()) // BLOCK, int(rows.max()) // BLOCK + 1
        return self._codes(first, last)[rows - first * BLOCK]

    def _codes(self, first: int, last: int) -> sp.csr_array:
        """[rows, width] of the files from `first` up to `last`, each of which holds BLOCK rows."""
        start, stop = first * BLOCK, min(last * BLOCK, self.store.n_rows)
        codes = pl.concat([shelf.read_parquet(path) for path in self.artefact.files("codes-")[first:last]])
        counts = np.bincount(codes["row"].to_numpy() - start, minlength=stop - start)
        return sp.csr_array(
            (codes["value"].to_numpy(), codes["feature"].to_numpy(), np.concatenate([[0], np.cumsum(counts)])),
            shape=(stop - start, len(self.labels)),
        )

    @cached_property
    def profile(self) -> pl.DataFrame:
        """Schema `profile`."""
        return schema.check_table(self.artefact.table("profile.parquet"), "profile", str(self.path))

    @cached_property
    def examples(self) -> pl.DataFrame:
        """Schema `examples`."""
        return schema.check_table(self.artefact.table("examples.parquet"), "examples", str(self.path))


def encode(
    saes: SAE | Sequence[SAE],
    acts: Store,
    *,
    site: str | None = None,
    out: Path | str | None = None,
    config: FeaturesConfig | None = None,
) -> Encoded:
    """The codes of the first SAE on every row of `acts`, and its features' profiles.

    Args:
        saes: one SAE, or the seeds of one training: the others tell how stable each feature is.
        site: where to read, for an SAE of another tool that does not say; the others know.
        out: run folder; default: that of the activations.
    Raises:
        SeqsaeError: the SAE was trained on another model, other weights or another site, both are named; or it is another
            tool's and reconstructs these activations badly.
    """
    saes = [saes] if isinstance(saes, SAE) else list(saes)
    config, sae = config or FeaturesConfig(), saes[0]
    if getattr(sae, "artefact", None) is None:
        raise SeqsaeError(
            "this SAE lies on no shelf; train it on a Store, or load it with load_sae from a run or from what "
            "`seqsae convert` wrote"
        )
    site = placed(sae, acts, site)
    folder = (Path(out) if out else acts.path.parents[1]) / "features" / sae.artefact.path.name / acts.view
    inputs = {"activations": acts.artefact, **{f"sae{i}": one.artefact for i, one in enumerate(saes)}}
    options = config.model_dump(mode="json") | ({"site": site} if sae.identity.get("imported") else {})
    artefact = shelf.stage(folder, "features", options, inputs, lambda work: _write(saes, acts, site, config, work))
    return Encoded(artefact, acts, sae, site, saes[1:])


def _write(saes: list[SAE], acts: Store, site: str, config: FeaturesConfig, work: Path) -> None:
    parts = []
    for number, rows in enumerate(track(list(blocks(np.arange(acts.n_rows))), "encode")):
        with torch.no_grad():
            part = as_csr(saes[0].encode(acts.read(site, rows)), saes[0].W_dec.shape[0])
        shelf.write_table(work / f"codes-{number:05d}.parquet", _codes_table(part, rows))
        parts.append(part)
    codes = sp.vstack(parts, format="csr")
    train = acts.rows_in("train")
    tokens, names = token_codes(acts)
    norms = saes[0].W_dec.norm(dim=1).detach().numpy()
    shelf.write_table(
        work / "profile.parquet", profile(codes[train], acts, tokens[train], names, stability(saes), norms)
    )
    shelf.write_table(work / "examples.parquet", examples(codes[train], train, acts, config.examples, config.context))


def _codes_table(part: sp.csr_array, rows: np.ndarray) -> pl.DataFrame:
    table = pl.DataFrame(
        {
            "row": np.repeat(rows, np.diff(part.indptr)),
            "feature": part.indices.astype(np.int32),
            "value": part.data.astype(np.float32),
        }
    )
    return schema.check_table(table, "codes", "codes")
