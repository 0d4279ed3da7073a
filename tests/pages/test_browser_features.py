"""Cards, map, scatter and seeds in a real browser: drawn, tied to each other, harmless, reachable by address."""

import pytest
from pages import made_up

from seqsae.pages import seeds
from seqsae.pages.page import render

LONG = "x" * 10_000
DARK = """() => { const canvas = document.querySelector("#feature-map canvas");
const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
copy.drawImage(canvas, 0, 0);
const pixels = copy.getImageData(0, 0, canvas.width, canvas.height).data;
let drawn = 0; for (let i = 3; i < pixels.length; i += 4) drawn += pixels[i] > 128; return drawn; }"""
RIGHT_TO_LEFT = "\u202egnp.exe"


@pytest.fixture
def opened(look, tmp_path):
    return lambda content: look(render(content, tmp_path))


def drag(page, chart: str, ends: tuple) -> None:
    """Drag from one corner to the other; ends are shares of the chart's width and height."""
    place = page.locator(f"[data-chart={chart}]")
    place.scroll_into_view_if_needed()
    box = place.locator("canvas").bounding_box()
    (x, y), (to_x, to_y) = ends
    page.mouse.move(box["x"] + box["width"] * x, box["y"] + box["height"] * y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * (x + to_x) / 2, box["y"] + box["height"] * (y + to_y) / 2, steps=3)
    page.mouse.move(box["x"] + box["width"] * to_x, box["y"] + box["height"] * to_y, steps=3)
    page.mouse.up()


def until(page, holds) -> None:
    """Wait until it holds, ten seconds at most."""
    for _ in range(100):
        if holds():
            return
        page.wait_for_timeout(100)
    raise AssertionError("it never held")


def told_on_a_card(page) -> None:
    """What, when and where a feature fires, and beside whom."""
    page.click("#feature-table a[href='#feature=2']")
    card = page.locator(".card.picked")
    captions = [text.strip() for text in card.locator("figcaption").all_inner_texts()]
    assert captions == ["Activation", "Age, years", "Calendar year", "Position"]
    years = card.locator("figure", has_text="Calendar year")
    titles = [node.text_content() for node in years.locator("title").all()]
    assert titles[2] == "1995 to 2000: on 1.2% of 1,000 rows, in 7 of 400 subjects"
    assert titles[3].endswith("on none of 1,000 rows") and years.locator(".bar").count() == len(titles) == 8
    first = card.locator(".enriched li").first
    assert first.inner_text().split("\n")[:2] == ["JOB//A1", "Carpenter"]
    assert "30 subjects; 12.5 times" in first.get_attribute("title") and card.locator(".enriched li").count() == 6
    assert card.locator(".kin a").all_inner_texts() == ["#0", "#1", "#3"]
    assert card.locator(".kind").inner_text().strip() == "child #0"
    assert card.locator(".line", has_text="In other seeds").inner_text().endswith("0.95, 0.60")
    assert card.locator(".timeline circle").count() == 12
    assert card.locator(".steps mark").first.inner_text() == "MOVE//C2"


def followed_by_address(page) -> None:
    """Links and addresses open a feature's card, older ones too."""
    page.locator(".card.picked .kin a").first.click()
    page.wait_for_function("location.hash === '#feature=0'")
    for address, feature in (("#feature=9", 9), ("#feature-11", 11)):
        page.evaluate(f"location.hash = '{address}'")
        page.wait_for_function(f"document.querySelector('.card.picked header b').innerText === 'Feature {feature}'")


def narrowed(page) -> None:
    """A brush on the scatter narrows the table; a search dims the map."""
    drag(page, "breadth", ((0.72, 0.02), (0.99, 0.85)))  # many people, few rows
    page.wait_for_function("!document.querySelector('#feature-count').textContent.startsWith('42')")
    left = [int(text[1:]) for text in page.locator("#feature-table tbody td:first-child").all_inner_texts()]
    assert left and min(left) > 5
    page.click("#clear-brush")
    page.wait_for_function("document.querySelector('#feature-count').textContent.startsWith('42')")
    before = page.evaluate(DARK)
    page.fill("#feature-search", "diag")
    until(page, lambda: page.evaluate(DARK) < before * 0.8)
    page.fill("#feature-search", "")
    until(page, lambda: page.evaluate(DARK) == before)


def test_cards_map_scatter_and_seeds_tell_and_narrow_each_other(opened, fake):
    page = opened(fake(portraits=made_up.portraits(families=True), names={"JOB//A1": "Carpenter"}))
    told_on_a_card(page)
    followed_by_address(page)
    narrowed(page)
    rows = [row.split("\t") for row in page.locator("#seeds tbody tr").all_inner_texts()]
    assert [row[0] for row in rows] == ["seed 1", "seed 2", "random directions"]
    assert rows[0][2] == "100%" and rows[2][2] == "0%"
    assert page.locator("[data-chart=seed-cosines] svg .mark-rect path").count() >= 4


def test_with_one_seed_nothing_is_compared(fake):
    assert seeds.part(fake(portraits=made_up.portraits(seeds=False))) is None and seeds.part(fake()) is None


def test_hostile_tokens_are_harmless_and_nothing_is_too_wide(opened, fake, nasty):
    hostile = f"{nasty}{RIGHT_TO_LEFT}=CMD(){LONG}"
    page = opened(fake(portraits=made_up.portraits(token=hostile, families=True), names={hostile: hostile}))
    page.evaluate("location.hash = '#feature=2'")
    page.wait_for_selector(".card.picked")
    assert page.locator("img").count() == 0
    assert page.locator(".card.picked .enriched bdi").first.inner_text().startswith("</script>")
    for width in (390, 1440):
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_timeout(200)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator(".card.picked").bounding_box()["height"] < 4000
