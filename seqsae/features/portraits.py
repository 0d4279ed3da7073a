"""What each feature looks like in aggregates: where, when and how strongly it fires, on which tokens, in how many people; and its kin.

Everything is counted in rows, distinct subjects and distinct clusters, over the train split, part by part. The tracks of single
samples alone are individuals', and stay inside.
"""

from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
import torch

from seqsae import schema, shelf
from seqsae.features.bins import MOST, axes, round_step
from seqsae.features.counting import Counted, count
from seqsae.features.encoding import Encoded
from seqsae.features.enrichment import enriched
from seqsae.features.kin import neighbours, seed_matches
from seqsae.features.tracks import tracks

TABLES = ("feature_profiles", "token_enrichment", "spread", "neighbours", "seed_matches", "tracks")


class Portraits:
    """A `portraits` artefact."""

    def __init__(self, artefact: shelf.Artefact):
        self.artefact = artefact

    def table(self, name: str) -> pl.DataFrame:
        """One of TABLES, which are schemas."""
        return schema.check_table(self.artefact.table(f"{name}.parquet"), name, str(self.artefact.path))

    @cached_property
    def spread(self) -> pl.DataFrame:
        """Schema `spread`."""
        return self.table("spread")


def portray(encoded: Encoded, births: pl.DataFrame | None = None, *, out: Path | str | None = None) -> Portraits:
    """The portraits of a view's features, as the artefact `out/portraits/<name>/<view>`.

    Args:
        births: `subject`, `time`: from which ages count; default: births among the rows, if there.
        out: run folder; default: that of the features.
    """
    folder = (
        (Path(out) if out else encoded.path.parents[2]) / "portraits" / encoded.path.parent.name / encoded.path.name
    )
    inputs = {"features": encoded.artefact, "activations": encoded.store.artefact, "sae": encoded.sae.artefact}
    inputs |= {f"seed{number}": one.artefact for number, one in enumerate(encoded.siblings)}
    if births is not None:
        inputs["births"] = shelf.hash_table(births)
    return Portraits(shelf.stage(folder, "portraits", {}, inputs, lambda work: _write(encoded, births, work)))


def _write(encoded: Encoded, births: pl.DataFrame | None, work: Path) -> None:
    live = torch.from_numpy(encoded.profile.filter(~pl.col("dead"))["feature"].sort().to_numpy().astype(np.int64))
    counted = count(encoded, axes(encoded.store, births), _steps(encoded))
    tables = {
        "feature_profiles": profiles(counted),
        "token_enrichment": tokens(counted),
        "spread": schema.check_table(counted.spread, "spread", "spread"),
        "neighbours": neighbours(encoded.sae.W_dec.detach().cpu(), live),
        "seed_matches": seed_matches(encoded.sae, encoded.siblings, live),
        "tracks": tracks(encoded),
    }
    for name, table in tables.items():
        shelf.write_table(work / f"{name}.parquet", table)


def _steps(encoded: Encoded) -> np.ndarray:
    """[width] width of each feature's bins of strength, round, about twelve of them up to its largest activation."""
    largest = encoded.profile.sort("feature")["max"].fill_null(0).to_numpy()
    return np.array([round_step(value / 12) for value in largest])


def profiles(counted: Counted) -> pl.DataFrame:
    """Schema `feature_profiles`."""
    parts = [_strengths(counted)]
    for axis in counted.axes:
        here, everywhere = counted.by_axis[axis.kind]
        low, high = axis.bins.edges(here.key % axis.bins.n)
        table = pl.DataFrame(
            {"feature": here.key // axis.bins.n, "bin": here.key % axis.bins.n, "low": low, "high": high}
        )
        whole = pl.DataFrame({"bin": everywhere.key, "rows": everywhere.rows, "subjects": everywhere.subjects})
        parts.append(_counts(table, here, axis.kind).join(whole, on="bin", how="left", maintain_order="left"))
    return schema.check_table(pl.concat(parts, how="diagonal_relaxed"), "feature_profiles", "profiles")


def _strengths(counted: Counted) -> pl.DataFrame:
    here, steps = counted.strength, counted.steps
    feature, place = here.key // MOST, here.key % MOST
    table = pl.DataFrame(
        {"feature": feature, "bin": place, "low": place * steps[feature], "high": (place + 1) * steps[feature]}
    )
    return _counts(table, here, "strength").with_columns(rows=pl.lit(None, pl.Int64), subjects=pl.lit(None, pl.Int64))


def _counts(table: pl.DataFrame, here, kind: str) -> pl.DataFrame:
    counts = {"n_rows": here.rows, "n_subjects": here.subjects, "n_clusters": here.clusters}
    return table.with_columns(kind=pl.lit(kind), **{name: pl.Series(one) for name, one in counts.items()})


def tokens(counted: Counted) -> pl.DataFrame:
    """Schema `token_enrichment`."""
    if not len(counted.near.names):
        return schema.empty("token_enrichment")
    active = counted.spread.sort("feature")["n_rows"].to_numpy()
    parts = [
        enriched(place, here, everywhere, active, counted.n_rows, counted.near.names)
        for place, (here, everywhere) in counted.by_token.items()
    ]
    return pl.concat(parts).sort("feature", maintain_order=True)
