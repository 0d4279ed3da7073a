"""Stores and sources whose every number the test decides: no model is run."""

from pathlib import Path

import numpy as np
import polars as pl
import scipy.sparse as sp
import torch
from safetensors.torch import save_file

from seqsae import shelf
from seqsae.activations.store import Store

MODEL = {"name": "none", "fingerprint": "f" * 16, "attention": "causal", "vocabulary_hash": None}


def parts(n: int) -> list[str]:
    """Splits of n subjects in turn: half train, then select, calibrate and test in the shares of the splits."""
    cycle = ["train", "select", "train", "test", "train", "select", "train", "test", "train", "calibrate"]
    return [cycle[i % 10] for i in range(n)]


def _tables(n_rows, people, subject, times) -> dict[str, dict]:
    """Samples, subjects and splits; `people`: (number of subjects, splits, clusters)."""
    n_subjects, split, cluster = people
    names = [f"s{i}" for i in range(n_subjects)]
    return {
        "samples": {
            "sample": pl.Series(range(len(n_rows)), dtype=pl.UInt32),
            "subject": pl.Series(range(n_subjects) if subject is None else subject, dtype=pl.UInt32),
            "prediction_time": pl.Series([None] * len(n_rows) if times is None else times, dtype=pl.Datetime("us")),
            "n_rows": pl.Series(n_rows, dtype=pl.UInt32),
        },
        "subjects": {
            "subject": pl.Series(range(n_subjects), dtype=pl.UInt32),
            "subject_id": names,
            "dataset": ["d"] * n_subjects,
            "cluster": names if cluster is None else [str(name) for name in cluster],
        },
        "splits": {
            "subject": pl.Series(range(n_subjects), dtype=pl.UInt32),
            "split": parts(n_subjects) if split is None else list(split),
        },
    }


def _rows(n_rows, tokens, event) -> pl.DataFrame:
    total = len(tokens)
    place = np.concatenate([np.arange(n) for n in n_rows]).astype(np.uint32)
    return pl.DataFrame(
        {
            "row": np.arange(total, dtype=np.int64),
            "sample": np.repeat(np.arange(len(n_rows), dtype=np.uint32), n_rows),
            "event": place if event is None else np.asarray(event, dtype=np.uint32),
            "position": place,
            "time": pl.Series([None] * total, dtype=pl.Datetime("us")),
            "token": pl.Series(tokens, dtype=pl.String),
            "role": ["token"] * total,
        }
    )


def store_of(
    folder: Path,
    n_rows,
    x=None,
    tokens=None,
    split=None,
    cluster=None,
    subject=None,
    view: str = "full",
    shard_samples: int = 7,
    times=None,
    event=None,
) -> Store:
    """A store at site `site`.

    Args:
        n_rows: [samples] rows of each sample, 0 allowed.
        x: [rows, d] activations; default: seeded normal numbers with d = 5.
        tokens: [rows]; default: a and b in turn.
        split, cluster: one a subject.
        subject: [samples]; default: sample i is subject i.
        times: [samples] prediction times; default: none.
        event: [rows]; default: each row of a sample is an event of its own.
    """
    n_rows = np.asarray(n_rows)
    total, n_subjects = int(n_rows.sum()), len(n_rows) if subject is None else int(np.max(subject)) + 1
    x = np.random.default_rng(0).normal(size=(total, 5)) if x is None else x
    x = torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32))
    tokens = [("a", "b")[i % 2] for i in range(total)] if tokens is None else list(tokens)
    people = n_subjects, split, cluster
    tables = _tables(n_rows, people, subject, times)
    rows = _rows(n_rows, tokens, event)

    def write(work: Path) -> None:
        for name, table in tables.items():
            pl.DataFrame(table).write_parquet(work / f"{name}.parquet")
        (work / "site").mkdir()
        start = 0
        for number, first in enumerate(range(0, len(n_rows), shard_samples)):
            end = start + int(n_rows[first : first + shard_samples].sum())
            rows[start:end].write_parquet(work / f"rows-{number:05d}.parquet")
            save_file({"activations": x[start:end].clone()}, work / "site" / f"shard-{number:05d}.safetensors")
            start = end

    config = {"sites": ["site"], "shard_samples": shard_samples, "model": MODEL}
    return Store(
        shelf.stage(folder / "activations" / view, "activations", config, {"rows": shelf.hash_table(rows)}, write)
    )


class Given:
    """Codes that the test made up, as `associate` takes them: a FeatureSource with a place on the shelf."""

    name, site, siblings = "sae", "site", ()

    def __init__(self, store: Store, codes: np.ndarray):
        self.store, self.matrix = store, sp.csr_array(np.asarray(codes, dtype=np.float32))
        self.labels = [f"feature {i}" for i in range(codes.shape[1])]
        self.path = store.path.parents[1] / "features" / "given" / store.view
        self.artefact = shelf.digest(np.asarray(codes).tolist())

    def values(self, rows: np.ndarray) -> sp.csr_array:
        return self.matrix[rows]
