"""What the page says of layers, on made-up tables."""

import polars as pl
import pytest
from pages import made_up

from seqsae.pages import layers
from seqsae.pages.layer_charts import shared_prefix

CHARTS = {"layer-fvu", "layer-recovered", "layer-tokens", "layer-concepts"}


def test_sites_stand_in_the_order_given_and_are_cut_where_they_are_alike(fake):
    table = made_up.layers(12)
    part = layers.part(fake(layers=table))
    assert set(part.charts) == CHARTS
    places = [row["place"] for row in part.charts["layer-fvu"]["datasets"]["rows"]]
    assert places == [str(i) for i in range(12)]  # 10 behind 9, not behind 1
    assert part.charts["layer-fvu"]["encoding"]["x"]["sort"] == places
    assert part.data["rows"]["site"] == table["site"].to_list()
    assert "bert.encoder.layer." in part.body


@pytest.mark.parametrize(
    ("sites", "common"),
    [(["blocks.0", "blocks.1"], "blocks."), (["embed", "blocks.1"], ""), (["blocks.10"], ""), (["b.10", "b.12"], "b.")],
)
def test_only_whole_parts_of_names_are_cut(sites, common):
    assert shared_prefix(sites) == common


@pytest.mark.parametrize(
    ("column", "chart"),
    [("recovered", "layer-recovered"), ("fvu", "layer-fvu"), ("token_detectors", "layer-tokens")],
)
def test_what_was_not_measured_is_not_drawn(fake, column, chart):
    part = layers.part(fake(layers=made_up.layers(**{column: None})))
    assert set(part.charts) == CHARTS - {chart}
    assert f'data-chart="{chart}"' not in part.body
    assert column not in part.data["rows"]


def test_concepts_are_drawn_by_the_scores_there_are(fake):
    table = made_up.layers(concepts=None)
    rows = layers.part(fake(layers=table)).charts["layer-concepts"]["datasets"]["rows"]
    assert {row["score"] for row in rows} == {"F1 per domain"}
    assert "layer-concepts" not in layers.part(fake(layers=table.drop("concepts", "concepts_by_domain"))).charts


def test_one_site_and_none(fake):
    assert layers.part(fake(layers=made_up.layers(1))) is not None
    assert layers.part(fake(layers=made_up.layers().head(0))) is None
    assert layers.part(fake()) is None


def test_a_site_where_it_is_not_defined_is_left_out_of_the_line(fake):
    table = made_up.layers().with_columns(
        pl.when(pl.col("site").str.ends_with("2")).then(None).otherwise(pl.col(name)).alias(name)
        for name in ("recovered", "ci_low", "ci_high")
    )
    drawn = layers.part(fake(layers=table)).charts["layer-recovered"]["datasets"]["rows"]
    assert [row["place"] for row in drawn] == ["0", "1", "3"]
