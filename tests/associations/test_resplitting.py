"""Random cuts: only held-out subjects, only subject-level binary targets, every pooling a unit."""

import numpy as np
import polars as pl
import pytest
from associations import planted as study
from features.small_stores import Given

from seqsae.associations.baselines import sources_of
from seqsae.associations.resplits import resplits
from seqsae.associations.resplitting import resplit_table
from seqsae.associations.room import associate
from seqsae.associations.targets import Target, targets
from seqsae.config import AssociateConfig

CONFIG = AssociateConfig(baselines=("neuron", "token", "position"), poolings=("rate", "max"), resplits=4)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return study.planted(tmp_path_factory.mktemp("planted"))


def table_of(made, codes, aims=None):
    encoded = Given(made.store, codes)
    aims = targets(made.covariates(), made.store) if aims is None else aims
    return resplit_table(encoded, sources_of(encoded, CONFIG.baselines, 0, None), aims, CONFIG, 3)


def test_sources_and_targets(made):
    table = table_of(made, made.codes)
    assert set(table["source"]) == {"sae", "neuron", "token"}, "what is fitted to select cannot be cut anew"
    assert set(table["covariate"]) == {"sex", "group", "noise"} and set(table["category"]) == {"m", "a", "b", "c", "v"}
    assert table["split"].n_unique() == 4
    best = table.filter(pl.col("source") == "sae").group_by("covariate", "category").agg(pl.col("best").mean())
    means = {(covariate, category): mean for covariate, category, mean in best.rows()}
    assert means["sex", "m"] > 0.8 and means["group", "c"] > 0.8 and abs(means["noise", "v"] - 0.5) < 0.12


def test_train_subjects_have_no_part(made):
    changed = made.codes.copy()
    changed[made.split[made.store.row_subject] == "train"] = 9
    assert table_of(made, changed).equals(table_of(made, made.codes))
    y = study.label(made.columns["noise"], "v")
    turned = np.where(made.split == "train", 1 - y, y)
    aims = [[Target("noise", "v", "binary", "subject", one)] for one in (y, turned)]
    assert table_of(made, made.codes, aims[0]).equals(table_of(made, made.codes, aims[1]))


def test_the_numbers_are_those_of_the_pooled_values(made):
    held = made.split != "train"
    pooled = np.hstack([study.pooled(made.codes, made.store, pooling) for pooling in CONFIG.poolings])[held]
    y = study.label(made.columns["sex"], "m")
    direct = resplits(
        {"sae": pooled},
        y[held][:, None],
        np.unique((np.arange(study.N) // 2).astype(str), return_inverse=True)[1][held],
        n_splits=4,
        seed=3,
    )
    mine = table_of(made, made.codes, [Target("sex", "m", "binary", "subject", y)]).filter(pl.col("source") == "sae")
    assert np.allclose(mine.sort("split")["top"], direct.sort("split")["top"]) and np.allclose(
        mine.sort("split")["best"], direct.sort("split")["best"]
    )


def test_a_study_without_binary_covariates_has_an_empty_table(made, tmp_path):
    covariates = made.covariates(study.ENTRIES[1:2])
    assert len(associate(made.encoded, covariates, config=CONFIG, out=tmp_path).resplits) == 0
