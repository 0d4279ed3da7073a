"""Comparing the SAEs of a sweep, on rows with a known number of directions."""

import polars as pl
import pytest
import torch
from sae.by_hand import random_sae, sae_of

from seqsae.errors import SeqsaeError
from seqsae.sae.choosing.frontier import Point, Seen, frontier
from seqsae.sae.choosing.recommending import Data, recommend
from seqsae.sae.choosing.splitting import splitting
from seqsae.sae.choosing.stitching import stitching
from seqsae.sae.choosing.sweep import compare, neighbours
from seqsae.sae.spec import Budget, Spec
from seqsae.sae.training.stream import ArrayStream
from seqsae.sae.training.train import train

BARE = pl.DataFrame(schema={"rows": pl.Int64, "fvu": pl.Float64})


@pytest.fixture(scope="module")
def trained(plant):
    """24 directions in 16 dimensions, 3 a row; widths around that, in one pass."""
    rows = plant(d=16, directions=24, active=3, n=7000).rows
    specs = [Spec(width, k, seed=seed, lr=1e-2) for width in (8, 24, 96) for k in (1, 3, 6) for seed in (0, 1)]
    torch.set_num_threads(1)
    made = train(ArrayStream(rows[:6000]), "array", specs, Budget(200, 256, every=100), [rows[6000:]])
    metrics = [made.metrics.filter(pl.col("sae") == place) for place in range(len(specs))]
    names = [f"{spec.width}x{spec.k}-{spec.seed}" for spec in specs]
    return [Point(name, sae, None, one) for name, sae, one in zip(names, made.saes, metrics, strict=True)], rows[6000:]


@pytest.fixture(scope="module")
def found(trained):
    points, rows = trained
    return compare(points, rows.split(300), Data(6000))


def test_the_planted_size_and_sparsity_are_recommended(found):
    chosen = found.recommendation
    assert (chosen["name"], chosen["width"], chosen["k"], chosen["seed"]) == ("24x3-0", 24, 3, 0), chosen["reason"]
    assert found.frontier.filter("recommended")["name"].to_list() == ["24x3-0"]


def test_dictionaries_agree_best_at_the_planted_size(found):
    means = found.frontier.with_columns(
        seeds=(pl.col("mmcs_seeds") - pl.col("chance_seeds")) / (1 - pl.col("chance_seeds"))
    ).group_by("width").agg(pl.col("seeds").mean())  # fmt: skip
    best = dict(means.iter_rows())
    assert best[24] > best[8] + 0.1 and best[24] > best[96] + 0.1
    assert found.frontier["agreement"].null_count() == 6  # the largest have no larger


def test_the_table_says_what_measuring_alone_says(trained, found):
    from seqsae.sae.quality.metrics import measure

    points, rows = trained
    for point, row in zip(points, found.frontier.iter_rows(named=True), strict=True):
        quality = measure(point.sae, [rows])
        assert row["name"] == point.name
        assert row["fvu"] == pytest.approx(quality.fvu) and row["l0"] == pytest.approx(quality.l0)
        assert (row["dead"], row["dense"]) == (quality.dead, quality.dense)


def test_pairs_are_each_width_and_the_next_of_the_lowest_seed(trained, found):
    points, rows = trained
    pairs = [(points[small].name, points[large].name) for small, large in neighbours(points)]
    assert pairs == [(f"{a}x{k}-0", f"{b}x{k}-0") for k in (1, 3, 6) for a, b in ((8, 24), (24, 96))]
    assert found.stitching.select("small", "large").unique(maintain_order=True).rows() == pairs
    sae = {point.name: (point.name, point.sae) for point in points}
    small, large = (sae[name] for name in pairs[2])
    mine = (pl.col("small") == small[0]) & (pl.col("large") == large[0])
    assert found.stitching.filter(mine).equals(stitching(small, large, rows.split(300)))
    assert found.splitting.filter(mine).equals(splitting(small, large, rows.split(300)))
    assert neighbours(points[::-1]) != neighbours(points) and len(neighbours(points[:1])) == 0


def test_the_frontier_is_that_of_the_means(found):
    table = found.frontier
    means = table.group_by("width", "k").agg(pl.col("fvu", "l0").mean(), pl.col("on_frontier").unique())
    for row in means.iter_rows(named=True):
        beaten = means.filter((pl.col("fvu") <= row["fvu"]) & (pl.col("l0") <= 1.05 * row["l0"]))
        assert row["on_frontier"] == [len(beaten) == 1]


def _points(saes, level=None):
    return [Point(f"sae{place}", sae, level, BARE) for place, sae in enumerate(saes)]


def test_one_sae_is_a_sweep():
    rows = torch.randn(200, 16, generator=torch.Generator().manual_seed(0))
    found = compare(_points([random_sae(16, 24, 4, seed=0)]), [rows], Data(200))
    assert len(found.frontier) == 1 and found.frontier["on_frontier"][0]
    assert found.splitting.is_empty() and found.stitching.is_empty()
    assert found.frontier["mmcs_seeds"][0] is None and found.frontier["in_zone"][0] is None


def test_dead_and_broken_saes_are_told_and_not_recommended():
    rows = torch.randn(200, 16, generator=torch.Generator().manual_seed(0))
    dead, broken = sae_of(torch.eye(16), 2), random_sae(16, 24, 4, seed=0)
    with torch.no_grad():
        dead.b_enc.fill_(-100.0)
        broken.W_dec.fill_(torch.inf)
    found = compare(_points([dead, broken]), [rows], Data(200))
    assert found.frontier["dead"][0] == 1 and found.frontier["l0"][0] == 0
    assert found.frontier["fvu"][1] is None and not found.frontier["on_frontier"][1]
    assert found.recommendation["name"] is None and not found.frontier["recommended"].any()


def test_seeds_with_nothing_alive_have_no_agreement():
    rows = torch.randn(200, 16, generator=torch.Generator().manual_seed(0))
    pair = [random_sae(16, 24, 4, seed) for seed in (0, 1)]
    with torch.no_grad():
        pair[1].b_enc.fill_(-100.0)
    table = compare(_points(pair), [rows], Data(200)).frontier
    assert table["mmcs_seeds"].null_count() == 2


def test_agreement_of_unrelated_dictionaries_is_chance():
    """In a plane of 24 dimensions, directions that know nothing of each other still lie near: chance says so."""
    generator = torch.Generator().manual_seed(0)
    plane = torch.linalg.qr(torch.randn(24, 24, generator=generator)).Q[:3]
    saes = [sae_of(torch.randn(200, 3, generator=generator) @ plane, 4) for _ in range(2)]
    for seed, sae in enumerate(saes):
        object.__setattr__(sae.config, "seed", seed)
    points, rows = _points(saes), torch.randn(2000, 24, generator=generator)
    seen = [Seen(sae) for sae in saes]
    for sae, one in zip(saes, seen, strict=True):
        one.update(rows, sae.encode(rows))
    row = frontier(points, seen).row(0, named=True)
    assert row["mmcs_seeds"] > 0.9 and row["mmcs_seeds"] == pytest.approx(row["chance_seeds"], abs=0.01)


def test_no_rows_are_refused():
    with pytest.raises(SeqsaeError, match="no held-out rows to compare SAEs on"):
        compare(_points([random_sae(16, 24, 4, seed=0)]), [], Data(200))


def test_the_recommendation_is_the_rule_on_the_table(found):
    assert recommend(found.frontier, Data(6000)) == found.recommendation
