"""Rivals: chosen on the select split by loops, scored on the test split by scikit-learn and SciPy."""

import numpy as np
import pytest
from associations import planted as study
from features.small_stores import Given, parts, store_of
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from seqsae.associations.baselines import baseline_table, sources_of
from seqsae.associations.fitted import STRENGTHS, Position, TokenLast, composition
from seqsae.associations.fitted import Ridge as Own
from seqsae.associations.targets import Target, targets
from seqsae.associations.units import Units
from seqsae.config import AssociateConfig

CONFIG = AssociateConfig(baselines=("neuron", "token"), poolings=("rate", "max"), min_support=5)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return study.planted(tmp_path_factory.mktemp("planted"))


def best_by_loop(made, values, poolings, y, binary, label):
    """(label, test effect) of the unit and pooling farthest from no effect on select, its sign as seen there."""
    select, test = made.split == "select", made.split == "test"
    nothing, best = 0.5 if binary else 0.0, None
    for pooling in poolings:
        matrix = study.pooled(values, made.store, pooling)
        for unit in range(values.shape[1]):
            there = study.effect(matrix[select, unit], y[select], binary) - nothing
            if best is None or abs(there) > best[0] + 1e-9:
                sign = 1 if there > 0 else -1
                here = study.effect(sign * matrix[test, unit], y[test], binary)
                best = (abs(there), f"{label(unit)}, {pooling}" + (", low" if sign < 0 else ""), here)
    return best[1:]


def test_the_best_unit_of_each_source_is_that_of_a_loop(made):
    covariates = made.covariates(study.ENTRIES[:3])
    aims = targets(covariates, made.store)
    table = baseline_table(made.encoded, sources_of(made.encoded, CONFIG.baselines, 0, None), aims, CONFIG)
    tokens = made.store.rows["token"].to_numpy()
    names = sorted(set(tokens))
    values = {
        "sae": (made.codes, CONFIG.poolings, "feature {}".format),
        "neuron": (made.x, ("mean", "max", "min"), "neuron {}".format),
        "token": (
            np.array([[token == name for name in names] for token in tokens], dtype=float),
            CONFIG.poolings,
            lambda unit: names[unit],
        ),
    }
    assert len(table) == 3 * 5
    for row in table.iter_rows(named=True):
        matrix, poolings, label = values[row["source"]]
        y = study.label(made.columns[row["covariate"]], row["category"])
        wanted, effect = best_by_loop(made, matrix, poolings, y, row["category"] is not None, label)
        assert row["baseline"] == wanted and row["effect"] == pytest.approx(effect, abs=1e-9)
        assert row["ci_low"] <= row["effect"] <= row["ci_high"]


def test_a_source_without_a_unit_that_can_be_tested_has_no_row(made):
    aims = targets(made.covariates(study.ENTRIES[:1]), made.store)
    strict = CONFIG.model_copy(update={"min_support": 10_000})
    assert len(baseline_table(made.encoded, sources_of(made.encoded, CONFIG.baselines, 0, None), aims, strict)) == 0


def units(store, unit="subject"):
    return Units(store, unit, "select"), Units(store, unit, "test")


def test_position_learns_the_mean_at_each_position_on_select(tmp_path):
    rng = np.random.default_rng(0)
    n_rows = rng.integers(2, 12, 100)
    store, split = store_of(tmp_path, n_rows), np.array(parts(100))
    position = store.rows["position"].to_numpy()
    y = (rng.random(store.n_rows) < position / 12).astype(float)
    y[rng.random(store.n_rows) < 0.1] = np.nan
    aim = Target("y", "yes", "binary", "token", y)
    scores = Position(store).scores(aim, *units(store, "token"))
    row_split = split[store.row_subject]
    learnt = (row_split == "select") & np.isfinite(y)
    overall = y[learnt].mean()
    expected = []
    for row in np.flatnonzero(row_split == "test"):
        same = y[learnt & (position == position[row])]
        expected.append((same.sum() + overall) / (len(same) + 1))
    assert np.allclose(scores, expected)
    y[row_split != "select"] = 1 - y[row_split != "select"]
    assert np.array_equal(
        Position(store).scores(Target("y", "yes", "binary", "token", y), *units(store, "token")), scores
    )


@pytest.mark.parametrize("way", [1, -1])
def test_length_points_the_way_it_did_on_select(tmp_path, way):
    rng = np.random.default_rng(1)
    n_rows = rng.integers(2, 12, 100)
    store = store_of(tmp_path, n_rows)
    y = way * n_rows + rng.normal(size=100)
    scores = Position(store).scores(Target("y", None, "continuous", "subject", y), *units(store))
    assert scores.tolist() == (way * n_rows[np.array(parts(100)) == "test"]).tolist()
    outlier = y.copy()
    first = np.flatnonzero(np.array(parts(100)) == "select")[n_rows[np.array(parts(100)) == "select"].argmax()]
    outlier[first] = -way * 1e6
    turned = Position(store).scores(Target("y", None, "continuous", "subject", outlier), *units(store))
    assert np.array_equal(turned, scores), "the effect is a rank correlation; one wild value must not turn the sign"


def test_composition_is_a_ridge_on_shares_and_length(made):
    y = study.label(made.columns["sex"], "m")
    scores = composition(made.store).scores(Target("sex", "m", "binary", "subject", y), *units(made.store))
    tokens, sample = made.store.rows["token"].to_numpy(), made.store.row_sample
    shares = np.array([[(tokens[sample == i] == name).mean() for name in sorted(set(tokens))] for i in range(study.N)])
    x = np.hstack([shares, np.log1p(made.store.samples["n_rows"].to_numpy())[:, None]])
    fit = (made.split == "select") & np.isfinite(y)
    scaler = StandardScaler().fit(x[fit])
    asked = scaler.transform(x[made.split == "test"])
    tried = [
        Ridge(alpha=strength * fit.sum()).fit(scaler.transform(x[fit]), y[fit]).predict(asked) - y[fit].mean()
        for strength in STRENGTHS
    ]
    assert any(np.allclose(scores, one, atol=1e-8) for one in tried)


def test_composition_has_nothing_to_say_of_rows_or_one_class(made):
    source, here = composition(made.store), units(made.store)
    assert source.scores(Target("x", "a", "binary", "subject", np.ones(study.N)), *here) is None
    assert (
        source.scores(Target("x", "a", "binary", "token", np.ones(made.store.n_rows)), *units(made.store, "token"))
        is None
    )


def test_samples_without_rows_are_no_observations(tmp_path):
    """The model said nothing of them: their pooled zeros are not values."""
    rng = np.random.default_rng(2)
    n_rows = rng.integers(1, 6, 200)
    n_rows[::5] = 0
    store = store_of(tmp_path, n_rows)
    y = np.where(n_rows == 0, "u", rng.choice(["u", "v"], 200)).tolist()
    aims = targets(study.covariates_of({"y": y}, [{"name": "y", "type": "binary"}]), store)
    assert np.isfinite(aims[0].y).tolist() == (n_rows > 0).tolist()
    codes = rng.random((store.n_rows, 2))
    assert (
        len(baseline_table(Given(store, codes), sources_of(Given(store, codes), ("neuron",), 0, None), aims, CONFIG))
        == 2
    )


def test_a_linear_fit_finds_a_line_and_is_not_fooled_by_many_columns():
    rng = np.random.default_rng(0)
    x, cluster = rng.normal(size=(300, 80)), np.arange(300) // 2
    line = x[:, 0] - x[:, 1]
    for binary in (True, False):
        y = (line + rng.normal(size=300) > 0).astype(float) if binary else line + rng.normal(size=300)
        fit = Own(x, cluster).fit(y)
        asked = rng.normal(size=(4000, 80))
        assert np.corrcoef(fit(asked), asked[:, 0] - asked[:, 1])[0, 1] > 0.75


def test_what_a_family_says_last_is_read_off(tmp_path):
    rng = np.random.default_rng(0)
    n_rows = np.full(200, 4)
    tokens = rng.choice(["INCOME//1", "INCOME//2", "INCOME//3", "HOME//A", "HOME//B", "plain"], 800)
    store = store_of(tmp_path, n_rows, tokens=tokens)
    last = np.full(200, np.nan)
    for i in range(200):
        seen = [token for token in tokens[4 * i : 4 * i + 4] if token.startswith("INCOME")]
        last[i] = float(seen[-1][-1]) if seen else np.nan
    source, aim = TokenLast(store), Target("income", None, "ordinal", "subject", last)
    select, test = (Units(store, "subject", split) for split in ("select", "test"))
    found = source.scores(aim, select, test)
    there = np.isfinite(last[test.chosen])
    assert source.label(aim) == "last of INCOME"
    assert (
        np.argsort(found[there], kind="stable").tolist() == np.argsort(last[test.chosen][there], kind="stable").tolist()
    )
    noise = Target("noise", None, "continuous", "token", rng.normal(size=800))
    assert source.scores(noise, select, test) is None
