"""Probes of numbers at the ends of floating point, of codes that are none, and of nothing at all."""

import numpy as np
import polars as pl
import pytest
from associations.planted import covariates_of
from features.small_stores import Given, store_of

import seqsae
from seqsae import SeqsaeError
from seqsae.probe_options import ProbeConfig
from seqsae.records.covariates import check_schema, typed

N, WIDTH = 240, 6
CONFIG = ProbeConfig(bases=("sae",), ks=(1, 3), poolings=("mean",), min_support=5, concepts=("loss", "coverage"))
RNG = np.random.default_rng(0)
N_ROWS = RNG.integers(2, 5, N)
SUBJECT = np.repeat(np.arange(N), N_ROWS)
CODES = RNG.exponential(size=(len(SUBJECT), WIDTH)) * (RNG.random((len(SUBJECT), WIDTH)) < 0.5)
OWN = np.bincount(SUBJECT, CODES[:, 2]) / N_ROWS + RNG.normal(0, 0.05, N)
SPLIT = np.array(["train", "select", "train", "test"] * (N // 4))


@pytest.fixture
def probed(tmp_path):
    def make(columns, entries=None, codes=CODES, config=CONFIG):
        store = store_of(tmp_path / f"{len(list(tmp_path.iterdir()))}", N_ROWS, split=SPLIT)
        entries = entries or [{"name": name, "type": "continuous"} for name in columns]
        return seqsae.probe(Given(store, codes), covariates_of(columns, entries), config=config)

    return make


@pytest.mark.parametrize("size", [2.0**-1030, 2.0**-600, 2.0**330, 2.0**900])
def test_the_size_of_a_number_changes_nothing(probed, size):
    own = np.round(OWN * 2**20) / 2**20  # so that no digit is lost among the smallest
    table = probed({"plain": own.tolist(), "scaled": (own * size).tolist()}).table
    one, other = (table.filter(covariate=name).drop("covariate") for name in ("plain", "scaled"))
    assert one.equals(other) and one.filter(basis="sae")["r2"].min() > 0.5


def test_one_number_far_from_all_others(probed):
    far = OWN.copy()
    far[1] = 1e100
    table = probed({"far": far.tolist()}).table
    assert table.filter(basis="sae")["effect"].is_finite().all() and table.filter(basis="sae")["r2"].is_finite().all()


def test_a_confounder_of_smallest_numbers_and_a_large_one(probed):
    tiny = OWN * 1e-310
    tiny[5] = 1e50
    entries = [{"name": "own", "type": "continuous"}, {"name": "tiny", "type": "continuous", "role": "confounder"}]
    table = probed({"own": OWN.tolist(), "tiny": tiny.tolist()}, entries).table
    assert table.filter(basis="confounders")["effect"][0] > 0.9


@pytest.mark.parametrize("kind", ["continuous", "ordinal"])
def test_numbers_beyond_all_measures_are_refused_as_they_are_read(kind):
    table = pl.DataFrame({"subject": range(4), "x": [1.0, 1e100, -1e300, None]})
    document = check_schema({"covariates": [{"name": "x", "type": kind}]}, "c")
    with pytest.raises(SeqsaeError, match=r"c: covariate 'x', row 2: '-1e\+300' is beyond 1e\+100; leave it empty"):
        typed(table, document, "c")
    assert typed(table.with_columns(x=table["x"].clip(-1e100)), document, "c")["x"].min() == -1e100


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_codes_that_are_not_finite_are_refused(probed, value):
    codes = CODES.copy()
    codes[np.flatnonzero(SPLIT[SUBJECT] == "select")[3], 4] = value
    with pytest.raises(SeqsaeError, match="feature 4 of 'sae' holds NaN or infinite values"):
        probed({"own": OWN.tolist()}, codes=codes)


def test_codes_of_no_width_are_refused(probed):
    with pytest.raises(SeqsaeError, match="an SAE of width 0 has no features to probe"):
        probed({"own": OWN.tolist()}, codes=np.zeros((len(SUBJECT), 0)))


def test_it_is_said_why_nothing_can_be_probed(probed, tmp_path):
    train = np.where(SPLIT == "train", OWN, np.where(np.arange(N) == 1, 1.0, np.nan))
    with pytest.raises(SeqsaeError, match=r"covariate 'x': fewer than \d+ clusters are off its commonest value"):
        probed({"x": [None if np.isnan(value) else value for value in train]})
    confounder = [{"name": "own", "type": "continuous", "role": "confounder"}]
    with pytest.raises(SeqsaeError, match="own: no role is target"):
        probed({"own": OWN.tolist()}, confounder)
    assert not list(tmp_path.glob("*/probes/*/full"))


def test_it_is_said_why_no_target_stands_in_two_folds(probed, monkeypatch):
    from seqsae.associations.probing import study

    monkeypatch.setattr(study, "LEAST", CONFIG.folds + 1)
    with pytest.raises(
        SeqsaeError, match="no covariate can be probed: covariate own: one side is in fewer than 6 folds"
    ):
        probed({"own": OWN.tolist()})
