"""Every literal against loops over the sequences, and what is named, kept, and left alone."""

from dataclasses import replace
from datetime import datetime

import numpy as np
import polars as pl
import pytest
from associations.captions import made
from features.small_stores import store_of

from seqsae.associations.captions.atoms import beginnings, families_of
from seqsae.associations.captions.facts import thresholds
from seqsae.associations.captions.literals import vocabulary
from seqsae.associations.concept_spans import part_of
from seqsae.caption_options import CaptionConfig

CONFIG = CaptionConfig(min_clusters=3, windows=(1, 2, 5))


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """Literals by their words: [rows of select] bool; the tokens of each sample of select."""
    n_rows, tokens = made.sequences()
    store = store_of(tmp_path_factory.mktemp("s"), n_rows, tokens=np.concatenate(tokens))
    store = made.bidirectional(store, tmp_path_factory.mktemp("b"))
    part = part_of(store, "select")
    known = vocabulary(made.NONE, store, part, CONFIG)
    matrix = known.matrix(part).toarray().astype(bool)
    assert matrix.shape[1] == len(known.literals) == len({one.text for one in known.literals})
    return {one.text: matrix[:, i] for i, one in enumerate(known.literals)}, [tokens[i] for i in part.samples]


def loop(samples, test):
    return np.array([bool(test(sample, i)) for sample in samples for i in range(len(sample))])


def test_tokens_families_and_what_is_near_are_those_of_loops(texts):
    found, samples = texts
    is_high, is_earn = (lambda one: one == "EARN//high"), (lambda one: one.startswith("EARN//"))
    for what, held in (("EARN//high", is_high), ("a token that begins with EARN//", is_earn)):
        told = f"is {what}" if what == "EARN//high" else what.removeprefix("a token that ")
        wanted = {
            f"token {told}": lambda s, i, held=held: held(s[i]),
            f"the token before {told}": lambda s, i, held=held: i and held(s[i - 1]),
            f"the next token {told}": lambda s, i, held=held: i + 1 < len(s) and held(s[i + 1]),
            f"{what} seen in the last 2 rows": lambda s, i, held=held: any(map(held, s[max(0, i - 2) : i])),
            f"{what} seen in the last 5 rows": lambda s, i, held=held: any(map(held, s[max(0, i - 5) : i])),
            f"{what} seen before": lambda s, i, held=held: any(map(held, s[:i])),
            f"{what} seen here or before": lambda s, i, held=held: any(map(held, s[: i + 1])),
        }
        for text, test in wanted.items():
            assert np.array_equal(found[text], loop(samples, test)), text
    assert "a token that begins with DIAG//A seen before" in found and "token begins with DIAG//" not in found


def test_the_latest_of_a_family_is_that_of_a_loop(texts):
    found, samples = texts

    def last(sample, i):
        jobs = [one for one in sample[: i + 1] if one.startswith("JOB//")]
        return jobs and jobs[-1] == "JOB//senior"

    assert np.array_equal(found["latest JOB// is JOB//senior"], loop(samples, last))
    assert not any(text.startswith("latest x") for text in found)


def test_places_are_counted_from_the_first_row(texts):
    found, samples = texts
    assert np.array_equal(found["in the first row"], loop(samples, lambda s, i: i == 0))
    assert np.array_equal(found["among the first 3 rows"], loop(samples, lambda s, i: i < 3))
    [text] = [one for one in found if one == "from row 6 on"]
    assert np.array_equal(found[text], loop(samples, lambda s, i: i >= 5))


def test_a_causal_model_is_told_of_no_later_token(tmp_path):
    n_rows, tokens = made.sequences(80)
    store = store_of(tmp_path, n_rows, tokens=np.concatenate(tokens))
    known = vocabulary(made.NONE, store, part_of(store, "select"), CONFIG)
    assert store.model["attention"] == "causal" and not any("next" in one.text for one in known.literals)


def test_families_are_beginnings_that_tokens_share():
    assert beginnings("JOB//PROF//2") == ["JOB//", "JOB//PROF//"]
    assert beginnings("ICD10//C50.9") == ["ICD10//", "ICD10//C", "ICD10//C50"]
    assert beginnings("DIAG//M54") == ["DIAG//", "DIAG//M"] and beginnings("A") == [] and beginnings("C10") == ["C"]
    names = ["A//x", "A//y", "B//C50.1", "B//C50.9", "B//C61", "B//D10", "Z//only"]
    assert families_of(names, np.ones(7, bool)) == ["A//", "B//", "B//C", "B//C50"]
    assert families_of(names, np.array([1, 1, 1, 1, 0, 0, 1], bool)) == ["A//", "B//C50"]


def test_rare_literals_and_those_that_always_hold_are_left_out(tmp_path):
    n_rows, tokens = made.sequences(100)
    tokens[1][0] = "seldom"
    store = store_of(tmp_path, n_rows, tokens=np.concatenate(tokens))
    part = part_of(store, "select")
    known = vocabulary(made.NONE, store, part, CONFIG)
    assert not any("seldom" in one.text for one in known.literals)
    matrix = known.matrix(part).toarray()
    assert matrix.sum(axis=0).min() > 0 and matrix.sum(axis=0).max() < len(matrix)
    one_token = store_of(tmp_path / "one", n_rows)
    one_token = replace_tokens(one_token)
    assert not vocabulary(made.NONE, one_token, part_of(one_token, "select"), CONFIG).atoms.names


def replace_tokens(store):
    store.__dict__["rows"] = store.rows.with_columns(token=pl.lit("same"))
    return store


def test_as_many_literals_as_asked_for_and_the_commonest(tmp_path):
    n_rows, tokens = made.sequences(100)
    store = store_of(tmp_path, n_rows, tokens=np.concatenate(tokens))
    part = part_of(store, "select")
    for most in (12, 40, 90):
        known = vocabulary(made.NONE, store, part, CaptionConfig(min_clusters=3, literals=most))
        assert len(known.literals) <= most + 30 and len(known.atoms.names) <= most // 2


ENTRIES = [
    {"name": "sex", "type": "binary"}, {"name": "group", "type": "categorical"}, {"name": "age", "type": "continuous"},
    {"name": "health", "type": "ordinal", "order": ["poor", "fair", "good"]},
    {"name": "coin", "type": "binary", "role": "negative-control"},
    {"name": "region", "type": "categorical", "level": "token"},
]  # fmt: skip


@pytest.fixture
def facts(tmp_path):
    """200 people of six rows each: (literals by text as (kind, [rows] bool), subject [rows], place [rows], columns)."""
    n, rng = 200, np.random.default_rng(0)
    columns = {
        "sex": rng.choice(["f", "m"], n).tolist(), "group": rng.choice(["a", "b", "c"], n).tolist(),
        "age": rng.uniform(20, 80, n).round(1).tolist(), "health": rng.choice(["poor", "fair", "good"], n).tolist(),
        "coin": rng.choice(["h", "t"], n).tolist(),
    }  # fmt: skip
    columns["age"][1] = None
    spans = pl.DataFrame(
        [(i, i % 4, i % 4 + 2, "region", "loop" if i % 2 else "turn") for i in range(n)],
        schema={"sample": pl.UInt32, "start": pl.UInt32, "end": pl.UInt32, "covariate": pl.String, "value": pl.String},
        orient="row",
    )
    store = store_of(tmp_path, np.full(n, 6))
    times = [datetime(1990 + i % 20, 1, 1 + place) for i in range(n) for place in range(6)]
    tokens = ["MEDS_BIRTH" if place == 0 else "x" for _ in range(n) for place in range(6)]
    store.__dict__["rows"] = store.rows.with_columns(
        time=pl.Series(times, dtype=pl.Datetime("us")), token=pl.Series(tokens)
    )
    part = part_of(store, "select")
    known = vocabulary(made.covariates(columns, ENTRIES, spans), store, part, CONFIG)
    matrix = known.matrix(part).toarray().astype(bool)
    found = {one.text: (one.kind, matrix[:, i]) for i, one in enumerate(known.literals)}
    subject, place = store.row_subject[part.rows], store.rows["event"].to_numpy()[part.rows].astype(int)
    return found, subject, place, {name: np.array(values, dtype=object)[subject] for name, values in columns.items()}


def test_covariates_and_annotations_are_those_of_loops(facts):
    found, subject, place, table = facts
    assert not any("coin" in text for text in found)
    checks = {
        "sex is f": table["sex"] == "f", "group is b": table["group"] == "b",
        "health at least fair": np.isin(table["health"], ["fair", "good"]), "health below good": table["health"] != "good",
        "within region = loop": (subject % 2 == 1) & (place >= subject % 4) & (place < subject % 4 + 2),
    }  # fmt: skip
    for text, wanted in checks.items():
        assert np.array_equal(found[text][1], wanted.astype(bool)), text
    assert found["within region = loop"][0] == "spell" and found["sex is f"][0] == "covariate"


def test_ages_and_times_are_those_of_loops(facts):
    found, subject, _, table = facts
    cuts = [text for text in found if text.startswith("age at least")]
    assert len(cuts) == 3
    for text in cuts:
        limit = float(text.split()[-1])
        wanted = np.array([value is not None and value >= limit for value in table["age"]])
        assert np.array_equal(found[text][1], wanted)
    years = [text for text in found if text.startswith("year")]
    assert years and all(np.array_equal(found[t][1], 1990 + subject % 20 >= int(t.split()[1])) for t in years)
    assert any(text.endswith("days after the first row") for text in found)
    assert not any(text.startswith("age 0") for text in found), "it holds on every row"


def test_ages_follow_from_births_among_the_rows(tmp_path):
    n_rows = np.full(60, 4)
    store = store_of(tmp_path, n_rows)
    years = [datetime(1950 + 11 * place, 1, 1) for _ in range(60) for place in range(4)]
    tokens = ["MEDS_BIRTH" if place == 0 else "x" for _ in range(60) for place in range(4)]
    store.__dict__["rows"] = store.rows.with_columns(
        time=pl.Series(years, dtype=pl.Datetime("us")), token=pl.Series(tokens)
    )
    part = part_of(store, "select")
    known = vocabulary(made.NONE, store, part, CONFIG)
    matrix = known.matrix(part).toarray().astype(bool)
    found = {one.text: matrix[:, i] for i, one in enumerate(known.literals)}
    place = store.rows["event"].to_numpy()[part.rows]
    for decade, wanted in ((0, 0), (10, 1), (20, 2), (30, 3)):
        assert np.array_equal(found[f"age {decade} to {decade + 9}"], place == wanted)
    assert np.array_equal(found["age 20 or more"], place >= 2) and "age 40 or more" not in found


def test_thresholds_are_what_the_words_say():
    values = np.random.default_rng(0).normal(size=1000) * 12345.678
    for cut in thresholds(values, (0.25, 0.5, 0.75)):
        assert float(f"{cut:g}") == cut
    assert thresholds(np.ones(5), (0.5,)) == [] and thresholds(np.empty(0), (0.5,)) == []
    assert thresholds(np.array([0.0, 0, 0, 1]), (0.25, 0.5)) == [], "at least the lowest always holds"


def test_planted_truth_is_not_read(tmp_path):
    n_rows, tokens = made.sequences(80)
    store = store_of(tmp_path, n_rows, tokens=np.concatenate(tokens))
    truth = pl.DataFrame({"subject_id": ["s1"], "concept": ["secret"], "start": [0], "end": [5]})
    with_truth = replace(made.NONE, truth={"concepts": [{"name": "secret"}]}, truth_spans=truth)
    part = part_of(store, "select")
    assert vocabulary(with_truth, store, part, CONFIG).literals == vocabulary(made.NONE, store, part, CONFIG).literals
