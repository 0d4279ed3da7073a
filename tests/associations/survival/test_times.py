"""Times are checked once: each fault gets one line that says how many units, and which is the first."""

import numpy as np
import pytest

from seqsae.associations.survival.times import Times, cluster_codes
from seqsae.errors import SeqsaeError


@pytest.mark.parametrize(
    ("entry", "time", "event", "said"),
    [
        ([0, 0, 0], [1, -2, -3], [1, 0, 0], r"2 of 3 units have a negative .*first: unit 1"),
        ([0, np.nan, 0], [1, 2, 3], [1, 0, 0], r"1 of 3 units have an entry or time that is NaN.*first: unit 1"),
        ([0, 0, 0], [1, 2, np.inf], [1, 0, 0], r"infinite \(first: unit 2\)"),
        ([1, 0, 3], [1, 2, 3], [1, 0, 0], r"2 of 3 units have an entry at or after.*first: unit 0"),
        (None, [0, 2, 3], [1, 0, 0], r"1 of 3 units have an entry at or after"),
        (None, [1, 2, 3], [1, 2, 0], r"1 of 3 units have an event that is neither"),
        (None, [1, 2, 3], [0, 0, 0], r"none of the 3 units has the event"),
        (None, [], [], r"none of the 0 units"),
        ([0, 0], [1, 2, 3], [1, 0, 0], r"have 2, 3 and 3 units"),
    ],
)
def test_faults_get_one_line(entry, time, event, said):
    with pytest.raises(SeqsaeError, match=said) as error:
        Times(entry, time, event)
    assert "\n" not in str(error.value)


def test_entry_may_be_left_out():
    times = Times(None, [1, 2], [True, False])
    assert times.entry.tolist() == [0, 0] and times.event.dtype == bool and len(times) == 2


def test_cluster_codes():
    assert cluster_codes(np.array(["b", "a", "b"]), 3).tolist() == [1, 0, 1]
    assert cluster_codes(None, 2).tolist() == [0, 1]
    with pytest.raises(SeqsaeError, match="one label for each of the 4"):
        cluster_codes(np.zeros(3), 4)
