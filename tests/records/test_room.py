"""Records on the shelf: what is written is what is read, and one changed value is noticed."""

from dataclasses import replace
from datetime import datetime

import numpy as np
import polars as pl
import pytest
from conftest import write_events

import seqsae
from seqsae.config import RecordsConfig
from seqsae.records import room

TABLES = ("subjects", "table", "covariate_table", "annotations", "splits", "truth_spans")
TRUTH = {
    "format": 1,
    "concepts": [{"name": "k", "level": "token", "prevalence_persons": 0.5, "prevalence_events": 0.1}],
    "covariates": [{"name": "has_3", "status": "caused"}],
}


@pytest.fixture
def folder(tmp_path):
    """Everything that may lie beside events."""
    import json

    path = write_events(tmp_path / "d", 40)
    spans = pl.DataFrame(
        {"subject_id": [1, 2], "start": [0, 1], "end": [2, 3]}, schema_overrides={"start": pl.UInt32, "end": pl.UInt32}
    )
    spans.with_columns(pl.lit("spell").alias("covariate"), pl.lit("yes").alias("value")).write_parquet(
        path / "annotations.parquet"
    )
    spans.with_columns(pl.lit("k").alias("concept")).write_parquet(path / "truth_spans.parquet")
    (path / "truth.json").write_text(json.dumps(TRUTH))
    (path / "labels").mkdir()
    labels = pl.DataFrame(
        {
            "subject_id": [3, 3],
            "prediction_time": [datetime(2001, 1, 1), datetime(2002, 1, 1)],
            "boolean_value": [True, None],
        }
    )
    labels.write_parquet(path / "labels" / "ill.parquet")
    document = json.loads((path / "covariates.schema.json").read_text())
    document["covariates"].append({"name": "spell", "type": "binary", "level": "token", "positive": "yes"})
    (path / "covariates.schema.json").write_text(json.dumps(document))
    return path


def test_what_is_kept_is_what_is_loaded(folder, tmp_path):
    config = RecordsConfig(path=str(folder))
    data = room.gather(config)
    assert data.truth == TRUTH and data.labels["ill"]["subject"].to_list() == [3, 3] and len(data.annotations) == 2
    again = room.load(room.keep(config, tmp_path / "records"))
    assert again.kind == data.kind and again.covariate_schema == data.covariate_schema and again.truth == data.truth
    for name in TABLES:
        assert getattr(again, name).equals(getattr(data, name)), name
        assert getattr(again, name).schema == getattr(data, name).schema, name
    assert again.labels.keys() == data.labels.keys() and again.labels["ill"].equals(data.labels["ill"])
    assert room.fingerprint(again) == room.fingerprint(data)


def test_sequences_are_kept_too(tmp_path):
    (tmp_path / "s.fa").write_text(">a\nACD\n>b\nMK\n")
    config = RecordsConfig(source="fasta", path=str(tmp_path / "s.fa"))
    again = room.load(room.keep(config, tmp_path / "records"))
    assert [record.sequence for record in again] == ["ACD", "MK"] and again.kind == "sequences"


def test_one_changed_value_anywhere_changes_the_fingerprint(folder):
    data = seqsae.dataset(folder)

    def with_first(table, column, value):
        changed = [value, *table[column].to_list()[1:]]
        return table.with_columns(pl.Series(column, changed, dtype=table[column].dtype))

    others = [
        replace(data, table=with_first(data.table, "code", "CODE//9")),
        replace(data, table=with_first(data.table, "numeric_value", 1.0)),
        replace(data, covariate_table=with_first(data.covariate_table, "age", 1.0)),
        replace(data, annotations=with_first(data.annotations, "end", 9)),
        replace(data, splits=with_first(data.splits, "split", "unheard")),
        replace(data, subjects=with_first(data.subjects, "cluster", "z")),
        replace(data, truth_spans=with_first(data.truth_spans, "end", 9)),
        replace(data, labels={"ill": with_first(data.labels["ill"], "boolean_value", False)}),
        replace(data, labels={"well": data.labels["ill"]}),
        replace(data, truth={**TRUTH, "format": 2}),
        replace(data, covariate_schema={"covariates": []}),
    ]
    prints = [room.fingerprint(one) for one in [data, *others]]
    assert len(set(prints)) == len(prints)
    assert room.fingerprint(seqsae.dataset(folder)) == prints[0]


@pytest.mark.parametrize(
    "wrap", [lambda x: x, lambda x: [x], lambda x: {"a": x}, lambda x: (x, x)], ids=["plain", "list", "dict", "tuple"]
)
def test_one_changed_number_in_an_item_changes_the_fingerprint(wrap):
    """However long: printed arrays are cut in the middle."""

    def of(x):
        return room.fingerprint(seqsae.dataset([{"x": wrap(x)}]))

    before = np.arange(3000.0)
    after = before.copy()
    after[1500] = -1
    assert of(before) != of(after)
    assert of(before) == of(before.copy())
