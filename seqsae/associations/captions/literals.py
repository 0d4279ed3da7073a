"""Literals: what a rule may say of a row, each a column of 0 and 1 over the rows of a part."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from seqsae.activations.store import Store
from seqsae.associations.captions.atoms import Atoms, atoms_of
from seqsae.associations.captions.context import Occurrences, latest
from seqsae.associations.captions.facts import Facts, facts
from seqsae.associations.captions.lines import cluster_of
from seqsae.associations.concept_spans import Part
from seqsae.caption_options import CaptionConfig
from seqsae.features.sources import token_codes
from seqsae.records.covariates import Covariates


class Literal(NamedTuple):
    """One literal."""

    kind: str
    """token, family, seen, spell, position, covariate."""
    text: str


@dataclass
class Vocabulary:
    """The literals that hold in enough clusters of the select split; the first `atoms.names` of them are tokens and families."""

    atoms: Atoms
    around: np.ndarray
    """Atoms whose rows before and after are looked at, ascending."""
    known: list[Facts]
    windows: tuple[int, ...]
    looks_ahead: bool
    tokens: np.ndarray
    """[N] token number of every row of the store."""
    names: list[str]
    """Every token of the store."""
    literals: list[Literal]
    kept: np.ndarray
    """Columns of `_all` that the literals are."""

    def matrix(self, part: Part) -> sp.csr_array:
        """[n, literals] of 0 and 1 (int8) over the part's rows."""
        return sp.hstack([held for _, held in self._all(part)], format="csr")[:, self.kept].astype(np.int8)

    def _all(self, part: Part) -> Iterator[tuple[list[Literal], sp.sparray]]:
        tokens = self.tokens[part.rows]
        held = self.atoms.at(tokens)
        names = self.atoms.names
        told = [phrase(names, one, self.atoms.n_tokens) for one in range(len(names))]
        kinds = ["token" if one < self.atoms.n_tokens else "family" for one in range(len(names))]
        yield [Literal(kind, f"token {text}") for kind, text in zip(kinds, told, strict=True)], held
        yield from self._around(held[:, self.around], [told[one] for one in self.around], tokens, part)
        for one in self.known:
            yield [Literal(one.kind, text) for text in one.texts], one.at(part)

    def _around(self, held: sp.csr_array, told: list[str], tokens: np.ndarray, part: Part):
        """What stood, and stands, in the rows near by."""
        near = Occurrences(held, part)
        for window in self.windows:
            yield [Literal("seen", before(text, window)) for text in told], near.seen(window)
        yield [Literal("seen", before(text, None)) for text in told], near.seen(None)
        yield [Literal("seen", from_on(text)) for text in told], near.since()
        if self.looks_ahead:
            yield [Literal("seen", f"the next token {text}") for text in told], near.following()
        numbers = self._token_numbers()
        named = [self.names[one] for one in numbers]
        yield (
            [Literal("seen", f"latest {one.split('//')[0]}// is {one}") for one in named],
            latest(tokens, self.names, numbers, part),
        )

    def _token_numbers(self) -> np.ndarray:
        """Store numbers of the tokens with `//` among those whose surroundings are looked at."""
        place = {name: number for number, name in enumerate(self.names)}
        names = [self.atoms.names[one] for one in self.around if one < self.atoms.n_tokens]
        return np.array([place[name] for name in names if "//" in name], dtype=np.int64)


def vocabulary(covariates: Covariates, store: Store, part: Part, config: CaptionConfig) -> Vocabulary:
    """The literals that `part`, rows of the select split, has enough of.

    What stands in later rows is looked at only where the model sees them (`attention` bidirectional).
    """
    tokens, names = token_codes(store)
    atoms = atoms_of(tokens[part.rows], names, part, config.min_clusters, config.literals // 2)
    known = facts(covariates, store, part)
    ahead = store.model["attention"] == "bidirectional"
    room = config.literals - len(atoms.names) - sum(len(one.texts) for one in known)
    size = max(0, room // (len(config.windows) + 3 + ahead))
    around = np.sort(np.argsort(-atoms.rows, kind="stable")[:size])
    made = Vocabulary(atoms, around, known, config.windows, ahead, tokens, names, [], np.empty(0, np.int64))
    return _supported(made, part, config.min_clusters)


def _supported(made: Vocabulary, part: Part, min_clusters: int) -> Vocabulary:
    """Keep what holds in enough clusters, and not everywhere; tokens and families have been looked at already."""
    cluster = np.unique(cluster_of(part), return_inverse=True)[1].astype(np.int64)
    literals, kept, offset = [], [], 0
    for place, (named, held) in enumerate(made._all(part)):
        held = held.tocsc()
        rows = np.diff(held.indptr)
        good = (
            (_clusters(held, cluster) >= min_clusters) & (rows < len(cluster)) if place else np.ones(len(named), bool)
        )
        kept.append(offset + np.flatnonzero(good))
        literals += [one for one, well in zip(named, good, strict=True) if well]
        offset += len(named)
    made.literals, made.kept = literals, np.concatenate(kept)
    return made


def _clusters(held: sp.csc_array, cluster: np.ndarray) -> np.ndarray:
    """[m] clusters in which each column holds."""
    column = np.repeat(np.arange(held.shape[1]), np.diff(held.indptr))
    pairs = np.unique(column * (int(cluster.max(initial=0)) + 1) + cluster[held.indices])
    return np.bincount(pairs // (int(cluster.max(initial=0)) + 1), minlength=held.shape[1])


def phrase(names: list[str], atom: int, n_tokens: int) -> str:
    """`is T` or `begins with F`."""
    return f"is {names[atom]}" if atom < n_tokens else f"begins with {names[atom]}"


def before(text: str, window: int | None) -> str:
    """A literal on the rows before. `text`: `is T` or `begins with F`."""
    if window == 1:
        return f"the token before {text}"
    return f"{_thing(text)} seen " + ("before" if window is None else f"in the last {window} rows")


def from_on(text: str) -> str:
    """A literal that holds from an occurrence on."""
    return f"{_thing(text)} seen here or before"


def _thing(text: str) -> str:
    return text.removeprefix("is ") if text.startswith("is ") else f"a token that {text}"
