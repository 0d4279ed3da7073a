"""Tokens and their families: what a rule may say of the token at a row.

A family is all tokens that begin alike. Codes are split at `//`, as MEDS codes are; a last part like an ICD or ATC code (a letter,
two digits, perhaps more) also belongs to the chapter of its letter and to the group of its first three characters.
"""

import re
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from seqsae.associations.captions.lines import cluster_of
from seqsae.associations.concept_spans import Part

SEPARATOR = "//"
_CHAPTERED = re.compile(r"[A-Z]\d\d\S*")


@dataclass(frozen=True)
class Atoms:
    """A tokens and families; the tokens come first."""

    names: list[str]
    """A token, or the beginning that a family shares."""
    n_tokens: int
    members: sp.csr_array
    """[T, A] of 0 and 1: which of the store's T tokens each stands for."""
    rows: np.ndarray
    """[A] rows of the select split where it stands."""

    def at(self, tokens: np.ndarray) -> sp.csr_array:
        """[n, A] of 0 and 1: which hold at rows with these token numbers [n]."""
        return self.members[tokens]

    @property
    def clash(self) -> np.ndarray:
        """[A, A] bool: both hold for some token, as for a token and its family; a union takes one of them."""
        return (self.members.T @ self.members).toarray() > 0


def atoms_of(tokens: np.ndarray, names: list[str], part: Part, min_clusters: int, most: int) -> Atoms:
    """The tokens and families found in enough clusters of `part`, the commonest ones, at most `most`.

    Args:
        tokens: [n] number of the token at each row of the part; names: all tokens of the store, in order.
    """
    n = len(tokens)
    there = np.bincount(tokens, minlength=len(names)) > 0
    families = families_of(names, there)
    spelled = [*names, *families]
    members = _members(names, families)
    counts = np.bincount(tokens, minlength=len(names)) @ members
    one_hot = sp.csr_array((np.ones(n, np.int32), tokens, np.arange(n + 1)), shape=(n, len(names)))
    _, cluster = np.unique(cluster_of(part), return_inverse=True)
    sums = sp.csr_array((np.ones(n, np.int32), (cluster, np.arange(n))), shape=(int(cluster.max(initial=0)) + 1, n))
    clusters = np.diff(((sums @ one_hot) @ members).tocsc().indptr)
    frequent = np.flatnonzero((clusters >= min_clusters) & (counts < n))
    kept = np.sort(frequent[np.argsort(-counts[frequent], kind="stable")[:most]])
    return Atoms([spelled[i] for i in kept], int((kept < len(names)).sum()), members[:, kept].tocsr(), counts[kept])


def beginnings(token: str) -> list[str]:
    """The beginnings by which a token belongs to families, shortest first."""
    parts = token.split(SEPARATOR)
    found = [SEPARATOR.join(parts[:n]) + SEPARATOR for n in range(1, len(parts))]
    last = parts[-1]
    if _CHAPTERED.fullmatch(last):
        before = token[: len(token) - len(last)]
        found += [before + last[:size] for size in (1, 3) if len(last) > size]
    return found


def families_of(names: list[str], there: np.ndarray) -> list[str]:
    """Beginnings shared by two of the tokens that are `there` [T] or more; of those shared by the same tokens the longest."""
    shared: dict[str, list[int]] = {}
    for number in np.flatnonzero(there):
        for beginning in beginnings(names[number]):
            shared.setdefault(beginning, []).append(int(number))
    longest: dict[tuple[int, ...], str] = {}
    for beginning in sorted(shared, key=len):
        if len(shared[beginning]) > 1:
            longest[tuple(shared[beginning])] = beginning
    return sorted(longest.values())


def _members(names: list[str], families: list[str]) -> sp.csr_array:
    """[T, T + families]."""
    number = {family: len(names) + place for place, family in enumerate(families)}
    pairs = [(i, i) for i in range(len(names))]
    pairs += [(i, number[one]) for i, name in enumerate(names) for one in beginnings(name) if one in number]
    rows, columns = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return sp.csr_array((np.ones(len(rows), np.int32), (rows, columns)), shape=(len(names), len(names) + len(families)))
