"""Covariates: types decided by the schema, missing values kept missing, drafts of schemas."""

import json

import numpy as np
import polars as pl
import pytest

import seqsae
from seqsae.errors import SeqsaeError
from seqsae.records.covariates import check_schema, typed
from seqsae.records.proposals import propose
from seqsae.records.tables import read_table

NAN = float("nan")


def entry(name, kind, **more):
    return {"covariates": [{"name": name, "type": kind, **more}]}


def one(values, kind, **more):
    """The typed column."""
    table = pl.DataFrame({"subject": pl.Series(range(len(values)), dtype=pl.UInt32), "x": values})
    return typed(table, check_schema(entry("x", kind, **more), "t"), "t")["x"].to_list()


def test_types():
    assert one(["f", None, "m"], "binary") == ["f", None, "m"]
    assert one([True, False, None], "binary", positive=True) == ["true", "false", None]
    assert one([1, 0, 1], "binary", positive=1) == ["1", "0", "1"]
    assert one(["2.5", "-1"], "continuous") == [2.5, -1.0]


def test_missing_values_stay_missing():
    assert one([2.5, NAN, None, -1.0], "continuous") == [2.5, None, None, -1.0]
    assert one(["low", None, "high"], "ordinal", order=["low", "mid", "high"]) == [0, None, 2]
    assert one([0.0, NAN, 1.0], "categorical")[1] is None


def test_the_order_of_an_ordinal_is_the_schemas_not_the_alphabets():
    assert one(["mid", "high", "low"], "ordinal", order=["low", "mid", "high"]) == [1, 2, 0]
    with pytest.raises(SeqsaeError, match="row 1: 'huge' is not in its order"):
        one(["low", "huge"], "ordinal", order=["low", "high"])


def test_whole_numbers_stored_as_floats_meet_the_schemas_whole_numbers():
    """A column of whole numbers with gaps comes out of other programs as floats."""
    assert one([0.0, 1.0, NAN], "binary", positive=1) == ["0", "1", None]
    assert one([3.0, NAN, 1.0], "ordinal", order=[1, 2, 3]) == [2, None, 0]


@pytest.mark.parametrize(
    ("values", "kind", "more", "complaint"),
    [
        (["a", "b", "c"], "binary", {}, "has 3 values"),
        (["a", "a"], "binary", {}, "has 1 values"),
        (["a", "b"], "binary", {"positive": "z"}, "has no value 'z'"),
        (["1", "x"], "continuous", {}, "row 1: 'x' is not a number"),
        ([1.0, float("inf")], "continuous", {}, "infinite"),
        ([1.0, 1.0], "continuous", {}, "one value only"),
        ([None, None], "continuous", {}, "empty in every row"),
    ],
)
def test_values_that_do_not_fit_their_type_are_refused(values, kind, more, complaint):
    with pytest.raises(SeqsaeError, match=complaint):
        one(values, kind, **more)


def test_a_draft_follows_types_and_counts():
    n = 200
    rng = np.random.default_rng(0)
    table = pl.DataFrame(
        {
            "subject_id": range(n),
            "sex": rng.choice(["f", "m"], n),
            "level": rng.integers(0, 5, n),
            "age": rng.normal(size=n),
            "region": rng.choice(list("abcde"), n),
            "name": [f"n{i}" for i in range(n)],
            "same": ["x"] * n,
            "gap": np.where(rng.random(n) < 0.2, NAN, rng.integers(0, 2, n)),
            "one_or_none": np.where(rng.random(n) < 0.5, NAN, 1.0),
        }
    )
    kinds = {one["name"]: one["type"] for one in propose(table)["covariates"]}
    assert kinds == {"sex": "binary", "level": "ordinal", "age": "continuous", "region": "categorical", "gap": "binary"}


def test_schemas_that_name_what_is_not_there_are_refused():
    with pytest.raises(SeqsaeError, match="stands twice"):
        check_schema({"covariates": [{"name": "x", "type": "binary"}] * 2}, "t")
    with pytest.raises(SeqsaeError, match="within 'y'"):
        check_schema(entry("x", "categorical", within=["y"]), "t")
    with pytest.raises(SeqsaeError, match="no column 'z'"):
        typed(pl.DataFrame({"subject": [0], "x": [1]}), check_schema(entry("z", "binary"), "t"), "t")
    with pytest.raises(SeqsaeError, match="no annotation"):
        seqsae.dataset(
            [{}, {}],
            covariates=pl.DataFrame({"subject_id": [0, 1]}),
            covariate_schema=entry("x", "binary", level="token"),
        )


@pytest.mark.parametrize("kind", ["binary", "ordinal", "continuous"])
def test_within_is_refused_where_it_would_not_be_followed(kind):
    document = {"covariates": [{"name": "x", "type": kind, "within": ["y"]}, {"name": "y", "type": "categorical"}]}
    with pytest.raises(SeqsaeError, match="within"):
        check_schema(document, "t")


def test_csv_and_parquet_give_the_same_table(tmp_path):
    frame = pl.DataFrame({"subject_id": [1, 2, 3], "x": [1.5, None, 2.0], "g": ["a", None, "b"]})
    frame.write_parquet(tmp_path / "c.parquet")
    (tmp_path / "c.csv").write_text("subject_id,x,g\n1,1.5,a\n2,NA,\n3,2.0,b\n")
    assert read_table(tmp_path / "c.csv").equals(read_table(tmp_path / "c.parquet"))


@pytest.mark.parametrize("inside", [True, False], ids=["the folder", "the file itself"])
def test_what_lies_beside_a_fasta_file_is_read(tmp_path, inside):
    (tmp_path / "s.fasta").write_text(">a\nACD\n>b\nAC\n")
    pl.DataFrame({"subject_id": ["a", "b"], "x": [1.0, 2.0]}).write_parquet(tmp_path / "covariates.parquet")
    (tmp_path / "covariates.schema.json").write_text(json.dumps(entry("x", "continuous")))
    data = seqsae.dataset(tmp_path if inside else tmp_path / "s.fasta")
    assert data.covariate_table.rows() == [(0, 1.0), (1, 2.0)]
