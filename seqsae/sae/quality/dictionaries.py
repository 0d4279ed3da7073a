"""Dictionaries compared by the cosines of their rows: with themselves, with their encoder, and with one another."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from seqsae.sae.base import SAE

_CHUNK = 2**24  # entries of a cosine matrix held at a time: 64 MB
_WHOLE = 2**25  # entries of a cosine matrix that is matched whole: 400 MB with scipy's copy in float64
COSINES = tuple(round(-1 + i / 20, 2) for i in range(41))
"""Edges of cosine histograms; a bin holds its lower end, the last one both."""


class Match(NamedTuple):
    """For each row of one dictionary, the nearest row of another."""

    cosine: Tensor
    """[m] float32, the largest cosine; its mean is the MMCS."""
    index: Tensor
    """[m] int64, where it was found."""


class Pairs(NamedTuple):
    """Rows of two dictionaries, each used at most once; as many pairs as the smaller one has rows."""

    cosine: Tensor
    """[p] float32; its mean is the Hungarian-matched similarity."""
    one: Tensor
    """[p] int64, rows of the first dictionary, ascending."""
    other: Tensor
    """[p] int64, rows of the second."""


@torch.no_grad()
def directions(sae: SAE) -> Tensor:
    """[width, d] the decoder's rows in raw units, so that SAEs with different input normalisers can be compared.

    (Of "layer-norm" and "row-norm" up to each row's own size, which changes lengths and no angles.)
    """
    rows = sae.W_dec @ sae.unwhiten if sae.config.normalisation == "whiten" else sae.W_dec
    return rows.detach() * sae.scale


@torch.no_grad()
def best_match(one: Tensor, other: Tensor) -> Match:
    """Nearest rows by cosine: `one` [m, d] against `other` [w, d], for stability over seeds or recovery of known directions.

    Not symmetric, and several rows of `one` may share a match.
    """
    other = normalize(other, dim=1)
    chunks = normalize(one, dim=1).split(max(1, _CHUNK // len(other)))
    best = [(chunk @ other.T).max(dim=1) for chunk in chunks]
    return Match(torch.cat([part.values for part in best]), torch.cat([part.indices for part in best]))


def mmcs(one: Tensor, other: Tensor) -> float:
    """Mean over the rows of `one` [m, d] of the largest cosine with a row of `other` [w, d] (Sharkey et al. 2022)."""
    return best_match(one, other).cosine.double().mean().item()


@torch.no_grad()
def nearest(rows: Tensor, which: Tensor | None = None) -> Match:
    """For each row of a dictionary [w, d], or those at `which` [m] int64, the nearest other row. NaN if there is none."""
    rows = normalize(rows, dim=1)
    which = torch.arange(len(rows), device=rows.device) if which is None else which
    if len(rows) < 2:
        return Match(torch.full((len(which),), torch.nan, device=rows.device), torch.zeros_like(which))
    best = []
    for part in which.split(max(1, _CHUNK // len(rows))):
        cosines = rows[part] @ rows.T
        cosines[torch.arange(len(part), device=rows.device), part] = -torch.inf
        best.append(cosines.max(dim=1))
    return Match(torch.cat([part.values for part in best]), torch.cat([part.indices for part in best]))


@torch.no_grad()
def alignment(sae: SAE) -> Tensor:
    """[width] cosine of each latent's encoder and decoder weights, both as they act on normalised rows."""
    return torch.nn.functional.cosine_similarity(sae.W_enc.T, sae.W_dec, dim=1)


@torch.no_grad()
def paired(one: Tensor, other: Tensor, candidates: int = 64) -> Pairs:
    """The one-to-one pairing of rows [m, d] and [w, d] with the largest sum of cosines (Kuhn 1955, the Hungarian method).

    Up to m * w = 2^25 (5,792 a side) it is exact, in about 400 MB. Above, a row may only be paired with one of its
    `candidates` nearest (of either side), or, where that leaves it without a partner, with the row of its own number: memory grows
    with (m + w) * candidates (0.6 GB and a minute or two for 32,768 a side), and the sum of cosines is at most that of the
    exact pairing.
    """
    one, other = normalize(one, dim=1).cpu(), normalize(other, dim=1).cpu()
    if len(one) > len(other):
        swapped = paired(other, one, candidates)
        order = swapped.other.argsort()
        return Pairs(swapped.cosine[order], swapped.other[order], swapped.one[order])
    left, right = _exact(one, other) if len(one) * len(other) <= _WHOLE else _sparse(one, other, candidates)
    left, right = torch.from_numpy(left).long(), torch.from_numpy(right).long()
    return Pairs((one[left] * other[right]).sum(1), left, right)


def _exact(one: Tensor, other: Tensor) -> tuple[np.ndarray, np.ndarray]:
    from scipy.optimize import linear_sum_assignment

    return linear_sum_assignment((one @ other.T).numpy(), maximize=True)


def _sparse(one: Tensor, other: Tensor, candidates: int) -> tuple[np.ndarray, np.ndarray]:
    """Jonker and Volgenant's method for sparse costs (scipy), over the nearest rows of either side."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    rows, columns = _candidates(one, other, candidates)
    back_columns, back_rows = _candidates(other, one, candidates)
    own = np.arange(len(one))
    places = np.unique(
        np.concatenate([rows, back_rows, own]) * len(other) + np.concatenate([columns, back_columns, own])
    )
    rows, columns = np.divmod(places, len(other))
    cosines = np.concatenate([(one[i] * other[j]).sum(1).numpy() for i, j in _in_parts(rows, columns)])
    costs = csr_array((2.0 - cosines.astype(np.float64), (rows, columns)), shape=(len(one), len(other)))
    return min_weight_full_bipartite_matching(costs)  # 2 less the cosine: a cost of 0 would be no edge


def _candidates(one: Tensor, other: Tensor, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers of `one`, each `count` times, and beside them its nearest rows of `other`."""
    count = min(count, len(other))
    found = [(chunk @ other.T).topk(count, dim=1).indices for chunk in one.split(max(1, _CHUNK // len(other)))]
    return np.repeat(np.arange(len(one)), count), torch.cat(found).flatten().numpy()


def _in_parts(rows: np.ndarray, columns: np.ndarray, size: int = 2**15):
    for start in range(0, len(rows), size):
        yield torch.from_numpy(rows[start : start + size]), torch.from_numpy(columns[start : start + size])


def cosine_histogram(cosines: Tensor) -> list[int]:
    """Counts between `COSINES`; NaN is left out."""
    found = cosines[~cosines.isnan()].double().clamp(-1, 1).cpu().numpy()
    return np.histogram(found, bins=np.array(COSINES))[0].tolist()
