"""A sample of subjects: whole clusters, the same every time, and every table of those subjects alone."""

from dataclasses import replace
from datetime import datetime

import polars as pl
import pytest
from conftest import write_events

import seqsae
from seqsae.config import RecordsConfig
from seqsae.errors import SeqsaeError
from seqsae.progress import shown
from seqsae.records import room
from seqsae.records.sampling import sampled


@pytest.fixture
def data(tmp_path):
    """40 subjects in pairs, some with labels and annotations."""
    found = seqsae.dataset(write_events(tmp_path / "d", 40))
    ids = found.subjects["subject_id"].to_list()
    labels = pl.DataFrame(
        {
            "subject_id": ids,
            "prediction_time": [datetime(2050, 1, 1)] * 40,
            "boolean_value": [i % 2 == 0 for i in range(40)],
        }
    )
    cluster = {name: f"c{i // 2}" for i, name in enumerate(ids)}
    return seqsae.dataset(tmp_path / "d", labels={"ill": labels}, cluster=cluster)


def test_a_sample_is_of_whole_clusters_and_all_tables_speak_of_them(data, capsys):
    spans = pl.DataFrame({"sample": pl.Series(range(40), dtype=pl.UInt32), "what": range(40)})
    with shown():
        few = sampled(replace(data, annotations=spans, meds_split=[str(i) for i in range(40)]), 11, "s")
    assert "10 of 40 subjects drawn, 5 of 20 clusters (records.limit = 11)" in capsys.readouterr().err
    assert few.subjects["subject"].to_list() == list(range(10)) and set(
        few.subjects["cluster"].value_counts()["count"]
    ) == {2}
    place = {name: i for i, name in enumerate(data.subjects["subject_id"].to_list())}
    old = [place[name] for name in few.subjects["subject_id"].to_list()]
    assert old == sorted(old) and few.meds_split == [str(i) for i in old]
    for new, before in enumerate(old):
        assert few[new].code.tolist() == data[before].code.tolist() and few[new].subject_id == data[before].subject_id
    assert few.annotations["what"].to_list() == old and few.annotations["sample"].to_list() == list(range(10))
    assert few.labels["ill"]["boolean_value"].to_list() == [i % 2 == 0 for i in old]
    both = (few.covariate_table.drop("subject"), data.covariate_table.drop("subject")[old])
    assert both[0].equals(both[1]) and few.table.schema == data.table.schema
    assert few.splits["split"].to_list() == data.splits["split"][old].to_list()


def test_the_salt_draws_and_a_larger_sample_holds_the_smaller(data):
    def names(limit, salt):
        return set(sampled(data, limit, salt).subjects["subject_id"].to_list())

    assert names(10, "a") == names(10, "a") != names(10, "b")
    assert names(10, "a") < names(20, "a")
    assert sampled(data, 40, "a") is data and sampled(data, None, "a") is data
    with pytest.raises(SeqsaeError, match=r"records.limit = 1: the first cluster drawn has 2 subjects"):
        sampled(data, 1, "a")


def test_records_of_a_sample_are_another_artefact(tmp_path):
    path = str(write_events(tmp_path / "d", 40))
    whole = room.keep(RecordsConfig(path=path), tmp_path / "records")
    assert len(room.load(whole)) == 40
    assert len(room.load(room.keep(RecordsConfig(path=path, limit=9), tmp_path / "records"))) == 9
