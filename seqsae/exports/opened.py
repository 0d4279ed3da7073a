"""A run folder opened for a release: its artefacts by the shelf, as Evidence. No model is run and nothing is trained."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import scipy.sparse as sp

from seqsae import schema, shelf
from seqsae.activations.store import Store
from seqsae.associations.targets import targets
from seqsae.errors import SeqsaeError
from seqsae.exports.evidence import Evidence
from seqsae.features.encoding import Encoded
from seqsae.features.pooling import pool
from seqsae.records.data import Dataset
from seqsae.records.room import fingerprint, load
from seqsae.sae.base import SAE
from seqsae.sae.room import load_sae

BIRTH = "MEDS_BIRTH"
DAY, YEAR = 86_400e6, 365.25 * 86_400e6
"""Microseconds."""


class Opened(NamedTuple):
    """What a release needs of a run."""

    run: Path
    data: Dataset
    encoded: Encoded
    sae: SAE
    evidence: Evidence
    subjects: pl.DataFrame
    """Schema `subjects` with `split`, of those in the evidence and in the same order."""


def opened(run: Path | str) -> Opened:
    """The run's records, activations, features and associations: those that its report is of.

    Raises:
        SeqsaeError: an artefact is missing; the line names it and the command that makes it.
    """
    run = Path(run)
    associations = _associations(run)
    name, view = associations.path.parent.name, associations.path.name
    data = load(_artefact(run / "records", "records", "run"))
    store = Store(_artefact(run / "activations" / view, "activations", "harvest"))
    sae = load_sae(_artefact(run / "sae" / name, "sae", "train").path)
    features = _artefact(run / "features" / name / view, "features", "encode")
    site = features.manifest["config"].get("site") or (sae.identity.get("inputs") or {}).get("site", "")
    encoded = Encoded(features, store, sae, site)
    atlas = _artefact(run / "maps" / name, "atlas", "atlas")
    _of_each_other(fingerprint(data), store.artefact, sae.artefact, features, associations, atlas)
    return Opened(run, data, encoded, sae, _evidence(data, encoded, associations, atlas), store.subjects)


def _associations(run: Path) -> shelf.Artefact:
    """The associations that the report shows; the only ones there are where there is no report."""
    there = sorted(path.parent for path in (run / "associations").glob("*/*/manifest.json"))
    if not there:
        raise SeqsaeError(f"{run}: no associations there; make the run first (seqsae run, or seqsae associate)")
    found = [_artefact(path, "associations", "associate") for path in there]
    if len(found) == 1:
        return found[0]
    shown = _artefact(run / "report", "report", "report").manifest["inputs"].get("associations")
    for one in found:
        if one.hash == shown:
            return one
    raise SeqsaeError(f"{run}: its report is of associations that are no longer there; make it anew with seqsae report")


def _artefact(path: Path, kind: str, command: str) -> shelf.Artefact:
    if not (path / shelf.MANIFEST).is_file():
        raise SeqsaeError(
            f"{path}: no finished {kind} there, which a release needs; run `seqsae {command}` on this run folder first"
        )
    return shelf.open_artefact(path, kind)


def _of_each_other(
    records: str,
    activations: shelf.Artefact,
    sae: shelf.Artefact,
    features: shelf.Artefact,
    associations: shelf.Artefact,
    atlas: shelf.Artefact,
) -> None:
    """Raises SeqsaeError if an artefact was made from another one than lies there: of another run, or made before it was made anew."""
    chain = [
        (activations, "records", records, "records"),
        (features, "activations", activations.hash, "activations"),
        (features, "sae0", sae.hash, "SAE"),
        (associations, "features", features.hash, "features"),
        (atlas, "features", features.hash, "features"),
    ]
    for made, name, there, what in chain:
        if made.manifest["inputs"].get(name) != there:
            raise SeqsaeError(
                f"{made.path}: was not made from the {what} of this run; run `seqsae run` on it again, which makes anew what must be"
            )


def _evidence(data: Dataset, encoded: Encoded, associations: shelf.Artefact, atlas: shelf.Artefact) -> Evidence:
    store = encoded.store
    people = _people(store)
    matrix = sp.csr_array(encoded.matrix)
    aims = targets(data.covariates, store)
    units = {unit: _units(unit, matrix, store) for unit in sorted({aim.unit for aim in aims})}
    table = {
        name: schema.check_table(associations.table(f"{name}.parquet"), name, str(associations.path))
        for name in ("associations", "baselines")
    }
    return Evidence(
        people=people,
        rows=_rows(store),
        codes=matrix,
        aims=aims,
        units=units,
        profile=encoded.profile,
        atlas=schema.check_table(atlas.table("atlas.parquet"), "atlas", str(atlas.path)),
        persons=_persons(atlas),
        parents=_parents(data),
        facts=_facts(encoded),
        q=associations.setting("q"),
        **table,
    )


def _persons(atlas: shelf.Artefact) -> pl.DataFrame | None:
    """The map of persons, if it was made; it leaves in hexagons alone."""
    if not atlas.has("persons.parquet"):
        return None
    return atlas.table("persons.parquet").select(pl.col("subject").cast(pl.Int64), "x", "y")


def _people(store: Store) -> pl.DataFrame:
    return store.subjects.select(
        pl.col("subject").cast(pl.Int64), pl.col("cluster").rank("dense").cast(pl.Int64), "split"
    )


def _units(unit: str, matrix: sp.csr_array, store: Store) -> tuple[sp.csr_array, np.ndarray]:
    """[units, F] where features fire, and [units] the subject."""
    subject = store.samples["subject"].to_numpy().astype(np.int64)
    if unit == "subject":
        return pool(matrix, store.samples["n_rows"].to_numpy(), "presence"), subject
    if unit == "event":
        events = store.events
        return pool(matrix[events.rows], events.counts, "presence"), subject[events.sample]
    return matrix, store.row_subject.astype(np.int64)


def _rows(store: Store) -> pl.DataFrame:
    """[N] subject, token, position, year, age, and days since the row before of the same sample."""
    rows = store.rows
    time = rows["time"].cast(pl.Datetime("us")).to_physical().cast(pl.Float64)
    born = rows["token"].str.starts_with(BIRTH)
    table = pl.DataFrame({"sample": store.row_sample, "subject": store.row_subject.astype(np.int64), "token": rows["token"],
                          "position": rows["position"], "year": rows["time"].dt.year(), "time": time, "born": born})  # fmt: skip
    birth = pl.col("time").filter("born").first().over("sample")
    since = (pl.col("time") - pl.col("time").shift()) / DAY
    return table.with_columns(
        age=((pl.col("time") - birth) / YEAR).floor(),
        since=pl.when(pl.col("sample") == pl.col("sample").shift()).then(since),
    ).select("subject", "token", "position", "year", "age", "since")


def _parents(data: Dataset) -> dict[str, str]:
    if data.code_table is None:
        return {}
    return {code: above[0] for code, above in data.code_table.select("code", "parent_codes").iter_rows() if above}


def _facts(encoded: Encoded) -> dict[str, object]:
    """How the study was made, in settings that are no data."""
    recipe, store = encoded.sae.config, encoded.store
    facts = {"architecture": recipe.architecture, "width": recipe.width, "active latents a row": recipe.k, "seeds": len(encoded.siblings) + 1,
             "view": store.view, "readout": "masked" if store.view.endswith("-masked") else "observed"}  # fmt: skip
    return {name: value for name, value in facts.items() if value is not None and name != "seeds"}
