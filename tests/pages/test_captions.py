"""Captions on the page and in the terminal: rule and score where there is one, names in tooltips, nothing where none were made."""

import json

import polars as pl
import pytest
from pages import made_up

from seqsae.pages import captions
from seqsae.pages.page import html, render

NAMES = {"ICD//F32": "Depressive episode", "JOB//A1": "Manager", "OTHER//X": "Unseen"}


def data_of(text: str) -> dict:
    return json.loads(text.split('id="data">')[1].split("</script>")[0])


def test_live_features_have_their_captions_and_names(fake):
    data = data_of(html(fake(captions=made_up.captions(), names=NAMES)))
    assert 7 not in data["captions"]["feature"] and len(data["captions"]["feature"]) == 42
    assert data["captions"]["caption"][0] == "token is one of ICD//F32, JOB//A1"
    assert {"ICD//F32", "JOB//A1"} <= set(data["names"]) and "OTHER//X" not in data["names"]
    assert data_of(html(fake()))["captions"] is None and captions.tokens(fake()) == []


def test_a_feature_without_a_portrait_has_rule_score_and_chance_alone(fake):
    told = captions.shown(fake(captions=made_up.captions()), [0])
    rows = dict(zip(told["feature"], zip(told["f1"], told["null_95"], told["precision"], strict=True), strict=True))
    assert rows[0] == (0.9, 0.1, 0.9) and rows[3][2] is None and rows[3][:2] == pytest.approx((0.87, 0.1))


def test_the_terminal_is_told_how_many_and_how_good():
    text = captions.told(made_up.captions(9))
    assert text.startswith("Captions: 3 of 6 features") and "(token 3)" in text
    assert "Median F1 on test rows 0.87, of the best single token 0.45, that chance reaches 0.10." in text
    none = made_up.captions(9).with_columns(kind=pl.lit("none"))
    assert captions.told(none) == "Captions: 0 of 6 features that fire often enough have a short rule beyond chance."


@pytest.mark.parametrize("hostile", [False, True])
def test_cards_and_table_show_rule_score_and_chance(look, tmp_path, fake, nasty, hostile):
    text = f"token is one of ICD//F32, {nasty}" if hostile else "token is one of ICD//F32, JOB//A1"
    page = look(render(fake(captions=made_up.captions(text=text), names=NAMES), tmp_path))
    card = page.locator("#feature-0")
    assert card.locator(".caption").inner_text() == text
    assert "Depressive episode" in card.locator(".caption").get_attribute("title")
    score = card.locator(".caption-score").inner_text()
    assert "F1 0.90 [0.87, 0.93]" in score and "chance 0.10" in score and "one token 0.45" in score
    page.fill("#feature-search", "ICD//F32, ")
    shown = page.locator("#feature-table .rule")
    assert shown.count() == 14 and shown.first.inner_text() == text
    page.fill("#feature-search", "no short rule")
    page.click('#feature-table a.feature[href="#feature=4"]')
    other = page.locator(".card.picked")
    assert "no short rule found" in other.inner_text() and not other.locator(".caption-score").count()


def test_a_page_without_captions_has_no_column_for_them(look, tmp_path, fake):
    page = look(render(fake(), tmp_path))
    assert (
        "Fires where" not in page.locator("#feature-table thead").inner_text() and not page.locator(".caption").count()
    )
