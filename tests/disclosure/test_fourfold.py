"""Cells of fires x class against counting by hand."""

import numpy as np
import scipy.sparse as sp

from seqsae.disclosure.fourfold import d2_four_cells, fourfold
from seqsae.disclosure.policy import NAMED


def by_hand(on, inside, owner):
    """[F, 4] distinct owners."""
    sides = [(fires, side) for fires in (True, False) for side in (1, 0)]
    columns = range(on.shape[1])
    return np.array(
        [[len(set(owner[(on[:, one] == fires) & (inside == side)])) for fires, side in sides] for one in columns]
    )


def test_distinct_owners_of_each_cell():
    rng = np.random.default_rng(0)
    on = rng.random((400, 7)) < rng.random(7)
    inside = rng.choice([0.0, 1.0, np.nan], 400)
    owner = rng.integers(5, 60, 400)
    found = fourfold(sp.csr_array(on.astype(float)), inside, owner)
    assert (
        np.stack([found.fires_in, found.fires_out, found.silent_in, found.silent_out], axis=1)
        == by_hand(on, inside, owner)
    ).all()


def test_all_four_need_enough_subjects_and_clusters():
    on = np.repeat([True, False], 40)[:, None]
    inside = np.tile([1.0, 0.0], 40)
    one = fourfold(sp.csr_array(on.astype(float)), inside, np.arange(80))
    homes = fourfold(sp.csr_array(on.astype(float)), inside, np.arange(80) // 8)
    assert d2_four_cells(one, one, NAMED["default"])[0] and not d2_four_cells(one, homes, NAMED["default"])[0]
    inside[:40:2][:12] = np.nan  # 8 left in one cell
    few = fourfold(sp.csr_array(on.astype(float)), inside, np.arange(80))
    assert few.fires_in[0] == 8 and not d2_four_cells(few, few, NAMED["default"])[0]
