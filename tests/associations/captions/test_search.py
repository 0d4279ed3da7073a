"""The search against loops over every literal, and against every conjunction there is."""

import numpy as np
import pytest
import scipy.sparse as sp
from associations.captions import made
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seqsae.associations.captions import search as searching
from seqsae.associations.captions.rules import held, size
from seqsae.associations.captions.search import Ground, best_unions, search
from seqsae.caption_options import CaptionConfig

A = 5  # tokens 0 to 3 and a family of 0 and 1


def drawn(seed: int, n: int = 40, m: int = 9, features: int = 4):
    """Literals [n, m], the first five tokens and a family, and firing of which some follows literals."""
    rng = np.random.default_rng(seed)
    token = rng.integers(0, 5, n)
    literals = np.column_stack(
        [*(token == one for one in range(4)), token < 2, *(rng.random(n) < rng.uniform(0.1, 0.8) for _ in range(m - A))]
    )
    clash = np.eye(A, dtype=bool)
    clash[4, :2] = clash[:2, 4] = True
    fires = rng.random((n, features)) < 0.2
    fires[:, 1] = (literals[:, 2] | literals[:, 3]) ^ (rng.random(n) < 0.05)
    fires[:, 2] = literals[:, 5] & literals[:, 6]
    fires[:, 3] = False
    return literals, clash, fires


def ground(literals, clash, **options):
    return Ground(sp.csr_array(literals.astype(np.int8)), 4, clash, CaptionConfig(**options))


@settings(max_examples=20, deadline=None)
@example(seed=782, margin=0.0)  # a conjunction that never holds
@given(seed=st.integers(0, 10_000), margin=st.sampled_from([0.0, 0.01, 0.05]))
def test_the_rule_is_that_of_loops(seed, margin):
    literals, clash, fires = drawn(seed)
    found = search(ground(literals, clash, margin=margin), sp.csr_array(fires))
    for f in range(3):
        rule, f1 = made.brute(literals, fires[:, f], clash, margin, searching.BEAM)
        assert found.rules[f] == rule and found.f1[f] == pytest.approx(f1, abs=1e-12)
        assert (
            found.f1[f] - margin * (size(found.rules[f]) - 1)
            >= max(made.f1_of(((one,),), literals, fires[:, f]) for one in range(literals.shape[1])) - 1e-12
        )
        singles = [made.f1_of(((one,),), literals, fires[:, f]) for one in range(4)]
        assert found.tokens[f] == (((int(np.argmax(singles)),),) if max(singles) else ())
    assert found.rules[3] == () and found.f1[3] == 0


def test_a_planted_conjunction_is_the_best_of_all_there_are():
    literals, clash, fires = drawn(3, n=60)
    found = search(ground(literals, clash), sp.csr_array(fires))
    assert found.rules[2] == ((5,), (6,)) and found.f1[2] == 1
    assert found.f1[2] - 0.01 == pytest.approx(made.exhaustive(literals, fires[:, 2], 0.01))
    assert found.rules[1] == ((2, 3),)


def test_blocks_of_rows_and_features_change_nothing(monkeypatch):
    literals, clash, fires = drawn(5, n=300, features=9)
    whole = search(ground(literals, clash), sp.csr_array(fires))
    monkeypatch.setattr(searching, "ROWS", 17)
    monkeypatch.setattr(searching, "FEATURES", 2)
    monkeypatch.setattr(searching, "WIDE", 0.0)
    parts = search(ground(literals, clash), sp.csr_array(fires))
    assert whole.rules == parts.rules and whole.tokens == parts.tokens and np.array_equal(whole.f1, parts.f1)


def test_a_union_takes_no_token_beside_its_family_and_no_member_that_adds_too_little():
    tp = np.array([[10.0, 9, 8, 0.1, 19]])
    called = np.array([10.0, 9, 10, 40, 19])
    clash = np.eye(A, dtype=bool)
    clash[4, :2] = clash[:2, 4] = True
    [(f1, members)] = best_unions(tp, called, np.array([30.0]), clash, CaptionConfig())
    assert members == (2, 4) and f1 == pytest.approx(2 * 27 / (29 + 30))
    [(_, few)] = best_unions(tp, called, np.array([30.0]), clash, CaptionConfig(union=1))
    assert few == (4,)


def test_terms_and_margin_bound_a_rule():
    literals, clash, fires = drawn(7, n=200, m=14)
    for terms in (1, 2):
        found = search(ground(literals, clash, terms=terms, margin=0), sp.csr_array(fires))
        assert max(len(rule) for rule in found.rules) <= terms
    dear = search(ground(literals, clash, margin=0.9), sp.csr_array(fires))
    assert max(size(rule) for rule in dear.rules) == 1


def test_where_a_rule_holds_is_what_its_words_say():
    literals, _, _ = drawn(1)
    rules = [((0, 2), (5,)), ((6,),), (), ((0, 2), (5,), (7,))]
    where = held(sp.csr_array(literals.astype(np.int8)), rules).toarray()
    for i, row in enumerate(literals):
        assert where[i, 0] == ((row[0] or row[2]) and row[5]) and where[i, 1] == row[6]
        assert where[i, 3] == ((row[0] or row[2]) and row[5] and row[7])
    assert not where[:, 2].any(), "the rule of a feature without one calls nothing"
