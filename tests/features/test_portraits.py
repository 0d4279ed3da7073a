"""Portraits: counts of rows, distinct subjects and clusters equal to those of a plain loop, however the data are cut."""

from datetime import datetime
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
import torch
from features.small_stores import Given, store_of

from seqsae.features import enrichment, tallies
from seqsae.features.bins import axes, round_bins
from seqsae.features.counting import count
from seqsae.features.kin import neighbours, seed_matches
from seqsae.features.portraits import _steps, profiles, tokens
from seqsae.features.tracks import tracks

WIDTH = 5
BIRTH_YEAR = 1950


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """60 samples of 40 subjects in 25 clusters, feature 4 dead, with times."""
    rng = np.random.default_rng(3)
    n_rows = rng.integers(1, 30, 60)
    total = int(n_rows.sum())
    subject = np.sort(np.concatenate([np.arange(40), rng.integers(0, 40, 20)]))
    letters = rng.choice(list("abcdef"), total)
    codes = np.where(rng.random((total, WIDTH)) < 0.3, rng.gamma(2, 1, (total, WIDTH)), 0)
    codes[:, 0] = np.where(letters == "c", 2.0, 0)  # a detector of one token
    codes[:, 4] = 0
    store = store_of(
        tmp_path_factory.mktemp("portraits"),
        n_rows,
        tokens=letters,
        subject=subject,
        cluster=[f"c{i % 25}" for i in range(40)],
    )
    days = np.concatenate([np.cumsum(rng.integers(1, 400, n)) for n in n_rows])
    time = pl.Series(np.datetime64("1990-01-01") + days.astype("timedelta64[D]")).cast(pl.Datetime("us"))
    store.__dict__["rows"] = store.rows.with_columns(time=time)
    return Given(store, codes.astype(np.float32))


@pytest.fixture(scope="module")
def births():
    return pl.DataFrame(
        {
            "subject": pl.Series(range(40), dtype=pl.UInt32),
            "time": [datetime(BIRTH_YEAR + i % 7, 6, 1) for i in range(40)],
        }
    )


def counted(made, births=None):
    steps = np.full(WIDTH, 0.5)
    return count(made, axes(made.store, births), steps)


def loop(made, feature: int, label: np.ndarray) -> dict:
    """label -> (rows, subjects, clusters) on which a feature fires in the train split, one row at a time."""
    store, found = made.store, {}
    cluster = store.subjects["cluster"].to_list()
    on = made.matrix.toarray()[:, feature] > 0
    for row in store.rows_in("train"):
        if on[row] and label[row] is not None:
            rows, people, groups = found.setdefault(label[row], ([], set(), set()))
            rows.append(row)
            people.add(int(store.row_subject[row]))
            groups.add(cluster[store.row_subject[row]])
    return {key: tuple(map(len, value)) for key, value in found.items()}


def test_profiles_equal_a_plain_loop(made, births):
    table = profiles(counted(made, births))
    time = made.store.rows["time"]
    born = [BIRTH_YEAR + int(s) % 7 for s in made.store.row_subject]
    age = [
        (t - np.datetime64(f"{b}-06-01")).astype("timedelta64[s]").astype(float) / (365.25 * 86400)
        for t, b in zip(time.to_numpy(), born, strict=True)
    ]
    values = {
        "position": made.store.rows["position"].to_numpy().astype(float),
        "year": time.dt.year().to_numpy().astype(float),
        "age": np.array(age),
    }
    for kind, of_rows in values.items():
        bins = next(axis.bins for axis in axes(made.store, births) if axis.kind == kind)
        label = np.clip(np.floor((of_rows - bins.start) / bins.step), 0, bins.n - 1)
        for feature in range(WIDTH):
            mine = table.filter((pl.col("kind") == kind) & (pl.col("feature") == feature))
            got = {
                row["bin"]: (row["n_rows"], row["n_subjects"], row["n_clusters"]) for row in mine.iter_rows(named=True)
            }
            assert got == loop(made, feature, label), (kind, feature)
    everyone = table.filter(pl.col("kind") == "year").unique("bin")
    assert everyone["rows"].sum() == len(made.store.rows_in("train"))


def test_tokens_before_a_row_are_those_of_its_own_sample(made, monkeypatch):
    few = tokens(counted(made))
    assert few.filter(pl.col("feature") > 0).is_empty()  # what chance alone brings together is not told
    monkeypatch.setattr(enrichment, "STANDS_OUT", 0)
    table = tokens(counted(made))
    letters, sample = made.store.rows["token"].to_list(), made.store.row_sample
    train, on = made.store.rows_in("train"), made.matrix.toarray() > 0
    before = table.filter(pl.col("place") == "before")
    assert len(before) > 5
    for row in before.head(12).iter_rows(named=True):
        near = [
            r for r in train if row["token"] in [letters[b] for b in range(max(0, r - 5), r) if sample[b] == sample[r]]
        ]
        here = [r for r in near if on[r, row["feature"]]]
        assert (row["n_rows"], row["token_rows"]) == (len(here), len(near))
        assert row["n_subjects"] == len({int(made.store.row_subject[r]) for r in here})
        active = on[train, row["feature"]].sum()
        assert row["lift"] == pytest.approx((len(here) / active) / (len(near) / len(train)))
    first = table.filter((pl.col("feature") == 0) & (pl.col("place") == "at"))
    assert (
        first["token"].to_list() == ["c"] == few["token"].unique().to_list() and first["share"][0] == 1
    )  # the planted detector
    assert "behind" not in table["place"]  # the model is causal


def test_parts_do_not_change_the_counts(made, births, monkeypatch):
    whole = counted(made, births)
    monkeypatch.setattr(tallies, "PART_ROWS", 50)
    cut = counted(made, births)
    assert profiles(cut).equals(profiles(whole)) and tokens(cut).equals(tokens(whole))
    assert cut.spread["n_clusters"].equals(whole.spread["n_clusters"])


def test_spread_counts_subjects_and_their_share_of_rows(made):
    spread, on = counted(made).spread, made.matrix.toarray() > 0
    subject, train = made.store.row_subject, made.store.rows_in("train")
    people = np.unique(subject[train])
    shares = [on[subject == s, 1].mean() for s in people if on[subject == s, 1].any()]
    row = spread.row(1, named=True)
    assert row["n_subjects"] == len(shares) and row["share_of_subjects"] == pytest.approx(len(shares) / len(people))
    assert row["share_when_present"] == pytest.approx(np.mean(shares))
    test = made.store.rows_in("test")
    assert row["n_subjects_test"] == len({int(subject[r]) for r in test if on[r, 1]})
    assert spread.row(4, named=True)["share_when_present"] is None


def test_without_births_years_count_from_the_first_row_and_without_times_position_is_all(made, tmp_path):
    assert [axis.kind for axis in axes(made.store)] == ["position", "year", "years since the first row"]
    timeless = store_of(tmp_path, [3, 4, 5])
    assert [axis.kind for axis in axes(timeless)] == ["position"]


@pytest.mark.parametrize(("low", "high"), [(0, 0), (1981.0, 2020.0), (-0.3, 77.2), (0.0001, 0.0002), (0, 1e6)])
def test_bins_are_round_and_hold_the_ends(low, high):
    bins = round_bins(low, high, 16)
    place = bins.place(np.array([low, high, np.nan, high + 1e9]))
    assert 1 <= bins.n <= 16 and place[0] == 0 and place[1] == bins.n - 1 and place[2] == -1 and place[3] == bins.n - 1
    assert float(f"{bins.step:.0e}") == pytest.approx(bins.step)


def test_neighbours_equal_all_cosines():
    W = torch.randn(40, 6, generator=torch.Generator().manual_seed(1))
    live = torch.arange(0, 40, 2)
    table, unit = neighbours(W, live), torch.nn.functional.normalize(W, dim=1)
    cosine = unit @ unit.T
    for feature in live.tolist():
        others = [other for other in live.tolist() if other != feature]
        best = sorted(others, key=lambda other: -cosine[feature, other].item())[:5]
        assert table.filter(pl.col("feature") == feature).sort("rank")["other"].to_list() == best
    assert neighbours(W, torch.tensor([3])).is_empty()


def test_a_copy_is_matched_fully_and_chance_is_not():
    W = torch.randn(30, 12, generator=torch.Generator().manual_seed(2))
    copy = SimpleNamespace(
        W_dec=W[torch.randperm(30, generator=torch.Generator().manual_seed(0))] * 3,
        artefact=SimpleNamespace(path=SimpleNamespace(name="copy")),
    )
    table = seed_matches(SimpleNamespace(W_dec=W), [copy], torch.arange(30))
    means = dict(table.group_by("sae").agg(pl.col("cosine").mean()).iter_rows())
    assert means["copy"] == pytest.approx(1, abs=1e-5) and means["random directions"] < 0.9
    assert seed_matches(SimpleNamespace(W_dec=W), [], torch.arange(30)).is_empty()


def test_tracks_hold_the_feature_around_its_strong_row(made):
    store, dense = made.store, made.matrix.toarray()
    rows = [int(dense[:, 1].argmax()), int(store.n_rows - 1)]
    told = pl.DataFrame(
        {"feature": [1, 2], "rank": [0, 0], "row": rows},
        schema={"feature": pl.Int32, "rank": pl.UInt32, "row": pl.Int64},
    )
    made.examples = told
    for row, track in zip(rows, tracks(made).iter_rows(named=True), strict=True):
        first = row - track["at"]
        here = slice(first, first + len(track["tokens"]))
        assert track["values"] == pytest.approx(dense[here, track["feature"]].tolist())
        assert track["tokens"] == store.rows["token"][here].to_list() and track["days"][track["at"]] == 0
        assert len(set(store.row_sample[here])) == 1
        assert track["offset"] == row - np.flatnonzero(store.row_sample == store.row_sample[row])[0]


def test_steps_are_round(made):
    made.profile = pl.DataFrame({"feature": range(3), "max": [7.3, None, 0.011]})
    assert _steps(made).tolist() == [1.0, 1.0, 0.001]
