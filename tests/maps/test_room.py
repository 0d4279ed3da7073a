"""The atlas: a row a feature, the dead without a place, the same table every time."""

import numpy as np
import polars as pl
import pytest

from seqsae import schema
from seqsae.config import AtlasConfig
from seqsae.errors import SeqsaeError
from seqsae.maps.room import make


def profile(width: int, dead: set[int]) -> pl.DataFrame:
    tokens = [None if feature in dead else f"T//{feature % 3}" for feature in range(width)]
    table = pl.DataFrame(
        {
            "feature": range(width),
            "firing_rate": [0.0 if feature in dead else 0.1 for feature in range(width)],
            "n_subjects": [0 if feature in dead else 9 for feature in range(width)],
            "mean_when_active": [1.0] * width,
            "max": [2.0] * width,
            "token_purity": [0.5] * width,
            "best_token": tokens,
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


def test_each_feature_has_a_row_and_the_dead_have_no_place(decoder):
    atlas = make(decoder, profile(30, {4, 11}), None, AtlasConfig(neighbours=5), seed=0)
    assert atlas.equals(schema.check_table(atlas, "atlas", "test"))
    assert atlas["feature"].to_list() == list(range(30))
    dead = atlas.filter(pl.col("feature").is_in([4, 11]))
    assert dead["x"].null_count() == dead["y"].null_count() == 2
    assert dead["cluster"].to_list() == [-1, -1]
    assert dead["cluster_label"].to_list() == [None, None]
    assert atlas["x"].null_count() == 2
    live = atlas.filter(pl.col("x").is_not_null())
    assert set(live["cluster_label"]) == {"T//0", "T//1", "T//2"}
    assert live.filter(pl.col("cluster_label") != pl.format("T//{}", pl.col("feature") % 3)).is_empty()


def test_the_same_seed_gives_the_same_table(decoder):
    again = [make(decoder, profile(30, set()), None, AtlasConfig(), seed=5) for _ in range(2)]
    assert again[0].equals(again[1])


def test_a_zero_direction_gets_no_place(decoder):
    changed = decoder.copy()
    changed[2] = 0
    atlas = make(changed, profile(30, set()), None, AtlasConfig(), seed=0)
    assert atlas.filter(pl.col("x").is_null())["feature"].to_list() == [2]


def test_all_dead_is_an_empty_map(decoder):
    atlas = make(decoder[:6], profile(6, set(range(6))), None, AtlasConfig(), seed=0)
    assert atlas["x"].null_count() == 6


def test_a_broken_weight_of_a_live_feature_is_an_error(decoder):
    changed = decoder.copy()
    changed[3, 0] = np.nan
    with pytest.raises(SeqsaeError, match="NaN"):
        make(changed, profile(30, set()), None, AtlasConfig(), seed=0)


def test_a_profile_of_another_sae_is_an_error(decoder):
    with pytest.raises(SeqsaeError, match="feature 30 is not in the SAE, which has 30"):
        make(decoder, profile(31, set()), None, AtlasConfig(), seed=0)
