import numpy as np
import pytest
import torch
from scipy.integrate import trapezoid

from seqsae.sae.choosing.goldilocks import Member, stickiness, zone
from seqsae.sae.quality.dictionaries import directions
from seqsae.sae.quality.metrics import measure
from seqsae.sae.spec import Budget, Spec
from seqsae.sae.training.stream import ArrayStream
from seqsae.sae.training.train import train


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ([0.0, 0.0, 0.0, 0.0], 0.125),  # fallen by the first measurement: a triangle of the first quarter
        ([1.0, 1.0, 1.0, 0.0], 0.875),  # stuck until the last
        ([0.75, 0.5, 0.25, 0.0], 0.5),  # a straight line
        ([1.0, 1.2, 1.0, 1.0], 1.0),  # never fell
        ([0.75, 0.5, 0.25, 0.5], (0.875 + 0.625 + 0.375 + 0.375 - 4 * 0.25) / 4 / 0.75),
    ],
)
def test_stickiness_by_hand(loss, expected):
    assert stickiness([10, 20, 30, 40], loss) == pytest.approx(expected)


def test_stickiness_is_the_mean_height_over_rows_and_knows_no_scale():
    rows = np.sort(np.random.default_rng(0).integers(1, 10**6, 50))
    loss = 1 / (1 + rows / 1e5)
    expected = trapezoid(np.r_[1, loss] - loss.min(), np.r_[0, rows]) / rows[-1] / (1 - loss.min())
    assert stickiness(rows.tolist(), loss.tolist()) == pytest.approx(expected)
    assert stickiness((7 * rows).tolist(), (5 * loss).tolist(), start=5.0) == pytest.approx(expected)


def test_stickiness_of_a_curve_with_holes_or_of_one_point_is_unknown():
    assert stickiness([1, 2], [0.5, None]) is None and stickiness([1, 2], [0.5, float("nan")]) is None
    assert stickiness([5], [0.5], start=None) is None and stickiness([], []) is None


def _member(name, rows, sparsity=4.0, dead=0.0, fvu=(0.5, 0.2)):
    return Member(name, len(rows), sparsity, rows, dead, [100, 200][: len(fvu)], fvu)


def _sweep():
    """A truth of 40 directions; 20: half of them; 40: all; 80, 160: all and random ones. Then an over-sparse series."""
    generator = torch.Generator().manual_seed(0)
    truth, other = torch.randn(40, 32, generator=generator), torch.randn(300, 32, generator=generator)
    blurred = truth[:20] + truth[20:]
    return [
        _member("a20", blurred, fvu=(0.6, 0.4)),
        _member("a40", truth, fvu=(0.4, 0.1)),
        _member("a80", torch.cat([truth, other[:40]]), fvu=(0.4, 0.09)),
        _member("a160", torch.cat([truth, other[80:200]]), fvu=(0.4, 0.09)),
        _member("b40", truth, sparsity=1.0, dead=0.6),
        _member("b80", torch.cat([truth, other[200:240]]), sparsity=1.0, dead=0.7),
    ]


def test_the_zone_is_where_dictionaries_agree_with_larger_ones_and_live():
    found = {row["name"]: row for row in zone(_sweep()).iter_rows(named=True)}
    assert {name: row["zone"] for name, row in found.items()} == {
        "a20": False, "a40": True, "a80": False, "a160": None, "b40": False, "b80": None
    }  # fmt: skip
    assert found["a40"]["agreement"] == pytest.approx(1, abs=1e-5)
    assert found["b40"]["agreement"] == pytest.approx(1, abs=1e-5)  # dead latents keep it out
    assert found["a20"]["fall"] is None and found["a40"]["fall"] == pytest.approx(0.75)
    assert found["a160"]["fall"] == pytest.approx(0)
    assert 0.3 < found["a40"]["chance"] < 0.6


def test_the_zone_of_nothing_or_of_one_is_unknown():
    assert zone([]).is_empty()
    assert zone(_sweep()[:1])["zone"].to_list() == [None]
    lone = Member("x", 40, 4.0, torch.eye(40), None, [], [])
    assert zone([lone]).row(0, named=True)["fvu"] is None


def test_a_real_sweep_over_widths_finds_the_planted_size(plant):
    """32 planted directions in 24 dimensions, 2 at a time: the dictionary of 32 agrees with the larger ones, that of 8 less."""
    planted = plant(d=24, directions=32, active=2, n=8_000, seed=3)
    widths = [8, 32, 64]
    specs = [Spec(width, 2, lr=1e-2) for width in widths]
    trained = train(
        ArrayStream(planted.rows[:7000], seed=0), "array", specs, Budget(400, 128, every=100), [planted.rows[7000:]]
    )
    members = []
    for index, (width, sae) in enumerate(zip(widths, trained.saes, strict=True)):
        mine = trained.metrics.filter(trained.metrics["sae"] == index)
        dead = measure(sae, [planted.rows[7000:]]).dead
        curve = mine["rows"].to_list(), mine["fvu"].to_list()
        members.append(Member(f"w{width}", width, 2.0, directions(sae), dead, *curve))
    found = zone(members)
    agreement = dict(zip(found["name"], found["agreement"], strict=True))
    assert agreement["w32"] > agreement["w8"]
    assert found.filter(found["name"] == "w32")["fall"][0] > 0.2
    assert all(0 <= value <= 1 for value in found["stickiness"])
