"""Authored vignettes: sequences that a researcher wrote, run through the model and the SAE (D11). Nothing of them is of a record."""

import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from seqsae.activations.harvesting import harvest
from seqsae.activations.store import Store
from seqsae.config import RunConfig, read
from seqsae.errors import SeqsaeError
from seqsae.exports.opened import Opened
from seqsae.features.sources import as_csr
from seqsae.models.opening import open_model
from seqsae.options import read_toml
from seqsae.records.data import Dataset, subjects_table, with_splits

FIRST, STEP = datetime(2000, 1, 1), 30
"""When the first event of a vignette is said to be, and days to the next: made up."""
MOST = 3
"""Features shown at a place, the strongest."""
FORM = 'a vignette file says author = "..." and statement = "...", and for each [[vignette]] a name and tokens = [...] or sequence = "..."'


class Authored(NamedTuple):
    """What a file of vignettes says."""

    author: str
    statement: str
    names: list[str]
    texts: list[list[str] | str]
    """Codes in order, or a sequence of letters."""


def authored(path: Path | str) -> Authored:
    """A file of vignettes (TOML). Raises SeqsaeError for what is no such file, or does not say who wrote it and that it is of no record."""
    if not Path(path).exists():
        raise SeqsaeError(f"{path}: no such file; give the path of a vignette file")
    document = read_toml(Path(path))
    each = document.get("vignette")
    whole = isinstance(each, list) and each and all(isinstance(one, dict) for one in each)
    heads = [document.get(name) for name in ("author", "statement")]
    texts = [one.get("tokens", one.get("sequence")) for one in each] if whole else []
    names = [one.get("name") for one in each] if whole else []
    if (
        not texts
        or not all(isinstance(text, str) and text.strip() for text in [*heads, *names])
        or not all(map(_is_text, texts))
    ):
        raise SeqsaeError(f"{path}: {FORM}")
    return Authored(*heads, names, texts)


def _is_text(text: object) -> bool:
    return bool(text) and (
        isinstance(text, str) or isinstance(text, list) and all(isinstance(token, str) for token in text)
    )


def vignettes(path: Path | str, study: Opened) -> tuple[pl.DataFrame, dict[str, str]]:
    """Activations on each vignette (`vignette`, `place`, `token`, `feature`, `activation`), and who stands for them.

    Raises:
        SeqsaeError: the file, a vignette that is a subject's whole record (D11), a config or model that is not there.
    """
    told = authored(path)
    data = _data(told, study.data, path)
    config = read(study.run / "config.toml")
    room, view = config.model, config.harvest.views[0]
    at = study.run / "model" if room.train is not None else room.path
    model = open_model(room.name, **room.options, **({} if at is None else {"path": str(at)}))
    with tempfile.TemporaryDirectory() as folder:
        reading = config.harvest.model_copy(update={"sites": (study.encoded.site,), "views": (view,)})
        view = view.model_copy(update={"name": "full"})
        store = harvest(model, data, view, out=folder, config=reading, seed=config.seed)
        table = _activations(store, study, told.names)
    return table, {"author": told.author, "statement": told.statement}


def _data(told: Authored, real: Dataset, path: Path | str) -> Dataset:
    """The vignettes as a data set of the run's own form."""
    subjects = subjects_table([f"vignette {number}" for number in range(len(told.texts))], "vignettes")
    if isinstance(told.texts[0], str) != (real.kind == "sequences") or len({type(text) for text in told.texts}) > 1:
        raise SeqsaeError(
            f"{path}: the run's data are {real.kind}; give {'sequence' if real.kind == 'sequences' else 'tokens'} for each vignette"
        )
    if real.kind == "sequences":
        table = pl.DataFrame({"subject": subjects["subject"], "sequence": told.texts})
        records = set(real.table["sequence"])
    else:
        each = [(who, place, code) for who, codes in enumerate(told.texts) for place, code in enumerate(codes)]
        rows = [(who, place, FIRST + timedelta(days=STEP * place), code, None) for who, place, code in each]
        kinds = {
            "subject": pl.UInt32,
            "event": pl.UInt32,
            "time": pl.Datetime("us"),
            "code": pl.String,
            "numeric_value": pl.Float32,
        }
        table = pl.DataFrame(rows, schema=kinds, orient="row")
        records = {
            tuple(codes) for codes in real.table.group_by("subject", maintain_order=True).agg("code")["code"].to_list()
        }
    for name, text in zip(told.names, told.texts, strict=True):
        if (text if isinstance(text, str) else tuple(text)) in records:
            raise SeqsaeError(
                f"{path}: vignette {name!r} is a subject's whole record (D11); write one that is nobody's"
            )
    return with_splits(
        Dataset(real.kind, subjects, table),
        RunConfig.model_fields["records"].annotation.model_fields["split_salt"].default,
    )


def _activations(store: Store, study: Opened, names: list[str]) -> pl.DataFrame:
    rows = np.arange(store.n_rows)
    codes = as_csr(study.sae.encode(store.read(study.encoded.site, rows)), len(study.encoded.labels)).tocoo()
    where = store.rows.select("position", "token").with_columns(
        vignette=pl.Series([names[who] for who in store.row_subject], dtype=pl.String)
    )
    table = where[codes.row].with_columns(
        feature=pl.Series(codes.col.astype(np.int64)), activation=pl.Series(codes.data.astype(np.float64))
    )
    mean = table.group_by("vignette", "position", "token", "feature").agg(pl.col("activation").mean())
    best = mean.sort("vignette", "position", "activation", "feature", descending=[False, False, True, False])
    best = best.group_by("vignette", "position", maintain_order=True).head(MOST)
    return best.select("vignette", pl.col("position").cast(pl.Int64).alias("place"), "token", "feature", "activation")
