"""What is no profile, or asks for what cannot be, is refused in one line that names the file and the field."""

import copy
import json
from pathlib import Path

import pytest
from handmade import covariate, levels, mentions, once, profile
from synthetic_lives import like_covariates, like_profile
from synthetic_lives.like import make_like

GONE = object()
SCHEMAS = Path(__file__).parents[2] / "schemas"


@pytest.mark.skipif(not SCHEMAS.is_dir(), reason="the package alone")
def test_the_schema_that_comes_with_the_package_is_the_one_of_the_project():
    ours = Path(like_profile.__file__).with_name("data_profile.schema.json")
    assert ours.read_text() == (SCHEMAS / "data_profile.schema.json").read_text(), (
        "copy schemas/data_profile.schema.json"
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"persons": 1}, "persons: 1"), ({"persons": True}, "persons: True"), ({"seed": -1}, "seed: -1"), ({"workers": 0}, "workers: 0"),
        ({"persons": 10**12}, "persons: 1000000000000 is more than the 200,000,000"), ({"persons": 10**400}, "persons: 1000.* is more"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_named_in_one_line_and_nothing_is_left(tmp_path, change, words):
    with pytest.raises(ValueError, match=words) as caught:
        make_like(profile(), tmp_path / "lives", **change)
    assert "\n" not in str(caught.value) and list(tmp_path.iterdir()) == []


def changed(path: str, value) -> dict:
    """The profile with one field (`a.0.b`) set, taken out (GONE), or appended to its list (`a.+`)."""
    known = copy.deepcopy(profile())
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place = known
    for part in parents:
        place = place[part]
    if value is GONE:
        del place[last]
    elif last == "+":
        place.append(value)
    else:
        place[last] = value
    return known


SEQUENCES = {"length": once((None, 9.0, 100, 5.0)), "letters": [{"letter": "A", "subjects": 9, "share": 1.0}]}
SMOKER = profile()["covariates"][0]
FIRST = "events.per_subject.bins.0"
SECOND = "events.per_subject.bins.1"


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("format", 2, "a profile of format 2, this version reads 1"),
        ("format", GONE, "no data profile"),
        ("labels", GONE, "'labels' is a required property"),
        ("events.gap_days", GONE, "events: 'gap_days' is a required"),
        ("events.codes.0.subjects", GONE, "events.codes.0: 'subjects' is a required"),
        ("events.per_subject.bins", 3, "events.per_subject.bins: 3 is not of type 'array'"),
        ("events.per_subject.integer", GONE, "events.per_subject: 'integer' is a required"),
        (f"{FIRST}.mean", float("inf"), "Infinity is no number"),
        (f"{FIRST}.mean", 1e308, f"{FIRST}.mean: 1e.308 is greater"),
        (f"{FIRST}.high", "5", f"{FIRST}.high: '5' is not of type"),
        (f"{FIRST}.high", 10**30, f"{FIRST}.high: 10+ is greater"),
        (f"{FIRST}.subjects", -1, f"{FIRST}.subjects: -1 is less"),
        (f"{FIRST}.subjects", True, f"{FIRST}.subjects: True is not of type 'integer'"),
        (f"{FIRST}.zzz", 1, "Additional properties are not allowed"),
        (f"{SECOND}.low", 20.0, "events.per_subject.bins: its edges do not rise"),
        (f"{SECOND}.low", None, "events.per_subject.bins: its edges do not rise"),
        ("events.gap_days.bins.1.high", 1e308, "gap_days.bins.1.high"),
        ("events.year_last.bins.0.mean", -5, "year_last.bins.0.mean"),
        ("events.codes.0.parent", ["A"], "codes.0.parent"),
        ("events.codes.0.per_subject", float("nan"), "NaN is no number"),
        ("events.codes.0.code", "MEDS_DEATH", "counted apart"),
        ("events.codes.0.code", "\ud800", "surrogates"),
        ("events.codes.+", profile()["events"]["codes"][0], "events.codes: 'DIAG//A' stands twice"),
        ("events.codes.2.values.bins.0.share", "nan", "share: 'nan' is not of type"),
        ("subjects", 0, "subjects: 0 is less than"),
        ("kind", "sequences", "sequences: absent, though"),
        ("kind", "tables", "kind: 'tables' is not one of"),
        ("sequences", SEQUENCES, "sequences: present, though"),
        ("splits.levels.0.value", "foo", "splits.levels.0.value: 'foo' is not one of"),
        ("splits.levels.0.value", 3, "splits.levels.0.value: 3 is not one of"),
        ("covariates.0.schema.type", "foo", "'foo' is not one of"),
        ("covariates.0.schema.role", 1, "role: 1 is not one of"),
        ("covariates.0.schema.unit", 5, "unit: 5 is not of type 'string'"),
        ("covariates.0.schema.level", "..", "level: '..' is not one of"),
        ("covariates.0.schema.level", "token", "margin of 'smoker', which is no column"),
        ("covariates.0.schema.name", "subject_id", "cannot be called 'subject_id'"),
        ("covariates.0.schema.within", ["region"], "cannot be compared within 'region'"),
        ("covariates.0.schema.positive", 5, "positive is 5, which is no level"),
        ("covariates.0.margins.smoker", once(), "binary, but its margin is one of numbers"),
        ("covariates.0.margins.smoker", levels(a=1, b=1, c=1), "binary, but has 3 levels"),
        ("covariates.0.margins.smoker.levels.0", {}, "covariates.0.margins.smoker"),
        ("covariates.0.margins.smoker.levels.0.value", -1.0, "a level is a number"),
        ("covariates.5.margins.age", levels(a=1), "continuous, but its margin is one of categories"),
        ("covariates.+", SMOKER, "covariates: 'smoker' stands twice"),
        ("covariates.+", covariate("x", "binary", None, level="token"), "of level token, but in no annotation"),
        ("covariates.+", covariate("x", "binary", None, level="event"), "of level event, but in no annotation"),
        ("covariates.7.schema.time", 5, "time: 5 is not of type 'string'"),
        ("covariates.7.schema.time", "subject_id", "cannot be called 'subject_id'"),
        ("annotations.0.values", once(), "annotations.0.values"),
        ("annotations.0.length.bins", True, "annotations.0.length"),
        ("labels.0.name", "../out", "labels.0.name: '../out' does not fit .*name of a file"),
        ("labels.0.name", "", "labels.0.name: '' does not fit"),
        ("labels.0.name", "full", "cannot be called 'full'"),
        ("labels.0.name", "x" * 300, "labels.0.name"),
        ("labels.0.name", "é" * 200, "too long for a file"),
        ("labels.+", profile()["labels"][0], "labels: 'readmitted' stands twice"),
        ("labels.0.values", {"foo_value": None}, "foo_value"),
        ("labels.0.values", {"boolean_value": None, "integer_value": None}, "has too many properties|too many"),
        ("labels.0.values", {"boolean_value": mentions(yes=1.0)}, "only true and false"),
        ("note", "x" * 10**5, "note: .* is too long"),
    ],
)  # fmt: skip
def test_a_damaged_profile_is_refused_by_field(tmp_path, path, value, words):
    with pytest.raises(ValueError, match=words) as caught:
        make_like(changed(path, value), tmp_path / "lives")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500 and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("letter", ["é", "AB", "", ">", "\n"])
def test_a_letter_is_one_letter(tmp_path, letter):
    known = profile() | {
        "kind": "sequences",
        "events": None,
        "labels": [],
        "splits": None,
        "sequences": copy.deepcopy(SEQUENCES),
    }
    known["sequences"]["letters"][0]["letter"] = letter
    with pytest.raises(ValueError, match="letters.0.letter"):
        make_like(known, tmp_path / "lives")


@pytest.mark.parametrize(
    ("path", "words"),
    [("events.per_subject", "about 1e.10 events.*ask for 1,000 at most"), ("annotations.0.per_subject", "spans of 'state'")],
)  # fmt: skip
def test_more_than_can_be_made_is_refused_beforehand(tmp_path, path, words):
    with pytest.raises(ValueError, match=words):
        make_like(changed(path, once((None, None, 500, 5e6), integer=True)), tmp_path / "lives", persons=2000)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (json.dumps(profile())[:800], "not valid JSON.*cut"),
        ("[" * 100_000, "nested too deep"),
        ('{"a":' * 50_000, "nested too deep"),
        ('{"format":' + "9" * 5000 + "}", "not valid JSON"),
        ('{"format": 1, "subjects": NaN}', "NaN is no number"),
        ("null", "no data profile"),
        ("", "not valid JSON"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_profile_is_refused(tmp_path, text, words):
    file = tmp_path / "p.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=words) as caught:
        make_like(file, tmp_path / "lives")
    assert "p.json" in str(caught.value) and len(str(caught.value)) < 500


def test_no_file_and_no_free_folder(tmp_path):
    with pytest.raises(ValueError, match="no such profile"):
        make_like(tmp_path / "none.json", tmp_path / "lives")
    (tmp_path / "lives").mkdir()
    (tmp_path / "lives" / "mine.txt").write_text("mine")
    for out, words in ((tmp_path / "lives", "not empty"), (tmp_path / "lives" / "mine.txt", "a file stands there")):
        with pytest.raises(ValueError, match=words):
            make_like(profile(), out)
    assert like_covariates.SMALLEST_SHARE < 0.05
