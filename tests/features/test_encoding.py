"""Codes of a view that is too large to be held: the files that hold the rows asked for are read, and no others."""

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp

from seqsae import shelf
from seqsae.features import encoding
from seqsae.features.encoding import Encoded

N, WIDTH, BLOCK = 103, 6, 10


@pytest.fixture
def made(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    dense = np.where(rng.random((N, WIDTH)) < 0.3, rng.random((N, WIDTH)), 0).astype(np.float32)
    dense[20:30] = 0  # a file without any code
    for number, first in enumerate(range(0, N, BLOCK)):
        rows = np.arange(first, min(first + BLOCK, N))
        table = encoding._codes_table(sp.csr_array(dense[rows]), rows)
        shelf.write_table(tmp_path / f"codes-{number:05d}.parquet", table)
    monkeypatch.setattr(encoding, "BLOCK", BLOCK)
    opened = []
    monkeypatch.setattr(
        shelf, "read_parquet", lambda path, read=shelf.read_parquet: opened.append(path.name) or read(path)
    )
    artefact = SimpleNamespace(path=tmp_path, files=lambda prefix: sorted(tmp_path.glob(f"{prefix}*")))
    sae = SimpleNamespace(W_dec=np.zeros((WIDTH, 2)))
    return Encoded(artefact, SimpleNamespace(n_rows=N), sae, "site"), dense, opened


@pytest.mark.parametrize("rows", [[0], [9, 10], [3, 57, 102], range(20, 30), range(N), [], [57, 3]])
def test_rows_are_those_of_the_whole_matrix(made, monkeypatch, rows):
    encoded, dense, opened = made
    rows = np.array(rows, dtype=np.int64)
    np.testing.assert_array_equal(encoded.values(rows).toarray(), dense[rows])
    monkeypatch.setattr(encoding, "KEPT_ROWS", 0)
    opened.clear()
    np.testing.assert_array_equal(encoded.values(rows).toarray(), dense[rows])
    wanted = (
        {f"codes-{number:05d}.parquet" for number in range(min(rows) // BLOCK, max(rows) // BLOCK + 1)}
        if len(rows)
        else set()
    )
    assert set(opened) == wanted
