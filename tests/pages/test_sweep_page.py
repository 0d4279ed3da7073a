"""The page of a sweep: counts right, names harmless, drawn in a browser, and still a page where little is known."""

import json
import re
from html import escape

import polars as pl
import pytest
import torch
from sae.by_hand import random_sae, sae_of

from seqsae.pages import offline
from seqsae.pages.sweep_charts import ramp
from seqsae.pages.sweep_page import html, splits
from seqsae.sae.choosing.frontier import Point
from seqsae.sae.choosing.recommending import Data
from seqsae.sae.choosing.sweep import Comparison, compare

E = torch.eye(16)
BARE = pl.DataFrame(schema={"rows": pl.Int64, "fvu": pl.Float64})


def _rows(n=800):
    generator = torch.Generator().manual_seed(0)
    which = torch.rand(n, 16, generator=generator).topk(2, dim=1).indices
    return torch.zeros(n, 16).scatter_(1, which, 0.5 + torch.rand(n, 2, generator=generator))


def _compared(saes, name="sae {width}x{k} seed {seed}") -> Comparison:
    points = [Point(name.format(width=sae.width, k=sae.k, seed=sae.config.seed), sae, None, BARE) for sae in saes]
    return compare(points, [_rows()], Data(100_000, 2000))


@pytest.fixture(scope="module")
def found() -> Comparison:
    """Three widths and two k of directions that are there, and two seeds."""
    saes = [sae_of(E[:width], k) for width in (4, 8, 16) for k in (1, 2) for _ in range(2)]
    for place, sae in enumerate(saes):
        object.__setattr__(sae.config, "seed", place % 2)
    return _compared(saes)


def data_of(text: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])


def test_the_page_says_what_is_recommended_and_why(found):
    text = html(found, "layers.2")
    assert found.recommendation["name"] == "sae 16x1 seed 0"
    assert "<title>Sweep at layers.2</title>" in text and escape(found.recommendation["reason"]) in text
    assert "sae 16x1 seed 0" in text and "2,000" in text and "With caution" not in text
    charts = data_of(text)["charts"]
    assert set(charts) == {"curves", "stability", "cosines-0", "cosines-1"}
    assert len(charts["curves"]["datasets"]["points"]) == 12
    assert [row["fvu"] for row in charts["curves"]["datasets"]["edge"]] == sorted(
        (row["fvu"] for row in charts["curves"]["datasets"]["edge"]), reverse=True
    )
    assert text == html(found, "layers.2")


def test_fates_of_latents_add_up(found):
    table = splits(found)
    assert len(table) == 4
    kinds = ["same", "split", "part", "wider", "gone"]
    assert (table.select(pl.sum_horizontal(kinds)).to_series() == table["live"]).all()
    both = table.filter(pl.col("small") == "sae 8x2 seed 0").row(0, named=True)
    assert both["same"] == both["live"] == 8


def test_a_split_parent_is_counted_once():
    parent, halves = torch.cat([E[:1], E[3:5]]), torch.cat([E[:1] + E[1:2], E[:1] + E[2:3], E[3:4]])
    rows = torch.stack([E[0] + E[1], E[0] + E[2], E[3], E[4]]).repeat(50, 1)
    points = [
        Point("a", sae_of(parent, 1), None, BARE),
        Point("b", sae_of(torch.cat([halves, E[9:12]]), 1), None, BARE),
    ]
    row = splits(compare(points, [rows], Data(1000))).row(0, named=True)
    assert {name: row[name] for name in ("live", "same", "split", "part", "wider", "gone")} == {
        "live": 3, "same": 1, "split": 1, "part": 0, "wider": 0, "gone": 1,
    }  # fmt: skip


def test_nasty_names_stay_text(found):
    nasty = "</script><img src=x onerror=alert(1)>"
    named = {name: pl.col(name).str.replace("sae", nasty, literal=True) for name in ("name", "small", "large")}
    changed = Comparison(
        found.frontier.with_columns(named["name"]),
        found.splitting.with_columns(named["small"], named["large"]),
        found.stitching.with_columns(named["small"], named["large"]),
        found.recommendation | {"name": nasty, "reason": nasty, "cautions": [nasty]},
    )
    text = html(changed, nasty)
    assert "<img" not in text.split("<script>")[0]
    assert nasty in data_of(text)["frontier"]["name"][0]


def test_the_page_in_a_browser(look, found, tmp_path):
    page = look(offline.write(html(found, "layers.2"), tmp_path / "sweep.html"))
    for name, marks in (("curves", 12), ("stability", 6), ("cosines-0", 1)):
        drawn = page.locator(f"[data-chart={name}] svg .mark-symbol path, [data-chart={name}] svg .mark-rect path")
        assert drawn.count() >= marks, name
    assert page.locator("[data-chart=curves] svg").text_content().count("recommended") == 1
    assert page.locator("#frontier-table tbody tr").count() == 12
    assert page.locator("#splitting-table tbody tr").count() == page.locator("#stitching-table tbody tr").count() == 4
    page.click("#frontier-table th[data-key='fvu'] button")
    best = page.locator("#frontier-table tbody tr").first.inner_text()
    assert "16x2" in best and "on it" in best
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("fit", [True, False])
def test_one_sae_makes_a_page(look, tmp_path, fit):
    sae = sae_of(E, 2) if fit else random_sae(16, 24, 4, seed=0)
    with torch.no_grad():
        sae.b_enc.fill_(0.0 if fit else -100.0)
    found = _compared([sae])
    text = html(found, "layers.2")
    assert ("With caution" in text) == fit  # one seed
    assert 'id="stability"' not in text and 'id="stitching"' not in text
    page = look(offline.write(text, tmp_path / "sweep.html"))
    assert page.locator("#frontier-table tbody tr").count() == 1
    assert page.locator(".tile b").first.inner_text() == ("16" if fit else "none")


def test_a_ramp_goes_from_light_to_dark():
    assert len(ramp(1)) == 1 and ramp(5)[0] == "#e9a03b" and ramp(5)[-1] == "#12245c"
    lightness = [sum(int(color[i : i + 2], 16) for i in (1, 3, 5)) for color in ramp(7)]
    assert lightness == sorted(lightness, reverse=True)
