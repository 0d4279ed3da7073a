"""The planted concepts as features: where they hold, and that the judge takes them as it takes any."""

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp
from associations.planted import covariates_of
from features.small_stores import store_of

from seqsae.associations.concept_scores import concept_labels
from seqsae.associations.confounders import Confounders
from seqsae.associations.fitted import Position
from seqsae.associations.judging import judged
from seqsae.associations.screening import Bench
from seqsae.associations.targets import supported, targets
from seqsae.associations.truth_source import TruthSource
from seqsae.associations.units import Units
from seqsae.config import AssociateConfig
from seqsae.errors import SeqsaeError
from seqsae.features.sources import Tokens

N = 900
CONFIG = AssociateConfig(permutations=0)
ENTRIES = [
    {"name": "pain", "type": "continuous"},
    {"name": "fare", "type": "binary", "positive": "yes"},
    {"name": "noise", "type": "continuous"},
]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A spell that moves pain, a trait of the person that moves fare, and a spell that moves nothing."""
    rng = np.random.default_rng(3)
    n_rows, ill, rich = rng.integers(5, 12, N), rng.random(N) < 0.4, rng.random(N) < 0.5
    spans = [(f"s{i}", "ill", 1, 1 + int(rng.integers(1, 4))) for i in np.flatnonzero(ill)]
    spans += [(f"s{i}", "rich", 0, int(n_rows[i])) for i in np.flatnonzero(rich)]
    spans += [(f"s{i}", "idle", 2, 4) for i in np.flatnonzero(rng.random(N) < 0.5)]
    schema = {"subject_id": pl.String, "concept": pl.String, "start": pl.UInt32, "end": pl.UInt32}
    columns = {
        "pain": (1.2 * ill + rng.normal(size=N)).tolist(),
        "fare": np.where(rng.random(N) < 0.2 + 0.5 * rich, "yes", "no").tolist(),
        "noise": rng.normal(size=N).tolist(),
    }
    concepts = [("ill", "spell"), ("rich", "person"), ("idle", "spell")]
    truth = {"concepts": [{"name": name, "level": level} for name, level in concepts], "covariates": []}
    split = rng.choice(["train", "select", "test"], N, p=[0.1, 0.4, 0.5])
    store = store_of(tmp_path_factory.mktemp("truth"), n_rows, split=split)
    spans = pl.DataFrame(spans, schema=schema, orient="row")
    return store, covariates_of(columns, ENTRIES, truth=truth, truth_spans=spans)


def test_a_unit_is_a_concept(made):
    store, covariates = made
    source = TruthSource(store, covariates)
    assert source.labels == ["ill", "rich", "idle"] and source.siblings == []
    held = concept_labels(store, covariates.truth_spans, source.labels, "token")
    rows = np.array([0, 5, 6, 40, store.n_rows - 1])
    assert sp.issparse(source.values(rows)) and (source.values(rows).toarray() == held[rows]).all()
    pooled = Units(store, "subject", "test").pooled(source, ("presence", "rate"))
    person = pooled.make("rate").toarray()[:, 1]
    assert set(person) == {0.0, 1.0}, "a trait of the person holds in all rows"
    has = concept_labels(store, covariates.truth_spans, source.labels, "subject")
    assert (pooled.make("presence").toarray() == has[Units(store, "subject", "test").chosen]).all()


def test_the_judge_finds_what_was_planted_and_nothing_else(made):
    store, covariates = made
    source = TruthSource(store, covariates)
    bench = Bench(source, Confounders(covariates, store), CONFIG)
    aims = supported(targets(covariates, store), covariates, store)
    table = judged(bench, aims, [Tokens(store), Position(store)], source.siblings).associations
    pairs = table.filter(verdict="supported").select("feature", "covariate").unique().iter_rows()
    won = {(source.labels[feature], covariate) for feature, covariate in pairs}
    assert won == {("ill", "pain"), ("rich", "fare")}
    assert table["n_seeds"].null_count() == len(table)


def test_without_truth_it_is_one_line(made):
    store, covariates = made
    with pytest.raises(SeqsaeError, match="no planted truth") as caught:
        TruthSource(store, covariates_of({"noise": covariates.table["noise"].to_list()}, ENTRIES[2:]))
    assert "\n" not in str(caught.value)
