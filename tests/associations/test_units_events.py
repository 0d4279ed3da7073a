"""Covariates of single events: the rows of an event are one observation, against loops over events."""

import json

import numpy as np
import polars as pl
import pytest
from associations.planted import POOL, covariates_of
from features.small_stores import Given, parts, store_of
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from seqsae.activations.events import events_of
from seqsae.associations.confounders import Confounders
from seqsae.associations.fitted import Position
from seqsae.associations.room import associate
from seqsae.associations.targets import Target, split_of, targets
from seqsae.associations.units import Units
from seqsae.config import AssociateConfig
from seqsae.features.sources import Neurons, Tokens, TokensSeen

N = 300  # subjects
SPANS = {"sample": pl.UInt32, "start": pl.UInt32, "end": pl.UInt32, "covariate": pl.String, "value": pl.String}
CONFIG = AssociateConfig(baselines=("neuron", "token", "position", "confounders"), poolings=("rate", "max"), min_support=5,
                         permutations=20)  # fmt: skip
ENTRIES = [
    {"name": "spell", "type": "binary", "level": "event", "positive": "yes"},
    {"name": "dose", "type": "continuous", "level": "event"},
]


def study(folder, several: bool, seed=0):
    """Subjects of 4 to 6 events, each of one row or of 1 to 3, their rows in no order; feature 0 follows spells, 1 the dose."""
    rng = np.random.default_rng(seed)
    n_events = rng.integers(4, 7, N)
    counts = [rng.integers(1, 4, n) if several else np.ones(n, int) for n in n_events]
    order = [rng.permutation(np.repeat(np.arange(n), c)) if several else np.arange(n)
             for n, c in zip(n_events, counts, strict=True)]  # fmt: skip
    event, n_rows = np.concatenate(order), [len(one) for one in order]
    sample = np.repeat(np.arange(N), n_rows)
    begins, dose = rng.integers(0, 4, N), np.round(rng.normal(size=(N, 7)), 1)
    inside = (event >= begins[sample]) & (event < begins[sample] + 2) & (sample % 10 > 0)
    codes = np.round(rng.random((len(event), 5)) * (rng.random((len(event), 5)) < 0.3), 2)
    codes[inside & (rng.random(len(event)) < 0.5), 0] = 0.7
    high = (dose[sample, event] > 0.3) & (rng.random(len(event)) < 0.6)
    codes[high, 1] = np.round(0.5 + rng.random(high.sum()), 2)
    rows = [
        (i, b, min(b + 2, n), "spell", "yes") for i, (b, n) in enumerate(zip(begins, n_events, strict=True)) if i % 10
    ]
    rows += [(i, j, j + 1, "dose", str(dose[i, j])) for i in range(N) for j in range(n_events[i]) if (i + j) % 7]
    annotations = pl.DataFrame(rows, schema=SPANS, orient="row")
    store = store_of(folder, n_rows, event=event, split=np.array(parts(N // 2)).repeat(2), cluster=np.arange(N) // 2)
    return store, codes.astype(np.float32), annotations


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    return study(tmp_path_factory.mktemp("several"), True)


def loop(store):
    """(subject, event, rows) of each event, by a loop over rows."""
    found = {}
    for row, (sample, event) in enumerate(zip(store.row_sample, store.rows["event"], strict=True)):
        found.setdefault((int(sample), event), []).append(row)
    return [(store.samples["subject"][sample], event, found[sample, event]) for sample, event in sorted(found)]


def naive(store, annotations, covariate):
    """[events] 1 or 0, or the dose, or NaN."""
    mine = [row for row in annotations.rows() if row[3] == covariate]
    known = {row[0] for row in mine}
    out = []
    for subject, event, _ in loop(store):
        value = next((v for s, start, end, _, v in mine if s == subject and start <= event < end), None)
        if covariate == "dose":
            out.append(np.nan if value is None else float(value))
        else:
            out.append(float(value == "yes") if subject in known else np.nan)
    return np.array(out)


def test_events_are_numbered_by_sample_and_event_and_keep_their_rows_in_order():
    found = events_of(np.array([0, 0, 0, 2, 2]), np.array([5, 1, 5, 0, 0], dtype=np.uint32))
    assert (
        found.sample.tolist() == [0, 0, 2] and found.event.tolist() == [1, 5, 0] and found.counts.tolist() == [1, 2, 2]
    )
    assert found.rows.tolist() == [1, 0, 2, 3, 4] and found.starts.tolist() == [0, 1, 3] and not found.single
    assert events_of(np.array([], int), np.array([], int)).counts.tolist() == []


def test_values_of_events_are_those_of_the_annotations(several):
    store, _, annotations = several
    for target in targets(covariates_of({}, ENTRIES, annotations), store):
        assert target.unit == "event" and len(target.y) == len(store.events.counts) < store.n_rows
        assert np.array_equal(target.y, naive(store, annotations, target.covariate), equal_nan=True)


@pytest.mark.parametrize("runs", [1 << 18, 64], ids=["at once", "a run at a time"])
@pytest.mark.parametrize("source", ["codes", "neurons", "tokens", "seen"])
def test_rows_of_an_event_are_pooled_to_one_value(several, source, runs, monkeypatch):
    monkeypatch.setattr("seqsae.associations.units.ROWS", runs)
    store, codes, _ = several
    made = {
        "codes": Given(store, codes),
        "neurons": Neurons(store, "site"),
        "tokens": Tokens(store),
        "seen": TokensSeen(store),
    }
    here = Units(store, "event", "test")
    every = made[source].values(np.arange(store.n_rows))
    every = every if isinstance(every, np.ndarray) else every.toarray()
    split = store.subjects["split"].to_list()
    wanted = [rows for subject, _, rows in loop(store) if split[subject] == "test"]
    pooled = here.pooled(made[source], ("rate", "mean", "max"))
    for pooling in pooled.poolings:
        matrix = pooled.make(pooling)
        expected = np.array([POOL[pooling](every[rows].astype(np.float64)) for rows in wanted])
        assert np.allclose(matrix if source == "neurons" else matrix.toarray(), expected, atol=1e-12), pooling
    assert here.repeats and here.counts.tolist() == [len(rows) for rows in wanted]
    assert here.rows.tolist() == [row for rows in wanted for row in rows]
    assert len(here.chosen) == len(here.cluster) == len(here.sample) == len(wanted)
    assert np.array_equal(
        split_of(store, "event") == "test", [split[subject] == "test" for subject, _, _ in loop(store)]
    )


def test_effects_of_events_are_those_of_a_loop(several):
    store, codes, annotations = several
    table = associate(Given(store, codes), covariates_of({}, ENTRIES, annotations), config=CONFIG).table
    assert set(table["unit"]) == {"event"} and set(table["pooling"]) == {"rate", "max"}
    split = store.subjects["split"].to_list()
    for row in table.iter_rows(named=True):
        part = "select" if row["verdict"] == "not-selected" else "test"
        here = np.array([split[subject] == part for subject, _, _ in loop(store)])
        y = naive(store, annotations, row["covariate"])
        x = np.array(
            [POOL[row["pooling"]](codes[rows, row["feature"]].astype(np.float64)) for _, _, rows in loop(store)]
        )
        counts = here & np.isfinite(y)
        right = roc_auc_score(y[counts], x[counts]) if row["category"] else spearmanr(x[counts], y[counts]).statistic
        assert row["effect"] == pytest.approx(right, abs=1e-9) and row["n"] == counts.sum()
    supported = set(table.filter(pl.col("verdict") == "supported").select("feature", "covariate").rows())
    assert {(0, "spell"), (1, "dose")} <= supported


def test_where_each_event_is_one_row_the_numbers_are_those_of_the_token_level(tmp_path):
    store, codes, annotations = study(tmp_path, False)
    found = []
    for level in ("event", "token"):
        entries = [{**entry, "level": level} for entry in ENTRIES]
        made = associate(
            Given(store, codes), covariates_of({}, entries, annotations), config=CONFIG, out=tmp_path / level
        )
        assert set(made.table["unit"]) == {level}
        found.append([table.drop("unit") for table in (made.table, made.baselines, made.diagnostics)])
    for event, token in zip(*found, strict=True):
        assert len(event) and event.equals(token)


def test_confounders_of_events_hold_the_place_of_the_first_row_and_what_is_annotated(several):
    store, _, annotations = several
    entries = [ENTRIES[0], {**ENTRIES[1], "role": "confounder"}]
    confounders = Confounders(covariates_of({}, entries, annotations), store)
    z, by_sample = confounders.of("event"), confounders.of("subject")
    events = loop(store)
    assert len(z) == len(events)
    assert np.array_equal(z[:, : by_sample.shape[1]], by_sample[[subject for subject, _, _ in events]])
    place = [np.log1p(float(store.rows["position"][rows[0]])) for _, _, rows in events]
    assert np.array_equal(z[:, by_sample.shape[1]], place)
    dose = naive(store, annotations, "dose")
    assert np.array_equal(np.isnan(z).any(axis=1), np.isnan(dose))
    known = np.isfinite(dose)
    told = np.column_stack([np.ones(len(z)), z])[known]
    assert np.allclose(told @ np.linalg.lstsq(told, dose[known], rcond=None)[0], dose[known])
    assert confounders.strata(Units(store, "event", "test")) is None


def test_the_position_of_an_event_is_its_first_rows(several):
    store, _, _ = several
    y = np.arange(len(store.events.counts)) % 2.0
    select, test = Units(store, "event", "select"), Units(store, "event", "test")
    scores = Position(store).scores(Target("y", "yes", "binary", "event", y), select, test)
    first = np.array([store.rows["position"][rows[0]] for _, _, rows in loop(store)])
    overall = y[select.chosen].mean()
    for score, unit in zip(scores, test.chosen, strict=True):
        same = y[select.chosen][first[select.chosen] == first[unit]]
        assert score == pytest.approx((same.sum() + overall) / (len(same) + 1))


def test_an_event_confounder_is_one_of_tokens_too(several):
    """Annotations hold for events, so that one of either level says the same of the rows."""
    store, _, annotations = several
    rows = [
        Confounders(covariates_of({}, [ENTRIES[0], {**ENTRIES[1], "level": level, "role": "confounder"}], annotations), store).of("token")
        for level in ("event", "token")
    ]  # fmt: skip
    assert np.array_equal(*rows, equal_nan=True)


def test_a_whole_study_with_a_covariate_of_events(config_file, events_folder, cli, tmp_path):
    events = pl.read_parquet(events_folder / "data" / "0.parquet").with_columns(
        start=pl.int_range(pl.len(), dtype=pl.UInt32).over("subject_id")
    )
    threes = events.filter(pl.col("code").is_in(["CODE//3", "CODE//4"]))
    threes.select("subject_id", "start", end=pl.col("start") + 1, covariate=pl.lit("code 3"), value=pl.col("code")).write_parquet(
        events_folder / "annotations.parquet"
    )  # fmt: skip
    entries = [{"name": "code 3", "type": "binary", "level": "event", "positive": "CODE//3"}]
    (events_folder / "covariates.schema.json").write_text(json.dumps({"covariates": entries}))
    (events_folder / "covariates.parquet").unlink()
    code, out, err = cli("run", config_file, "--out", tmp_path / "run")
    assert code == 0, err
    table = pl.read_parquet(next((tmp_path / "run" / "associations").rglob("associations.parquet")))
    assert set(table.select("covariate", "unit").rows()) == {("code 3", "event")}
    beside = pl.read_parquet(next((tmp_path / "run" / "associations").rglob("baselines.parquet")))
    token = beside.row(by_predicate=pl.col("source") == "token", named=True)
    assert (token["baseline"], token["unit"], token["effect"]) == ("CODE//3", "event", 1.0)
    assert "(per event)" in (tmp_path / "run" / "report" / "index.html").read_text()
