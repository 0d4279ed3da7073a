"""Rules: terms joined by `and`, each a literal or a union of tokens; where they hold, and what they are in words."""

import numpy as np
import scipy.sparse as sp

from seqsae.associations.captions.literals import Literal, Vocabulary

Rule = tuple[tuple[int, ...], ...]
"""Terms, each the numbers of its literals, of which one must hold; all terms must. The empty rule always holds."""


def size(rule: Rule) -> int:
    """Literals in a rule."""
    return sum(len(term) for term in rule)


def held(literals: sp.csr_array, rules: list[Rule]) -> sp.csr_array:
    """[n, rules] bool: where each rule holds, from the literals [n, m]."""
    terms = sorted({term for rule in rules for term in rule})
    number = {term: place for place, term in enumerate(terms)}
    of_terms = _choice(
        [(literal, place) for place, term in enumerate(terms) for literal in term], literals.shape[1], len(terms)
    )
    of_rules = _choice(
        [(number[term], place) for place, rule in enumerate(rules) for term in rule], len(terms), len(rules)
    )
    hits = literals.astype(np.int32) @ of_terms
    hits.data[:] = 1
    counts = (hits @ of_rules).tocsr()
    needed = np.array([len(rule) for rule in rules], np.int32)
    counts.data = (counts.data == needed[counts.indices]).astype(np.int32)
    counts.eliminate_zeros()
    return counts.astype(bool)


def _choice(pairs: list[tuple[int, int]], n: int, m: int) -> sp.csr_array:
    rows, columns = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return sp.csr_array((np.ones(len(rows), np.int32), (rows, columns)), shape=(n, m))


def kind(rule: Rule, literals: list[Literal]) -> str:
    """What its literals are, `mixed` if several things, `none` without any."""
    kinds = {literals[one].kind for term in rule for one in term}
    return "none" if not kinds else kinds.pop() if len(kinds) == 1 else "mixed"


def words(rule: Rule, known: Vocabulary) -> list[str]:
    """A text a term."""
    return [_union(term, known) if len(term) > 1 else known.literals[term[0]].text for term in rule]


def _union(term: tuple[int, ...], known: Vocabulary) -> str:
    atoms = known.atoms
    tokens = [atoms.names[one] for one in term if one < atoms.n_tokens]
    families = [atoms.names[one] for one in term if one >= atoms.n_tokens]
    parts = [f"is one of {', '.join(tokens)}" if len(tokens) > 1 else f"is {tokens[0]}"] if tokens else []
    parts += [f"begins with {' or '.join(families)}"] if families else []
    return f"token {' or '.join(parts)}"
