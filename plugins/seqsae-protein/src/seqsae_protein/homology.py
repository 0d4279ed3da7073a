"""Clusters of similar sequences, so that whole clusters can go to one split."""

from pathlib import Path

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from seqsae.errors import SeqsaeError
from seqsae.records.sequences import read_lines
from seqsae_protein.feature_table import accession


def from_file(path: Path, names: list[str]) -> list[str]:
    """The cluster of each name, from the table that mmseqs2 writes: on each line representative, tab, member.

    Raises SeqsaeError for a line that is no such pair, a name in two clusters, or one in none.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(read_lines(path), 1):
        cells = [accession(cell.strip()) for cell in line.split("\t")]
        if not line.strip():
            continue
        if len(cells) != 2 or not all(cells):
            raise SeqsaeError(f"{path}, line {number}: expected a representative and a member with a tab between")
        if found.setdefault(cells[1], cells[0]) != cells[0]:
            raise SeqsaeError(f"{path}, line {number}: {cells[1]!r} is in two clusters; give each sequence one")
    absent = [name for name in names if name not in found]
    if absent:
        raise SeqsaeError(
            f"{path}: {len(absent):,} of {len(names):,} sequences are in no cluster, {absent[0]!r} for one"
        )
    return [found[name] for name in names]


def clusters(sequences: list[str], threshold: float = 0.6, k: int = 3) -> np.ndarray:
    """Single-linkage clusters: two sequences are linked if the Jaccard index of their k-mer sets is >= threshold.

    Returns one cluster number per sequence, int [n], counted from 0 in order of first appearance. Sequences shorter
    than k are linked to nothing.
    """
    kmers = _kmers(sequences, k)  # [n, n_kmers], 1 where present
    shared = (kmers @ kmers.T).tocoo()  # [n, n]
    sizes = kmers.sum(axis=1)
    union = sizes[shared.row] + sizes[shared.col] - shared.data
    linked = shared.data >= threshold * union
    graph = csr_array((linked[linked], (shared.row[linked], shared.col[linked])), shape=shared.shape)
    labels = connected_components(graph, directed=False)[1]
    first = {label: number for number, label in enumerate(dict.fromkeys(labels.tolist()))}
    return np.array([first[label] for label in labels.tolist()], dtype=np.int64)


def _kmers(sequences: list[str], k: int) -> csr_array:
    columns: dict[str, int] = {}
    rows, cols = [], []
    for row, sequence in enumerate(sequences):
        # dict.fromkeys keeps the order of appearance: a set's order changes from run to run
        for kmer in dict.fromkeys(sequence[start : start + k] for start in range(len(sequence) - k + 1)):
            rows.append(row)
            cols.append(columns.setdefault(kmer, len(columns)))
    return csr_array((np.ones(len(rows), np.int64), (rows, cols)), shape=(len(sequences), len(columns)))
