"""What becomes a token: quantiles, roll-up of rare codes, and the counts."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from life2vec_cases import record
from seqsae_life2vec import quantiles
from seqsae_life2vec.codes import parents_of
from seqsae_life2vec.learning import learn, tell
from seqsae_life2vec.rollup import Holders, ancestors, roll_up
from seqsae_life2vec.vocabulary import SPECIALS, UNK, Vocabulary

from seqsae.errors import SeqsaeError
from seqsae.progress import shown


def learnt(lives, **options) -> Vocabulary:
    return learn(lambda: iter(lives), **({"min_subjects": 2} | options))


def some(*codes, values=None):
    return record(list(codes), [20 + i for i in range(len(codes))], values=values)


def test_rare_codes_without_parents_are_unknown_and_counted():
    lives = [some("MEDS_BIRTH", "A", "A", "RARE", "RARE"), some("A", "B"), some("B", "[MASK]")]
    words = learnt(lives)
    assert words.tokens == [*SPECIALS, "A", "B"]
    assert words.ids(np.array(["A", "RARE", "[MASK]", "[PAD]"])).tolist() == [10, UNK, UNK, UNK]
    assert words.counts == {
        "events": 7, "rolled_codes": 0, "rolled_events": 0, "unknown_codes": 1, "unknown_events": 2, "min_subjects": 2,
        "codes_with_quantiles": 0, "unknown_births": 0,
    }  # fmt: skip
    with pytest.raises(SeqsaeError, match="lower min_subjects"):
        learnt(lives, min_subjects=4)


def test_rare_months_and_years_of_birth_are_told_as_unknown(capsys):
    lives = [
        replace(some("MEDS_BIRTH", "A"), time=np.array([f"{year}-01-01"] * 2, "datetime64[us]")) for year in (1, 1, 2)
    ]
    words = learnt(lives, birth_tokens=True)
    assert words.tokens[10:] == ["A", "MONTH_1", "YEAR_1"] and words.counts["unknown_births"] == 1
    with shown():
        tell(words)
    assert "0 (0 events) and 1 MONTH_m and YEAR_y of births held by fewer than 2 subjects" in capsys.readouterr().err


def test_rare_codes_go_to_their_nearest_frequent_parent():
    lives = [some("I210", "X"), some("I211", "X"), some("I300", "Y"), some("I30", "I30", "Y"), some("I30")]
    parents = {"I210": ["I21"], "I211": ["I21"], "I300": ["I30"], "I21": ["I"], "I30": ["I"]}
    words = learnt(lives, parents=parents)
    assert words.tokens[10:] == ["I21", "I30", "X", "Y"]  # I21 is no event's code, yet two subjects end at it
    assert words.rolled == {"I210": "I21", "I211": "I21", "I300": "I30"}
    assert words.ids(np.array(["I211", "I300"])).tolist() == [words.index["I21"], words.index["I30"]]
    assert (words.counts["rolled_codes"], words.counts["rolled_events"], words.counts["unknown_codes"]) == (3, 3, 0)


def test_rare_quantiles_fall_back_on_their_code_and_then_on_its_parents():
    lives = [some("L", values=[v]) for v in (1, 1, 2, 3)] + [some("M", values=[v]) for v in (1.0, 2.0)]
    words = learnt(lives, quantiles=3, parents={"M": ["LAB"]}, min_subjects=2)
    assert words.edges == {"L": pytest.approx([1.0, 2.0])}
    assert words.tokens[10:] == ["L//Q2", "L//Q3", "M"]
    lives = [some("L", values=[v]) for v in (1, 2, 3)] + [some("K")]
    words = learnt(lives, quantiles=3, parents={"L": ["LAB"], "K": ["LAB"]}, min_subjects=3)
    assert words.tokens[10:] == ["L"]  # the three quantiles together
    assert words.counts["unknown_events"] == 1  # LAB would have K alone
    assert words.ids(np.array(["L//Q1", "L//Q9"])).tolist() == [10, 10]


def test_edges_come_from_finite_values_of_codes_with_enough_of_them():
    values = [*np.arange(8.0), np.nan, np.inf]
    lives = [some(*["A"] * 10, values=values), some("B", "B", values=[1, 2])]
    edges = quantiles.fit(lives, 4)
    assert edges == {"A": pytest.approx([1.75, 3.5, 5.25])}
    words = Vocabulary(list(SPECIALS), edges)
    named = words.names(np.array(["A"] * 5), np.array([1, 1.75, 99, np.inf, np.nan]))
    assert named.tolist() == ["A//Q1", "A//Q2", "A//Q4", "A//Q4", "A"]
    assert quantiles.fit(lives, 0) == quantiles.fit(lives, 1) == {}


def test_month_and_year_of_birth_are_tokens_where_asked_for():
    lives = [record(["MEDS_BIRTH", "A"], [year, 30]) for year in (0, 0.02, 1.5)]
    assert learnt(lives, birth_tokens=True).tokens[10:] == ["A", "MONTH_1", "YEAR_1980"]
    assert learnt(lives).tokens[10:] == ["A"]


def test_parents_come_from_the_code_table():
    class Data:
        code_table = pl.DataFrame({"code": ["A", "B"], "parent_codes": [["X", "Y"], []]})

    assert parents_of(Data()) == {"A": ["X", "Y"]}
    assert parents_of([]) == {}


def test_ancestors_end_in_a_cycle_and_name_none_twice():
    assert ancestors("a", {"a": ["c", "b"], "b": ["d"], "c": ["d", "a"], "d": ["b"]}) == [["a"], ["b", "c"], ["d"]]


names = st.sampled_from("abcdefgh")


@settings(max_examples=200)
@given(
    st.lists(st.sets(names, max_size=3), max_size=12),
    st.dictionaries(names, st.lists(st.sampled_from("abcdefghXY"), max_size=2), max_size=8),
    st.integers(1, 4),
)
def test_every_token_that_is_read_has_enough_subjects(subjects, parents, least):
    holders = Holders(least)
    for number, tokens in enumerate(subjects):
        holders.add(tokens, number)
    rolled = roll_up(holders, lambda token: ancestors(token, parents))
    reads = {}
    for number, tokens in enumerate(subjects):
        for token in tokens:
            end = token if token in holders.frequent else rolled.get(token)
            if end is not None:
                assert any(end in level for level in ancestors(token, parents))
                reads.setdefault(end, set()).add(number)
    assert all(len(who) >= least for who in reads.values())
    assert holders.frequent == {t for t in "abcdefgh" if sum(t in tokens for tokens in subjects) >= least}


def test_a_vocabulary_must_start_with_the_specials_and_name_a_token_once():
    with pytest.raises(SeqsaeError, match="starts with"):
        Vocabulary(["A", *SPECIALS])
    with pytest.raises(SeqsaeError, match="'A' stands twice"):
        Vocabulary([*SPECIALS, "A", "A"])
