"""The heatmap's letters say what the associations say."""

import polars as pl
import pytest

from seqsae import schema
from seqsae.pages import heatmap, tables
from seqsae.pages.compact import script_json


def decoded(data: dict) -> dict[tuple[int, int], tuple[float | None, str | None]]:
    """(feature, pair) to z and verdict."""
    middle = (len(data["letters"]) - 1) // 2
    return {
        (feature, pair): (
            None if z[row] == " " else (data["letters"].index(z[row]) - middle) * data["step"],
            data["codes"].get(verdicts[row]),
        )
        for pair, (z, verdicts) in enumerate(zip(data["z"], data["verdicts"], strict=True))
        for row, feature in enumerate(data["features"])
    }


def test_every_cell_is_its_z_within_half_a_step_and_its_verdict(fake):
    content = fake()
    known = tables.pairs(content)
    found = tables.tested(content, known)
    data = heatmap.part(content).data
    cells = decoded(data)
    assert len(cells) == 42 * 5
    for feature, pair, z, verdict in found.select("feature", "pair", "z_select_adjusted", "verdict").iter_rows():
        drawn, said = cells[feature, pair]
        limit = heatmap.STEPS * heatmap.STEP
        assert abs(drawn - max(-limit, min(limit, z))) <= heatmap.STEP / 2 + 1e-9
        assert said == verdict


def test_cells_that_were_not_tested_are_blank(fake):
    content = fake()
    untested = (pl.col("feature") == 2) & (pl.col("covariate") == "age")
    blank = content.associations.with_columns(q_select=pl.when(untested).then(None).otherwise("q_select"))
    no_z = (pl.col("feature") == 4) & (pl.col("covariate") == "age")
    blank = blank.with_columns(z_select_adjusted=pl.when(no_z).then(None).otherwise("z_select_adjusted"))
    cells = decoded(heatmap.part(fake(associations=blank)).data)
    assert cells[2, 3] == (None, None)
    assert cells[4, 3][0] is None and cells[4, 3][1] is not None


def test_rows_stand_by_cluster_and_those_of_none_last(fake):
    content = fake()
    order = heatmap.part(content).data["features"]
    cluster = dict(content.atlas.select("feature", "cluster").iter_rows())
    seen = [cluster[feature] for feature in order]
    inside = [one for one in seen if one >= 0]
    assert inside == sorted(inside)
    assert set(seen[len(inside) :]) == {-1}


def test_letters_need_no_escape_in_the_page():
    assert script_json(heatmap.LETTERS) == f'"{heatmap.LETTERS}"'
    assert len(heatmap.LETTERS) == 2 * heatmap.STEPS + 1


def test_too_many_cells_leave_the_features_that_are_furthest_from_no_tie(fake, monkeypatch):
    monkeypatch.setattr(heatmap, "CELLS", 50)
    content = fake()
    part = heatmap.part(content)
    assert len(part.data["features"]) == 10
    sizes = content.associations.group_by("feature").agg(pl.col("z_select_adjusted").abs().max()).drop_nulls()
    live = sizes.join(content.profile.filter(~pl.col("dead")), on="feature").sort("z_select_adjusted", descending=True)
    assert (
        live["z_select_adjusted"][9]
        <= live.filter(pl.col("feature").is_in(part.data["features"]))["z_select_adjusted"].min() + 2.0
    )
    assert "32 live features are not drawn" in part.body


@pytest.mark.parametrize("empty", ["associations", "atlas"])
def test_without_ties_there_is_no_section_and_without_a_map_there_is(fake, empty):
    content = fake(**{empty: schema.empty(empty)})
    assert (heatmap.part(content) is None) == (empty == "associations")
