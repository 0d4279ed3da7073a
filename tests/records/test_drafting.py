"""`seqsae covariates propose` on files that are no table of subjects: one line each, and nothing half written."""

import errno
import json
import os

import polars as pl
import pytest

from seqsae.errors import SeqsaeError
from seqsae.records.drafting import draft
from seqsae.records.tables import read_table

N = 30
ROWS = pl.DataFrame({"subject_id": range(N), "sex": ["f", "m"] * (N // 2), "income": [i % 23 + 0.5 for i in range(N)]})


def test_a_table_without_subjects_is_refused(cli, tmp_path):
    ROWS.rename({"subject_id": "pnr"}).write_csv(tmp_path / "t.csv")
    code, _, err = cli("covariates", "propose", tmp_path / "t.csv")
    assert code == 2 and "no column 'subject_id'" in err and "it has pnr, sex, income: rename one" in err
    assert [file.name for file in tmp_path.iterdir()] == ["t.csv"]


@pytest.mark.parametrize(
    ("text", "called"),
    [
        ("subject_id;age\n1;30\n2;40\n", "semicolons"),
        ("subject_id;age;weight\n1;30;70,5\n2;40;80,5\n", "semicolons"),
        ("subject_id;age;name, first\n1;30;a\n", "semicolons"),
        ("subject_id\tage\n1\t30\n", "tabs"),
        ("subject_id|age\n1|30\n", "bars"),
    ],
)
def test_another_separator_is_named(cli, tmp_path, text, called):
    (tmp_path / "t.csv").write_text(text)
    code, _, err = cli("covariates", "propose", tmp_path / "t.csv")
    assert code == 2 and "t.csv: its header reads as one column" in err
    assert f"{called} separate it; write the table with commas" in err and err.count("\n") == 1


def test_a_name_or_value_with_separators_inside_is_one_name(tmp_path):
    (tmp_path / "t.csv").write_text('subject_id,"a;b",c\n1,x;y,3\n')
    assert read_table(tmp_path / "t.csv").columns == ["subject_id", "a;b", "c"]


def test_no_control_sign_of_a_table_reaches_the_terminal(cli, tmp_path):
    table = ROWS.rename({"sex": "\x1b[31msex"}).with_columns(note=pl.Series(["\x1b[2J", "\x07"] * (N // 2)))
    table.write_parquet(tmp_path / "t.parquet")
    code, out, _ = cli("covariates", "propose", tmp_path / "t.parquet")
    assert code == 0 and r"'\x1b[31msex': left out" in out and r"two values: \x07 and \x1b[2J" in out
    assert all(sign.isprintable() or sign == "\n" for sign in out)
    table.select("\x1b[31msex").write_csv(tmp_path / "u.csv")
    code, _, err = cli("covariates", "propose", tmp_path / "u.csv")
    assert code == 2 and r"it has \x1b[31msex" in err and "\x1b" not in err


def test_a_full_disk_leaves_nothing_half_written(cli, tmp_path, monkeypatch):
    ROWS.write_csv(tmp_path / "t.csv")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    code, _, err = cli("covariates", "propose", tmp_path / "t.csv")
    assert code == 2 and "covariates.schema.json: No space left on device; nothing of it is kept" in err
    assert [file.name for file in tmp_path.iterdir()] == ["t.csv"]


def test_suffixes_may_be_capitals(tmp_path):
    ROWS.write_parquet(tmp_path / "A.PARQUET")
    ROWS.write_csv(tmp_path / "B.CSV")
    found, out = draft(tmp_path / "A.PARQUET")
    assert [one.kind for one in found] == ["binary", "continuous"] and out == tmp_path / "covariates.schema.json"
    assert list(json.loads(out.read_text())["covariates"][0]) == ["name", "type", "role", "level"]
    assert draft(tmp_path / "B.CSV", tmp_path / "b.json")[0] == found
    with pytest.raises(SeqsaeError, match="already there"):
        draft(tmp_path / "B.CSV", tmp_path / "b.json")


def test_an_endless_path_is_told_shortly(cli, tmp_path):
    ROWS.write_csv(tmp_path / "t.csv")
    code, _, err = cli("covariates", "propose", tmp_path / "t.csv", "--out", "y" * 10_000)
    assert code == 2 and "File name too long" in err and len(err) < 500
