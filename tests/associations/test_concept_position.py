"""Windows of event numbers against loops over every window; what is matched by always saying yes; rows that are no events."""

from itertools import combinations
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from features.small_stores import Given, store_of

from seqsae.associations.concept_position import Window, best_windows, counted_from
from seqsae.associations.concept_room import concepts
from seqsae.associations.concept_spans import part_of, spans_of
from seqsae.associations.targets import targets
from seqsae.besides import has_concepts
from seqsae.config import ConceptsConfig
from seqsae.errors import SeqsaeError
from seqsae.progress import shown
from seqsae.records.covariates import Covariates, check_schema

N = 120
CONFIG = ConceptsConfig(min_instances=5, min_rows=50, sources=("position",), shuffles=3)
DOCUMENT = check_schema({"covariates": [{"name": "region", "type": "categorical", "level": "token"}]}, "test")


def annotations(n_rows):
    """A head and a tail that hardly move, a middle that lies anywhere, and a body that is nearly everything."""
    rng = np.random.default_rng(0)
    found = []
    for subject, n in enumerate(n_rows.tolist()):
        shift, middle = int(rng.integers(0, 2)), int(rng.integers(0, n - 3))
        found += [(subject, 2 + shift, 6 + shift, "head"), (subject, n - 5 - shift, n - 2, "tail")]
        found += [(subject, middle, middle + 3, "middle"), (subject, 0, n - shift, "body")]
    table = pl.DataFrame(found, schema=["sample", "start", "end", "value"], orient="row")
    return table.with_columns(pl.col("sample", "start", "end").cast(pl.UInt32), covariate=pl.lit("region"))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Feature 0 is always on, feature 1 never."""
    n_rows = np.random.default_rng(1).integers(12, 25, N)
    store = store_of(tmp_path_factory.mktemp("study"), n_rows)
    codes = np.outer(np.ones(store.n_rows), [1.0, 0.0])
    return Given(store, codes), Covariates(None, DOCUMENT, annotations(n_rows))


@pytest.fixture(scope="module")
def made(study, tmp_path_factory):
    return concepts(*study, out=tmp_path_factory.mktemp("out"), config=CONFIG)


def by_loops(store, table, value, split, window):
    """Token F1 and F1 per domain of a window, row by row."""
    at = counted_from(store, window.backwards)
    label, hits, instances = np.zeros(store.n_rows, bool), 0, 0
    here = store.row_split == split
    called = (at >= window.low) & (at < window.high) & here
    for subject, start, end in table.filter(value=value).select("sample", "start", "end").rows():
        rows = (store.row_subject == subject) & (store.rows["event"].to_numpy() >= start)
        rows &= (store.rows["event"].to_numpy() < end) & here
        label |= rows
        hits, instances = hits + (rows & called).any(), instances + rows.any()
    tp, p, r = (label & called).sum(), 0.0, hits / instances
    p = tp / max(1, called.sum())
    return 2 * tp / (called.sum() + label.sum()), 2 * p * r / (p + r) if p + r else 0.0


@pytest.mark.parametrize("most", [400, 7])
def test_no_window_is_better_on_select_than_the_chosen_ones(study, monkeypatch, most):
    from seqsae.associations import concept_position

    monkeypatch.setattr(concept_position, "MOST", most)
    encoded, covariates = study
    store, table = encoded.store, covariates.annotations
    longest = int(store.samples["n_rows"].max())
    for value in ("head", "middle"):
        named = pl.DataFrame({"covariate": ["region"], "value": [value]})
        found = best_windows(store, spans_of(table, named, store), part_of(store, "select"))
        scores = [by_loops(store, table, value, "select", window) for window in found.windows]
        step = 1 if most > longest else -(-longest // most)
        edges = range(0, longest + step, step)
        rest = [
            by_loops(store, table, value, "select", Window(backwards, *ends))
            for backwards in (False, True)
            for ends in list(combinations(edges, 2))[:: 1 if most < 10 else 5]
        ]
        for kind in (0, 1):
            assert max(one[kind] for one in scores) >= max(one[kind] for one in rest) - 1e-12
        assert len(found.windows) == len(set(found.windows)) <= 4


def test_a_place_that_hardly_moves_is_found_by_its_window_and_scored_on_test(study, made):
    best = {row["value"]: row for row in made.pairs.filter(pl.col("best"), source="position", score="f1").to_dicts()}
    assert best["head"]["f1"] > 0.8 and "from the end" not in best["head"]["unit_name"]
    assert best["tail"]["f1"] > 0.8 and best["tail"]["unit_name"].endswith("from the end")
    assert best["middle"]["f1"] < 0.5
    low, high = (int(word) for word in best["head"]["unit_name"].split() if word.isdigit())
    scored = by_loops(
        study[0].store, study[1].annotations, "head", "test", Window(backwards=False, low=low, high=high + 1)
    )
    assert best["head"]["f1"] == pytest.approx(scored[0]) and best["head"]["f1_per_domain"] == pytest.approx(scored[1])


def test_a_unit_that_is_always_on_matches_nothing(made):
    body = made.pairs.filter(source="sae", value="body", score="f1").row(0, named=True)
    assert body["f1"] > 0.9 and body["f1_select"] > 0.9
    assert set(made.matches.filter(source="sae")["concepts_matched"]) == {0}
    position = made.matches.filter(source="position", score="f1").row(0, named=True)
    assert position["concepts_matched"] == position["concepts_beyond"] >= 2


def test_no_annotated_concept_means_no_window(study, tmp_path):
    strict = CONFIG.model_copy(update={"min_clusters": 300})
    assert concepts(*study, out=tmp_path, config=strict).matches.is_empty()


def test_pooled_rows_are_no_events(study, tmp_path, capsys):
    encoded, covariates = study
    store = store_of(tmp_path / "pooled", np.ones(N, int))
    store.__dict__["rows"] = store.rows.with_columns(role=pl.lit("pooled"))
    with pytest.raises(SeqsaeError, match="its rows are pooled, one a sample"):
        concepts(Given(store, np.ones((N, 2))), covariates, out=tmp_path)
    with shown():
        assert targets(covariates, store) == []
    assert "'region': annotations hold at single events, and rows here are pooled" in capsys.readouterr().err
    assert len(targets(covariates, encoded.store)) == 4


def test_a_run_over_pooled_rows_passes_concepts_over(study, capsys):
    first = SimpleNamespace(rows=study[0].store.rows.with_columns(role=pl.lit("pooled")))
    run = SimpleNamespace(
        config=SimpleNamespace(also=("concepts",)), data=SimpleNamespace(annotations=study[1]), first=first
    )
    with shown():
        assert not has_concepts(run)
    assert "concepts left out: annotations hold at single events" in capsys.readouterr().err
    run.first = study[0].store
    assert has_concepts(run)
