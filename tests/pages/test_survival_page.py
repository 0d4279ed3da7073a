"""Times to events: what is drawn, who is at risk, and the ratio beside it."""

import math

import polars as pl
import pytest
from pages import made_study

from seqsae.pages import survival


def test_thinned_curves_keep_first_and_last_step_and_lie_on_the_whole(fake):
    curves = made_study.curves(steps=1234)
    thin = survival.thinned(curves)
    assert thin.join(curves, on=curves.columns, how="semi", nulls_equal=True).height == thin.height
    for keys, mine in thin.group_by("feature", "fires"):
        whole = curves.filter(pl.col("feature") == keys[0], pl.col("fires") == keys[1])
        assert survival.STEPS <= len(mine) <= survival.STEPS + 1
        assert (mine["time"].min(), mine["time"].max()) == (whole["time"].min(), whole["time"].max())
        gaps = mine.sort("time")["time"].diff().drop_nulls()
        assert gaps.max() < 2.5 * 10 / survival.STEPS
    assert survival.thinned(made_study.curves(steps=7)).height == 28


@pytest.mark.parametrize("last", [0.004, 0.9, 1, 3.3, 10, 11.6, 99, 5000])
def test_marks_are_round_and_end_before_the_last(last):
    times = survival.marks(last)
    assert times[0] == 0 and times[-1] <= last < times[-1] + 2 * times[1]
    assert survival.TIMES <= len(times) <= 2 * survival.TIMES + 1
    assert all(math.isclose(later - earlier, times[1]) for earlier, later in zip(times[:-1], times[1:], strict=True))


def test_at_risk_is_that_of_the_first_step_from_then_on():
    risk = survival.at_risk(made_study.curves(features=(2,))).filter("fires").row(0, named=True)
    assert risk["times"] == [0.0, 2.5, 5.0, 7.5, 10.0]
    assert risk["at_risk"] == [300, 300 - 37, 300 - 74, 300 - 112, 300 - 149]  # steps of 10 / 150 years
    assert (risk["n"], risk["events"]) == (300, 150)


def test_the_ratio_is_the_supported_poolings_own(fake):
    content = fake()
    table = made_study.followed(content.associations)
    mine = (pl.col("covariate") == "death") & (pl.col("feature") == 0)
    one = mine & (pl.col("pooling") == "max")
    table = table.with_columns(
        verdict=pl.when(one).then(pl.lit("supported")).when(mine).then(pl.lit("inconclusive")).otherwise("verdict"),
        effect_adjusted=pl.when(one).then(math.log(2.0)).otherwise("effect_adjusted"),
    )
    rows = survival.ratios(fake(associations=table), made_study.curves())
    assert rows["feature"].to_list() == [0, 2]
    assert rows.row(0, named=True)["ratio"] == pytest.approx(2.0)
    assert rows.row(0, named=True)["pooling"] == "max"


@pytest.mark.parametrize("what", ["survival", "incidence"])
def test_each_covariate_has_a_chart_that_begins_at_its_start(fake, what):
    part = survival.part(fake(curves=made_study.curves(what=what)))
    rows = part.charts["followed-0"]["datasets"]["rows"]
    begun = [row for row in rows if row["time"] == 0]
    assert len(begun) == 4 and {row["estimate"] for row in begun} == {0.0 if what == "incidence" else 1.0}
    assert ("Aalen-Johansen" in part.body) == (what == "incidence")


def test_without_curves_there_is_no_section(fake):
    assert survival.part(fake()) is None
    assert survival.part(fake(curves=made_study.curves().clear())) is None


def test_a_covariates_name_is_text(fake, nasty):
    body = survival.part(fake(curves=made_study.curves(nasty))).body
    assert "<img" not in body and "&lt;img" in body
