"""Sequences drawn from the lengths and letters of a profile."""

from pathlib import Path

import numpy as np
import polars as pl

from synthetic_lives import like_draw as draw

LENGTH = 100.0
"""Letters of a sequence, where a profile may not tell them."""


def write(folder: Path, sequences: dict, ids: np.ndarray | list[str], rng: np.random.Generator) -> np.ndarray:
    """sequences.parquet for whole-number identifiers, sequences.fasta for text; returns the [n] lengths."""
    length = draw.numbers(sequences["length"], draw.ranks(len(ids), rng), least=1.0, middle=LENGTH)
    length = np.nan_to_num(length, nan=1.0).astype(np.int64)
    letters = sequences["letters"] or [{"letter": "X", "subjects": 1, "share": 1.0}]
    at, _ = draw.pick(draw.weights(letters), rng.random(int(length.sum())))
    text = np.array([ord(entry["letter"]) for entry in letters], dtype=np.uint8)[at].tobytes().decode("ascii")
    ends = np.cumsum(length)
    made = [text[end - size : end] for end, size in zip(ends.tolist(), length.tolist(), strict=True)]
    if isinstance(ids, list):
        lines = [f">{name}\n{sequence}\n" for name, sequence in zip(ids, made, strict=True)]
        (folder / "sequences.fasta").write_text("".join(lines))
    else:
        pl.DataFrame({"subject_id": ids, "sequence": made}).write_parquet(folder / "sequences.parquet")
    return length
