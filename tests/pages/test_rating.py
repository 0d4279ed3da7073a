"""Blind rating: agreement against published examples, a page that tells nothing, scores that find what was planted."""

import json
import re

import numpy as np
import polars as pl
import pytest
from features.small_stores import store_of

from seqsae.errors import SeqsaeError
from seqsae.features.encoding import encode
from seqsae.pages.rating import coded, rating, set_of
from seqsae.pages.rating_agreement import krippendorff
from seqsae.pages.rating_scores import by_source, score, told
from seqsae.sae.room import train

_ = np.nan
# Krippendorff (2011), example C: 4 observers, 12 units, values missing.
PUBLISHED = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
        [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
    ]
)


@pytest.mark.parametrize(("level", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_is_the_published_one(level, alpha):
    assert krippendorff(PUBLISHED, level) == pytest.approx(alpha, abs=5e-4)


def test_alpha_of_two_raters_by_hand():
    # Values a a b b against a b b b: 8 values, 3 of a, 5 of b; 2 mismatched of 8 coincidences; expected 2 * 15 / 56.
    ratings = np.array([[0, 0, 1, 1], [0, 1, 1, 1]], float)
    assert krippendorff(ratings, "nominal") == pytest.approx(1 - (2 / 8) / (2 * 15 / (8 * 7)))
    assert krippendorff(np.array([[1.0, 2, 3]])) is None  # nobody to agree with
    assert krippendorff(np.full((2, 4), 2.0)) is None  # nothing to differ in
    assert krippendorff(np.array([[0.0, 1, 2, 3]] * 3)) == 1


@pytest.fixture(scope="module")
def encoded(tmp_path_factory):
    """A small SAE on 120 samples of rows that lean towards their token's direction."""
    rng = np.random.default_rng(1)
    n_rows = rng.integers(4, 12, 120)
    letters = rng.integers(0, 8, n_rows.sum())
    x = np.eye(8)[letters] * 3 + rng.normal(size=(len(letters), 8)) * 0.4
    store = store_of(tmp_path_factory.mktemp("rating"), n_rows, x, [f"CODE//{letter}" for letter in letters])
    sae = train(store, "topk", width=16, k=2, steps=60, batch=64, seeds=1)
    return encode(sae, store)


@pytest.fixture(scope="module")
def made(encoded):
    out = encoded.path.parents[2] / "rating"
    return rating(encoded, {"CODE//3": "<b>three</b>"}, out=out, raters=2, features=6)


def data_of(path) -> dict:
    return json.loads(re.search(r'id="data">(.*?)</script>', path.read_text(encoding="utf-8"), re.DOTALL)[1])


def test_a_page_tells_nothing_and_raters_differ_in_order_alone(made):
    one, two = (data_of(path) for path in made.files("rater-"))
    codes = [[item["code"] for item in page["items"]] for page in (one, two)]
    key = made.table("key.parquet")
    assert codes[0] != codes[1] and sorted(codes[0]) == sorted(codes[1]) == key["code"].to_list()
    assert {item["code"]: item for item in one["items"]} == {item["code"]: item for item in two["items"]}
    assert set(one["items"][0]) == {"code", "examples", "tokens"}
    whole = json.dumps(one).lower()
    assert not any(word in whole for word in ("neuron", "pca", "random", "has_3", "caption", "feature", "sae"))
    assert set(key["source"]) == {"sae", "neuron", "pca", "random-dictionary"}
    tops = [max(value for example in item["examples"] for value in example["values"]) for item in one["items"]]
    assert tops == [1.0] * len(tops)  # no scale tells a source


def test_units_are_cut_at_rates_of_features(made):
    key = made.table("key.parquet")
    rates = {source: sorted(key.filter(pl.col("source") == source)["rate"]) for source in ("sae", "neuron", "pca")}
    for source in ("neuron", "pca"):
        assert max(rates[source]) <= max(rates["sae"]) + 1e-9
        assert min(rates[source]) > 0


def rated(made, rater: int, of_source: dict, folder) -> str:
    key = made.table("key.parquet")
    data = data_of(made.files("rater-")[rater - 1])
    ratings = {
        code: {"rating": of_source[source], "label": "=SUM(A1)"}
        for code, source in key.select("code", "source").iter_rows()
    }
    path = folder / f"r{rater}.json"
    path.write_text(json.dumps({"kind": "seqsae rating", "set": data["set"], "rater": rater, "ratings": ratings}))
    return path


def test_ratings_are_scored_by_source(made, tmp_path):
    high = {"sae": 3, "neuron": 1, "pca": 1, "random-dictionary": 0}
    files = [rated(made, 1, high, tmp_path), rated(made, 2, high | {"sae": 2}, tmp_path)]
    found = score(made.path, files)
    means = dict(found.by_source.select("source", "mean").iter_rows())
    assert means == {"sae": 2.5, "neuron": 1, "pca": 1, "random-dictionary": 0}
    p = dict(found.by_source.select("source", "p").iter_rows())
    assert p["neuron"] < 0.01 and p["sae"] is None
    assert 0.5 < found.alpha < 1
    assert "by 2 raters" in told(found) and "+1.50" in told(found)
    assert (made.path.parent / "rating-scores" / "ratings.parquet").is_file()


def test_wrong_files_are_refused(made, tmp_path):
    good = rated(made, 1, {"sae": 1, "neuron": 1, "pca": 1, "random-dictionary": 1}, tmp_path)
    with pytest.raises(SeqsaeError, match="has rated already"):
        score(made.path, [good, good])
    document = json.loads(good.read_text())
    changes = {
        "of_another": {"set": "0" * 12},
        "too_high": {"ratings": {"AAAA": {"rating": 4}}},
        "unknown": {"ratings": {"AAAA": {"rating": 1}}},
        "none": {"ratings": {}},
    }
    words = {"of_another": "rates set", "too_high": "maximum", "unknown": "no unit 'AAAA'", "none": "no unit was rated"}
    for name, change in changes.items():
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(document | change))
        with pytest.raises(SeqsaeError, match=words[name]):
            score(made.path, [path])


@pytest.mark.parametrize("text", ['{"rating": 2, "label": "\\ud800"}', '{"rating": 2}, "\\ud800": {"rating": 1}'])
def test_half_a_sign_is_refused_and_pages_come_first(made, tmp_path, text):
    key = pl.read_parquet(made.path / "key.parquet")
    head = f'{{"kind": "seqsae rating", "set": "{set_of(key)}", "rater": 1, "ratings": {{"{key["code"][0]}": '
    (tmp_path / "half.json").write_text(head + text + "}}")
    with pytest.raises(SeqsaeError, match="half.json: holds half a sign"):
        score(made.path, [tmp_path / "half.json"])
    with pytest.raises(SeqsaeError, match="no set to rate there; make its pages first"):
        score(tmp_path / "nowhere", [tmp_path / "half.json"])


def test_no_difference_is_seldom_found():
    rng = np.random.default_rng(0)
    found = []
    for draw in range(20):
        table = pl.DataFrame(
            {
                "code": [f"u{i}" for i in range(24)],
                "source": ["sae"] * 12 + ["neuron"] * 12,
                "rating": rng.integers(0, 4, 24),
            }
        )
        found.append(by_source(table, draw).filter(pl.col("source") == "neuron")["p"][0])
    assert sum(p <= 0.05 for p in found) <= 4 and max(found) > 0.5


def test_codes_are_all_different():
    codes = coded(500, np.random.default_rng(0))
    assert len(set(codes)) == 500 and all(re.fullmatch(r"[B-DF-HJ-NP-TV-XZ2-9]{4}", code) for code in codes)


def test_in_a_browser_a_person_rates_and_saves(made, look, tmp_path):
    page = look(made.files("rater-")[0])
    items = data_of(made.files("rater-")[0])["items"]
    page.fill("#label", "threes, <i>mostly</i>")
    page.click(".scale button[data-rating='2']")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("3")
    assert page.inner_text("#rated") == f"2 of {len(items)} rated"
    with page.expect_download() as saved:
        page.click("#export")
    saved.value.save_as(tmp_path / "out.json")
    document = json.loads((tmp_path / "out.json").read_text())
    assert document["ratings"] == {
        items[0]["code"]: {"rating": 2, "label": "threes, <i>mostly</i>"},
        items[1]["code"]: {"rating": 3},
    }
    assert score(made.path, [tmp_path / "out.json"]).alpha is None
    page.reload()
    page.set_input_files("#load", tmp_path / "out.json")
    page.wait_for_function("document.querySelector('#rated').textContent.startsWith('2')")
    assert page.input_value("#label") == "threes, <i>mostly</i>" and page.locator("#unit b b, #unit i i").count() == 0
