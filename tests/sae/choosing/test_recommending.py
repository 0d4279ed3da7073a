"""The rule on frontiers whose right answer is plain."""

import math

import polars as pl
import pytest

from seqsae import schema
from seqsae.sae.choosing.frontier import cells
from seqsae.sae.choosing.recommending import Data, Rule, recommend

PLENTY = Data(10_000_000, 100_000)


def frontier(rows: list[dict]) -> pl.DataFrame:
    """A table `frontier` of rows with width, k, fvu and what else is given."""
    usual = {
        "architecture": "topk", "sparsity": None, "seed": 0, "dead": 0.0, "dense": 0.0, "loss_recovered": None,
        "mmcs_seeds": None, "chance_seeds": None, "agreement": None, "chance": None, "stickiness": None, "in_zone": None,
        "on_frontier": True, "recommended": False,
    }  # fmt: skip
    full = [
        {**usual, "l0": float(row["k"] or 0), "name": f"{row['width']}x{row['k']}-{row.get('seed', 0)}"} | row
        for row in rows
    ]
    return schema.check_table(pl.DataFrame(full, infer_schema_length=None), "frontier", "made")


def swept(fvu: dict[int, float], ks=(8, 16, 32), seeds=1, noise=0.0, **more) -> pl.DataFrame:
    """A width's FVU at the middle k; a quarter more at half of it, half of that less at twice."""
    share = {k: 1.0 if len(ks) == 1 else (1.6, 1.0, 0.95)[place] for place, k in enumerate(ks)}
    return frontier(
        [
            {"width": width, "k": k, "seed": seed, "fvu": f * share[k] * math.exp(noise * (-1) ** seed)}
            | {name: value[width] for name, value in more.items()}
            for width, f in fvu.items()
            for k in ks
            for seed in range(seeds)
        ]
    )


def chosen(table, data=PLENTY, rule=None):
    found = recommend(table, data, rule)
    return found["width"], found["k"]


FALLING = {256: 0.30, 512: 0.20, 1024: 0.15, 2048: 0.149, 4096: 0.148}


def test_widths_that_still_pay_are_taken_and_then_the_knee():
    found = recommend(swept(FALLING), PLENTY)
    assert (found["width"], found["k"], found["seed"]) == (1024, 16, 0)
    assert "2,048 leaves 0.7% less unexplained" in found["reason"] and "knee" in found["reason"]
    assert found["cautions"] == ["one seed: the noise between seeds is unknown, and no difference is held against it"]
    assert found["rows"] == {"n_rows": 10_000_000, "n_subjects": 100_000}


def test_the_answer_does_not_depend_on_the_order_of_rows():
    table = swept(FALLING, seeds=3, noise=0.01)
    assert recommend(table, PLENTY) == recommend(table.sample(fraction=1.0, shuffle=True, seed=3), PLENTY)


def test_a_fall_within_the_noise_between_seeds_does_not_pay():
    falling = {256: 0.30, 512: 0.20, 1024: 0.17}
    assert chosen(swept(falling, seeds=2, noise=0.01)) == (1024, 16)
    found = recommend(swept(falling, seeds=2, noise=0.25), PLENTY)
    assert "noise between seeds" in found["reason"] and found["cautions"] == []
    # two means over two seeds of sd .25 sqrt 2 each: their difference has a standard error of .35, and log .3/.17 is .57
    assert found["width"] == 256


def test_a_step_that_pays_late_is_seen_across_the_one_that_does_not():
    assert chosen(swept({256: 0.30, 512: 0.295, 1024: 0.20})) == (1024, 16)
    assert chosen(swept({256: 0.30, 512: 0.31, 1024: 0.33})) == (256, 16)


def test_widths_are_compared_at_equal_l0():
    # the same curve, f = 1 / (1 + l0), read at other places for the larger width: nothing is gained
    rows = [
        {"width": width, "k": None, "sparsity": penalty, "l0": l0, "fvu": 1 / (1 + l0)}
        for width, l0s in ((512, (4.0, 8.0, 16.0)), (1024, (8.0, 16.0, 32.0)))
        for penalty, l0 in zip((0.4, 0.2, 0.1), l0s, strict=True)
    ]
    assert recommend(frontier(rows), PLENTY)["width"] == 512
    better = [row | {"fvu": row["fvu"] * (0.8 if row["width"] == 1024 else 1)} for row in rows]
    assert recommend(frontier(better), PLENTY)["width"] == 1024


def test_curves_that_do_not_overlap_are_compared_at_their_nearest_ends():
    rows = [
        {"width": width, "k": None, "sparsity": penalty, "l0": l0, "fvu": fvu}
        for width, penalty, l0, fvu in (
            (512, 0.2, 4.0, 0.5),
            (512, 0.1, 8.0, 0.3),
            (1024, 0.2, 8.1, 0.2),
            (1024, 0.1, 12.0, 0.29),
        )
    ]
    assert recommend(frontier(rows), PLENTY)["width"] == 1024
    turned = [row | {"width": 1536 - row["width"]} for row in rows]  # now the larger width is the sparser one
    assert recommend(frontier(turned), PLENTY)["width"] == 512


@pytest.mark.parametrize(
    ("ks", "fvu", "k"),
    [
        ((2, 4, 8, 16), (0.40, 0.02, 0.008, 0.004), 4),  # a knee
        ((4, 8, 16), (0.02, 0.008, 0.004), 4),  # flat: nothing more to gain
        ((2, 4), (0.40, 0.02), 4),  # two points have no knee
        ((8, 16, 32, 64), (0.40, 0.30, 0.20, 0.10), 64),  # falls evenly: the densest
        ((8, 16), (0.12, 0.10), 8),
        ((8,), (0.3,), 8),
    ],
)
def test_sparsity_is_chosen_at_the_knee(ks, fvu, k):
    table = frontier([{"width": 512, "k": one, "fvu": f} for one, f in zip(ks, fvu, strict=True)])
    found = recommend(table, PLENTY)
    assert (found["width"], found["k"]) == (512, k)
    assert ("the knee of the frontier" in found["reason"]) == (ks == (2, 4, 8, 16))


def test_sizes_that_the_data_cannot_fill_are_left_out():
    falling = {width: 0.6 / math.log2(width) ** 2 for width in (256, 512, 1024, 2048)}
    rule = Rule(min_gain=0.02)
    assert chosen(swept(falling), PLENTY, rule)[0] == 2048
    assert chosen(swept(falling, ks=(16,)), Data(5_000, 100_000), rule) == (
        512,
        16,
    )  # 5,000 x 16 / 512 >= 100, not / 1,024
    assert chosen(swept(falling), Data(10_000_000, 60), rule)[0] == 512  # ten for each subject
    found = recommend(swept(falling), Data(10_000_000, 20), rule)
    assert (
        found["cautions"][0] == "at every width there are more than 10 latents for each of 20 subjects"
        and found["width"] == 2048
    )
    assert chosen(swept(falling), Data(10_000_000, None), rule)[0] == 2048


def test_dead_dictionaries_are_left_out():
    dead = {256: 0.0, 512: 0.1, 1024: 0.4, 2048: 0.6, 4096: 0.7}
    assert chosen(swept(FALLING, dead=dead))[0] == 512
    assert "20% of the latents are dead: 1,024, 2,048, 4,096." in recommend(swept(FALLING, dead=dead), PLENTY)["reason"]
    found = recommend(swept(FALLING, dead=dict.fromkeys(dead, 0.5)), PLENTY)
    assert found["width"] == 1024 and "at every width more than 20% of the latents are dead" in found["cautions"]


def test_the_size_at_which_seeds_agree_is_kept_to():
    same = {256: 0.5, 512: 0.9, 1024: 0.88, 2048: 0.6, 4096: 0.5}
    falling = {256: 0.3, 512: 0.2, 1024: 0.15, 2048: 0.1, 4096: 0.07}
    chance = dict.fromkeys(same, 0.3)
    found = recommend(swept(falling, seeds=2, mmcs_seeds=same, chance_seeds=chance), PLENTY)
    assert found["width"] == 1024 and ": 256, 2,048, 4,096." in found["reason"] and found["cautions"] == []
    # the same agreement, all of it chance at the larger widths
    chance = {256: 0.1, 512: 0.2, 1024: 0.85, 2048: 0.2, 4096: 0.2}
    assert recommend(swept(falling, seeds=2, mmcs_seeds=same, chance_seeds=chance), PLENTY)["width"] == 512
    # with one seed, agreement with larger ones; that of the largest is unknown, and it stays
    larger = {256: 0.5, 512: 0.9, 1024: 0.4, 2048: 0.4, 4096: None}
    found = recommend(swept(falling, agreement=larger, chance=dict.fromkeys(same, 0.3)), PLENTY)
    assert found["width"] == 4096 and ": 256, 1,024, 2,048." in found["reason"]


def test_widths_are_judged_at_the_sparsity_that_is_taken():
    """At the knee, k 8, the wider one is dead and the most stable; what it is at other k does not matter."""
    rows = [
        {"width": width, "k": k, "seed": seed, "fvu": fvu, "mmcs_seeds": stable, "chance_seeds": 0.0, "dead": dead}
        for width, k, fvu, stable, dead in (
            (512, 4, 0.6, 0.2, 0.0), (512, 8, 0.3, 0.7, 0.0), (512, 16, 0.28, 0.2, 0.0),
            (1024, 4, 0.5, 0.9, 0.0), (1024, 8, 0.2, 0.9, 0.5), (1024, 16, 0.19, 0.9, 0.0),
        )
        for seed in (0, 1)
    ]  # fmt: skip
    assert chosen(frontier(rows)) == (512, 8)
    assert chosen(frontier([row | {"dead": 0.0} for row in rows])) == (1024, 8)


def test_a_little_less_l0_is_no_sparser_sae():
    """A small TopK leaves some rows with fewer active latents: its L0 of 1.98 must not pass for a sparser end of the frontier."""
    rows = [
        {"width": width, "k": k, "l0": k - (0.02 if width == 16 else 0), "fvu": fvu}
        for width, k, fvu in (
            (16, 2, 0.59),
            (16, 4, 0.46),
            (16, 8, 0.34),
            (64, 2, 0.336),
            (64, 4, 0.12),
            (64, 8, 0.094),
        )
    ]
    assert chosen(frontier(rows)) == (64, 4)


def test_nothing_fit_is_not_recommended():
    useless = frontier(
        [
            {"width": 512, "k": 8, "fvu": None},
            {"width": 1024, "k": 8, "fvu": 1.2},
            {"width": 256, "k": 8, "fvu": 1.0, "l0": 0.0},
        ]
    )
    found = recommend(useless, PLENTY)
    assert found["name"] is found["width"] is None and "None of 3 SAEs explains anything" in found["reason"]


def test_a_cell_with_a_broken_seed_is_left_out():
    rows = [
        {"width": width, "k": 8, "seed": seed, "fvu": fvu}
        for width, seed, fvu in ((512, 0, 0.3), (512, 1, 0.31), (1024, 0, 0.1), (1024, 1, None))
    ]
    found = recommend(frontier(rows), PLENTY)
    assert found["name"] == "512x8-0"
    assert cells(frontier(rows))["width"].to_list() == [512]


def test_one_point_is_recommended_with_what_is_known_of_it():
    found = recommend(frontier([{"width": 512, "k": 8, "seed": 3, "fvu": 0.3}]), PLENTY)
    assert (found["name"], found["seed"]) == ("512x8-3", 3)
    assert found["reason"].startswith("L0 8: there is no other. Width 512: the only one left to choose from.")


def test_a_perfect_reconstruction_is_no_fault():
    table = frontier([{"width": width, "k": 8, "seed": seed, "fvu": 0.0} for width in (8, 16) for seed in (0, 1)])
    assert recommend(table, PLENTY)["width"] == 8
