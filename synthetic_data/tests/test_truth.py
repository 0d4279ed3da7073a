"""The truth is true: concepts recomputed from the events in plain Python, without the generator's code."""

import json
from collections import Counter
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from synthetic_lives import make

YEAR = timedelta(days=365.25)


def read(lives):
    truth = json.loads((lives / "truth.json").read_text())
    events = pl.read_parquet(lives / "data" / "*.parquet")
    spans = pl.read_parquet(lives / "truth_spans.parquet")
    return truth, events, spans


def planted(spans: pl.DataFrame, concept: str) -> set[tuple[int, int]]:
    """(subject_id, event) of every event in which the concept holds."""
    rows = spans.filter(pl.col("concept") == concept).select("subject_id", "start", "end").iter_rows()
    return {(subject, event) for subject, start, end in rows for event in range(start, end)}


def found(events: pl.DataFrame, holds) -> set[tuple[int, int]]:
    """The same from `holds(codes, times)`, a list of bool for one life."""
    pairs = set()
    for (subject,), life in events.group_by("subject_id", maintain_order=True):
        flags = holds(life["code"].to_list(), life["time"].to_list())
        pairs |= {(subject, i) for i, flag in enumerate(flags) if flag}
    return pairs


def covered(events: pl.DataFrame, spans: pl.DataFrame, concept: str) -> pl.Series:
    """[rows of events] bool: does the concept hold there? As `planted`, for all lives at once."""
    first = dict(events.with_row_index().group_by("subject_id").agg(pl.col("index").first()).iter_rows())
    mine = spans.filter(pl.col("concept") == concept)
    offset = mine["subject_id"].replace_strict(first, return_dtype=pl.Int64).to_numpy()
    steps = np.zeros(len(events) + 1, np.int64)
    np.add.at(steps, offset + mine["start"].to_numpy(), 1)
    np.add.at(steps, offset + mine["end"].to_numpy(), -1)
    return pl.Series(steps.cumsum()[:-1] > 0)


def injury(codes, times):
    return [code.startswith("DIAG//S") or code == "DIAG//T14" for code in codes]


def unemployed(codes, times):
    flags, out_of_work = [], False
    for code in codes:
        if code.startswith("WORK//LOSS"):
            out_of_work = True
        elif code.startswith("JOB//"):
            out_of_work = False
        flags.append(out_of_work)
    return flags


def depressed(codes, times):
    mood = ("DIAG//F32", "DIAG//F33", "DIAG//F34")
    onsets = [time for code, time in zip(codes, times, strict=True) if code in mood]
    return [any(timedelta(0) <= time - onset <= 2 * YEAR for onset in onsets) for time in times]


def divorce_then_move(codes, times):
    flags, divorced, moved = [], None, None
    for code, time in zip(codes, times, strict=True):
        move = code in ("MOVE//URBAN", "MOVE//SUBURB", "MOVE//RURAL", "MOVE//VILLAGE")
        if move and divorced is not None and time - divorced <= 4 * YEAR:
            moved = time
        if code in ("FAMILY//DIVORCE", "FAMILY//SEPARATION"):
            divorced = time
        flags.append(moved is not None and time - moved <= 6 * YEAR)
    return flags


def manual_then_back(codes, times):
    manual = next((i for i, code in enumerate(codes) if code.startswith("JOB//MANUAL")), len(codes))
    back = ("DIAG//M54", "DIAG//M51", "DIAG//M47", "DIAG//M53")
    start = next((i for i, code in enumerate(codes) if i > manual and code in back), len(codes))
    return [i >= start for i in range(len(codes))]


@pytest.mark.parametrize("rule", [injury, unemployed, depressed, divorce_then_move, manual_then_back])
def test_a_concept_recomputed_from_the_events_is_the_planted_one(lives, rule):
    _, events, spans = read(lives)
    some = events["subject_id"].unique().sort()[:700].implode()
    events = events.filter(pl.col("subject_id").is_in(some))
    expected = planted(spans.filter(pl.col("subject_id").is_in(some)), rule.__name__)
    assert len(expected) > 200
    assert found(events, rule) == expected


def test_spans_lie_inside_the_record_and_are_maximal(lives):
    truth, events, spans = read(lives)
    lengths = spans.join(events.group_by("subject_id").len("n"), on="subject_id", how="left")
    assert lengths.filter(~((pl.col("start") < pl.col("end")) & (pl.col("end") <= pl.col("n")))).is_empty()
    after = spans.with_columns(previous=pl.col("end").shift(1).over("subject_id", "concept"))
    assert after.filter(pl.col("start") <= pl.col("previous")).is_empty()  # a gap lies between two runs
    persons = [concept["name"] for concept in truth["concepts"] if concept["level"] == "person"]
    whole = lengths.filter(pl.col("concept").is_in(persons))
    assert whole.filter((pl.col("start") != 0) | (pl.col("end") != pl.col("n"))).is_empty()


def test_prevalences_are_those_of_the_spans_and_enough_to_learn_from(lives):
    truth, events, spans = read(lives)
    n = events["subject_id"].n_unique()
    for concept in truth["concepts"]:
        mine = spans.filter(pl.col("concept") == concept["name"])
        assert concept["prevalence_persons"] == pytest.approx(mine["subject_id"].n_unique() / n, abs=1e-6)
        share = (mine["end"] - mine["start"]).sum() / len(events)
        assert concept["prevalence_events"] == pytest.approx(share, abs=1e-6)
        if concept["level"] in ("spell", "conjunction"):
            assert 0.04 < concept["prevalence_persons"] < 0.5, concept["name"]
    levels = Counter(concept["level"] for concept in truth["concepts"])
    assert levels == {"token": 5, "spell": 7, "conjunction": 6, "person": 8}


def test_what_is_planted_can_be_predicted(lives, tmp_path):
    loss = read(lives)[0]["loss"]
    outside = ["MEDS_BIRTH", "MEDS_DEATH", "EMIGRATION//ABROAD", "JURY//SUMMONS"]
    assert loss["n_events"] == (~read(lives)[1]["code"].is_in(outside)).sum()
    assert loss["unigram"] - loss["oracle"] >= 1.0
    nothing = read(make(tmp_path / "nothing", persons=500, strength=0))[0]["loss"]
    assert nothing["unigram"] - nothing["oracle"] < 0.2  # age and sex alone


@pytest.mark.parametrize("level", ["spell", "conjunction", "person"])
def test_every_concept_shifts_the_events_it_covers_and_no_code_gives_it_away(lives, level):
    """Raised codes are commoner inside; no code that does not start the state lies almost always inside."""
    truth, events, spans = read(lives)
    for concept in (entry for entry in truth["concepts"] if entry["level"] == level):
        starts = (concept["rule"] or {}).get("starts", [])
        table = events.select("code", inside=covered(events, spans, concept["name"]))
        table = table.filter(~pl.col("code").is_in(["MEDS_BIRTH", *starts]))
        counts = table.group_by("code").agg(inside=pl.col("inside").sum(), outside=(~pl.col("inside")).sum())
        lift = (counts["inside"] / counts["inside"].sum()) / (counts["outside"] / counts["outside"].sum())
        assert lift.max() > 2, concept["name"]
        purity = counts["inside"] / (counts["inside"] + counts["outside"])
        assert purity.max() < 0.97, concept["name"]
