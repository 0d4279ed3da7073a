"""Schemas are valid, described, and equal to what the code writes."""

import jsonschema
import polars as pl
import pytest

from seqsae import schema
from seqsae.errors import SeqsaeError


@pytest.mark.parametrize("name", schema.names())
def test_schema_is_valid_and_every_field_is_described(name):
    document = schema.load(name)
    jsonschema.Draft202012Validator.check_schema(document)
    assert document["description"]
    for field, spec in document["properties"].items():
        assert spec.get("description"), f"{name}.{field}"
        if document.get("x-kind") == "table":
            assert "examples" in spec, f"{name}.{field}"
            assert spec.get("x-arrow") in {None, *schema.TYPES}, f"{name}.{field}"


def test_a_table_is_cast_and_ordered():
    table = pl.DataFrame({"split": ["train"], "subject": [3]})
    checked = schema.check_table(table, "splits", "here")
    assert checked.schema == pl.Schema({"subject": pl.UInt32(), "split": pl.String()})


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (pl.DataFrame({"subject": [1]}), "no column 'split'"),
        (pl.DataFrame({"subject": [-1], "split": ["train"]}), "expected uint32"),
        (
            pl.DataFrame({"subject": [1], "split": [None]}, schema={"subject": pl.UInt32, "split": pl.String}),
            "empty values",
        ),
        (pl.DataFrame({"subject": [1], "split": ["train"], "extra": [1]}), "unknown column 'extra'"),
    ],
)
def test_a_wrong_table_is_refused_by_name(table, words):
    with pytest.raises(SeqsaeError, match=words) as caught:
        schema.check_table(table, "splits", "here.parquet")
    assert "here.parquet" in str(caught.value) and "\n" not in str(caught.value)


def test_a_wrong_document_is_refused_by_field():
    with pytest.raises(SeqsaeError, match="covariates.0.type"):
        schema.check_document({"covariates": [{"name": "x", "type": "colour"}]}, "covariates", "c.json")
