"""Cluster enrichment of covariates that hold at single rows: what is planted is found, what is shuffled is not."""

import numpy as np
import polars as pl
import pytest
from associations.planted import covariates_of
from features.small_stores import Given, parts, store_of

from seqsae import schema
from seqsae.associations.room import Associated, associate
from seqsae.config import AssociateConfig
from seqsae.maps.enrichment import cluster_enrichment, pooling_of

N, LENGTH, WIDTH = 200, 12, 24
SPANS = {"sample": pl.UInt32, "start": pl.UInt32, "end": pl.UInt32, "covariate": pl.String, "value": pl.String}
CONFIG = AssociateConfig(baselines=("position",), poolings=("rate", "max"), min_support=5, permutations=0)
ENTRIES = [{"name": name, "type": "binary", "level": "token", "positive": "yes"} for name in ("spell", "noise")]


class Profiled(Given):
    @property
    def profile(self) -> pl.DataFrame:
        rate = np.diff(self.matrix.tocsc().indptr) / self.matrix.shape[0]
        return pl.DataFrame({"feature": np.arange(len(rate)), "firing_rate": rate})


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Associated:
    """Features 0 to 4 fire in spells, 5 to 9 in rows of the same subjects whatever the spell, together; households of two."""
    rng = np.random.default_rng(0)
    event, sample = np.tile(np.arange(LENGTH), N), np.repeat(np.arange(N), LENGTH)
    start = {name: rng.integers(0, LENGTH - 3, N) for name in ("spell", "noise")}
    inside = (event >= start["spell"][sample]) & (event < start["spell"][sample] + 3)
    on = rng.random((len(event), WIDTH)) < rng.uniform(0.03, 0.2, WIDTH)
    on[:, :5] |= inside[:, None] & (rng.random((len(event), 5)) < 0.3)
    on[:, 5:10] |= (rng.random(N // 2) < 0.3)[sample // 2, None] & (rng.random((len(event), 1)) < 0.5)
    codes = (on * rng.uniform(0.5, 1, on.shape)).astype(np.float32)
    rows = [(i, at[i], at[i] + 3, name, "yes") for name, at in start.items() for i in range(N)]
    store = store_of(
        tmp_path_factory.mktemp("rows"), np.full(N, LENGTH), event=event, split=np.array(parts(N // 2)).repeat(2),
        cluster=np.arange(N) // 2,
    )  # fmt: skip
    annotations = pl.DataFrame(rows, schema=SPANS, orient="row")
    return associate(Profiled(store, codes), covariates_of({}, ENTRIES, annotations), config=CONFIG)


@pytest.fixture(scope="module")
def found(made) -> pl.DataFrame:
    cluster = [0] * 5 + [1] * 5 + [2] * 5 + [-1] * (WIDTH - 15)
    return cluster_enrichment(made, pl.DataFrame({"feature": range(WIDTH), "cluster": cluster}))


def test_only_the_cluster_that_follows_spells_is_enriched_for_them(found):
    assert found.equals(schema.check_table(found, "cluster_enrichment", "test"))
    assert len(found) == 6 and set(found["unit"]) == {"token"} and found["pooling"].null_count() == 6
    assert found.filter(pl.col("q") <= 0.05).select("cluster", "covariate").rows() == [(0, "spell")]
    chosen = found.drop_nulls("n_test")
    assert chosen.select("cluster", "covariate", "note").rows() == [(0, "spell", "intervals to first order")]
    row = chosen.row(0, named=True)
    assert row["p_test_holm"] < 1e-3 and 0 < row["ci_low_adjusted"] < row["effect_adjusted"] < row["ci_high_adjusted"]
    assert row["effect"] > 0.55 and row["mean_z"] > 3 and row["n_supported"] <= row["n_features"] == 5


def test_features_that_go_together_in_households_are_heard_to_do_so(found):
    alike = dict(found.select("cluster", "correlation").rows())
    assert alike[1] > 0.5 > 0.15 > alike[2] >= 0


def test_the_first_pooling_serves_where_presence_is_not_there(made):
    table = pl.DataFrame({"unit": ["event"] * 2 + ["subject"] * 2, "pooling": ["rate", "max", "max", "presence"]})
    stub = type("Stub", (), {"table": table})
    assert (pooling_of(stub, "event"), pooling_of(stub, "subject"), pooling_of(made, "token")) == (
        "rate",
        "presence",
        None,
    )
