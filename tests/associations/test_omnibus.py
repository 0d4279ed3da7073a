"""All levels of a categorical covariate at once, and what is tested in blocks or within strata, against plain loops."""

import numpy as np
import polars as pl
import pytest
from associations import planted as study
from features.small_stores import Given
from scipy.stats import false_discovery_control, kruskal

from seqsae.associations import blocks
from seqsae.associations.confounders import Confounders
from seqsae.associations.omnibus import GUARDED, coded, levels_tested, omnibus
from seqsae.associations.ranks import rank_excess
from seqsae.associations.room import associate
from seqsae.associations.screen import screen
from seqsae.associations.screening import Bench
from seqsae.associations.stratified import rank_strata, screen_strata
from seqsae.associations.targets import Target, targets
from seqsae.config import AssociateConfig

CONFIG = AssociateConfig(baselines=("token",), poolings=("rate", "max"), min_support=5, permutations=19)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return study.planted(tmp_path_factory.mktemp("omnibus"))


def bench_of(made, covariates):
    return Bench(made.encoded, Confounders(covariates, made.store), CONFIG)


def test_with_units_for_clusters_it_is_the_test_of_kruskal_and_wallis(made):
    alone = study.Planted(made.store, made.codes, made.x, made.columns, made.split)
    subjects = made.store.subjects.with_columns(cluster=pl.int_range(pl.len(), dtype=pl.UInt32))
    alone.store.__dict__["subjects"] = subjects
    try:
        bench = bench_of(alone, alone.covariates())
        table = omnibus(bench, targets(alone.covariates(), alone.store))
        assert set(table["covariate"]) == {"group"} and len(table) == 9 * 2
        for row in table.iter_rows(named=True):
            x = study.pooled(made.codes, made.store, row["pooling"])[:, row["feature"]]
            group = np.array([value or "" for value in made.columns["group"]])
            at = {name: (made.split == name) & (group != "") for name in ("select", "test")}
            parts = {name: [x[here & (group == g)] for g in np.unique(group[here])] for name, here in at.items()}
            assert row["p_select"] == pytest.approx(kruskal(*parts["select"]).pvalue, rel=1e-9)
            chosen = row["q_select"] <= CONFIG.q
            assert (row["p_test"] is not None) == chosen
            h = kruskal(*parts["test" if chosen else "select"]).statistic
            n = at["test" if chosen else "select"].sum()
            assert row["n"] == n and row["epsilon2"] == pytest.approx(h / (n - 1), rel=1e-9)
            if chosen:
                assert row["p_test"] == pytest.approx(kruskal(*parts["test"]).pvalue, rel=1e-9)
        assert table["q_select"].to_numpy() == pytest.approx(false_discovery_control(table["p_select"].to_numpy()))
        assert (table.filter(feature=3, pooling="rate")["p_test"] < 1e-3).all()
    finally:
        del alone.store.__dict__["subjects"]


def test_clusters_make_it_more_careful():
    rng = np.random.default_rng(0)
    rejected, n, size = [], 400, 4
    for _ in range(60):
        shared = np.repeat(rng.normal(size=n // size), size)
        level = np.repeat(rng.integers(0, 3, n // size), size)
        x = np.maximum(shared[:, None] + 0.3 * rng.normal(size=(n, 20)), 0)
        from seqsae.associations.omnibus import _design

        ranks, cluster = rank_excess(x), np.repeat(np.arange(n // size), size)
        from scipy.stats import chi2

        h = np.array([kruskal(*[x[level == g, f] for g in range(3)]).statistic for f in range(20)])
        rejected.append([(chi2.sf(h, 2) < 0.05).mean(), (chi2.sf(h / _design(ranks, level, cluster), 2) < 0.05).mean()])
    naive, honest = np.mean(rejected, axis=0)
    assert naive > 0.3 and honest < 0.12


def test_features_that_seldom_meet_a_rare_level_are_held_to_the_levels_one_by_one():
    rng = np.random.default_rng(3)
    n = 1500
    code = rng.choice(4, n, p=[0.5, 0.3, 0.19, 0.01])
    x = np.column_stack([(rng.random(n) < share) * rng.random(n) for share in [0.01] * 200 + [0.3] * 50])
    x[rng.choice(np.flatnonzero(code == 3), 3, replace=False), 0] = 1.0  # meets the rare level more often than chance
    ranks, alone = rank_excess(x), np.arange(n)
    p = levels_tested(ranks, code, alone, 5, (0, "job", "rate"))["p"].to_numpy()
    plain = np.array([kruskal(*[x[code == g, f] for g in range(4)]).pvalue for f in range(250)])
    each = screen(ranks, np.eye(4)[code], alone, 5).p
    bound = np.minimum(4 * np.nanmin(each, axis=1), GUARDED)
    rare = (x > 0).sum(axis=0) * np.bincount(code).min() < n
    assert rare[1:200].all() and not rare[200:].any()
    np.testing.assert_allclose(p, np.where(rare, np.maximum(plain, bound), plain), rtol=1e-9)
    assert (plain[1:200] < 0.001).sum() > (p[1:200] < 0.001).sum() == 0 and p[0] < 0.01


def test_levels_within_strata_and_of_two_are_left_out():
    y = np.array([0.0, 1, 0, 1, 0, np.nan])
    half = np.array([np.nan, 1, 0, np.nan, 0, 1])
    aims = [Target("two", c, "categorical", "subject", v) for c, v in (("a", y), ("b", 1 - y))]
    aims += [Target("in strata", c, "categorical", "subject", v) for c, v in (("a", y), ("b", half))]
    aims += [
        Target("three", c, "categorical", "subject", v)
        for c, v in (("a", y), ("b", np.array([1.0, 0, 0, 0, 0, np.nan])))
    ]
    found = coded(aims)
    assert list(found) == ["three"] and found["three"].tolist() == [1, 0, 2, 0, 2, -1]


def test_features_in_blocks_give_the_same_table(made, tmp_path, monkeypatch):
    whole = associate(made.encoded, made.covariates(), out=tmp_path / "whole", config=CONFIG)
    monkeypatch.setattr(blocks, "NON_ZEROS", 200)
    apart = associate(made.encoded, made.covariates(), out=tmp_path / "apart", config=CONFIG)
    for name in ("table", "diagnostics", "omnibus", "baselines"):
        one, other = getattr(whole, name), getattr(apart, name)
        numbers = [column for column in one.columns if one[column].dtype == pl.Float64]
        assert one.drop(numbers).equals(other.drop(numbers))
        for column in numbers:
            a, b = (table[column].fill_null(float("nan")).to_numpy() for table in (one, other))
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12, err_msg=column)


def test_strata_have_their_own_columns(made, tmp_path):
    entries = [{**study.ENTRIES[0], "role": "stratum"}, *study.ENTRIES[1:]]
    covariates = made.covariates(entries)
    found = associate(made.encoded, covariates, out=tmp_path, config=CONFIG).table
    plain = associate(made.encoded, made.covariates(), out=tmp_path / "plain", config=CONFIG).table
    assert plain["effect_stratified"].null_count() == plain["p_select_stratified"].null_count() == len(plain)
    sex = np.unique([value or "" for value in made.columns["sex"]], return_inverse=True)[1]
    here = made.split == "select"
    cluster = made.store.subjects["cluster"].to_numpy()
    y = study.label(made.columns["age"], None)
    x = study.pooled(made.codes, made.store, "rate")
    wanted = screen_strata(rank_strata(x[here], sex[here]), y[here][:, None], cluster[here], 5)
    mine = found.filter(covariate="age", pooling="rate").sort("feature")
    p = mine["p_select_stratified"].fill_null(float("nan")).to_numpy()
    np.testing.assert_allclose(p, wanted.p[:, 0], rtol=1e-9)
    kept = (mine["verdict"] == "not-selected").to_numpy()
    np.testing.assert_allclose(mine["effect_stratified"].to_numpy()[kept], wanted.effect[kept, 0], rtol=1e-9)
    assert mine.filter(feature=2)["effect_stratified"].item() == pytest.approx(
        screen_strata(rank_strata(x[made.split == "test"], sex[made.split == "test"]), y[made.split == "test"][:, None]).effect[2, 0], rel=1e-9
    )  # fmt: skip


def test_q_by_is_that_of_benjamini_and_yekutieli(made, tmp_path):
    table = associate(made.encoded, made.covariates(), out=tmp_path, config=CONFIG).table
    p = np.minimum(2 * table.select(pl.min_horizontal("p_select", "p_select_adjusted")).to_series().to_numpy(), 1)
    assert table["q_select_by"].to_numpy() == pytest.approx(false_discovery_control(p, method="by"), rel=1e-9)
    assert (table["q_select_by"] >= table["q_select"]).all()


def test_a_large_view_is_read_a_run_of_samples_at_a_time(made, monkeypatch):
    from seqsae.associations import units

    here = units.Units(made.store, "subject", "select")
    whole = {
        name: here.pooled(Given(made.store, made.codes), ("rate", "max", "last")).make(name)
        for name in ("rate", "max", "last")
    }
    monkeypatch.setattr(units, "ROWS", 37)
    few = here.pooled(Given(made.store, made.codes), ("rate", "max", "last"))
    for name, matrix in whole.items():
        found = few.make(name)
        a, b = (m.toarray() if hasattr(m, "toarray") else m for m in (matrix, found))
        np.testing.assert_array_equal(a, b)
