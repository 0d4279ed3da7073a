"""The page in a real browser, from disk, with no network: nothing fails, charts are drawn, the tables answer."""

import polars as pl
import pytest

from seqsae import schema
from seqsae.pages.page import render


@pytest.fixture
def opened(look, tmp_path):
    """A function that opens a page of some content; at the end nothing may have gone wrong in it."""
    return lambda content: look(render(content, tmp_path))


def rows(page) -> list[str]:
    """The feature numbers in the feature table, from the top."""
    return page.locator("#feature-table tbody td:first-child").all_inner_texts()


def drag(page) -> None:
    """Drag over the lower left quarter of the map, where the family DIAG stands."""
    page.locator("#feature-map").scroll_into_view_if_needed()
    box = page.locator("#feature-map canvas").bounding_box()
    page.mouse.move(box["x"] + 6, box["y"] + box["height"] * 0.52)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.8, steps=4)
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] - 6, steps=4)
    page.mouse.up()


def ink(page) -> int:
    """Opaque pixels on the map."""
    return page.evaluate(
        """() => { const canvas = document.querySelector("#feature-map canvas");
        const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
        copy.drawImage(canvas, 0, 0);
        const pixels = copy.getImageData(0, 0, canvas.width, canvas.height).data;
        let drawn = 0; for (let i = 3; i < pixels.length; i += 4) drawn += pixels[i] > 128; return drawn; }"""
    )


def test_charts_and_tables_are_drawn(opened, fake, tmp_path):
    page = opened(fake())
    for name, marks in (
        ("worth-auroc", 18),
        ("worth-spearman", 6),
        ("concepts", 18),
        ("resplits", 18),
        ("curve-fvu", 10),
        ("curve-dense", 10),
    ):
        assert (
            page.locator(f"[data-chart={name}] svg .mark-symbol path, [data-chart={name}] svg .mark-rect path").count()
            >= marks
        ), name
    assert ink(page) > 42 * 20  # 42 live features of some 30 pixels each
    assert page.locator("[data-chart=density] canvas").count() == 1
    assert page.locator("#covariate-table tbody tr").count() == 6
    assert page.locator("#concept-table tbody tr").count() == 5
    assert len(rows(page)) == 42
    assert page.locator("#card-list .card").count() == 8
    page.screenshot(path=tmp_path / "page.png", full_page=True)
    assert (tmp_path / "page.png").stat().st_size > 50_000


def test_a_brush_on_the_map_filters_the_table(opened, fake):
    page = opened(fake())
    before, drawn = rows(page), ink(page)
    drag(page)
    page.wait_for_function("document.querySelector('#feature-count').textContent.startsWith('42') === false")
    brushed = rows(page)
    assert 0 < len(brushed) < len(before)
    assert all(int(name[1:]) % 4 == 0 for name in brushed), brushed
    page.click("#clear-brush")
    page.wait_for_function("document.querySelector('#feature-count').textContent.startsWith('42')")
    assert rows(page) == before
    page.mouse.move(0, 0)
    page.wait_for_timeout(200)
    assert ink(page) == drawn  # the brush is gone from the map too


def test_a_cluster_filters_the_table(opened, fake):
    page = opened(fake())
    page.click("#cluster-legend button[data-cluster='1']")
    assert rows(page)
    assert set(page.locator("#feature-table tbody td:nth-child(2)").all_inner_texts()) == {" JOB//…"}


def test_search_and_sort_work(opened, fake):
    page = opened(fake())
    page.fill("#feature-search", "diag//a")
    found = page.locator("#feature-table tbody td:nth-child(3)").all_inner_texts()
    assert found
    assert all(token.startswith("DIAG//A") for token in found)
    page.fill("#feature-search", "no such thing")
    assert page.locator("#feature-table .empty").is_visible()
    page.fill("#feature-search", "")
    page.click("#feature-table th[data-key='feature'] button")
    numbers = [int(name[1:]) for name in rows(page)]
    assert numbers == sorted(numbers)
    page.click("#feature-table th[data-key='feature'] button")
    assert [int(name[1:]) for name in rows(page)] == numbers[::-1]
    assert page.get_attribute("#feature-table th[data-key='feature']", "aria-sort") == "descending"


def test_a_baseline_that_does_better_is_shown_in_its_row(opened, fake):
    page = opened(fake())
    told = {
        row.locator("td").first.inner_text().split("\n")[0]: row.locator("td").nth(7).inner_text()
        for row in page.locator("#covariate-table tbody tr").all()
    }
    assert told["region = north"] == "token does better"
    assert told["sex = F"] == "no baseline does better"
    assert told["coin = heads"] == "nothing found"


def test_any_feature_opens_a_card(opened, fake):
    page = opened(fake())
    page.click("#feature-table a[href='#feature=8']")  # the coin's best feature: its card is not among the first
    assert page.locator(".card.picked b").inner_text() == "Feature 8"
    page.click("#covariate-table a[href='#feature=2']")
    assert page.locator(".card.picked b").inner_text() == "Feature 2"
    card = page.locator(".card.picked")
    assert "token does better" in card.inner_text()
    assert card.locator(".tokens mark").first.inner_text() == "MOVE//C2"


def test_nasty_names_stay_text_in_the_browser(opened, fake, nasty):
    page = opened(fake(nasty=True))
    assert page.locator("img").count() == 0
    page.fill("#feature-search", "onerror")
    assert page.locator("#feature-table tbody td:nth-child(3)").all_inner_texts() == [nasty]
    assert page.title() == f"Study {nasty}"


def test_the_name_of_a_token_stands_below_it_in_the_table_and_beside_it_on_the_card(opened, fake, nasty):
    token = fake().profile.filter(pl.col("feature") == 2)["best_token"][0]
    page = opened(fake(names={token: f"Metformin {nasty}"}))
    page.fill("#feature-search", "metformin")
    cells = page.locator("#feature-table tbody td:nth-child(3)").all_inner_texts()
    assert cells and all(cell.split("\n") == [token, f"Metformin {nasty}"] for cell in cells)
    page.click("#feature-table a[href='#feature=2']")
    card = page.locator(".card.picked")
    assert card.locator(".name").inner_text() == f"Metformin {nasty}"
    assert f"{token}: Metformin" in card.locator(".tokens mark").first.get_attribute("title")
    assert page.locator("img").count() == 0


@pytest.mark.parametrize("bare", [True, False])
def test_a_page_with_little_in_it_still_opens(opened, fake, bare):
    missing = {"concepts": None, "metrics": None, "resplits": None, "covariates": [], "run": {}}
    names = ("associations", "baselines", "examples", "profile", "atlas") if bare else ("associations", "baselines")
    page = opened(fake(**missing, **{name: schema.empty(name) for name in names}))
    assert page.locator("#feature-table tbody tr").count() == (1 if bare else 42)


def test_a_map_without_clusters_is_drawn(opened, fake):
    atlas = fake().atlas.with_columns(cluster=pl.lit(-1, pl.Int32), cluster_label=pl.lit(None, pl.String))
    page = opened(fake(atlas=atlas))
    assert ink(page) > 42 * 20
    assert page.locator("#cluster-legend button").count() == 0


def test_a_wide_page_shows_some_rows_and_offers_more(opened, fake):
    page = opened(fake(width=400, cards=60))
    assert len(rows(page)) == 50
    page.click("#feature-table .more")
    assert len(rows(page)) == 100
    page.click("#more-cards")
    assert page.locator("#card-list .card").count() == 16
