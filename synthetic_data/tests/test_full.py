"""The full world: its vocabulary, its sentences, its law recomputed, its documents."""

import gzip
import json
import math
from collections import Counter

import numpy as np
import polars as pl
import pytest
from synthetic_lives import make, worlds
from synthetic_lives.documents import vocabulary

LABOUR = ["INCOME", "TIME", "ATP", "RMUN", "SOC", "SOM"]
AT_WORK = ["POS", "IND", "ENT", *LABOUR]
ORDER = ["POS", "IND", "ENT", "INCOME", "TIME", "ATP", "RMUN", "SOC", "SOM", "DIAG", "PATTYPE", "INDM"]
OUTSIDE = ["MEDS_DEATH", "EMIGRATION//ABROAD", "JURY//SUMMONS"]


@pytest.fixture(scope="module")
def events(full) -> pl.DataFrame:
    table = pl.read_parquet(full / "data" / "*.parquet")
    return table.with_columns(field=pl.col("code").str.split("//").list.first())


def test_the_vocabulary_has_the_published_breakdown():
    words = worlds.world("full").vocabulary
    fields = Counter(code.split("//")[0] for code in words.codes)
    assert fields["DIAG"] + fields["INDM"] + fields["PATTYPE"] == 753 and (fields["INDM"], fields["PATTYPE"]) == (2, 3)
    assert fields["IND"] + fields["ENT"] == 446
    assert fields["POS"] == 472
    assert fields["SOC"] + fields["SOM"] == 91
    assert fields["INCOME"] + fields["TIME"] + fields["ATP"] + fields["RMUN"] == 209
    tokens = vocabulary(worlds.world("full"))
    assert len(tokens) == 2043 and len({token for token, _ in tokens}) == 2043
    assert [token for token, _ in tokens[:14]] == [
        "[PAD]", "[CLS]", "[SEP]", "[MASK]", "[PLCH0]", "[PLCH1]", "[PLCH2]", "[PLCH3]", "[PLCH4]", "[UNK]", "F", "M", "DK", "NON_DK",
    ]  # fmt: skip
    assert tokens[14][0] == "MONTH_1" and tokens[26][0] == "YEAR_1946" and tokens[71][0] == "YEAR_1991"


def test_codes_lie_in_hierarchies(full):
    described = pl.read_parquet(full / "metadata" / "codes.parquet")
    parents = dict(described.select("code", "parent_codes").iter_rows())
    text = dict(described.select("code", "description").iter_rows())
    assert parents["DIAG//I21"] == ["DIAG//I20-I25", "DIAG//IX"]
    assert parents["POS//2221"] == ["POS//222", "POS//22", "POS//2"]
    assert parents["IND//8610"] == ["IND//861", "IND//86", "IND//Q"]
    assert all(text.get(parent) for above in parents.values() for parent in above)


def test_there_are_concepts_of_every_level_from_common_to_rare(full):
    concepts = json.loads((full / "truth.json").read_text())["concepts"]
    levels = Counter(concept["level"] for concept in concepts)
    assert (
        len(concepts) >= 40 and min(levels.values()) >= 5 and set(levels) == {"token", "spell", "conjunction", "person"}
    )
    ending = [
        c
        for c in concepts
        if c["level"] == "spell" and not (c["rule"]["rule"] == "lasting" and c["rule"]["years"] is None)
    ]
    assert len(ending) > len([c for c in concepts if c["level"] == "spell"]) / 2


def test_an_event_is_a_sentence_of_the_fields_that_go_together(events):
    dated = events.filter(pl.col("time").is_not_null() & ~pl.col("code").is_in([*OUTSIDE, "MEDS_BIRTH"]))
    sentences = dated.group_by("subject_id", "time", maintain_order=True).agg(pl.col("field"))
    forms = {tuple(form) for form in sentences["field"].to_list()}
    assert forms == {tuple(AT_WORK), tuple(LABOUR), ("RMUN",), ("DIAG", "PATTYPE", "INDM")}
    assert set(events.filter(pl.col("time").is_null())["field"]) == {"GENDER", "ORIGIN"}


def test_a_job_stays_until_a_new_one_and_a_town_until_a_move(events):
    jobs = events.filter(pl.col("field").is_in(["POS", "IND", "RMUN"]))
    same = jobs.with_columns(before=pl.col("code").shift(1).over("subject_id", "field")).drop_nulls("before")
    kept = same.group_by("field").agg((pl.col("code") == pl.col("before")).mean())
    assert min(kept["code"]) > 0.5
    alone = events.with_columns(n=pl.len().over("subject_id", "time")).filter(
        (pl.col("field") == "RMUN") & (pl.col("n") > 1)
    )
    towns = events.filter(pl.col("field") == "RMUN").with_columns(before=pl.col("code").shift(1).over("subject_id"))
    changed = towns.filter(pl.col("code") != pl.col("before")).select("subject_id", "time")
    assert changed.join(alone, on=["subject_id", "time"], how="semi").is_empty()


def test_only_women_give_birth_and_only_men_have_a_prostate(events):
    sex = dict(events.filter(pl.col("field") == "GENDER").select("subject_id", "code").iter_rows())
    birth = events.filter(pl.col("code").is_in(["DIAG//O80", "DIAG//O70", "DIAG//O82", "DIAG//O60"]))[
        "subject_id"
    ].unique()
    male = events.filter(pl.col("code").is_in(["DIAG//N40", "DIAG//C61", "DIAG//N41"]))["subject_id"].unique()
    assert len(birth) > 10 and {sex[one] for one in birth} == {"GENDER//F"}
    assert len(male) > 3 and {sex[one] for one in male} == {"GENDER//M"}


def members(rule_codes: list[str], codes: list[str]) -> bool:
    return any(code in rule_codes for code in codes)


def holds(rule: dict, moments: list[tuple[float, list[str]]]) -> list[bool]:
    """Does a rule of truth.json hold after each moment (seconds, codes)? In plain Python, from the document alone."""
    year = 365.25 * 86400
    flags, active, last = [], False, -math.inf
    condition = holds_before(rule["condition"], moments) if rule["rule"] == "following" else None
    for i, (time, codes) in enumerate(moments):
        start = members(rule["starts"], codes) and (len(codes) == 1 or not rule.get("alone"))
        if rule["rule"] == "until":
            active = (active or start) and not members(rule["stops"], codes)
            flags.append(active)
            continue
        if start and (condition is None or condition[i]):
            last = time
        years = math.inf if rule["years"] is None else rule["years"]
        flags.append(math.isfinite(last) and time - last <= years * year)
    return flags


def holds_before(rule: dict, moments: list[tuple[float, list[str]]]) -> list[bool]:
    """The same just before each moment is taken in."""
    found = []
    for i, (time, _) in enumerate(moments):
        found.append(bool(holds(rule, [*moments[:i], (time, [])])[-1]))
    return found


def test_spans_are_what_the_rules_give_on_the_written_events(full, events):
    """Every spell and conjunction of the first 120 lives, from the rules of truth.json and the rows alone."""
    truth = json.loads((full / "truth.json").read_text())
    some = events["subject_id"].unique().sort()[:120].implode()
    lives = []
    for (subject,), life in events.filter(pl.col("subject_id").is_in(some)).group_by("subject_id", maintain_order=True):
        rows = life.with_row_index("row").filter(pl.col("time").is_not_null())
        grouped = rows.group_by("time", maintain_order=True).agg("row", "code")
        moments = [(time.timestamp(), codes) for time, codes in grouped.select("time", "code").iter_rows()]
        lives.append((subject, moments, grouped["row"].to_list()))
    spans = pl.read_parquet(full / "truth_spans.parquet").filter(pl.col("subject_id").is_in(some))
    ruled = [one for one in truth["concepts"] if one["rule"]]
    assert len(ruled) >= 30
    for one in ruled:
        mine = spans.filter(pl.col("concept") == one["name"]).select("subject_id", "start", "end")
        planted = {(subject, row) for subject, start, end in mine.iter_rows() for row in range(start, end)}
        found = set()
        for subject, moments, rows in lives:
            if any(members(one["rule"]["starts"], codes) for _, codes in moments):
                flags = holds(one["rule"], moments)
                found |= {(subject, row) for flag, these in zip(flags, rows, strict=True) if flag for row in these}
        assert found == planted, one["name"]


def test_documents_have_the_keys_and_the_sentences_of_the_events(full, events):
    lines = gzip.decompress((full / "life2vec" / "documents" / "00000.jsonl.gz").read_bytes()).decode().splitlines()
    documents = [json.loads(line) for line in lines]
    assert len(documents) == 300
    assert set(documents[0]) == {
        "person_id",
        "sentences",
        "abspos",
        "age",
        "segment",
        "background",
        "timecut_pos",
        "shuffled",
    }
    known = {line.split("\t")[1] for line in (full / "life2vec" / "vocabulary.tsv").read_text().splitlines()[1:]}
    assert len(known) == 2043
    assert {token for document in documents for sentence in document["sentences"] for token in sentence} <= known
    assert {value for document in documents for value in document["background"].values()} <= known
    dated = events.filter(pl.col("time").is_not_null() & ~pl.col("code").is_in([*OUTSIDE, "MEDS_BIRTH"]))
    n = dict(dated.group_by("subject_id").agg(pl.col("time").n_unique()).iter_rows())
    for document in documents:
        assert len(document["sentences"]) == n.get(document["person_id"], 0) == len(document["abspos"])
        assert document["abspos"] == sorted(document["abspos"])
        assert document["segment"][:4] == [2, 3, 1, 2][: len(document["segment"])]


def test_incomes_follow_from_the_one_before(events):
    paid = events.filter(pl.col("field") == "INCOME").with_columns(log=pl.col("numeric_value").cast(pl.Float64).log())
    pairs = paid.with_columns(before=pl.col("log").shift(1).over("subject_id")).drop_nulls("before")
    assert pairs.select(pl.corr("log", "before")).item() > 0.6
    quantile = paid["code"].str.strip_prefix("INCOME//").cast(pl.Int64)
    assert np.corrcoef(quantile.rank(), paid["numeric_value"].rank())[0, 1] > 0.99
    order = paid.with_columns(q=quantile).sort("numeric_value")["q"]
    assert order.is_sorted()


def test_strength_0_plants_nothing_in_the_full_world_either(tmp_path):
    truth = json.loads((make(tmp_path / "none", 100, strength=0, preset="full") / "truth.json").read_text())
    assert all(abs(one["worth"]["overall"]) < 1e-6 for one in truth["concepts"] if one["worth"])
    assert all(
        shift.get("odds", 1.0) == 1.0 and shift.get("factor", 1.0) == 1.0
        for one in truth["concepts"]
        for shift in one["shifted"]
    )


def test_the_oracle_beats_the_frequencies_and_concepts_are_worth_something(full):
    truth = json.loads((full / "truth.json").read_text())
    assert truth["loss"]["unigram"] - truth["loss"]["oracle"] > 2
    worth = {one["name"]: one["worth"] for one in truth["concepts"] if one["worth"]}
    assert all(one["inside"] > 0 for one in worth.values() if one["events_inside"] > 1000)
