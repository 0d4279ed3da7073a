"""The document layout, by hand and by its properties."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from life2vec_cases import BORN, PLAIN, record, words
from seqsae_life2vec.layout import Layout
from seqsae_life2vec.tokenizer import PREFIX, UNKNOWN_AGE, encode
from seqsae_life2vec.vocabulary import CLS, SEP, UNK, Vocabulary

from seqsae.errors import SeqsaeError

PUBLISHED = Layout(64)


def test_the_published_layout_by_hand():
    months = words("MONTH_1", "YEAR_1980")
    coded = encode(record(["SEX//F", "MEDS_BIRTH", "A", "B", "C"], [None, 0, 30.5, 30.5, 31]), months, PUBLISHED)
    index = months.index
    a, b, c, sex, month, year = (index[t] for t in ("A", "B", "C", "SEX//F", "MONTH_1", "YEAR_1980"))
    assert coded.token.tolist() == [CLS, sex, month, year, SEP, a, b, SEP, c, SEP]
    assert coded.segment.tolist() == [1] * 5 + [2] * 3 + [3] * 2
    assert coded.age.tolist() == [0] * 5 + [30] * 3 + [31] * 2
    days = (BORN - np.datetime64("2008-01-01")) / np.timedelta64(1, "D") + 1
    assert coded.time.tolist() == [0] * 5 + [np.floor(days + 30.5 * 365.25)] * 3 + [np.floor(days + 31 * 365.25)] * 2
    assert coded.dated.tolist() == [False] * 4 + [True] * 6
    assert coded.event.tolist() == [-1, 0, 1, 1, -1, 2, 3, -1, 4, -1]
    assert coded.moment.tolist() == [0] * 5 + [1] * 3 + [2] * 2


def test_without_separators_and_whole_units():
    coded = encode(record(["SEX//F", "MEDS_BIRTH", "A"], [None, 0, 30.5]), words(), PLAIN)
    assert coded.event.tolist() == [-1, 0, 2]
    assert coded.age.tolist() == pytest.approx([0, 0, 30.5])
    assert coded.dated.tolist() == [False, False, True]


def test_segments_cycle_by_moment_from_the_first_of_the_record():
    coded = encode(record(list("ABCAB"), [20, 20, 21, 22, 23]), words(), PLAIN)
    assert coded.segment.tolist() == [1, 2, 2, 3, 1, 2]


def test_without_a_birth_the_age_is_unknown_and_time_still_counts():
    coded = encode(record(["A", "B"], [28, 29]), words(), PLAIN)
    assert coded.age[1:].tolist() == [UNKNOWN_AGE] * 2
    assert np.diff(coded.time[1:]).tolist() == pytest.approx([365.25], abs=0.01)


def test_the_first_of_two_births_counts_and_events_before_it_have_age_zero():
    coded = encode(record(["A", "MEDS_BIRTH", "B", "MEDS_BIRTH//X", "C"], [-2, 0, 10, 12, 20]), words(), PLAIN)
    assert coded.age[1:].tolist() == pytest.approx([0, 10, 20])
    assert (coded.counts["before_birth"], coded.counts["second_births"]) == (1, 1)


def test_a_birth_without_a_time_says_nothing():
    coded = encode(record(["MEDS_BIRTH", "A"], [None, 20]), words(), PUBLISHED)
    assert coded.event.tolist() == [-1, -1, 1, -1]
    assert coded.age[2] == UNKNOWN_AGE


def test_a_record_of_static_rows_alone_is_its_background():
    coded = encode(record(["SEX//F", "X"], [None, None]), words(), PUBLISHED)
    assert coded.token.tolist() == [CLS, words().index["SEX//F"], UNK, SEP]
    assert (coded.counts["events"], coded.counts["unknown"]) == (0, 1)


def test_null_values_are_plain_codes_and_others_quantiles():
    cut = Vocabulary([*words().tokens, "A//Q1", "A//Q2"], edges={"A": [5.0]})
    coded = encode(record(list("AAAB"), [1, 2, 3, 4], values=[4, 5, np.nan, 4]), cut, PLAIN)
    assert coded.name.tolist() == ["A//Q1", "A//Q2", "A", "B"]
    assert coded.token.tolist() == [CLS, *(cut.index[t] for t in ("A//Q1", "A//Q2", "A", "B"))]
    odd = encode(replace(record(["A"], [1]), numeric_value=None), cut, PLAIN)
    assert odd.name.tolist() == ["A"]


def test_ten_thousand_events_are_clipped_and_counted():
    coded = encode(record(["A"] * 10_000, list(np.arange(10_000) / 100)), words(), PUBLISHED)
    assert len(coded) == 64
    assert coded.counts["events"] + coded.counts["events_clipped"] == 10_000
    assert coded.event[coded.row].tolist() == list(range(9_969, 10_000))


def test_a_moment_longer_than_the_document_is_passed_over_whole():
    coded = encode(record(["A", *["B"] * 70, "C"], [1, *[2] * 70, 3]), words(), PUBLISHED)
    assert coded.event[coded.row].tolist() == [0, 71]
    assert coded.segment[coded.row].tolist() == [2, 1]
    assert coded.counts["events_clipped"] == 70
    assert (coded.counts["long_moments"], coded.counts["long_newest_moments"]) == (1, 0)
    newest = encode(record(["A", *["B"] * 70], [1, *[2] * 70]), words(), PUBLISHED)
    assert newest.event[newest.row].tolist() == [0] and newest.counts["long_newest_moments"] == 1


def test_values_that_no_quantile_tells_and_lives_without_a_birth_are_counted():
    cut = Vocabulary([*words().tokens, "A//Q1", "A//Q2"], edges={"A": [5.0]})
    life = record(["SEX//F", "A", "B", "B"], [None, 1, 2, 3], values=[1, 4, 4, np.nan])
    counts = encode(life, cut, PLAIN).counts
    assert (counts["unread_values"], counts["without_birth"]) == (2, 1)
    assert encode(record(["MEDS_BIRTH", "A"], [0, 1]), cut, PLAIN).counts["without_birth"] == 0


def test_a_long_background_leaves_room_for_an_event():
    coded = encode(record([*["SEX//F"] * 100, "A"], [*[None] * 100, 1]), words(), PUBLISHED)
    assert len(coded) == 64
    assert coded.event[coded.row].tolist() == [*range(60), 100]
    assert coded.counts["background_clipped"] == 40


def test_an_impossible_reference_is_refused():
    with pytest.raises(SeqsaeError, match="it must be a date"):
        Layout(reference="today")


@st.composite
def lives(draw):
    """Ragged records: static rows, births anywhere or nowhere, moments of one or many rows."""
    static = draw(st.integers(0, 4))
    steps = draw(st.lists(st.sampled_from([0, 0, 0.5, 1, 7]), max_size=40))
    years = np.cumsum([10, *steps])[1:].tolist() if steps else []
    codes = draw(
        st.lists(st.sampled_from(["A", "B", "C", "NEW", "MEDS_BIRTH"]), min_size=len(years), max_size=len(years))
    )
    return record(["SEX//F"] * static + codes, [None] * static + years)


layouts = st.builds(Layout, st.integers(4, 40), st.booleans(), st.booleans(), whole_units=st.booleans())


@settings(max_examples=150)
@given(lives(), layouts)
def test_a_document_holds_whole_moments_and_says_what_it_left_out(lived, layout):
    coded = encode(lived, words(), layout)
    assert len(coded) <= layout.max_length
    dated = ~np.isnat(lived.time) & (lived.code != "MEDS_BIRTH")
    shown = coded.event[coded.row & (coded.moment > PREFIX)]
    assert coded.counts["events"] == len(shown)
    assert len(shown) + coded.counts["events_clipped"] == dated.sum()
    for moment in np.unique(lived.time[shown]):  # all rows of a moment or none
        assert set(np.flatnonzero(dated & (lived.time == moment))) <= set(shown)
    left = np.setdiff1d(np.flatnonzero(dated), shown)
    sizes = {m: (dated & (lived.time == m)).sum() + layout.separators for m in np.unique(lived.time[dated])}
    free = layout.max_length - len(coded)
    latest_left = max((m for m in sizes if m in set(lived.time[left])), default=None)
    assert latest_left is None or sizes[latest_left] > free


@settings(max_examples=150)
@given(lives(), layouts)
def test_rows_stand_where_their_events_are(lived, layout):
    coded = encode(lived, words(), layout)
    row = coded.row
    assert not row[coded.token == CLS].any() and not row[coded.token == SEP].any()
    assert len(coded.name) == row.sum()
    events = row & (coded.moment > PREFIX)
    assert (np.diff(coded.event[events]) > 0).all()
    assert coded.name[-events.sum() or len(coded.name) :].tolist() == lived.code[coded.event[events]].tolist()
    same = np.diff(lived.time[coded.event[events]]).astype(int) == 0
    assert (same == (np.diff(coded.moment[events]) == 0)).all()
    for channel in (coded.token, coded.age, coded.time, coded.segment, coded.dated, coded.moment, coded.event):
        assert len(channel) == len(coded)


@settings(max_examples=150)
@given(lives(), st.booleans(), st.integers(0, 40))
def test_what_is_known_at_a_moment_reads_the_same_when_more_is_known(lived, separators, cut):
    layout = Layout(400, separators, birth_tokens=False)
    dated = lived.time[~np.isnat(lived.time)]
    if not len(dated):
        return
    early = encode(lived.until(dated[min(cut, len(dated) - 1)]), words(), layout)
    born = np.flatnonzero(lived.code == "MEDS_BIRTH")
    if len(born) and born[0] >= len(lived.until(dated[min(cut, len(dated) - 1)]).code):
        return  # the birth itself is still to come: ages are not known yet
    whole = encode(lived, words(), layout)
    for channel in ("token", "age", "time", "segment", "event"):
        assert np.array_equal(getattr(early, channel), getattr(whole, channel)[: len(early)])
