"""The sections that a page need not have, in a real browser: drawn, sortable, narrow, silent."""

from dataclasses import replace

import polars as pl
import pytest
from pages import made_up

from seqsae import schema
from seqsae.pages.page import render


@pytest.fixture
def opened(look, tmp_path):
    return lambda content: look(render(content, tmp_path))


@pytest.fixture
def full(fake):
    """Content with all three sections."""

    def make(**changes):
        parts = {"used": made_up.used(), "annotated": made_up.annotated(), "layers": made_up.layers()}
        return fake(**(parts | changes))

    return make


def cells(page, table: str, column: int) -> list[str]:
    return page.locator(f"#{table} tbody td:nth-child({column})").all_inner_texts()


def test_all_three_are_drawn_with_their_tables(opened, full):
    page = opened(full())
    for name, marks in (
        ("recovered-0", 10),
        ("attribution-0", 6),
        ("matched", 6),
        ("layer-fvu", 4),
        ("layer-concepts", 8),
    ):
        drawn = page.locator(f"[data-chart={name}] svg :is(.mark-symbol, .mark-rect) path")
        assert drawn.count() >= marks, name
    for table, rows in (
        ("recovered-table", 14), ("effect-table", 3), ("attribution-table", 3), ("match-table", 6), ("pattern-table", 3),
        ("layer-table", 4),
    ):  # fmt: skip
        assert page.locator(f"#{table} tbody tr").count() == rows, table
    assert page.locator("#effect-table tbody tr").first.inner_text().split()[:2] == ["#0", "DIAG//A0"]
    assert cells(page, "recovered-table", 2)[0] == "hidden as trained"


def test_the_sections_are_absent_without_their_tables(opened, fake):
    page = opened(fake())
    assert page.locator("#used, #annotated, #layers").count() == 0
    assert page.locator("nav a").count() == 8
    assert page.locator(".card .line").count() == 0


def test_effects_sort_by_percentile(opened, full):
    page = opened(full())
    page.click("#effect-table th[data-key='percentile'] button")
    assert [text.split()[0] for text in cells(page, "effect-table", 3)] == ["95", "55", "15"]
    page.click("#effect-table th[data-key='percentile'] button")
    assert [text.split()[0] for text in cells(page, "effect-table", 1)] == ["#9", "#2", "#0"]


def test_the_score_of_the_pairs_is_chosen(opened, full):
    page = opened(full())
    assert [text.split()[0] for text in cells(page, "pair-table", 2)] == ["#0", "#2", "#4"]
    page.click("#score-choice button[data-score='f1_per_domain']")
    assert [text.split()[0] for text in cells(page, "pair-table", 2)] == ["#1", "#3", "#5"]
    assert page.get_attribute("#score-choice button[data-score='f1']", "aria-pressed") == "false"
    assert cells(page, "pair-table", 1)[2].startswith("chain = <b>heavy</b>")


def test_a_card_tells_effect_tokens_concept_and_pattern(opened, full):
    page = opened(full())
    page.click("#effect-table a[href='#feature=2']")
    card = page.locator(".card.picked")
    assert card.locator(".used").all_inner_texts() == [
        "Without it: KL 0.040 nats [0.020, 0.080], percentile 55 [50, 58] of 20 like features.",
        "Steered ×2: KL 0.020 nats [0.010, 0.040], percentile 55 [50, 58] of 20 like features.",
    ]
    assert card.locator(".raised").inner_text() == "Raises ICD//F32 +0.030"
    assert card.locator(".lowered").inner_text() == "Lowers JOB//A1 −0.030"
    assert card.locator(".concept").inner_text() == "region = CDR2: token F1 0.60, F1 per domain 0.80, on above 0.15"
    assert card.locator(".pattern").inner_text().startswith("motif")
    page.click("#feature-table a[href='#feature=6']")  # neither ablated nor tied to a concept
    assert page.locator(".card.picked .used, .card.picked .concept").count() == 0
    assert page.locator(".card.picked .pattern").inner_text().startswith("point")


@pytest.mark.parametrize("width", [400, 1200])
def test_nothing_is_wider_than_the_window(opened, full, width):
    page = opened(full())
    page.set_viewport_size({"width": width, "height": 800})
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    links = page.locator("nav a").all()
    assert width == 400 or all(link.bounding_box()["x"] + link.bounding_box()["width"] <= width for link in links)


def test_names_that_would_break_out_stay_text(opened, full, nasty):
    concepts = [("region", nasty), *made_up.CONCEPTS[1:]]
    changed = {"pairs": made_up.pairs(concepts), "concepts": made_up.concepts(concepts)}
    sites = made_up.layers().with_columns(site=pl.col("site") + nasty)
    page = opened(
        full(
            used=made_up.used(raised=nasty), annotated=made_up.annotated(**changed), layers=sites, names={nasty: nasty}
        )
    )
    assert page.locator("img").count() == 0
    assert nasty in cells(page, "pair-table", 1)[0]
    assert nasty in cells(page, "layer-table", 1)[0]
    assert nasty in page.locator("#effect-table .moved").first.inner_text()


def test_little_in_them_still_opens(opened, full):
    undefined = {
        "recovered": None,
        "ci_low": None,
        "ci_high": None,
        "undefined": "the ablation does not hurt the model",
    }
    used = made_up.used(
        recovered=made_up.recovered(**undefined),
        effects=schema.empty("effects"), tokens=schema.empty("effect_tokens"), attribution=schema.empty("attribution"),
    )  # fmt: skip
    patterns = replace(made_up.annotated(), matches=None, pairs=None, concepts=None)
    page = opened(full(used=used, annotated=patterns, layers=made_up.layers(1)))
    assert cells(page, "recovered-table", 4)[0] == "not defined"
    assert page.locator("#annotated h2").inner_text() == "Position patterns"
    assert page.locator("#attribution-more").is_hidden()


def test_a_task_alone_is_told_in_its_own_unit(opened, full):
    summary = made_up.used().summary | {"objectives": [made_up.objective("task")]}
    effects = made_up.effects([0, 2], ("task",)).with_columns(unit=pl.lit("loss"))
    used = made_up.used(
        recovered=made_up.recovered("task"), effects=effects, tokens=schema.empty("effect_tokens"), summary=summary
    )
    page = opened(full(used=used))
    assert "Raises" not in page.locator("#effect-table thead").inner_text()
    page.click("#effect-table a[href='#feature=2']")
    assert page.locator(".card.picked .used").first.inner_text().startswith("Without it: task loss 0.040 loss")
