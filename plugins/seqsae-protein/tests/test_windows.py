"""Windows over a sequence: every residue in one of them, where it is furthest from a cut."""

import numpy as np
import pytest
from seqsae_protein.windows import owners, spans

CASES = [
    (n, longest, overlap) for n in (1, 7, 8, 9, 20, 31, 100) for longest, overlap in ((8, 0), (8, 2), (8, 7), (5, 1))
]


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("n", "longest", "overlap"), CASES)
def test_windows_cover_and_overlap(n, longest, overlap, causal):
    found = spans(n, longest, overlap, causal)
    assert found[0][0] == 0 and found[-1][1] == n and all(0 < end - start <= longest for start, end in found)
    for (start, end), (after, last) in zip(found, found[1:], strict=False):
        assert start < after and end < last, "no window is of no use"
        assert end - after >= overlap
    if not causal and n > longest:
        assert {end - start for start, end in found} == {longest}


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("n", "longest", "overlap"), CASES)
def test_each_residue_has_its_row_where_it_is_furthest_from_a_cut(n, longest, overlap, causal):
    found = spans(n, longest, overlap, causal)
    owner = owners(n, found, causal)
    assert (np.diff(owner) >= 0).all() and len(owner) == n
    for residue in range(n):
        cuts = {}
        for index, (start, end) in enumerate(found):
            if start <= residue < end:
                left = residue - start if start > 0 else n
                right = end - 1 - residue if end < n else n
                cuts[index] = min(left, right)
        expected = min(cuts) if causal else max(cuts, key=lambda index: (cuts[index], -index))
        assert owner[residue] == expected


def test_what_follows_changes_no_causal_window():
    long, short = spans(40, 8, 3, causal=True), spans(23, 8, 3, causal=True)
    assert (owners(40, long, True)[:23] == owners(23, short, True)).all()
    assert [start for start, _ in long][: len(short)] == [start for start, _ in short]
