"""The atlas: a row a feature, the dead without a place, the same tables every time; clusters against covariates on a study."""

import json

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp

from seqsae import schema
from seqsae.associations.adjusted import screen_adjusted
from seqsae.associations.fdr import benjamini_hochberg
from seqsae.associations.nulls import basis
from seqsae.associations.ranks import rank_excess
from seqsae.associations.refits import refitter
from seqsae.associations.room import Associated
from seqsae.associations.units import Units
from seqsae.config import AtlasConfig
from seqsae.errors import SeqsaeError
from seqsae.maps import room
from seqsae.maps.competitive import competitive, strata
from seqsae.maps.correlation import Correlation
from seqsae.maps.enrichment import bench_of, cluster_enrichment, membership
from seqsae.maps.room import atlas, make
from seqsae.pipeline import Study

TABLES = ("atlas", "clusters", "cluster_enrichment", "families", "map_quality", "persons")


def profile(width: int, dead: set[int]) -> pl.DataFrame:
    table = pl.DataFrame(
        {
            "feature": range(width),
            "firing_rate": [0.0 if feature in dead else 0.1 for feature in range(width)],
            "n_subjects": [0 if feature in dead else 9 for feature in range(width)],
            "mean_when_active": [1.0] * width,
            "max": [2.0] * width,
            "token_purity": [0.5] * width,
            "best_token": [None] * width,
            "stability": [None] * width,
            "decoder_norm": [1.0] * width,
            "dead": [feature in dead for feature in range(width)],
        }
    )
    return schema.check_table(table, "profile", "test")


@pytest.fixture(scope="module")
def decoder() -> np.ndarray:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(3, 16))
    return (centres[np.arange(30) % 3] + 0.05 * rng.normal(size=(30, 16))).astype(np.float32)


@pytest.fixture(scope="module")
def study(tmp_path_factory, outsider) -> Study:
    from conftest import CONFIG, write_events

    folder = tmp_path_factory.mktemp("atlas")
    text = CONFIG.format(data=write_events(folder / "events", 400))
    few = "seeds = 1\nnulls = 0\npersons = 0\n"
    text = text.replace(few, "min_cluster_size = 3\nseeds = 2\nnulls = 3\npersons = 40\n")
    (folder / "study.toml").write_text(text)
    return Study(folder / "study.toml", folder / "run")


@pytest.fixture(scope="module")
def told(study) -> Associated:
    return study.told


@pytest.fixture(scope="module")
def given(told) -> pl.DataFrame:
    """Clusters of our own: the features most tied to `has_3`, upwards; four others; the rest in none."""
    mine = told.table.filter((pl.col("covariate") == "has_3") & (pl.col("pooling") == "presence"))
    order = mine.sort("z_select_adjusted", descending=True, nulls_last=True)["feature"].to_list()
    cluster = {feature: 0 if i < 4 else 1 if 10 <= i < 14 else -1 for i, feature in enumerate(order)}
    return pl.DataFrame({"feature": sorted(cluster), "cluster": [cluster[feature] for feature in sorted(cluster)]})


@pytest.fixture(scope="module")
def enriched(told, given) -> pl.DataFrame:
    return cluster_enrichment(told, given)


def nan(value: float | None) -> float:
    return np.nan if value is None else value


def test_each_feature_has_a_row_and_the_dead_have_no_place(decoder):
    placed = make(decoder, profile(30, {4, 11}), AtlasConfig(neighbours=5), seed=0)
    assert placed["feature"].to_list() == list(range(30))
    dead = placed.filter(pl.col("feature").is_in([4, 11]))
    assert dead["x"].null_count() == dead["y"].null_count() == placed["x"].null_count() == 2
    assert dead["cluster"].to_list() == [-1, -1]
    live = placed.drop_nulls("x").with_columns(family=pl.col("feature") % 3)
    assert live.select("cluster", "family").n_unique() == live["cluster"].n_unique() == 3


def test_the_same_seed_gives_the_same_table(decoder):
    again = [make(decoder, profile(30, set()), AtlasConfig(), seed=5) for _ in range(2)]
    assert again[0].equals(again[1])


def test_a_zero_direction_gets_no_place(decoder):
    changed = decoder.copy()
    changed[2] = 0
    placed = make(changed, profile(30, set()), AtlasConfig(), seed=0)
    assert placed.filter(pl.col("x").is_null())["feature"].to_list() == [2]


@pytest.mark.parametrize(("width", "dead"), [(6, set(range(6))), (1, set()), (3, {0})])
def test_all_dead_or_few_features_are_a_map_without_clusters(decoder, width, dead):
    placed = make(decoder[:width], profile(width, dead), AtlasConfig(), seed=0)
    assert placed["x"].null_count() == len(dead) and set(placed["cluster"]) == {-1}


def test_a_broken_weight_of_a_live_feature_is_an_error(decoder):
    changed = decoder.copy()
    changed[3, 0] = np.nan
    with pytest.raises(SeqsaeError, match="NaN"):
        make(changed, profile(30, set()), AtlasConfig(), seed=0)


def test_a_profile_of_another_sae_is_an_error(decoder):
    with pytest.raises(SeqsaeError, match="feature 30 is not in the SAE, which has 30"):
        make(decoder, profile(31, set()), AtlasConfig(), seed=0)


def test_a_study_writes_every_table_under_its_schema_and_the_same_again(study, told, tmp_path):
    made = study.atlas
    for name in TABLES:
        table = made.table(f"{name}.parquet")
        assert table.schema == schema.check_table(table, name, name).schema, name
    assert len(made.table("persons.parquet")) == 40
    labels = made.table("clusters.parquet")["label"]
    assert labels.n_unique() == len(labels)
    assert set(made.table("atlas.parquet")["cluster_label"].drop_nulls()) == set(labels)
    config = study.config.atlas
    again = atlas(study.saes[0], told, out=tmp_path, config=config)
    assert again.manifest["files"] == made.manifest["files"]
    opened = json.loads((study.out / "ledger.json").read_text())["test_opened"]
    asked = made.table("cluster_enrichment.parquet")["n_test"].drop_nulls().len() > 0
    assert [entry["view"] for entry in opened if entry["stage"] == "atlas"] == ["full"] * asked


def test_the_competitive_test_is_of_the_tables_own_numbers(told, given, enriched):
    assert len(enriched) == 2 * told.table.select("covariate", "category").n_unique()
    bench, _ = bench_of(told)
    here = Units(told.encoded.store, "subject", "select")
    presence = sp.csc_array(here.pooled(told.encoded, ("presence",)).make("presence"))
    z = bench.confounders.by_sample[here.chosen]
    alike = Correlation(presence, basis(np.column_stack([np.ones(len(z)), z])), None)
    rate = told.encoded.profile.sort("feature")["firing_rate"].to_numpy()
    for row in enriched.iter_rows(named=True):
        mine = told.table.filter(
            (pl.col("covariate") == row["covariate"])
            & pl.col("category").eq_missing(pl.lit(row["category"], pl.String))
            & (pl.col("pooling") == "presence")
        ).drop_nulls("p_select_adjusted")
        feature, z = mine["feature"].to_numpy(), mine["z_select_adjusted"].to_numpy()
        member, tested = given["cluster"].to_numpy() == row["cluster"], np.isin(np.arange(32), feature)
        groups = strata(rate[feature])
        [widening] = alike.widenings(member[:, None], tested, groups)
        expected = competitive(z, member[feature], groups, widening)
        assert nan(row["difference"]) == pytest.approx(expected.difference, nan_ok=True)
        assert nan(row["p_signed"]) == pytest.approx(expected.p, nan_ok=True)
        smaller = np.fmin(nan(row["p_signed"]), nan(row["p_size"]))
        assert nan(row["p"]) == pytest.approx(np.minimum(1, 2 * smaller), nan_ok=True)
        assert (row["n_features"], row["n_others"]) == (member[feature].sum(), (~member[feature]).sum())
        assert row["correlation"] == pytest.approx(alike.mean(np.flatnonzero(member))[0])
    for name in ("", "_select"):
        p = enriched[f"p{name}"].to_numpy().astype(float)
        assert enriched[f"q{name}"].to_numpy() == pytest.approx(benjamini_hochberg(p), nan_ok=True)


def test_a_cluster_of_what_is_tied_to_a_covariate_is_enriched_and_holds_on_the_test_split(enriched):
    first = enriched.filter((pl.col("covariate") == "has_3") & (pl.col("cluster") == 0)).row(0, named=True)
    assert first["q"] < 0.05 and first["difference"] > 1 and first["q_select"] < 1e-6
    assert first["ci_low_adjusted"] > 0 and first["p_test_holm"] < 0.01 and first["effect"] > 0.6
    noise = enriched.filter(pl.col("covariate") == "age")
    assert noise["q"].min() > 0.05 and noise["n_test"].null_count() == len(noise)


def test_the_cluster_itself_goes_through_the_screen_of_single_features(told, given, enriched):
    bench, aims = bench_of(told)
    aim = next(aim for aim in aims if aim.covariate == "has_3")
    codes, store = told.encoded.matrix.toarray() > 0, told.encoded.store
    count = np.zeros((len(store.samples), 1))
    for sample in range(len(count)):
        count[sample] = codes[store.row_sample == sample][:, given["cluster"].to_numpy() == 0].any(axis=0).sum()
    row = enriched.filter((pl.col("covariate") == "has_3") & (pl.col("cluster") == 0)).row(0, named=True)
    here = Units(store, "subject", "select")
    z, y = bench.confounders.by_sample, aim.y[:, None]
    of = here.chosen
    one = screen_adjusted(rank_excess(count[of]), y[of], z[of], here.cluster, 10, np.array([True]), False)
    assert row["effect_select"] == pytest.approx(one.effect[0, 0]) and row["p_select"] == pytest.approx(one.p[0, 0])
    test = Units(store, "subject", "test")
    expected = refitter(aim, test, z[test.chosen])(count[test.chosen, 0])[0]
    assert (row["effect_adjusted"], row["ci_low_adjusted"], row["ci_high_adjusted"]) == pytest.approx(expected[:3])


def test_without_clusters_there_is_no_enrichment(told, given):
    none = given.with_columns(cluster=pl.lit(-1))
    assert cluster_enrichment(told, none).equals(schema.empty("cluster_enrichment"))
    assert membership(none, 32).shape == (32, 0)


def test_large_views_are_read_by_whole_clusters(told, monkeypatch):
    whole = room.some_rows(told, 0)
    assert np.array_equal(whole, told.encoded.store.rows_in("select"))
    monkeypatch.setattr(room, "ROWS", 300)
    some = room.some_rows(told, 0)
    assert 200 < len(some) <= 300 and np.isin(some, whole).all() and np.array_equal(some, room.some_rows(told, 0))
    subject = told.encoded.store.row_subject
    assert np.isin(subject[whole], subject[some]).sum() == len(some)
