"""The report in other forms: every table, harmless in a spreadsheet; every chart with rows, as a picture."""

import csv

import polars as pl
import pytest
from pages import made_up

from seqsae import schema
from seqsae.errors import SeqsaeError
from seqsae.pages import formats
from seqsae.pages.page import drawn

HOSTILE = [
    "=CMD()",
    "+1+cmd",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    " =1",
    "\u00a0=1",
    "＝1",
    "a=b",
    "-1.5",
    "",
    None,
    'x"y,\nz',
    "\u202e=1",
]


def test_csv_holds_no_formula_and_reads_back(tmp_path):
    table = pl.DataFrame({"name": HOSTILE, "number": [-1.5] * len(HOSTILE), "list": [["=1", "b"]] * len(HOSTILE)})
    formats.harmless(table).write_csv(tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        back = list(csv.DictReader(file))
    changed = [row["name"] != (text or "") for row, text in zip(back, HOSTILE, strict=True)]
    assert changed == [True] * 8 + [False] * 6
    assert all(row["name"][0] == "'" for row in back[:8])
    assert {row["number"] for row in back} == {"-1.5"} and back[0]["list"] == '["=1", "b"]'


@pytest.fixture(scope="module")
def content(fake):
    return fake(nasty=True, portraits=made_up.portraits(), used=made_up.used(), layers=made_up.layers())


def test_tables_are_all_written_and_empty_ones_are_not(content, tmp_path):
    formats.write(content, "parquet", tmp_path)
    names = {path.stem for path in tmp_path.iterdir()}
    assert {"profile", "associations", "baselines", "portraits_spread", "used_effects", "layers"} <= names
    assert "captions" not in names
    assert schema.check_table(pl.read_parquet(tmp_path / "profile.parquet"), "profile", "it").equals(content.profile)
    (tmp_path / "c").mkdir()
    formats.write(content, "csv", tmp_path / "c")
    assert {path.stem for path in (tmp_path / "c").iterdir()} == names
    assert len(pl.read_csv(tmp_path / "c" / "associations.csv", infer_schema_length=None)) == len(content.associations)


def test_charts_have_rows_and_one_is_a_picture(content):
    charts = drawn(content)
    assert {"map", "breadth", "worth-auroc", "seed-cosines", "recovered-0", "curve-fvu"} <= set(charts)
    points = charts["map"]["datasets"]["map"]
    assert (
        len(points) == 42
        and {"color", "shape", "lit"} <= set(points[0])
        and len(charts["map"]["datasets"]["names"]) == 4
    )
    for name in ("map", "seed-cosines"):
        assert formats.picture(charts[name])[:8] == b"\x89PNG\r\n\x1a\n"


def test_another_format_is_refused():
    with pytest.raises(SeqsaeError, match="html, parquet, csv, png"):
        formats.check("svg")
