"""Which part of a study a subject belongs to: by hash of its cluster, so that relatives and homologues stay together."""

import hashlib

import polars as pl

from seqsae import schema
from seqsae.errors import SeqsaeError

SHARES = (("train", 0.5), ("select", 0.7), ("calibrate", 0.8), ("test", 1.0))  # cumulative
MEDS_SPLITS = {"train": "train", "held_out": "test"}  # tuning is cut into select and calibrate


def assign(subjects: pl.DataFrame, salt: str) -> pl.DataFrame:
    """Schema `splits`: 50% train, 20% select, 10% calibrate, 20% test of the clusters, the same on every machine."""
    clusters = subjects["cluster"].unique(maintain_order=True).to_list()
    of_cluster = {cluster: _part(fraction(cluster, salt)) for cluster in clusters}
    return _table(subjects, [of_cluster[cluster] for cluster in subjects["cluster"].to_list()])


def from_meds(subjects: pl.DataFrame, meds_split: list[str | None]) -> pl.DataFrame:
    """Schema `splits` from MEDS splits: train, tuning (two thirds select, one third calibrate), held_out (test).

    A subject without a split goes to calibrate. Raises SeqsaeError if a cluster stands in two MEDS splits.
    """
    parts, of_cluster = [], {}
    for cluster, split in zip(subjects["cluster"].to_list(), meds_split, strict=True):
        if of_cluster.setdefault(cluster, split) != split:
            raise SeqsaeError(
                f"subject_splits: cluster {cluster!r} is cut by {of_cluster[cluster]} and {split}; keep clusters whole"
            )
        tuning = "select" if fraction(cluster, "meds tuning") < 2 / 3 else "calibrate"
        parts.append(MEDS_SPLITS.get(split, tuning if split == "tuning" else "calibrate"))
    return _table(subjects, parts)


def fraction(cluster: str, salt: str) -> float:
    """A number in [0, 1) from SHA-256 of salt and cluster."""
    return int.from_bytes(hashlib.sha256(f"{salt}\0{cluster}".encode()).digest()[:8], "big") / 2**64


def _part(share: float) -> str:
    return next(name for name, upper in SHARES if share < upper)


def _table(subjects: pl.DataFrame, parts: list[str]) -> pl.DataFrame:
    table = pl.DataFrame({"subject": subjects["subject"], "split": pl.Series(parts, dtype=pl.String)})
    return schema.check_table(table, "splits", "splits")
