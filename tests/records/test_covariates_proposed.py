"""`seqsae covariates propose`: a draft with a line a column that says why, and no identifier in it."""

import json
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from seqsae.records.covariates import check_schema, typed
from seqsae.records.proposals import proposals, propose

N = 200
RNG = np.random.default_rng(0)
COLUMNS = {
    "sex": (RNG.choice(["f", "m"], N), "binary", "two values: f and m"),
    "flag": (RNG.random(N) < 0.5, "binary", "two values: false and true"),
    "gap": (np.where(RNG.random(N) < 0.2, np.nan, RNG.integers(0, 2, N)), "binary", "two values: 0 and 1"),
    "level": (RNG.integers(0, 5, N), "ordinal", "5 whole numbers"),
    "income": (np.round(RNG.normal(300, 90, N)), "continuous", "different numbers"),
    "score": (RNG.normal(size=N), "continuous", "200 different numbers"),
    "region": (RNG.choice(list("abcde"), N), "categorical", "5 values"),
    "kommune": (RNG.choice(["0101", "0147", "0751"], N), "categorical", "3 values"),
    "born": ([date(1950, 1, 1) + timedelta(int(days)) for days in RNG.integers(0, 99, N)], "continuous", "Date values"),
    "typed": ([f"{value:.1f}" for value in RNG.normal(size=N)], "continuous", "text that reads as numbers"),
    "enum": (pl.Series(RNG.choice(["lo", "mid", "hi"], N), dtype=pl.Enum(["lo", "mid", "hi"])), "categorical", "3 values"),
    "pnr": ([f"{i:010d}" for i in range(N)], None, "text that never repeats, as identifiers do"),
    "number": (RNG.permutation(10**6)[:N], None, "whole numbers that never repeat, as identifiers do"),
    "float_number": (RNG.permutation(10**6)[:N] * 1.0, None, "whole numbers that never repeat"),
    "same": (["x"] * N, None, "one value only"),
    "one_or_none": (np.where(RNG.random(N) < 0.5, np.nan, 1.0), None, "one value only"),
    "empty": (pl.Series([None] * N), None, "empty in every row"),
    "nan": ([float("nan")] * N, None, "empty in every row"),
    "lists": ([[1, 2]] * N, None, "List(Int64), not numbers or text"),
    "bytes": ([b"a", b"b"] * (N // 2), None, "Binary, not numbers or text"),
    "comma": (["12,5"] + [str(i % 60) for i in range(N - 1)], None, "199 of 200 values are numbers; mend '12,5'"),
    "infinite": ([float("inf"), *RNG.normal(size=N - 1)], None, "holds an infinite value"),
    "diagnosis": ([f"D{i % 90}" for i in range(N)], None, "90 values, too many for categories; group them"),
    "subject": (np.arange(N) % 7, None, "rename it to have it tested"),
    " ": (np.arange(N) % 7, None, "has no name"),
    "n" * 999: (np.arange(N) % 7, None, "its name has 999 characters"),
}  # fmt: skip


@pytest.fixture(scope="module")
def table():
    return pl.DataFrame({"subject_id": range(N), **{name: values for name, (values, _, _) in COLUMNS.items()}})


def test_each_column_is_proposed_as_what_it_seems_to_be_and_why(table):
    found = {one.name: one for one in proposals(table)}
    assert set(found) == set(COLUMNS)
    for name, (_, kind, why) in COLUMNS.items():
        assert found[name].kind == kind and why in found[name].why, found[name]


def test_the_draft_types_its_own_table(table):
    document = check_schema(propose(table), "draft")
    names = [entry["name"] for entry in document["covariates"]]
    assert names == [name for name, (_, kind, _) in COLUMNS.items() if kind]
    keyed = table.drop("subject", "subject_id").with_columns(subject=pl.int_range(N))
    assert set(typed(keyed, document, "draft").columns) == {"subject", *names}


def test_the_command_writes_the_draft_and_a_line_a_column(cli, tmp_path):
    columns = {name: values for name, (values, _, _) in COLUMNS.items() if name in ("sex", "income", "pnr", "comma")}
    pl.DataFrame({"subject_id": range(N), **columns}).write_csv(tmp_path / "covariates.csv")
    out = tmp_path / "draft.json"
    code, said, _ = cli("covariates", "propose", tmp_path / "covariates.csv", "--out", out)
    assert code == 0
    kinds = {entry["name"]: entry["type"] for entry in json.loads(out.read_text())["covariates"]}
    assert kinds == {"sex": "binary", "income": "continuous"}
    lines = said.splitlines()
    assert lines[0] == "'sex': binary, level subject, role target (two values: f and m)"
    assert lines[2].startswith("'pnr': left out (") and "2 covariates drafted" in lines[-1] and len(lines) == 5
    kept = out.read_text()
    code, _, err = cli("covariates", "propose", tmp_path / "covariates.csv", "--out", out)
    assert code == 2 and "already there" in err and out.read_text() == kept


def test_a_table_of_identifiers_alone_gives_no_draft(cli, tmp_path):
    pl.DataFrame({"subject_id": range(N), "pnr": COLUMNS["pnr"][0]}).write_parquet(tmp_path / "t.parquet")
    code, _, err = cli("covariates", "propose", tmp_path / "t.parquet")
    assert code == 2 and "no column to propose; 'pnr': left out (text that never repeats" in err
    assert not (tmp_path / "covariates.schema.json").exists()
