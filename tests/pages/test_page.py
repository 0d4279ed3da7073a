"""The file: one, the same bytes each time, harmless whatever the data are called, honest about what is missing."""

import json
import re
from html.parser import HTMLParser

import polars as pl
import pytest

from seqsae import schema
from seqsae.pages.page import render


class Elements(HTMLParser):
    """Every element's name and attributes, as a browser's parser would see them (scripts are opaque)."""

    def __init__(self, text: str):
        super().__init__()
        self.found: list[tuple[str, dict]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def data_of(text: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])


def test_the_same_content_gives_the_same_bytes(fake, tmp_path):
    first = render(fake(), tmp_path / "a")
    assert first == tmp_path / "a" / "index.html"
    assert first.read_bytes() == render(fake(), tmp_path / "b").read_bytes()
    assert first.read_bytes() != render(fake(title="other"), tmp_path / "c").read_bytes()


def test_a_file_may_be_named(fake, tmp_path):
    assert render(fake(), tmp_path / "deep" / "study.html") == tmp_path / "deep" / "study.html"
    assert (tmp_path / "deep" / "study.html").is_file()


def test_the_order_of_the_tables_rows_does_not_show(fake, tmp_path):
    content = fake()
    names = ("associations", "baselines", "profile", "atlas", "examples", "concepts", "resplits")
    run = {**content.run, "subjects": dict(reversed(content.run["subjects"].items()))}
    covariates = [{**entry, "n": dict(reversed(entry["n"].items()))} for entry in content.covariates]
    turned = fake(run=run, covariates=covariates, **{name: getattr(content, name).reverse() for name in names})
    assert render(content, tmp_path / "a").read_bytes() == render(turned, tmp_path / "b").read_bytes()


def test_nasty_names_add_no_element_and_are_kept_as_text(fake, nasty, tmp_path):
    plain = Elements(render(fake(), tmp_path / "a").read_text(encoding="utf-8")).found
    text = render(fake(nasty=True), tmp_path / "b").read_text(encoding="utf-8")
    found = Elements(text).found
    assert [tag for tag, _ in found] == [tag for tag, _ in plain]
    assert not [name for _, attributes in found for name in attributes if name.startswith("on")]
    data = data_of(text)
    assert nasty in data["features"]["best_token"]
    assert nasty in data["covariates"]["description"]
    assert nasty in data["examples"]["tokens"]


def test_the_page_asks_for_nothing_from_elsewhere(fake, tmp_path):
    text = render(fake(), tmp_path).read_text(encoding="utf-8")
    for tag, attributes in Elements(text).found:
        assert "src" not in attributes, tag
        assert attributes.get("href", "#").startswith(("#", "data:")), tag
    assert "http" not in json.dumps(data_of(text))
    policy = next(attributes["content"] for tag, attributes in Elements(text).found if "http-equiv" in attributes)
    assert policy.startswith("default-src 'none'")
    assert "unsafe-eval" not in policy


def test_what_is_missing_and_who_may_see_it_is_said(fake, tmp_path):
    text = render(fake(), tmp_path).read_text(encoding="utf-8")
    assert "Not yet computed: the permutation null" in text
    assert "tokens of individual subjects" in text
    assert "encodes" not in text.split("<main", 1)[1].split("<script", 1)[0]


def test_sections_without_content_are_left_out(fake, tmp_path):
    text = render(fake(concepts=None, metrics=None, resplits=None), tmp_path).read_text(encoding="utf-8")
    for absent in ('id="concepts"', 'id="training"', 'data-chart="resplits"', 'href="#training"'):
        assert absent not in text
    assert 'id="covariates"' in text


ALL = ("profile", "atlas", "associations", "baselines", "examples")


@pytest.mark.parametrize("tables", [("associations", "baselines"), ("examples",), ALL])
def test_empty_tables_still_make_a_page(fake, tmp_path, tables):
    render(fake(**{name: schema.empty(name) for name in tables}), tmp_path)


def test_four_thousand_features_stay_small(fake, tmp_path):
    bare = len(render(fake(), tmp_path / "a").read_bytes())
    large = len(render(fake(width=4096, cards=60), tmp_path / "b").read_bytes())
    assert large - bare < 2_000_000


def test_the_run_card_shows_every_entry_and_cuts_hashes(fake, tmp_path):
    run = {
        "model": {"name": "m"},
        "losses": {"masked": 1.23456},
        "seed": 7,
        "data_sha256": "0f" * 32,
        "none": None,
    }
    text = render(fake(run=run), tmp_path).read_text(encoding="utf-8")
    for shown in ("<dd>m</dd>", "<dd>1.235</dd>", "<dd>7</dd>", "0f0f0f0f0f0f…", "not recorded"):
        assert shown in text


def test_a_page_of_dead_features_says_how_many(fake, tmp_path):
    content = fake()
    dead = content.profile.with_columns(dead=pl.lit(True))
    text = render(fake(profile=dead), tmp_path).read_text(encoding="utf-8")
    assert "48 dead features are not shown" in text
