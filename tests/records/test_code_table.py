"""What codes are called: several rows a code, names of longer tokens, codes without a row."""

import polars as pl
import pytest
from records.test_meds import ROWS, folder, frame, told

import seqsae
from seqsae.config import RecordsConfig
from seqsae.errors import SeqsaeError
from seqsae.records import room
from seqsae.records.code_table import names

CODES = pl.DataFrame(
    {
        "code": ["B", "A", "B", "B", None, "UNSEEN"],
        "description": ["Bee", None, "Bee", " a second ", "nobody", "Unseen"],
        "parent_codes": [["P"], None, ["P", "Q"], [], ["R"], None],
        "code/vocab_index": [1, 2, 3, 4, 5, 6],
    }
)


def test_rows_of_one_code_are_joined_and_absent_codes_counted_once(tmp_path, capsys):
    data, said = told(capsys, lambda: seqsae.dataset(folder(tmp_path / "d", frame(), codes=CODES)))
    assert data.code_table.rows() == [("A", None, []), ("B", "Bee; a second", ["P", "Q"]), ("UNSEEN", "Unseen", [])]
    assert said.count("lacks 1 codes of the data (SEX//F): shown without a name") == 1
    assert data.covariates.code_table is data.code_table


def test_it_lies_on_the_shelf_and_is_part_of_the_data_s_identity(tmp_path):
    path = folder(tmp_path / "d", frame(), codes=CODES)
    config = RecordsConfig(path=str(path))
    artefact = room.keep(config, tmp_path / "records")
    data, again = room.gather(config), room.load(artefact)
    assert again.code_table.equals(data.code_table) and artefact.has("code_table.parquet")
    assert room.fingerprint(again) == room.fingerprint(data)
    CODES.with_columns(pl.lit("other").alias("description")).write_parquet(path / "metadata" / "codes.parquet")
    assert room.fingerprint(room.gather(config)) != room.fingerprint(data)
    bare = folder(tmp_path / "bare" / "d", frame())
    assert seqsae.dataset(bare).code_table is None


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        (pl.DataFrame({"code": ["A"]}), [("A", None, [])]),
        (pl.DataFrame({"code": ["A"], "parent_codes": ["P"]}), [("A", None, ["P"])]),
        (pl.DataFrame({"code": ["A"], "description": pl.Series(["x"], dtype=pl.Categorical)}), [("A", "x", [])]),
        (pl.DataFrame({"code": ["A"], "description": [None], "parent_codes": [None]}), [("A", None, [])]),
        (pl.DataFrame({"code": ["A"], "description": [""]}), [("A", None, [])]),
    ],
    ids=["codes alone", "one parent as text", "dictionary", "null columns", "empty text"],
)
def test_columns_that_are_absent_or_plain(tmp_path, table, rows):
    assert seqsae.dataset(folder(tmp_path / "d", frame(), codes=table)).code_table.rows() == rows


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (pl.DataFrame({"name": ["A"]}), "no column 'code'"),
        (pl.DataFrame({"code": ["A"], "description": [3]}), "'description' is Int64"),
        (pl.DataFrame({"code": ["A"], "parent_codes": [3]}), "'parent_codes' is Int64"),
    ],
)
def test_a_table_that_is_none_is_refused(tmp_path, table, words):
    with pytest.raises(SeqsaeError, match=words):
        seqsae.dataset(folder(tmp_path / "d", frame(), codes=table))


def test_the_longest_described_beginning_names_a_token():
    table = pl.DataFrame({"code": ["LAB", "LAB//X//mg", "C"], "description": ["Laboratory", "Creatinine", None]})
    tokens = ["LAB//X//mg", "LAB//X//mg//Q3", "LAB//Y//Q3", "C", "LABX", "LAB//X//mg"]
    assert names(table, tokens) == {
        "LAB//X//mg": "Creatinine",
        "LAB//X//mg//Q3": "Creatinine (Q3)",
        "LAB//Y//Q3": "Laboratory (Y//Q3)",
    }
    assert names(None, tokens) == {} and len(ROWS) == 3
