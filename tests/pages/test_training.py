"""The page of a training: every SAE in every chart, numbers beside their meaning, harmless names, alive in a browser."""

import json
import re

import numpy as np
import polars as pl
import pytest

from seqsae import schema
from seqsae.errors import SeqsaeError
from seqsae.pages.training import CURVES, short, training_page
from seqsae.pages.training_charts import DASHES, cells, curves, density, styles
from seqsae.sae.quality.density import BINS, EDGES
from seqsae.sae.quality.dictionaries import COSINES

STEPS = range(100, 1001, 100)
RATES = [1, 1, *[0] * 16, 20, 8, 2, 0]


def _metrics(low=0.1, **changes) -> pl.DataFrame:
    table = {name: [None] * len(STEPS) for name in schema.columns("metrics")} | {
        "step": list(STEPS),
        "rows": [1024 * step for step in STEPS],
        "loss": [np.exp(-step / 250) + low for step in STEPS],
        "fvu": [0.6 * np.exp(-step / 250) + low for step in STEPS],
        "l0": [4.0 for _ in STEPS],
        "dead": [0.0 for _ in STEPS],
        "dead_heldout": [0.03 for _ in STEPS],
        "dense": [0.3 for _ in STEPS],
        "shrinkage": [0.97 for _ in STEPS],
        "density": [RATES for _ in STEPS],
    }
    return schema.check_table(pl.DataFrame(table | changes), "metrics", "fake")


def _quality(fvu=0.1234) -> dict:
    cosines = {"edges": list(COSINES), "nearest": [0] * 30 + [32] + [0] * 9, "encoder": [0] * 38 + [30, 2]}
    document = {
        "rows": 2000, "fvu": fvu, "explained_by_dimension": [0.9, 0.5, None, -3.0], "l0": 4.0, "dead": 0.03, "dense": 0.3,
        "density": {"edges": list(EDGES), "counts": RATES}, "shrinkage": 0.97, "l2_ratio": 0.9,
        "dark_matter": {"linear_share": 0.25, "linear_fvu": 0.03, "nonlinear_fvu": 0.0934, "norm_r2": 0.5},
        "decoder": {"latents": 32, "nearest_mean": 0.52, "nearest_over_09": 0.0, "encoder_mean": 0.93, **cosines},
        "privileged": None,
    }  # fmt: skip
    return schema.check_document(document, "quality", "fake")


@pytest.fixture
def put(tmp_path):
    """A function that writes an SAE's folder, without its weights, which the page does not read."""

    def write(name, metrics=None, quality=True):
        folder = tmp_path / "sae" / name
        folder.mkdir(parents=True)
        (_metrics() if metrics is None else metrics).write_parquet(folder / "metrics.parquet")
        (folder / "config.json").write_text(json.dumps({"architecture": "topk"}))
        if quality:
            (folder / "quality.json").write_text(json.dumps(_quality()))
        return folder

    return write


def _data(path) -> dict:
    text = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])


def _names(chart) -> list[str]:
    return list(dict.fromkeys(row["sae"] for row in chart["datasets"]["rows"]))


def test_every_sae_of_a_folder_is_in_every_chart_by_size(put, tmp_path):
    for name in ("site-topk-1024x4-seed0", "site-topk-128x4-seed0", ".site-topk-128x4-seed0.training-1"):
        put(name)
    page = training_page(tmp_path / "sae", tmp_path / "out")
    charts = _data(page)["charts"]
    for name in [*(f"curve-{column}" for column in CURVES), "nearest", "encoder", "explained"]:
        assert _names(charts[name]) == ["128x4-seed0", "1024x4-seed0"], name
    assert {"density-0", "density-1"} <= set(charts)
    text = page.read_text(encoding="utf-8")
    assert page == tmp_path / "out" / "index.html"
    assert "site-topk-" in text and "0.123" in text and "25.0%" in text and "2,000 rows" in text
    assert "http" not in json.dumps(_data(page))


def test_a_list_keeps_its_order_and_the_same_saes_give_the_same_bytes(put, tmp_path):
    folders = [put("b"), put("a")]
    one, other = training_page(folders, tmp_path / "1.html"), training_page(folders, tmp_path / "2.html")
    assert one.read_bytes() == other.read_bytes()
    assert _names(_data(one)["charts"]["curve-fvu"]) == ["b", "a"]


def test_what_was_not_measured_is_left_out(put, tmp_path):
    old = _metrics(fvu=[None] * 10, l0=[None] * 10).drop("dense", "density", "shrinkage", "dead_heldout")
    page = training_page([put("old", old, quality=False)], tmp_path / "old.html")
    assert set(_data(page)["charts"]) == {"curve-loss", "curve-dead"}
    text = page.read_text(encoding="utf-8")
    assert 'id="quality"' not in text and 'id="density"' not in text and "Click a name" not in text
    mixed = training_page([put("new"), tmp_path / "sae" / "old"], tmp_path / "mixed.html")
    assert _names(_data(mixed)["charts"]["curve-dense"]) == ["new"]
    assert '<td class="num">–</td>' in mixed.read_text(encoding="utf-8")


@pytest.mark.parametrize("broken", ["config.json", "metrics.parquet", "quality.json"])
def test_a_broken_file_is_told_by_name(put, tmp_path, broken):
    folder = put("x")
    (folder / broken).write_text("{")
    with pytest.raises(SeqsaeError, match=re.escape(str(folder))) as caught:
        training_page([folder], tmp_path / "x.html")
    assert "\n" not in str(caught.value) and not (tmp_path / "x.html").exists()


def test_no_sae_is_told(tmp_path):
    with pytest.raises(SeqsaeError, match="no SAE with metrics"):
        training_page(tmp_path, tmp_path / "x.html")


def test_names_lose_what_they_share_up_to_a_hyphen():
    assert short(["a-b-12", "a-b-128"]) == (["12", "128"], "a-b-")
    assert short(["only-one"]) == (["only-one"], "")
    assert short(["x", "y"]) == (["x", "y"], "")


def test_looks_differ_up_to_28_saes():
    looks = styles([str(i) for i in range(40)])
    assert len({(look["color"], str(look["dash"])) for look in looks[:28]}) == 28 == 7 * len(DASHES)
    assert looks[28]["color"] == looks[0]["color"]


def test_heatmap_cells_hold_all_latents_of_each_measurement_and_long_trainings_are_thinned():
    found = cells(_metrics())
    for step in STEPS:
        assert sum(row["n"] for row in found if row["to"] == step) == sum(RATES)
        assert sum(row["share"] for row in found if row["to"] == step) == pytest.approx(1)
    assert [row["from"] for row in found if row["to"] == 200][0] == 100
    never = next(row for row in found if row["range"] == "no row")
    assert never["high"] < -5.3 and len(RATES) == BINS
    dense = sum(row["n"] for row in found if row["to"] == 100 and row["low"] >= np.log10(0.1) - 1e-9)
    assert dense == sum(RATES[EDGES.index(0.1) + 2 :])
    long = pl.DataFrame({"step": range(1, 1000), "density": [RATES] * 999})
    assert len({row["to"] for row in cells(long)}) <= 60
    assert density(_metrics(density=[None] * 10)) is None


def test_a_constant_measure_has_room_on_its_axis():
    rows = _metrics().with_columns(sae=pl.lit("a"))
    low, high = curves(rows, "l0", styles(["a"]))["encoding"]["y"]["scale"]["domain"]
    assert low < 4 < high
    assert curves(rows, "dead", styles(["a"]))["encoding"]["y"]["scale"]["domain"] == [0, 0.05]


def test_nasty_names_stay_text(put, nasty, tmp_path, look):
    folder = put("plain")
    renamed = folder.with_name(nasty.replace("/", "∕"))
    folder.rename(renamed)
    page = look(training_page([renamed, put("other")], tmp_path / "n.html", title=nasty))
    assert page.locator("img").count() == 0 and page.title() == nasty
    assert page.locator("button.key").first.inner_text() == renamed.name


def test_in_a_browser_charts_are_drawn_a_name_stands_out_and_nothing_overflows(put, tmp_path, look):
    names = [f"s-{width}-seed{seed}" for width in (64, 128) for seed in range(2)]
    page = look(training_page([put(name) for name in names], tmp_path / "t.html"))
    for chart in [*(f"curve-{column}" for column in CURVES), "nearest", "encoder", "explained"]:
        assert page.locator(f"[data-chart={chart}] svg .mark-line path").count() == 4, chart
    assert page.locator("[data-chart^=density] canvas").count() == 4
    lines = page.locator("[data-chart=curve-fvu] svg .mark-line path")
    shown = lambda: [float(line.get_attribute("opacity")) for line in lines.all()]  # noqa: E731
    assert shown() == [0.95] * 4
    page.click("button.key >> nth=1")
    page.wait_for_function(
        "document.querySelector('[data-chart=curve-fvu] svg .mark-line path').getAttribute('opacity') < .5"
    )
    assert sorted(shown()) == [0.1, 0.1, 0.1, 0.95]
    page.click("button.key >> nth=1")
    page.wait_for_function(
        "document.querySelector('[data-chart=curve-fvu] svg .mark-line path').getAttribute('opacity') > .5"
    )
    assert page.locator("#quality-table tbody tr").count() == 4
    for width in (1280, 480):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), width
