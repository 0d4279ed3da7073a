"""Which rows of a record reach the model: whole moments, the newest; static rows in front; all that is lost counted."""

from dataclasses import replace

import numpy as np
import pytest
from models.code_models import CODES, record

from seqsae.errors import SeqsaeError
from seqsae.models.meds_layout import Layout, Losses, lay_out
from seqsae.models.meds_vocabulary import Vocabulary

WORDS = Vocabulary({code: i + 2 for i, code in enumerate(CODES)}, 14, pad=0, unknown=None, mask=None, start=1, end=None)


def laid(moments, static=0, max_length=6, **options):
    lost = Losses()
    one = record(moments, static)
    return lay_out(one, WORDS, Layout(max_length, **{"start": "none", **options}), lost), lost, one


@pytest.mark.parametrize(
    ("moments", "kept"),
    [
        ([0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5]),
        ([0, 1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6]),
        ([0, 0, 1, 2, 3, 4, 5], [2, 3, 4, 5, 6]),
        ([0, 1, 1, 1, 2, 2, 2, 2], [4, 5, 6, 7]),
        ([0, 1, 1, 1, 1, 1, 1], [1, 2, 3, 4, 5, 6]),
        ([0, 1, 1, 1, 1, 1, 1, 1], [2, 3, 4, 5, 6, 7]),
        ([0] * 9, [3, 4, 5, 6, 7, 8]),
    ],
)
def test_the_newest_whole_moments_are_kept(moments, kept):
    found, lost, one = laid(moments)
    assert found.event.tolist() == kept
    assert lost.clipped == len(moments) - len(kept) and lost.shortened == (lost.clipped > 0)
    days = one.time[kept]
    whole = set(one.time.tolist()) - set(np.delete(one.time, kept).tolist())
    assert lost.cut == (not set(days.tolist()) <= whole)


def test_no_moment_is_ever_cut_apart_while_one_fits():
    rng = np.random.default_rng(0)
    for seed in range(200):
        moments = np.sort(rng.integers(0, 9, rng.integers(1, 25))).tolist()
        found, lost, _ = laid(moments, max_length=int(rng.integers(3, 20)))
        kept = [moments[event] for event in found.event]
        assert kept == moments[len(moments) - len(kept) :], seed
        if not lost.cut:
            assert all(kept.count(day) == moments.count(day) for day in kept), seed


def test_static_rows_stand_in_front_and_leave_half_to_the_events():
    found, lost, one = laid([0, 1, 2, 3, 4, 5], static=2)
    assert found.event.tolist() == [0, 1, 4, 5, 6, 7] and lost.clipped == 2 and lost.static == 0
    found, lost, _ = laid([0, 1, 2, 3, 4, 5], static=9)
    assert found.event.tolist() == [0, 1, 2, 12, 13, 14] and lost.static == 6 and lost.clipped == 3
    found, lost, _ = laid([0], static=9)
    assert found.event.tolist() == [0, 1, 2, 3, 4, 9] and lost.static == 4 and lost.clipped == 0
    assert len(one.code) == 8


def test_values_that_are_not_read_are_counted():
    lost, one = Losses(), record([0, 1, 2], static=1)
    one = replace(one, numeric_value=np.array([1.5, np.nan, 2.5, np.inf], "float32"))
    lay_out(one, WORDS, Layout(6, start="none"), lost)
    assert lost.lines("left out") == ["2 rows have values, which this model does not read"]


def test_special_tokens_take_their_place_and_are_no_rows():
    found, _, one = laid([0, 1, 2, 3, 4, 5], start="auto", end=3)
    assert found.ids[0] == 1 and found.ids[-1] == 3 and len(found.ids) == 6
    assert found.rows.tolist() == [False, True, True, True, True, False]
    assert found.event.tolist() == [2, 3, 4, 5]
    assert [WORDS.ids[code] for code in one.code[2:]] == found.ids[1:-1].tolist()


def test_records_of_another_kind_or_order_are_refused():
    with pytest.raises(SeqsaeError, match="subject 0: its events are not in time order"):
        laid([3, 1])
    with pytest.raises(SeqsaeError, match="reads MEDS records"):
        lay_out(replace(record([0]), code=None), WORDS, Layout(6), Losses())
