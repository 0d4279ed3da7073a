"""Two releases one subject apart: what rounding hides is not told, and what it does not hide is."""

import pytest
from exports.audit.made import Made

from seqsae.exports.audit.leave_one_out import compare


def pair(folder, *changes):
    """The clean release and one with these cells changed."""
    whole, less = Made(), Made()
    for table, row, column, before, after in changes:
        whole.set(table, row, column, before)
        less.set(table, row, column, after)
    return compare(whole.write(folder / "whole"), less.write(folder / "less"))


def test_equal_releases_tell_nothing(tmp_path):
    found = pair(tmp_path)
    assert found.cells > 50 and found.one_sided == 0 and found.differences == () and found.told == ()


@pytest.mark.parametrize(
    "before, after, implied, told",
    [(105, 100, 5, False), (105, 104, 1, True), (110, 90, 20, False), (None, 10, None, False), (103, 100, 3, True)],
)
def test_counts(before, after, implied, told, tmp_path):
    found = pair(tmp_path, ("levels", 0, "subjects", before, after), ("levels", 0, "share", 0.5, 0.5))
    [one] = [one for one in found.differences if "subjects" in one.place]
    assert one.implied == implied and (one in found.told) == told


def test_a_share_of_an_exact_count_is_told(tmp_path):
    """Of 200, 52.5% is 105; 52% is 104, which no rounded count gives."""
    found = pair(tmp_path, ("levels", 0, "share", 0.525, 0.52), ("levels", 0, "subjects", 200, 200))
    [one] = found.differences
    assert one.implied == pytest.approx(1) and found.told == (one,)


def test_other_numbers_may_change(tmp_path):
    found = pair(tmp_path, ("associations", 0, "effect", 0.71, 0.7))
    assert len(found.differences) == 1 and found.told == ()
