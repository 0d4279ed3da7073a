"""Bad covariates of every kind: one line that names the covariate and the remedy, or a flagged row; never a silent number."""

import json
from datetime import date, datetime, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from associations import planted as study
from features.small_stores import parts, store_of
from test_bad_input import refused

import seqsae
from seqsae.associations.room import associate
from seqsae.associations.targets import supported, targets
from seqsae.config import AssociateConfig
from seqsae.errors import SeqsaeError
from seqsae.progress import shown
from seqsae.records.covariates import Covariates, check_schema, typed

N = 160  # subjects of the command line's study
WHO = range(N)
HALF = ["yes" if i % 2 else "no" for i in WHO]
AGES = [20 + i % 50 for i in WHO]


def first(value, rest=AGES, n=1):
    """`rest` as text, or as it is, whose first n values are another."""
    return [value] * n + [str(one) if isinstance(value, str) else one for one in rest[n:]]


def x(values, kind, **more):
    """A table of one covariate `x` and its schema."""
    return {"x": values}, [{"name": "x", "type": kind, **more}]


def follow(**columns):
    """A survival covariate `s` of the columns given, plain ones for the rest."""
    table = {"t": [1.0 + i for i in WHO], "d": [int(i % 3 == 0) for i in WHO], **columns}
    entry = {"name": "s", "type": "survival", "time": "t", "event": "d"}
    return table, [{**entry, **{part: part for part in ("entry", "competing") if part in table}}]


def named(name, kind="binary", **more):
    return {name: HALF}, [{"name": name, "type": kind, **more}]


OBJECT = pl.Series([object() for _ in WHO], dtype=pl.Object)
REFUSED = {
    # nothing there
    "constant number": (x([4.0] * N, "continuous"), "'x' has one value only"),
    "constant category": (x(["a"] * N, "categorical"), "'x' has one value only (a)"),
    "constant binary": (x(["a"] * N, "binary"), "'x' has 1 values (a); it needs two"),
    "constant confounder": (x([4] * N, "ordinal", role="confounder"), "'x' has one value only"),
    "all missing": (x(pl.Series([None] * N, dtype=pl.Float64), "continuous"), "'x' is empty in every row"),
    "null dtype": (x(pl.Series([None] * N), "binary"), "'x' is empty in every row"),
    "all NaN": (x([float("nan")] * N, "categorical"), "'x' is empty in every row"),
    "confounder all missing": (x(pl.Series([None] * N, dtype=pl.String), "categorical", role="confounder"), "'x' is empty"),
    # not numbers
    "infinite": (x(first(float("inf")), "continuous"), "'x' holds an infinite value"),
    "infinite category": (x(first(-float("inf")), "categorical"), "'x' holds an infinite value"),
    "infinite text": (x(first("inf"), "continuous"), "'x' holds an infinite value"),
    "decimal comma": (x(first("12,5"), "continuous"), "'x', row 0: '12,5' is not a number; write numbers as 12.5"),
    "n/a": (x(first("n/a"), "continuous"), "'n/a' is not a number"),
    "nearly a number": (x(first("1e3x"), "ordinal"), "'1e3x' is not a number; write numbers as 12.5, and nothing where missing, or give its order"),
    "a long text": (x(first("z" * 5_000), "continuous"), f"'{'z' * 40}...' is not a number"),
    "categories as numbers": (x(pl.Series(HALF, dtype=pl.Categorical), "continuous"), "'no' is not a number"),
    "enum without order": (x(pl.Series(HALF, dtype=pl.Enum(["no", "yes"])), "ordinal"), "'no' is not a number"),
    "huge whole numbers": (x([2**62 + i for i in AGES], "continuous"), "'x' holds whole numbers beyond 2^53"),
    "lists": (x([[1]] * N, "categorical"), "'x' is List(Int64), not numbers or text"),
    "structs": (x([{"a": 1}] * N, "continuous"), "'x' is Struct"),
    "durations": (x([timedelta(i) for i in AGES], "continuous"), "'x' is Duration"),
    # categories
    "three values of a binary": (x([HALF[i] if i else "maybe" for i in WHO], "binary"), "'x' has 3 values (maybe, no, yes); it needs two"),
    "spellings of a binary": (x([("M", "m", " F", "F")[i % 4] for i in WHO], "binary"), "'x' has 4 values"),
    "unknown positive": (x(HALF, "binary", positive="maybe"), "'x' has no value 'maybe'; it has no, yes"),
    "a value twice in the order": (x([i % 3 for i in WHO], "ordinal", order=[0, 1, 1, 2]), "'x': its order names '1' twice"),
    "within a stranger": (x([i % 3 for i in WHO], "categorical", within=["region"]), "within 'region', which is no covariate here"),
    # names
    "no name": (named(" "), "it has no name"),
    "a name of 10,000 characters": (named("n" * 10_000), "its name has 10,000 characters; rename it"),
    "a name of two lines": (named("a\nb"), "holds a line break"),
    "a name of ours": (named("subject"), "cannot be called 'subject'"),
    "called like a part": (
        ({**follow()[0], "s.time": HALF}, [*follow()[1], {"name": "s.time", "type": "binary"}]),
        "'s.time' is what a part of a survival covariate is called",
    ),
    # roles and levels
    "unknown role": (x(HALF, "binary", role="covariable"), "covariates.0.role: 'covariable' is not one of"),
    "unknown level": (x(HALF, "binary", level="visit"), "covariates.0.level: 'visit' is not one of"),
    "level event without annotations": (x(HALF, "binary", level="event"), "'x' is of level event and in no annotation"),
    "continuous stratum": (x(AGES, "continuous", role="stratum"), "'x' is continuous, and a stratum needs few values"),
    "survival confounder": ((follow()[0], [{**follow()[1][0], "role": "confounder"}]), "'s' cannot be a confounder"),
    # follow-up
    "negative time": (follow(t=[-1.0] + [5.0] * (N - 1)), "'s', row 0 (1 in all): -1.0 is negative"),
    "time zero": (follow(t=[0.0] * 2 + [5.0] * (N - 2)), "'s', row 0 (2 in all): 0.0 is no time under observation"),
    "entry after exit": (follow(t=[5.0] * N, entry=[0.0, 9.0] * (N // 2)), "row 1 (80 in all): 5.0 is no later than the entry (9.0)"),
    "infinite time": (follow(t=[float("inf")] + [5.0] * (N - 1)), "'s', row 0 (1 in all): inf is infinite"),
    "time as dates": (follow(t=[date(2000, 1, 1)] * N), "column 't', row 0: '2000-01-01' is no number; give years or days"),
    "time as lists": (follow(t=[[1.0]] * N), "column 't' is List(Float64); give years or days"),
    "time with a comma": (follow(t=["1,5"] * N), "column 't', row 0: '1,5' is no number"),
    "event of two": (follow(d=[2] + [1] * (N - 1)), "column 'd', row 0: '2' is neither yes nor no; give 1 and 0"),
    "event of half": (follow(d=[0.5] + [1.0] * (N - 1)), "column 'd', row 0: '0.5' is neither yes nor no"),
    "event of words": (follow(d=["dead", "alive"] * (N // 2)), "'dead' is neither yes nor no"),
    "no event": (follow(d=[0] * N), "'s': nobody has the event"),
    "no time of any event": (follow(t=[None if i % 3 == 0 else 2.0 for i in WHO]), "'s': nobody has the event"),
    "both events": (follow(competing=[int(i == 3) for i in WHO]), "row 3 (1 in all): 4.0 ends by the event and by a competing one"),
    "no column of its event": ((follow()[0], [{**follow()[1][0], "event": "dead"}]), "'s': no column 'dead' for its event"),
}  # fmt: skip


def give(folder, columns, entries):
    """The study's folder with the covariates that are given."""
    pl.DataFrame({"subject_id": range(N), **columns}, strict=False).write_parquet(folder / "covariates.parquet")
    (folder / "covariates.schema.json").write_text(json.dumps({"covariates": entries}))


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_a_covariate_is_one_line_and_nothing_is_written(case, config_file, events_folder, cli, tmp_path):
    (columns, entries), words = REFUSED[case]
    give(events_folder, columns, entries)
    refused(cli("associate", config_file, "--out", tmp_path / "run"), words)
    assert not (tmp_path / "run" / "records").exists() and not (tmp_path / "run" / "associations").exists()


@pytest.mark.parametrize("case", REFUSED)
def test_and_the_same_line_in_python(case):
    (columns, entries), words = REFUSED[case]
    table = pl.DataFrame({"subject_id": range(N), **columns}, strict=False)
    with pytest.raises(SeqsaeError) as caught:
        seqsae.dataset([{}] * N, table, covariate_schema={"covariates": entries})
    assert words in str(caught.value) and "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_a_category_of_an_identifier_and_objects_are_refused():
    for values, words in (([f"n{i}" for i in range(1_200)], "1,200 categories, no two alike, as identifiers are"),
                          ([f"n{i % 1_100}" for i in range(1_200)], "1,100 categories; group them to at most 1,000")):  # fmt: skip
        table = pl.DataFrame({"subject_id": range(1_200), "x": values})
        with pytest.raises(SeqsaeError, match=words):
            seqsae.dataset([{}] * 1_200, table, covariate_schema={"covariates": [{"name": "x", "type": "categorical"}]})
    with pytest.raises(SeqsaeError, match="'x' is Object"):
        entries = {"covariates": [{"name": "x", "type": "binary"}]}
        seqsae.dataset([{}] * N, pl.DataFrame({"subject_id": range(N), "x": OBJECT}), covariate_schema=entries)


CSV = {
    "two columns of one name": ("subject_id,x,x\n0,1,2\n1,2,1\n", "two columns are called 'x'; rename one"),
    "alike rows": ("subject_id,x\n0,1\n1,2\n0,1\n", "subject_id 0 (1 in all) has two rows, alike; drop one"),
    "differing rows": ("subject_id,x\n0,1\n1,2\n0,2\n", "subject_id 0 (1 in all) has two rows, which differ in x; keep the right one"),
    "strangers": ("subject_id,x\na,1\nb,2\n", "none of its 2 subject_id values is one of the data ('a' here, 0 there)"),
}  # fmt: skip


@pytest.mark.parametrize("case", CSV)
def test_a_table_at_odds_with_its_subjects_is_refused(case, config_file, events_folder, cli, tmp_path):
    text, words = CSV[case]
    (events_folder / "covariates.parquet").unlink()
    (events_folder / "covariates.csv").write_text(text)
    (events_folder / "covariates.schema.json").write_text('{"covariates": [{"name": "x", "type": "ordinal"}]}')
    refused(cli("associate", config_file, "--out", tmp_path / "run"), words)


# What passes as a table is judged against the features: a small study whose ties are known.

CONFIG = AssociateConfig(baselines=("token",), poolings=("rate",), min_support=5, permutations=20)
SEX = {"name": "sex", "type": "binary", "positive": "m"}
SPLIT = np.array(parts(study.N // 2)).repeat(2)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return study.planted(tmp_path_factory.mktemp("bad"))


@pytest.fixture
def judge(made, tmp_path, capsys):
    """(table, lines said) of the associations with some columns."""

    def call(columns, entries):
        document = check_schema({"covariates": entries}, "schema")
        table = pl.DataFrame({"subject": pl.Series(range(study.N), dtype=pl.UInt32), **columns}, strict=False)
        with shown():
            given = Covariates(typed(table, document, "covariates"), document)
            found = associate(made.encoded, given, config=CONFIG, out=tmp_path)
        return found.table, capsys.readouterr().err

    return call


def few(made, *where):
    """A binary covariate of which three subjects have a yes in each of some splits, and a third of all elsewhere."""
    y = np.where(np.arange(study.N) % 3 == 0, "yes", "no").astype(object)
    for part in where:
        here = np.flatnonzero(made.split == part)
        y[here] = "no"
        y[here[:3]] = "yes"
    return y.tolist()


@pytest.mark.parametrize("where", [("select",), ("test",), ("select", "test")], ids="-".join)
def test_too_few_cases_are_not_tested_and_said(made, judge, where):
    columns = {"sex": made.columns["sex"], "rare": few(made, *where)}
    table, said = judge(columns, [SEX, {"name": "rare", "type": "binary"}])
    assert set(table["covariate"]) == {"sex"}
    assert "covariate 'rare' (1 category: yes): fewer than 5 clusters on one side" in said and "not tested" in said
    with pytest.raises(
        SeqsaeError, match="no covariate has enough .*: covariate 'rare' .1 category: yes.: fewer than 5"
    ):
        judge({"rare": columns["rare"]}, [{"name": "rare", "type": "binary"}])


def test_a_number_that_hardly_varies_where_it_is_tested_is_not_tested(made, judge):
    flat = [0.0 if part == "test" else float(i % 7) for i, part in enumerate(made.split)]
    table, said = judge({"sex": made.columns["sex"], "flat": flat}, [SEX, {"name": "flat", "type": "continuous"}])
    assert set(table["covariate"]) == {"sex"} and "'flat': fewer than 5 clusters are off its commonest value" in said


def test_a_survival_without_events_on_test_is_not_tested(made, judge):
    event = [0 if part == "test" else i % 2 for i, part in enumerate(made.split)]
    columns = {"sex": made.columns["sex"], "t": [1.0 + i % 9 for i in range(study.N)], "d": event}
    table, said = judge(columns, [SEX, {"name": "s", "type": "survival", "time": "t", "event": "d"}])
    assert set(table["covariate"]) == {"sex"} and "covariate 's': fewer than 5 clusters have the event" in said


def test_follow_up_of_which_a_part_is_missing_is_counted(made, judge):
    time = [None if i < 3 else 1.0 + i % 9 for i in range(study.N)]
    event = [None if i in (0, 7) else i % 2 for i in range(study.N)]
    table, said = judge({"t": time, "d": event}, [{"name": "s", "type": "survival", "time": "t", "event": "d"}])
    assert "'s': 3 of 320 subjects are left out, of whom a part is missing: 2 without a time, 1 without word" in said
    assert set(table["kind"]) == {"survival"}


def presence(made):
    """Whether feature 0 fires in more than the median share of each subject's rows."""
    rate = study.pooled(made.codes, made.store, "rate")[:, 0]
    return np.where(rate > np.median(rate), "yes", "no").tolist()


@pytest.mark.parametrize("confounder", [[], [{"name": "c", "type": "continuous", "role": "confounder"}]])
def test_what_a_feature_tells_without_error_is_flagged(made, judge, confounder):
    noise = np.random.default_rng(0).normal(size=study.N).tolist()
    table, _ = judge({"x": presence(made), "c": noise}, [{"name": "x", "type": "binary"}, *confounder])
    row = table.row(by_predicate=pl.col("feature") == 0, named=True)
    assert row["effect"] == 1.0 and row["note"] == "separated: Firth's estimate"
    assert 0 < row["ci_low_adjusted"] < row["effect_adjusted"] < row["ci_high_adjusted"] < 20


def null_effects(table):
    """Whether no adjusted effect is told, and what is said of it."""
    ends = ["effect_adjusted", "ci_low_adjusted", "ci_high_adjusted", "p_select_adjusted", "p_test_adjusted"]
    assert all(table[name].null_count() == len(table) for name in ends)
    assert set(table["verdict"]) <= {"inconclusive", "not-selected"}
    assert table.filter(pl.col("p_select").is_not_null())["note"].null_count() == 0
    return set(table.filter(pl.col("verdict") == "inconclusive")["note"])


def test_a_category_that_is_a_confounder_has_no_effect_beyond_it(made, judge):
    sex = [value or "f" for value in made.columns["sex"]]
    for role in ("confounder", "stratum"):
        table, _ = judge({"sex": sex, "c": sex}, [SEX, {"name": "c", "type": "binary", "role": role}])
        assert null_effects(table) == {"collinear: the confounders tell the covariate"}


@pytest.mark.parametrize("turn", [1, -2])
def test_a_number_that_is_a_confounder_has_no_effect_beyond_it(made, judge, turn):
    twin = [None if age is None else turn * age for age in made.columns["age"]]
    entries = [{"name": "age", "type": "continuous"}, {"name": "c", "type": "continuous", "role": "confounder"}]
    table, said = judge({"age": made.columns["age"], "c": twin}, entries)
    assert null_effects(table) == {"collinear: c says the same"}
    assert "covariate 'age' says the same as 'c', which it is adjusted for: no effect beyond it" in said


def test_two_confounders_that_say_the_same_count_once(made, judge):
    one = [SEX, {"name": "c", "type": "continuous", "role": "confounder", "missing": "level"}]
    age = made.columns["age"]
    alone, _ = judge({"sex": made.columns["sex"], "c": age}, one)
    both, _ = judge({"sex": made.columns["sex"], "c": age, "d": age}, [*one, {**one[1], "name": "d"}])
    for name in ("effect_adjusted", "ci_high_adjusted", "p_select_adjusted"):
        assert np.allclose(alone[name].to_numpy(), both[name].to_numpy(), rtol=1e-6, atol=1e-9, equal_nan=True), name


def test_more_confounders_than_subjects_adjust_nothing_and_it_is_said(made, judge):
    rng = np.random.default_rng(1)
    names = [f"c{i}" for i in range(40)]
    columns = {"sex": made.columns["sex"], **{name: rng.normal(size=study.N).tolist() for name in names}}
    table, said = judge(columns, [SEX, *({"name": name, "type": "continuous", "role": "confounder"} for name in names)])
    assert null_effects(table) == {"as many confounders as units"}
    assert (
        "the confounders make 164 columns for 64 samples of the select split: nothing can be adjusted; take fewer"
        in said
    )


@pytest.mark.parametrize("role", ["confounder", "stratum"])
@pytest.mark.parametrize("levels", [study.N, 40], ids=["one subject each", "few subjects each"])
def test_levels_that_are_all_rare_cannot_be_adjusted_for(made, judge, tmp_path, role, levels):
    columns = {"sex": made.columns["sex"], "c": [f"l{i % levels}" for i in range(study.N)]}
    with pytest.raises(
        SeqsaeError, match=f"{role} 'c': each of its {levels} values has fewer than 20 of 320 units.*group"
    ):
        judge(columns, [SEX, {"name": "c", "type": "categorical", "role": role}])
    assert not (tmp_path / "associations").exists() or not list((tmp_path / "associations").rglob("*.parquet"))


@pytest.mark.parametrize("where", ["select", "test"])
def test_a_confounder_unknown_in_a_split_leaves_no_adjusted_effect_there(made, judge, where):
    c = [None if part == where else float(i % 11) for i, part in enumerate(made.split)]
    table, said = judge(
        {"sex": made.columns["sex"], "c": c}, [SEX, {"name": "c", "type": "continuous", "role": "confounder"}]
    )
    assert "confounder 'c': 64 of 320 have no value and are left out" in said
    if where == "select":
        assert table["p_select_adjusted"].null_count() == len(table)
    else:
        chosen = table.filter(pl.col("verdict") != "not-selected")
        assert len(chosen) and chosen["effect_adjusted"].null_count() == len(chosen)
        assert set(chosen["note"]) == {"nobody has a value and all confounders"}


def test_a_confounder_unknown_in_the_whole_view_is_refused(tmp_path):
    from seqsae.associations.confounders import Confounders

    store = store_of(tmp_path, [2] * 40, subject=range(40), view="ill")
    entries = [{"name": "c", "type": "continuous", "role": "confounder"}]
    with pytest.raises(SeqsaeError, match="confounder 'c' is missing for everybody in this view"):
        Confounders(study.covariates_of({"c": [None] * 40 + [1.0, 2.0]}, entries), store).of("subject")


def test_where_all_are_confounders_there_is_nothing_to_test(made, judge):
    with pytest.raises(SeqsaeError, match="no covariate has enough .*: sex: no role is target"):
        judge({"sex": made.columns["sex"]}, [{**SEX, "role": "confounder"}])


def test_strata_that_hold_one_category_compare_nothing(made, judge):
    entries = [{"name": "g", "type": "categorical", "within": ["q"]}, {"name": "q", "type": "categorical"}]
    columns = {"g": made.columns["group"], "q": [f"q{i}" for i in range(study.N)]}
    with pytest.raises(
        SeqsaeError, match="no covariate has enough .*covariate 'q' .320 categories: q0, q1, q10, q100, ..."
    ):
        judge(columns, entries)
    one = [{**entries[0], "min_level_n": 3}, {**entries[1], "role": "negative-control"}]
    columns["q"] = ["one" if i % 40 < 2 else "rest" for i in range(study.N)]
    table, said = judge(columns, one)
    assert "covariate 'g' (3 categories: a (one), b (one), c (one)): fewer than 3 clusters on one side" in said
    assert {"a (rest)", "b (rest)", "c (rest)"} == set(table.filter(pl.col("covariate") == "g")["category"])


def test_spellings_of_one_category_are_told(made, judge):
    group = [value.upper() if i % 2 else f" {value}" for i, value in enumerate(made.columns["group"])]
    _, said = judge({"g": group}, [{"name": "g", "type": "categorical"}])
    assert "covariate 'g': ' a' and 'A', ' b' and 'B', ' c' and 'C' differ in case or spaces alone" in said


def test_annotations_that_are_not_there_are_named(made):
    for role in ("target", "confounder"):
        entries = [{"name": "spell", "type": "binary", "level": "event", "role": role}, SEX]
        with pytest.raises(SeqsaeError, match="covariate 'spell' is in no annotation"):
            associate(made.encoded, study.covariates_of({"sex": made.columns["sex"]}, entries), config=CONFIG)


def test_labels_that_are_infinite_or_called_like_a_covariate_are_refused(tmp_path):
    labels = pl.DataFrame({"subject": pl.Series([0, 1], dtype=pl.UInt32), "float_value": [1.0, 2.0]}).with_columns(
        prediction_time=datetime(2001, 1, 1)
    )
    store = store_of(tmp_path, [2, 2], view="ill", times=[datetime(2001, 1, 1)] * 2)
    given = study.covariates_of(
        {"ill float": [1.0, 2.0]}, [{"name": "ill float", "type": "continuous"}], labels={"ill": labels}
    )
    with pytest.raises(SeqsaeError, match="covariate 'ill float' is called like a label of the view 'ill'; rename it"):
        targets(given, store)


def labelled(folder, **columns):
    """The study's folder with a label table `ill` of its first three subjects."""
    (folder / "labels").mkdir()
    table = {
        "subject_id": [0, 1, 2],
        "prediction_time": [datetime(2000, 3, 1)] * 3,
        "boolean_value": [True, False, True],
    }
    pl.DataFrame({**table, **columns}, strict=False).write_parquet(folder / "labels" / "ill.parquet")
    return folder


LABELS = {
    "two labels at one time": ({"subject_id": [1, 1, 2]}, "subject_id 1 has two different labels at 2000-03-01"),
    "infinite": ({"boolean_value": None, "float_value": [1.0, float("inf"), 2.0]}, "float_value holds an infinite value"),
    "times of text": ({"prediction_time": ["soon"] * 3}, "prediction_time"),
    "no times": ({"prediction_time": pl.Series([None] * 3, dtype=pl.Datetime("us"))}, "prediction_time"),
    "values of lists": ({"boolean_value": [[True]] * 3}, "boolean_value"),
    "before all records": ({"prediction_time": [datetime(1950, 1, 1)] * 3}, "before its subject's first event"),
}  # fmt: skip


@pytest.mark.parametrize("case", LABELS)
def test_bad_labels_are_one_line(case, events_folder):
    columns, words = LABELS[case]
    with pytest.raises(SeqsaeError, match="labels? 'ill'|ill.parquet") as caught:
        seqsae.dataset(labelled(events_folder, **columns))
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_labels_of_zones_repeats_and_strangers_are_read_and_counted(events_folder, capsys):
    when = pl.Series([datetime(2000, 3, 1)] * 3).dt.replace_time_zone("Europe/Copenhagen")
    with shown():
        data = seqsae.dataset(
            labelled(events_folder, subject_id=[1, 1, 999], boolean_value=[True] * 3, prediction_time=when)
        )
    assert data.labels["ill"].select("subject", "boolean_value").rows() == [(1, True)]
    assert data.labels["ill"]["prediction_time"][0] == datetime(2000, 2, 29, 23)
    assert "1 of 3 left out: 1 of unknown subjects" in capsys.readouterr().err


# Tables that look odd and are no fault.


def same(made, values, kind, plain, tmp_path):
    """Whether a column says what a plain one says."""
    entries = [{"name": "x", "type": kind}]
    aims = []
    for column in (values, plain):
        document = check_schema({"covariates": entries}, "t")
        table = pl.DataFrame({"subject": pl.Series(range(study.N), dtype=pl.UInt32), "x": column})
        aims.append(targets(Covariates(typed(table, document, "t"), document), made.store)[0].y)
    return np.array_equal(np.argsort(aims[0], kind="stable"), np.argsort(aims[1], kind="stable"))


AGE = [20 + (i * 7) % 50 for i in range(study.N)]
YES = ["yes" if i % 3 else "no" for i in range(study.N)]
ODD = {
    "booleans": ([one == "yes" for one in YES], "binary", YES),
    "enum": (pl.Series(YES, dtype=pl.Enum(["yes", "no"])), "binary", YES),
    "categorical": (pl.Series(YES, dtype=pl.Categorical), "categorical", YES),
    "int8": (pl.Series(AGE, dtype=pl.Int8), "continuous", AGE),
    "uint64": (pl.Series(AGE, dtype=pl.UInt64), "ordinal", AGE),
    "float32": (pl.Series(AGE, dtype=pl.Float32), "continuous", AGE),
    "decimals": ([Decimal(one) / 2 for one in AGE], "continuous", AGE),
    "numbers as text": ([f" {one}.0 " for one in AGE], "continuous", AGE),
    "dates": ([date(1950, 1, 1) + timedelta(one) for one in AGE], "continuous", AGE),
    "datetimes": ([datetime(1950, 1, 1) + timedelta(one) for one in AGE], "ordinal", AGE),
}


@pytest.mark.parametrize("case", ODD)
def test_odd_types_say_what_plain_ones_say(case, made, tmp_path):
    values, kind, plain = ODD[case]
    assert same(made, values, kind, plain, tmp_path)


def test_names_of_ours_and_of_markup_are_but_names(config_file, events_folder, cli, tmp_path):
    wild = '<script>alert("1")</script>'
    columns = dict.fromkeys(("cluster", "split", "sample", "row", "feature", "unit", "a \"q\" & 'b'"), HALF)
    columns |= {wild: [f"{wild}{i % 2}" for i in WHO], "seen": [i % 3 == 0 for i in WHO]}
    entries = [{"name": name, "type": "binary"} for name in columns]
    give(events_folder, columns, [*entries])
    code, _, err = cli("run", config_file, "--out", tmp_path / "run")
    assert code == 0, err
    table = pl.read_parquet(next((tmp_path / "run" / "associations").rglob("associations.parquet")))
    assert set(table["covariate"]) == set(columns)
    page = (tmp_path / "run" / "report" / "index.html").read_text()
    assert "alert(" in page and wild not in page


def test_a_table_alone_is_read_by_its_subjects(made, tmp_path, capsys):
    names = made.store.subjects["subject_id"].to_list()
    table = pl.DataFrame(
        {"subject_id": [*names, "nobody"], "sex": [value or "f" for value in [*made.columns["sex"], "f"]]}
    )
    with shown():
        found = associate(made.encoded, table, config=CONFIG, out=tmp_path)
    assert set(found.table["covariate"]) == {"sex"}
    assert "1 rows belong to no subject of the data and are left out" in capsys.readouterr().err


FRAMES = {
    "a dict": (lambda names: {"subject_id": names}, "dict is no polars table"),
    "nothing": (lambda names: None, "NoneType is no polars table"),
    "no key": (lambda names: pl.DataFrame({"x": names}), "no column 'subject_id'; found x"),
    "keys alone": (lambda names: pl.DataFrame({"subject_id": names}), "no column can be tied to features"),
    "no rows": (lambda names: pl.DataFrame({"subject_id": names, "x": names})[:0], "no column can be tied to features"),
    "strangers": (lambda names: pl.DataFrame({"subject_id": ["?"], "x": [1]}), "none of its 1 subject_id values"),
    "identifiers": (lambda names: pl.DataFrame({"subject_id": names, "x": names}), "no column can be tied to features"),
    "numbers of nobody": (
        lambda names: pl.DataFrame({"subject": [-1, 2], "x": [1, 2]}),
        "'subject' is no internal number",
    ),
    "twice": (
        lambda names: pl.DataFrame({"subject_id": [*names, names[3]], "x": [*AGE, 5]}),
        "subject_id 's3' (1 in all) has two rows, which differ in x",
    ),
}


@pytest.mark.parametrize("case", FRAMES)
def test_a_frame_that_is_no_covariate_table_is_one_line(case, made, tmp_path):
    make, words = FRAMES[case]
    with pytest.raises(SeqsaeError) as caught:
        associate(made.encoded, make(made.store.subjects["subject_id"].to_list()), config=CONFIG, out=tmp_path)
    assert words in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "associations").exists()


def test_supported_names_each_covariate_that_is_left_out(made, capsys):
    columns = {"rare": few(made, "test"), "age": made.columns["age"]}
    given = study.covariates_of(columns, [{"name": "rare", "type": "binary"}, {"name": "age", "type": "continuous"}])
    with shown():
        assert [aim.covariate for aim in supported(targets(given, made.store), given, made.store)] == ["age"]
    assert capsys.readouterr().err.count("not tested") == 1
