"""The profile of a data set: what stands in it, what never does, and what it refuses."""

import json
from dataclasses import replace
from datetime import datetime

import polars as pl
import pytest
from conftest import write_events
from exports.clinic import CANARIES, write

import seqsae
from seqsae import schema
from seqsae.errors import SeqsaeError
from seqsae.exports.profile import profile, read_profile, write_profile


def numbers_in(document) -> list[float]:
    """Every number anywhere in a document."""
    if isinstance(document, dict):
        return [number for value in document.values() for number in numbers_in(value)]
    if isinstance(document, list):
        return [number for value in document for number in numbers_in(value)]
    return [float(document)] if isinstance(document, int | float) and not isinstance(document, bool) else []


@pytest.fixture(scope="module")
def clinic(tmp_path_factory):
    return seqsae.dataset(write(tmp_path_factory.mktemp("clinic") / "real"))


@pytest.fixture(scope="module")
def known(clinic):
    return profile(clinic)


@pytest.mark.parametrize("canaries", [1, 2, 5, 9])
def test_no_canary_leaves_a_trace(canaries, tmp_path):
    folder = write(tmp_path / "real", canaries=canaries)
    file = write_profile(seqsae.dataset(folder), tmp_path / "profile.json")
    text, document = file.read_text(), json.loads(file.read_text())
    for word in CANARIES["texts"]:
        assert word not in text
    assert str(CANARIES["first_id"])[:6] not in text and str(tmp_path) not in text and "real" not in text.split()
    for number in numbers_in(document):
        for canary in CANARIES["numbers"]:
            assert abs(number - canary) > 0.001 * canary, number
    crp = next(entry for entry in document["events"]["codes"] if entry["code"] == "LAB//CRP")["values"]
    assert max(one["mean"] for one in crp["bins"]) < 10, "nine far values move no mean"


def test_ten_who_share_a_code_are_enough_and_nine_are_not(tmp_path):
    shown = []
    for canaries in (9, 10):
        data = seqsae.dataset(write(tmp_path / str(canaries), canaries=canaries))
        shown.append({entry["code"] for entry in profile(data)["events"]["codes"]})
    assert "DIAG//CANARY" not in shown[0] and "DIAG//CANARY" in shown[1]
    assert "CANARYLONE" not in shown[0] and "CANARYLONE" in shown[1]
    assert not any(code.startswith("XQZ//CANARY") for code in shown[1]), "each of those is one person's"
    assert "XQZ//OTHER" in shown[1], "together they are ten"


def test_it_holds_the_vocabulary_and_the_shape_of_events(known, clinic):
    events = known["events"]
    codes = {entry["code"]: entry for entry in events["codes"]}
    table = clinic.table.join(clinic.subjects, on="subject")
    true = table.filter(pl.col("code") == "DIAG//A0")["subject"].n_unique()
    assert abs(codes["DIAG//A0"]["subjects"] - true) <= 9 and "DIAG//OTHER" in codes
    assert not any("RARE" in code or code.startswith("MEDS_") for code in codes)
    assert {entry["code"] for entry in events["static_codes"]} == {"SEX//F", "SEX//M"}
    crp = codes["LAB//CRP"]["values"]
    assert 0.6 < crp["share"] < 0.95 and len(crp["bins"]) > 5 and crp["bins"][0]["low"] is None
    assert 5.5 < sum(one["mean"] * one["share"] for one in crp["bins"]) < 6.5
    assert known["subjects"] == 260 and events["birth"] == events["at_once"]["subjects"] == 230, (
        "all who have dated events"
    )
    assert 20 <= events["death"] <= 60
    assert events["year_first"]["bins"][0]["high"] > 2000 and events["age_last"]["bins"][0]["mean"] > 11
    assert [entry["name"] for entry in known["labels"]] == ["kind", "readmitted"] and known["splits"]["missing"] == 0


def test_covariates_keep_name_type_and_margins(known):
    entries = {entry["schema"]["name"]: entry for entry in known["covariates"]}
    assert entries["region"]["schema"]["role"] == "stratum" and "description" not in entries["smoker"]["schema"]
    assert entries["grade"]["schema"]["order"] == ["low", "mid", "high"], "nobody has the fourth"
    smoker = entries["smoker"]["margins"]["smoker"]
    assert {level["value"] for level in smoker["levels"]} == {"yes", "no"} and smoker["missing"] >= 20
    income = entries["income"]["margins"]["income"]
    assert not income["integer"] and income["missing"] == 0 and len(income["bins"]) > 8
    assert sum(one["subjects"] for one in income["bins"]) == pytest.approx(260, abs=40)
    assert [entry["covariate"] for entry in known["annotations"]] == ["state"]


def test_levels_that_are_all_rare_are_not_named(tmp_path):
    folder = write_events(tmp_path / "e", 60)
    table = pl.read_parquet(folder / "covariates.parquet").with_columns(
        stage=pl.int_range(60) % 9 + 70, rank=pl.Series(["low", "mid", "top"] * 3 + [None] * 51)
    )
    table.select("subject_id", "stage", "rank").write_parquet(folder / "covariates.parquet")
    entries = [
        {"name": "stage", "type": "ordinal"},
        {"name": "rank", "type": "ordinal", "order": ["low", "mid", "top"]},
    ]
    (folder / "covariates.schema.json").write_text(json.dumps({"covariates": entries}))
    stage, rank = profile(seqsae.dataset(folder))["covariates"]
    assert stage["margins"]["stage"] == {"levels": [], "other": 60, "missing": 0}
    assert rank["margins"]["rank"] == {"levels": [], "other": 0, "missing": 60} and rank["schema"]["order"] == []


def test_what_two_counts_differ_by_is_nobody_or_enough(tmp_path):
    folder = write(tmp_path / "real", n=120)
    dated = pl.read_parquet(folder / "labels/kind.parquet")
    few = pl.Series(["a"] * 3 + ["b"] * (len(dated) - 3)).replace({"a": None})  # three labels have no value
    dated.with_columns(categorical_value=few).write_parquet(folder / "labels/kind.parquet")
    known = profile(seqsae.dataset(folder))
    kind = known["labels"][0]
    assert kind["name"] == "kind" and kind["values"]["categorical_value"]["subjects"] == kind["seen"]["subjects"]
    ages, years = known["events"]["age_first"], known["events"]["year_first"]
    assert ages["missing"] == years["missing"], "all with dated events have an age"


def test_given_parents_take_rare_codes_in(clinic):
    rare = clinic.table["code"].unique().to_list()
    parents = {code: ["DIAG//RARE", "unused"] for code in rare if "RARE" in code}
    codes = [entry["code"] for entry in profile(clinic, parents=parents)["events"]["codes"]]
    assert "DIAG//RARE" in codes and "DIAG//OTHER" not in codes


def test_the_same_data_give_the_same_bytes_and_the_document_is_under_its_schema(clinic, known, tmp_path):
    first, second = (write_profile(clinic, tmp_path / name) for name in ("a.json", "deep/b.json"))
    assert first.read_bytes() == second.read_bytes()
    assert read_profile(first) == known == schema.check_document(known, "data_profile", "here")
    dst = profile(clinic, "dst")
    assert dst["policy"]["min_subjects"] == 5 and len(dst["events"]["codes"]) >= len(known["events"]["codes"])


def test_sequences_have_lengths_and_letters(tmp_path):
    lines = [
        f">p{number}\n{'ACDEFGHIKL' * 3}{'W' * (number % 20)}{'U' if number == 7 else ''}\n" for number in range(80)
    ]
    (tmp_path / "s.fasta").write_text("".join(lines))
    known = profile(seqsae.dataset(tmp_path / "s.fasta"))
    assert known["kind"] == "sequences" and known["id_type"] == "string" and known["events"] is None
    letters = {entry["letter"]: entry for entry in known["sequences"]["letters"]}
    assert "U" not in letters and letters["A"]["subjects"] == 80
    assert letters["W"]["subjects"] == 80, "four lack a W: as good as all"
    assert letters["A"]["share"] == pytest.approx(letters["L"]["share"])
    assert known["sequences"]["length"]["bins"][0]["mean"] >= 30


def test_public_data_are_shown_as_they_are(tmp_path):
    data = seqsae.dataset(write_events(tmp_path / "e", 40))
    known = profile(data, "open")
    true = data.table.group_by("code").agg(pl.col("subject").n_unique())
    shown = {entry["code"]: entry["subjects"] for entry in known["events"]["codes"] + known["events"]["static_codes"]}
    assert shown == dict(true.iter_rows())


def test_what_cannot_be_profiled_is_refused_in_one_line(clinic, tmp_path):
    few = seqsae.dataset(write_events(tmp_path / "few", 9))
    (tmp_path / "there.json").write_text("{}")
    for call, words in [
        (lambda: profile(few), "profile: fewer subjects or clusters than policy 'default'"),
        (lambda: profile(clinic, "strict"), "no policy named 'strict'"),
        (lambda: profile(seqsae.dataset([{"token": ["a"]}] * 40)), "only events and sequences.*has items"),
        (lambda: write_profile(clinic, tmp_path / "there.json"), "something stands there"),
        (lambda: write_profile(few, tmp_path / "never.json"), "fewer subjects"),
    ]:
        with pytest.raises(SeqsaeError, match=words) as caught:
            call()
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "never.json").exists() and (tmp_path / "there.json").read_text() == "{}"


def test_a_profile_that_was_cut_or_is_of_another_version_is_refused(known, tmp_path):
    text = json.dumps(known)
    cut = {name: value for name, value in known.items() if name != "covariates"}
    for content, words in [
        (text[: len(text) // 2], "not valid JSON.*was it cut"),
        (json.dumps(known | {"format": 2}), "format 2, this seqsae reads 1"),
        (json.dumps(cut), "'covariates' is a required property"),
        (json.dumps(known | {"subject_ids": [3]}), "subject_ids"),
        ("[]", "data_profile.schema.json"),
    ]:
        file = tmp_path / "p.json"
        file.write_text(content)
        with pytest.raises(SeqsaeError, match=words) as caught:
            read_profile(file)
        assert "p.json" in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(SeqsaeError, match="no such file"):
        read_profile(tmp_path / "none.json")


def test_dates_sentences_and_odd_units_are_not_in_it(clinic):
    n = len(clinic.subjects)
    table = pl.DataFrame({"subject": clinic.subjects["subject"]}).with_columns(
        seen=pl.lit("2016-03-17"), told=pl.lit("patient says his neighbour Jens is at home"), born=pl.lit(datetime(1950, 3, 17)),
        coded=pl.Series([20160317.0, 20150101.0] * (n // 2) + [20160317.0] * (n % 2)), visits=pl.int_range(n).cast(pl.Float64),
    )  # fmt: skip
    entries = [
        {"name": name, "type": "categorical", "level": "subject", "role": "target"} for name in ("seen", "told", "born")
    ]
    entries += [{"name": "coded", "type": "ordinal", "level": "subject", "role": "target"}]
    entries += [
        {
            "name": "visits",
            "type": "continuous",
            "level": "subject",
            "role": "target",
            "unit": "see Jens Jensen 010150-1234",
        }
    ]
    document = profile(replace(clinic, covariate_table=table, covariate_schema={"covariates": entries}))
    text = json.dumps(document)
    assert "03-17" not in text and "0317" not in text and "Jens" not in text
    levels = {
        entry["schema"]["name"]: entry["margins"][entry["schema"]["name"]].get("levels")
        for entry in document["covariates"]
    }
    shown = [level["value"] for name in ("seen", "born", "told") for level in levels[name]]
    assert shown == ["2016", "1950", "other"]
    assert sorted(level["value"] for level in levels["coded"]) == [2015.0, 2016.0]


def test_each_profile_made_is_noted_beside_it(clinic, tmp_path, capsys):
    for name, policy in (("a.json", "dst"), ("b.json", "open")):
        write_profile(clinic, tmp_path / name, policy)
    lines = [json.loads(line) for line in (tmp_path / "profiles.jsonl").read_text().splitlines()]
    assert [line["profile"] for line in lines] == ["a.json", "b.json"] and lines[0]["data"] == lines[1]["data"]
    assert [line["policy"]["name"] for line in lines] == ["dst", "open"]
    assert (
        "protects nobody" in read_profile(tmp_path / "b.json")["note"]
        and "protects nobody" not in read_profile(tmp_path / "a.json")["note"]
    )
