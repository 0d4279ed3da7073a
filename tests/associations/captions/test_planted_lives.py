"""Captions of the concepts planted in synthetic lives: the truth is what fires, and only codes and covariates are read to name it."""

import numpy as np
import polars as pl
import pytest
from features.small_stores import store_of

from seqsae.associations.captions.captioning import captions
from seqsae.associations.truth_source import TruthSource
from seqsae.config import CaptionConfig, RecordsConfig
from seqsae.records import room as records
from seqsae.records.covariates import Covariates


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """Level, codes and caption of each concept."""
    pytest.importorskip("synthetic_lives")
    folder = tmp_path_factory.mktemp("lives")
    config = RecordsConfig(source="synthetic-lives", options={"persons": 900})
    data = records.load(records.keep(config, folder / "records"))
    n_rows = data.table.group_by("subject").len().sort("subject")["len"].to_numpy()
    split = np.resize(["select", "test"], len(n_rows))
    store = store_of(folder, n_rows, tokens=data.table["code"].to_list(), split=split)
    number = dict(zip(data.subjects["subject_id"].to_list(), store.subjects["subject_id"].to_list(), strict=True))
    spans = data.truth_spans.with_columns(subject_id=pl.col("subject_id").replace_strict(number))
    covariates = Covariates(data.covariate_table, data.covariate_schema, truth=data.truth, truth_spans=spans)
    table = captions(TruthSource(store, covariates), covariates, CaptionConfig(nulls=20, literals=1500))
    return table.with_columns(concept=pl.Series([one["name"] for one in data.truth["concepts"]]))


def test_codes_of_one_kind_get_their_family_and_others_their_names(named):
    found = {row["concept"]: row for row in named.iter_rows(named=True)}
    assert found["injury"]["caption"] == "token begins with DIAG//S"
    assert found["job_loss"]["caption"] == "token begins with WORK//LOSS//"
    assert found["back_diagnosis"]["caption"] == "token is one of DIAG//M47, DIAG//M51, DIAG//M53, DIAG//M54"
    assert found["high_income"]["caption"] == "token is one of INCOME//D10, INCOME//D8, INCOME//D9"
    assert all(found[name]["f1"] == 1 for name in ("injury", "job_loss", "back_diagnosis", "high_income"))
    assert found["female"]["caption"] == "sex is female" and found["female"]["f1"] == 1


def test_spells_are_told_by_what_started_them(named):
    found = {row["concept"]: row for row in named.iter_rows(named=True)}
    assert "WORK//LOSS//" in found["unemployed"]["caption"] and "FAMILY//BIRTH" in found["after_birth"]["caption"]
    for name in ("unemployed", "after_birth"):
        assert found[name]["f1"] > 0.5 > found[name]["f1_token"]
        assert found[name]["f1"] > found[name]["null_95"]
