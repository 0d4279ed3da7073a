"""Scores against scikit-learn, their intervals against the bootstrap over clusters, subjects against loops."""

import numpy as np
import pytest
import scipy.sparse as sp
from features.small_stores import store_of
from sklearn.metrics import balanced_accuracy_score, f1_score, precision_score, recall_score

from seqsae.associations.captions import scoring
from seqsae.associations.captions.lines import cluster_of, drawn, only, pieces, with_rows
from seqsae.associations.concept_spans import part_of


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    rng = np.random.default_rng(0)
    n_rows = rng.integers(0, 9, 700)
    cluster = rng.integers(0, 250, 700)
    store = store_of(tmp_path_factory.mktemp("s"), n_rows, cluster=[f"c{one}" for one in cluster])
    total = int(n_rows.sum())
    held = np.repeat(rng.random((700, 3)), n_rows, axis=0) * rng.random((total, 3)) > 0.4
    fires = (held ^ (rng.random((total, 3)) < 0.2)) & [True, True, False]
    return store, part_of(store, "test"), held, fires


def counted(case, rules=(((0,),), ((1,),), ((2,),)), part=None):
    store, whole, held, fires = case
    part = whole if part is None else part
    on = lambda values: lambda part: sp.csr_array(values[part.rows])  # noqa: E731
    subject = store.samples["subject"].to_numpy()
    return scoring.count(part, subject, on(held.astype(np.int8)), on(fires), list(rules))


def test_figures_are_those_of_scikit_learn(case):
    counts, (_, part, held, fires) = counted(case), case
    for f in range(2):
        y, said = fires[part.rows, f], held[part.rows, f]
        for ours, theirs in (
            (scoring.balanced_accuracy, balanced_accuracy_score), (scoring.f1, f1_score),
            (scoring.precision, precision_score), (scoring.recall, recall_score),
        ):  # fmt: skip
            assert ours(counts.total)[f] == pytest.approx(theirs(y, said), abs=1e-12)
    assert np.isnan(scoring.balanced_accuracy(counts.total)[2]) and np.isnan(scoring.f1(counts.total)[2])
    assert counts.n_clusters == len(np.unique(part.cluster[np.diff(part.first) > 0]))


def test_subjects_are_counted_by_whether_anything_fires_or_holds(case):
    counts, (store, part, held, fires) = counted(case), case
    subject = store.row_subject[part.rows]
    y = np.array([fires[part.rows][subject == one, 0].any() for one in np.unique(subject)])
    said = np.array([held[part.rows][subject == one, 0].any() for one in np.unique(subject)])
    assert counts.subjects[0].tolist() == [(y & said).sum(), said.sum(), y.sum(), len(y)]


@pytest.mark.parametrize("name", ["f1", "balanced_accuracy"])
def test_intervals_are_those_of_the_cluster_bootstrap(case, name):
    counts, (_, part, held, fires) = counted(case), case
    value, low, high = getattr(scoring, f"{name}_interval")(counts)
    cluster, y, said = cluster_of(part), fires[part.rows], held[part.rows]
    _, member = np.unique(cluster, return_inverse=True)
    per = np.zeros((member.max() + 1, 3, 4))
    np.add.at(per, member, np.stack([y & said, said, y, np.ones_like(y)], axis=-1).astype(float))
    weights = np.random.default_rng(1).multinomial(len(per), np.full(len(per), 1 / len(per)), size=4000)
    sums = np.einsum("dc,cfk->dfk", weights, per)
    for f in range(2):
        drawn_values = getattr(scoring, name)(sums[:, f])
        ends = np.quantile(drawn_values, [0.025, 0.975])
        assert low[f] <= value[f] <= high[f]
        assert high[f] - low[f] == pytest.approx(ends[1] - ends[0], rel=0.08)
        assert [low[f], high[f]] == pytest.approx(ends.tolist(), abs=0.01)


def test_pieces_change_nothing_and_keep_clusters_whole(case, monkeypatch):
    whole, part = counted(case), case[1]
    seen = [set(one.cluster) for one in pieces(part, 60)]
    assert len(seen) > 5 and sum(map(len, seen)) == len(set(part.cluster)) == len(set.union(*seen))
    assert sorted(np.concatenate([one.rows for one in pieces(part, 60)])) == sorted(part.rows)
    monkeypatch.setattr(scoring, "ROWS", 60)
    monkeypatch.setattr(scoring, "_SETS", 1)
    parted = counted(case)
    assert all(np.array_equal(a, b) for a, b in zip(whole, parted, strict=True))


def test_few_clusters_have_no_interval(case):
    part = case[1]
    few = with_rows(only(part, np.flatnonzero(np.isin(part.cluster, np.unique(part.cluster)[:4]))))
    assert np.isnan(scoring.f1_interval(counted(case, part=few)).low).all()


def test_rows_are_drawn_by_whole_clusters(case):
    part = case[1]
    some = drawn(part, 200, 0)
    assert 100 < len(some.rows) <= 200 and len(drawn(part, 1, 0).samples) >= 1
    assert not set(some.cluster) & (set(part.cluster) - set(some.cluster))
    for name in set(some.cluster):
        assert (part.cluster == name).sum() == (some.cluster == name).sum()
    assert np.array_equal(some.rows, drawn(part, 200, 0).rows) and not np.array_equal(
        some.rows, drawn(part, 200, 1).rows
    )
    assert drawn(part, 10**9, 0) is part
