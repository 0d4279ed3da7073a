"""Covariate page, heatmap and times to events in a real browser: links, search, order, filters, keys; harmless whatever names hold."""

import re

import polars as pl
from pages import made_study
from pages.conftest import PAIRS

from seqsae.pages.page import render

HOSTILE = ['</script><img src=x onerror="alert(1)">', "\u202eevil\u202c \u2067name", "=CMD('calc')!A1", "long " * 2000]
TURNING = re.compile("[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]")


def full(fake, **changes):
    """Content with everything that these sections show."""
    content = fake()
    parts = {
        "associations": made_study.followed(content.associations), "controls": made_study.controls(), "curves": made_study.curves(),
        "diagnostics": made_study.diagnostics(PAIRS), "omnibus": made_study.omnibus(), "openings": made_study.OPENINGS, "limits": ("A limit.",),
    }  # fmt: skip
    return fake(**(parts | changes))


def forest(page) -> list[str]:
    return page.locator("#covariate-forest tr[data-feature]").evaluate_all(
        "rows => rows.map((row) => row.dataset.feature)"
    )


def head(page) -> str:
    return page.locator("#covariate-head h3").inner_text()


def heat_rows(page) -> str:
    return page.locator("#heat-count").inner_text().split(" features")[0]


def test_links_forest_heatmap_curves_and_run_card(look, fake, tmp_path):
    """One page for all of it: to open one takes seconds."""
    page = look(render(full(fake), tmp_path))
    opened_by_link_name_and_list(page)
    the_forest_says_why(page)
    the_heatmap_is_searched_sorted_filtered_and_read_by_keys(page)
    a_click_on_a_covariates_name_sorts_by_it(page)
    the_curves_follow_the_chosen_feature(page)
    assert page.locator("#run #controls-fine").is_visible()
    assert "3 times" in page.locator("#openings").inner_text()
    assert "A limit." in page.locator("#run").inner_text()
    for width in (390, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.pdf(path=tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").stat().st_size > 50_000


def opened_by_link_name_and_list(page):
    assert head(page) == "sex = F"  # the most features supported
    page.click("#covariate-table a[href='#covariate=age']")
    assert head(page) == "age"
    assert page.evaluate("location.hash") == "#covariate=age"
    assert "partial spearman" in page.locator("#covariate-forest thead").inner_text()
    page.select_option("#covariate-choice", "region")
    assert page.locator("#category-choice button").all_inner_texts() == ["north", "south"]
    assert "All 3 levels together" in page.locator("#covariate-head .omnibus").inner_text()
    page.click("#category-choice button:nth-child(2)")
    assert head(page) == "region = south"
    page.evaluate("location.hash = '#covariate=coin'")
    page.wait_for_selector("#covariate-head h3:has-text('coin = heads')")
    page.evaluate("location.hash = '#covariate=%E0%A4%A'")  # no text at all: nothing happens
    assert head(page) == "coin = heads"


def the_forest_says_why(page):
    page.select_option("#covariate-choice", "sex")
    assert len(forest(page)) == 10
    page.click("#covariate-forest .more")
    assert len(forest(page)) == 20
    first = page.locator("#covariate-forest tr[data-feature='0']")
    assert first.locator(".verdict").inner_text() == "supported"
    assert first.locator(".reason").inner_text().startswith("Beyond the confounders repeated on the test split")
    said = first.locator("svg title").first.text_content()
    assert "n 600 (280 yes)" in said and "test split" in said
    first.locator("summary").click()
    numbers = first.locator("dl").inner_text()
    assert "n 590 (275 yes), test split" in numbers and "and beyond the best tokens" in numbers
    for chart in ("volcano", "confounding"):
        assert page.locator(f"[data-chart={chart}] svg .mark-symbol path").count() == 42
    first.locator("a.feature").click()
    assert page.locator(".card.picked b").first.inner_text() == "Feature 0"


def the_heatmap_is_searched_sorted_filtered_and_read_by_keys(page):
    assert heat_rows(page) == "42 of 42"
    page.fill("#heat-search", "diag//a")
    assert heat_rows(page) != "42 of 42"
    page.fill("#heat-search", "")
    page.fill("#heat-covariates", "REGION = S")
    assert "1 of 6 covariates" in page.locator("#heat-count").inner_text()
    page.select_option("#heat-verdict", "supported")
    assert 0 < int(heat_rows(page).split(" ")[0]) < 42
    page.select_option("#heat-verdict", "")
    page.fill("#heat-covariates", "")
    page.select_option("#heat-order", "3")
    page.focus("#heat")
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    said = page.locator("#heat-cell").inner_text()
    assert said.startswith("#6 (") and "age: z 5.50 beyond the confounders, select split; supported" in said
    page.keyboard.press("End")
    assert page.locator("#heat-cell").inner_text() != said
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    assert page.locator(".card.picked b").first.inner_text() == "Feature 6"
    page.fill("#heat-search", "no such thing")
    assert heat_rows(page) == "0 of 42"
    page.fill("#heat-search", "")


def a_click_on_a_covariates_name_sorts_by_it(page):
    page.locator("#heat").scroll_into_view_if_needed()
    box = page.locator("#heat").bounding_box()
    cell = min(46, (page.locator("#heat").evaluate("(place) => place.clientWidth") - 190 - 40) / 6)
    page.mouse.click(box["x"] + 190 + 0.5 * cell, box["y"] + 110)
    assert page.input_value("#heat-order") == "0"
    page.mouse.move(box["x"] + 190 + 0.5 * cell, box["y"] + 136)
    assert page.locator("#heat-cell").inner_text().startswith("#0 (")


def the_curves_follow_the_chosen_feature(page):
    panel = page.locator("#survival .panel")
    assert panel.locator(".risk tbody tr").count() == 2
    assert panel.locator(".ratio a").inner_text() == "#0"
    panel.locator(".survival button").nth(1).click()
    assert panel.locator(".ratio a").inner_text() == "#2"
    assert "Hazard ratio" in panel.locator(".ratio-value").inner_text()


def test_hostile_names_are_shown_harmlessly(look, fake, tmp_path):
    named = dict(zip(("sex", "region", "age", "coin"), HOSTILE, strict=True))
    content = full(fake)
    changes = {
        name: getattr(content, name).with_columns(pl.col("covariate").replace(named))
        for name in ("associations", "baselines", "diagnostics", "omnibus")
    }
    told = {"description": HOSTILE[1]}
    changes["covariates"] = [
        entry | told | {"name": named.get(entry["name"], entry["name"])} for entry in content.covariates
    ]
    token = content.profile["best_token"][0]
    changes["profile"] = content.profile.with_columns(best_token=pl.col("best_token").replace(token, HOSTILE[3]))
    page = look(render(full(fake, curves=made_study.curves(HOSTILE[0]), controls=None, **changes), tmp_path))
    assert page.locator("img").count() == 0
    for name in HOSTILE:
        page.select_option("#covariate-choice", name)
        assert page.locator("#covariate-head h3 bdi").inner_text().startswith(TURNING.sub("\ufffd", name[:20]).rstrip())
        assert page.evaluate("decodeURIComponent(location.hash)") == f"#covariate={name}"
    for width in (390, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert max(len(text) for text in page.locator("#covariate-table td bdi").all_inner_texts()) <= 160
