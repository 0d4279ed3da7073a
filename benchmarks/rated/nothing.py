"""Whole studies of nothing: `associate` on features that no covariate has to do with but through age, length, position and household."""

import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import scipy.sparse as sp
import torch
from cohorts import Rows, above, drift, follow_up, rows, shared, spells
from safetensors.torch import save_file
from scipy.special import expit

from seqsae import shelf
from seqsae.activations.store import Store
from seqsae.associations.room import associate
from seqsae.caption_options import CaptionConfig
from seqsae.config import AssociateConfig
from seqsae.records.covariates import Covariates, check_schema, typed

PEOPLE, FEATURES, ROWS = 700, 100, 10
SPLITS = (("train", "select", "calibrate", "test"), (0.05, 0.45, 0.05, 0.45))
CONFIG = AssociateConfig(baselines=(), permutations=0, captions=CaptionConfig(make=False))
"""As usual, without what could only take a claim back, such as baselines beside the features."""
ENTRIES = [
    {"name": "age", "type": "continuous", "role": "confounder"},
    {"name": "region", "type": "categorical", "role": "stratum"},
    {"name": "ill", "type": "binary", "positive": "yes"},
    {"name": "home", "type": "categorical"},
    {"name": "schooling", "type": "ordinal"},
    {"name": "debt", "type": "continuous"},
    {"name": "death", "type": "survival", "time": "t", "event": "d", "entry": "t0"},
    {"name": "stay", "type": "binary", "positive": "yes", "level": "token"},
    {"name": "coin", "type": "binary", "role": "negative-control"},
]
"""All but home and coin go with age and length, and stay with position."""


class Told(NamedTuple):
    """What one study of nothing says."""

    pairs: int
    selected: int
    crude: int
    """Pairs whose crude effect replicates on the test split."""
    adjusted: int
    """Pairs whose effect beyond the confounders does."""
    supported: list[tuple[str, str | None, str]]
    """(covariate, category, pooling) of each pair with that verdict."""


class Planted:
    """Codes as `associate` takes them: a FeatureSource with a place on the shelf."""

    name, site, siblings = "sae", "site", ()

    def __init__(self, store: Store, codes: np.ndarray, seed: int):
        self.store, self.matrix = store, sp.csr_array(codes.astype(np.float32))
        self.labels = [f"feature {i}" for i in range(codes.shape[1])]
        self.path = store.path.parents[1] / "features" / "given" / store.view
        self.artefact = shelf.digest({"nothing": seed})

    def values(self, asked: np.ndarray) -> sp.csr_array:
        return self.matrix[asked]


def study(seed: int, out: Path, n_people: int = PEOPLE, n_features: int = FEATURES) -> Told:
    """Make a world of nothing, run `associate` on it, and count what it claims."""
    rng = np.random.default_rng([11, seed])
    folder = out / f"nothing-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    at = rows(rng, n_people, ROWS)
    latent = spells(rng, at, n_features) + (drift(rng, at.who, n_features) * 0.5)[at.person]
    latent += rng.normal(0, 0.3, n_features) * (np.log1p(at.place) - 2.3)[:, None]
    share = np.exp(rng.uniform(np.log(0.002), np.log(0.4), n_features))
    codes = np.where(above(latent, share), np.exp(latent / 2), 0)
    given = covariates_of(rng, at)
    store = store_of(rng, at, folder)
    table = associate(Planted(store, codes, seed), given, config=CONFIG, seed=seed).table
    shutil.rmtree(folder)
    return told(table)


def told(table: pl.DataFrame) -> Told:
    selected = table.filter(pl.col("verdict") != "not-selected")
    crude, adjusted = (int((selected[f"p_test{which}_holm"] <= 0.05).sum()) for which in ("", "_adjusted"))
    found = selected.filter(verdict="supported").select("covariate", "category", "pooling")
    return Told(len(table), len(selected), crude, adjusted, found.rows())


def covariates_of(rng: np.random.Generator, at: Rows) -> Covariates:
    """ENTRIES, drawn."""
    who, n = at.who, len(at.who.age)
    own = shared(rng, who.cluster, 0.7, 6)
    risk = who.confounding[:, None] + own
    kept, times = follow_up(rng, who, -1.0, who.confounding)
    follow = np.full((3, n), np.nan)
    follow[:, kept] = times.time, times.event, times.entry
    columns = {
        "age": np.where(rng.random(n) < 0.03, np.nan, np.round(who.age, 1)),
        "region": np.array(["n", "s", "w"])[np.digitize(own[:, 5], [-0.4, 0.9])],
        "ill": np.where(rng.random(n) < expit(risk[:, 0] - 1), "yes", "no"),
        "home": np.array(["flat", "house", "other"])[np.digitize(own[:, 1], [0.0, 1.2])],
        "schooling": np.digitize(risk[:, 2] + rng.normal(size=n), [-1.5, -0.5, 0.5, 1.5]),
        "debt": np.where(rng.random(n) < 0.1, np.nan, risk[:, 3] + np.exp(0.3 * risk[:, 3]) * rng.normal(size=n)),
        "t": follow[0], "d": follow[1], "t0": follow[2],
        "coin": rng.choice(["h", "t"], n),
    }  # fmt: skip
    moved = 0.4 * (who.age[at.person] - 50) / 12 + 0.4 * (np.log1p(at.place) - 2.3)
    stays = above(spells(rng, at, 1)[:, 0] + moved, 0.2)
    document = check_schema({"covariates": ENTRIES}, "nothing")
    table = pl.DataFrame({"subject": pl.Series(range(n), dtype=pl.UInt32), **columns}, strict=False)
    table = table.with_columns(pl.col(pl.Float64).fill_nan(None))
    return Covariates(typed(table, document, "nothing"), document, annotations(at, stays))


def annotations(at: Rows, stays: np.ndarray) -> pl.DataFrame:
    """A span a row that stays, and one that does not: everyone is annotated."""
    spans = pl.DataFrame(
        {
            "sample": pl.Series(at.person, dtype=pl.UInt32),
            "start": pl.Series(at.place, dtype=pl.UInt32),
            "end": pl.Series(at.place + 1, dtype=pl.UInt32),
            "covariate": ["stay"] * len(stays),
            "value": np.where(stays, "yes", "no"),
        }
    )
    return spans


def store_of(rng: np.random.Generator, at: Rows, folder: Path) -> Store:
    """A store of these rows: tokens at random, splits by household, numbers of a site that nothing reads."""
    n, total = len(at.who.age), len(at.place)
    names = [f"s{i}" for i in range(n)]
    split = rng.choice(SPLITS[0], at.who.cluster.max() + 1, p=SPLITS[1])[at.who.cluster]
    subject = pl.Series(range(n), dtype=pl.UInt32)
    tables = {
        "samples": {
            "sample": subject, "subject": subject, "prediction_time": pl.Series([None] * n, dtype=pl.Datetime("us")),
            "n_rows": pl.Series(at.who.length, dtype=pl.UInt32),
        },
        "subjects": {
            "subject": subject, "subject_id": names, "dataset": ["d"] * n, "cluster": [f"h{c}" for c in at.who.cluster],
        },
        "splits": {"subject": subject, "split": split},
    }  # fmt: skip
    place = at.place.astype(np.uint32)
    lines = pl.DataFrame(
        {
            "row": np.arange(total), "sample": at.person.astype(np.uint32), "event": place, "position": place,
            "time": pl.Series([None] * total, dtype=pl.Datetime("us")), "token": rng.choice(list("abcdefgh"), total),
            "role": ["token"] * total,
        }
    )  # fmt: skip

    def write(work: Path) -> None:
        for name, table in tables.items():
            pl.DataFrame(table).write_parquet(work / f"{name}.parquet")
        (work / "site").mkdir()
        lines.write_parquet(work / "rows-00000.parquet")
        save_file({"activations": torch.zeros(total, 2)}, work / "site" / "shard-00000.safetensors")

    model = {"name": "none", "fingerprint": "0" * 16, "attention": "causal", "vocabulary_hash": None}
    config = {"sites": ["site"], "shard_samples": n, "model": model}
    return Store(
        shelf.stage(folder / "activations" / "full", "activations", config, {"rows": shelf.hash_table(lines)}, write)
    )
