"""Annotated concepts from labels to tables: every figure against loops and scikit-learn, choices made on select alone."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from features.small_stores import Given, parts, store_of
from sklearn.metrics import f1_score, precision_score, recall_score, roc_auc_score

from seqsae.associations.concept_room import concepts
from seqsae.associations.concept_summary import summary
from seqsae.associations.concept_support import named
from seqsae.associations.concept_units import Scaled
from seqsae.config import ConceptsConfig
from seqsae.errors import SeqsaeError
from seqsae.features.sources import Neurons
from seqsae.pages import concept_text
from seqsae.progress import shown
from seqsae.records.covariates import Covariates, check_schema

N = 200
CONFIG = ConceptsConfig(min_instances=10, min_rows=200, sources=("neuron", "token"), shuffles=4, floor=0.1)
UNITS = 6


def schema_of(**types):
    return check_schema({"covariates": [{"name": n, "type": t, "level": "token"} for n, t in types.items()]}, "test")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Feature 1 follows the region `loop` at values above half of its largest, feature 2 now and then; neuron 0 too, downwards."""
    rng = np.random.default_rng(0)
    n_rows = rng.integers(30, 50, N)
    spans, codes, x = [], [], []
    for subject, n in enumerate(n_rows):
        start, length = int(rng.integers(0, n - 12)), int(rng.integers(5, 12))
        spans += [(subject, start, start + length, "region", "loop")]
        if subject % 3 == 0:
            spans += [(subject, start + 2, start + length + 3, "region", "loop"), (subject, 0, 1, "site", "yes")]
        spans += [(subject, int(rng.integers(0, n)), int(n) + 5, "region", "tail"), (subject, 3, 4, "depth", "2")]
        here = np.zeros((n, UNITS))
        here[:] = rng.random((n, UNITS)) * (rng.random((n, UNITS)) < 0.15) * 0.5
        on = np.zeros(n, bool)
        for a, b in [span[1:3] for span in spans if span[0] == subject and span[4] == "loop"]:
            on[a:b] = True
        here[:, 1] += on * (rng.random(n) < 0.9) * rng.uniform(1.6, 2, n)
        here[:, 2] += on * (rng.random(n) < 0.15) * 0.5
        codes.append(here), x.append(rng.normal(size=(n, 3)) - 3.0 * on[:, None] * [1, 0, 0] + 5)
    spans.append((0, 4, 6, "region", "seldom"))
    columns = ["sample", "start", "end", "covariate", "value"]
    table = pl.DataFrame(spans, schema=columns, orient="row").with_columns(
        pl.col("sample", "start", "end").cast(pl.UInt32)
    )
    store = store_of(tmp_path_factory.mktemp("study"), n_rows, x=np.concatenate(x))
    document = schema_of(region="categorical", site="binary", depth="ordinal")
    return Given(store, np.concatenate(codes)), Covariates(None, document, table)


@pytest.fixture(scope="module")
def made(study, tmp_path_factory):
    return concepts(*study, out=tmp_path_factory.mktemp("out"), config=CONFIG)


def units_of(study, source):
    """[N, units] scaled by loops: each over its largest value on the train rows; signed ones as two."""
    encoded = study[0]
    train = encoded.store.row_split == "train"
    if source == "sae":
        values = encoded.matrix.toarray()
    else:
        x = encoded.store.read("site", np.arange(encoded.store.n_rows)).numpy()
        apart = x - x[train].mean(0, dtype=np.float64).astype(np.float32)
        values = np.maximum(np.hstack([apart, -apart]), 0)
    return values / values[train].max(0)


def uncut(study, source, unit):
    """[N] the value by which rows are ranked: a neuron's as it is, below its mean too; turned round for its lower half."""
    if source == "sae":
        return study[0].matrix.toarray()[:, unit]
    x = study[0].store.read("site", np.arange(study[0].store.n_rows)).numpy()
    return (x if unit < x.shape[1] else -x)[:, unit % x.shape[1]]


def domains_of(study, value, split):
    """Rows of each instance of a region in a split."""
    encoded, covariates = study
    store, event = encoded.store, encoded.store.rows["event"].to_numpy()
    found = []
    for sample, start, end, _, other in covariates.annotations.rows():
        rows = np.flatnonzero((store.row_subject == sample) & (event >= start) & (event < end))
        if other == value and len(rows) and store.row_split[rows[0]] == split:
            found.append(rows)
    return found


def per_domain(x, threshold, label, domains):
    called = x > np.float32(threshold)
    p, r = precision_score(label, called, zero_division=0), np.mean([called[rows].any() for rows in domains])
    return 2 * p * r / (p + r) if p + r else 0.0


@pytest.mark.parametrize("source", ["sae", "neuron"])
@pytest.mark.parametrize("value", ["loop", "tail"])
def test_every_figure_of_a_pair_is_that_of_a_loop(study, made, source, value):
    x, split = units_of(study, source), study[0].store.row_split
    label = np.zeros(len(split), int)
    for part in ("select", "test"):
        for rows in domains_of(study, value, part):
            label[rows] = 1
    pairs = made.pairs.filter((pl.col("source") == source) & (pl.col("value") == value))
    assert len(pairs) >= 2 and set(pairs["score"]) == {"f1", "f1_per_domain"}
    for row in pairs.iter_rows(named=True):
        mine = x[:, row["unit"]]
        test = split == "test"
        called = mine[test] > np.float32(row["threshold"])
        domains = domains_of(study, value, "test")
        assert row["f1"] == pytest.approx(f1_score(label[test], called))
        assert row["precision"] == pytest.approx(precision_score(label[test], called, zero_division=0))
        assert row["recall"] == pytest.approx(recall_score(label[test], called))
        whole = np.where(test, mine, 0)
        scored = per_domain(
            whole[test], row["threshold"], label[test], [np.searchsorted(np.flatnonzero(test), d) for d in domains]
        )
        assert row["f1_per_domain"] == pytest.approx(scored)
        assert row["auroc"] == pytest.approx(roc_auc_score(label[test], uncut(study, source, row["unit"])[test]))
        assert row["hits"] == sum((mine[d] > np.float32(row["threshold"])).any() for d in domains)
        assert row["n_instances"] == len(domains) and row["n_positive"] == label[test].sum()
        assert (
            row["tp"] + row["fp"] == called.sum()
            and row["f1_select"] >= max(on_select(study, mine, label, value, row)) - 1e-12
        )
        assert (row["ci_low"] is not None) == row["best"] == (row["f1_null"] is not None)
        if row["best"]:
            assert row["ci_low"] <= row[row["score"]] <= row["ci_high"]


def on_select(study, x, label, value, row):
    """The score on the select split at every threshold."""
    select = study[0].store.row_split == "select"
    where = [np.searchsorted(np.flatnonzero(select), d) for d in domains_of(study, value, "select")]
    for threshold in CONFIG.thresholds:
        if row["score"] == "f1":
            yield f1_score(label[select], x[select] > np.float32(threshold))
        else:
            yield per_domain(x[select], threshold, label[select], where)


def test_the_planted_units_are_found_with_their_threshold_and_chance_does_not_find_them(made):
    best = {
        (row["score"], row["source"]): row
        for row in made.pairs.filter(pl.col("best"), value="loop").iter_rows(named=True)
    }
    assert best["f1", "sae"]["unit"] == 1 and best["f1", "sae"]["threshold"] == 0.5 and best["f1", "sae"]["f1"] > 0.85
    assert best["f1", "neuron"]["unit_name"] == "neuron 0, low" and best["f1", "neuron"]["f1"] > 0.5
    assert best["f1", "sae"]["f1_null"] < 0.5 and best["f1", "sae"]["domain_f1"] > 0.8
    headline = {(row["source"], row["score"]): row for row in made.matches.iter_rows(named=True)}
    assert headline["sae", "f1"]["units"] == UNITS and headline["neuron", "f1"]["units"] == 6
    assert headline["sae", "f1"]["units_matched"] == 1 and headline["sae", "f1"]["concepts_matched"] == 1
    assert headline["sae", "f1"]["concepts_beyond"] == 1 and headline["sae", "f1"]["null_concepts"] == 0
    assert headline["token", "f1"]["concepts_beyond"] == 0


def test_the_headline_counts_the_pairs_above_the_level_on_both_splits(made):
    for row in made.matches.filter(source="sae").iter_rows(named=True):
        name = row["score"]
        hit = made.pairs.filter((pl.col("source") == "sae") & (pl.col("score") == name) & (pl.col("f1_select") > 0.5))
        always = made.annotated.select("value", "trivial_f1")
        hit = hit.filter(pl.col(name) > 0.5).join(always, on="value")
        hit = hit.filter(pl.col(name) > pl.col("trivial_f1") + 0.2 * (1 - pl.col("trivial_f1")))
        assert row["units_matched"] == hit["unit"].n_unique() and row["concepts_matched"] == hit["value"].n_unique()


def test_labels_of_the_test_split_choose_nothing(study, made, tmp_path):
    encoded, covariates = study
    test = np.flatnonzero(np.array(parts(N)) == "test")
    first = pl.when(pl.col("sample").is_in(test)).then(0).otherwise("start").cast(pl.UInt32)
    moved = covariates.annotations.with_columns(
        start=first, end=pl.when(pl.col("sample").is_in(test)).then(2).otherwise("end")
    )
    other = concepts(
        encoded, replace(covariates, annotations=moved.cast({"end": pl.UInt32})), out=tmp_path, config=CONFIG
    )
    chosen = ["score", "source", "unit", "value", "best", "threshold", "f1_select"]
    assert other.pairs.select(chosen).equals(made.pairs.select(chosen)) and not other.pairs["f1"].equals(
        made.pairs["f1"]
    )


def test_false_domains_are_those_of_a_loop(study, made):
    store, split = study[0].store, study[0].store.row_split
    lengths = {row["value"]: row["instance_length"] for row in made.annotated.iter_rows(named=True)}
    seen = []
    for row in made.pairs.filter(source="sae").iter_rows(named=True):
        label = np.zeros(store.n_rows, bool)
        for rows in domains_of(study, row["value"], "test"):
            label[rows] = True
        called = units_of(study, "sae")[:, row["unit"]] > np.float32(row["threshold"])
        false, n = 0, lengths[row["value"]]
        for sample in np.unique(store.row_sample[split == "test"]):
            where = np.flatnonzero(store.row_sample == sample)
            text = "".join(
                "." if not c else "D" if d else "x" for c, d in zip(called[where], label[where], strict=True)
            )
            for run in text.replace(".", " ").split():
                for piece in run.replace("D", " ").split():
                    false += len(piece) // n if "D" in run else -(-len(piece) // n)
        seen.append(false)
        assert row["false_domains"] == false
        assert row["domain_precision"] == pytest.approx(row["hits"] / (row["hits"] + false))
        assert row["domain_f1"] == pytest.approx(2 * row["hits"] / (row["hits"] + false + row["n_instances"]))
    assert max(seen) > 50


def test_concepts_are_left_out_for_a_stated_reason(study, made, capsys, tmp_path):
    table = {row["value"]: row for row in made.annotated.iter_rows(named=True)}
    assert set(table) == {"loop", "tail", "yes", "seldom"}, "numbers are no concepts"
    assert [table[name]["left_out"] for name in ("loop", "yes", "seldom")] == [None, None, "rare"]
    assert table["yes"]["instance_length"] == 1 and table["seldom"]["instance_length"] is None
    assert table["loop"]["n_instances_test"] == len(domains_of(study, "loop", "test"))
    assert table["loop"]["n_clusters_test"] == np.array(parts(N)).tolist().count("test")
    share = table["loop"]["n_rows_test"] / (study[0].store.row_split == "test").sum()
    assert table["loop"]["trivial_f1"] == pytest.approx(2 * share / (1 + share))
    strict = ConceptsConfig(min_instances=1, min_rows=1, min_clusters=300, sources=(), shuffles=0)
    with shown():
        none = concepts(*study, out=tmp_path, config=strict)
    assert (
        "0 of 4 are scored; 1 left out" in (said := capsys.readouterr().err)
        and "3 left out, fewer than 300 clusters" in said
    )
    assert none.pairs.is_empty() and none.matches.is_empty() and "often enough" in concept_text.told(none)


def test_tables_that_are_gone_are_named_with_a_remedy(study, tmp_path):
    few = ConceptsConfig(min_instances=1, min_rows=1, min_clusters=1, sources=(), shuffles=0)
    folder = concepts(*study, out=tmp_path, config=few).artefact.path
    (folder / "matches.parquet").unlink()
    manifest = json.loads((folder / "manifest.json").read_text())
    gone = concepts(*study, out=tmp_path, config=few)
    assert len(gone.matches), "a file that the manifest names and that is gone is made again"
    del manifest["files"]["pairs.parquet"], manifest["files"]["patterns.parquet"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    left = concepts(*study, out=tmp_path, config=few)
    assert left.has_annotations
    for name in ("pairs", "patterns"):
        with pytest.raises(
            SeqsaeError, match=rf"names no file '{name}\.parquet', it has .*; delete .* and run"
        ) as told:
            getattr(left, name)
        assert str(told.value).startswith(str(folder))
    (folder / "annotated.parquet").unlink()
    with pytest.raises(SeqsaeError, match=r"annotated\.parquet: 0 bytes where .* delete .* and run the stage again"):
        _ = left.annotated


def test_values_of_a_binary_covariate_are_one_concept():
    table = pl.DataFrame({"covariate": ["b", "b", "c", "c", "n", "free"], "value": ["no", "yes", "u", "v", "1", "w"]})
    document = schema_of(b="binary", c="categorical", n="continuous")
    assert named(Covariates(None, document, table)).rows() == [("b", "yes"), ("c", "u"), ("c", "v"), ("free", "w")]
    document["covariates"][0]["positive"] = "no"
    assert named(Covariates(None, document, table)).rows()[0] == ("b", "no")


def test_blocks_of_units_and_of_rows_change_nothing(study, made, tmp_path, monkeypatch):
    from seqsae.associations import concept_matching

    monkeypatch.setattr(concept_matching, "ENTRIES", 2 * 5 * 15)
    monkeypatch.setattr(Scaled, "block", 64)
    again = concepts(*study, out=tmp_path, config=CONFIG)
    assert (
        again.pairs.equals(made.pairs) and again.matches.equals(made.matches) and again.patterns.equals(made.patterns)
    )


def test_scaling_is_fitted_on_train_rows_alone(study):
    encoded = study[0]
    train = encoded.store.row_split == "train"
    codes = encoded.matrix.toarray()
    codes[np.flatnonzero(~train)[0], 0], codes[train, 3] = 50, 0
    values = Scaled(Given(encoded.store, codes), encoded.store).values(np.arange(len(codes))).toarray()
    assert values[:, 0].max() > 50 and values[train, 0].max() == 1 and not values[:, 3].any()
    neurons = Scaled(Neurons(encoded.store, "site"), encoded.store)
    assert neurons.labels[3] == "neuron 0, low"
    np.testing.assert_allclose(neurons.values(np.arange(len(codes))).toarray(), units_of(study, "neuron"), atol=1e-5)


def test_features_of_another_study_stand_beside_if_their_rows_are_the_same(study, tmp_path):
    encoded, covariates = study
    noise = Given(encoded.store, np.random.default_rng(1).random((encoded.store.n_rows, 4)))
    made = concepts(encoded, covariates, out=tmp_path, config=CONFIG, beside={"random-model": noise})
    assert made.matches.filter(source="random-model")["units"].to_list() == [4, 4]
    assert "random-model" in concept_text.told(made)
    other = store_of(tmp_path / "other", [3] * 10)
    with pytest.raises(SeqsaeError, match="stands on other rows"):
        concepts(encoded, covariates, out=tmp_path, beside={"b": Given(other, np.ones((30, 2)))})
    with pytest.raises(SeqsaeError, match="the name is taken"):
        concepts(encoded, covariates, out=tmp_path, beside={"pca": noise})


def test_the_summary_has_a_row_a_concept_and_a_column_a_source(made):
    tables = summary(made)
    best = tables["best"]
    assert set(tables) == {"matches", "best", "patterns"} and len(best) == 2 * made.annotated["kept"].sum()
    assert best.columns[-3:] == ["sae", "neuron", "token"] and best["score"][0] == "f1_per_domain"
    loop = best.filter(value="loop", score="f1").row(0, named=True)
    assert (
        loop["unit"] == 1
        and loop["sae"] == made.pairs.filter(pl.col("best"), value="loop", score="f1", source="sae")["f1"][0]
    )
    assert tables["patterns"]["features"].sum() == UNITS and "region = loop" in concept_text.told(made)


def test_a_stage_is_kept_and_data_without_concepts_is_refused(study, made, capsys):
    with shown():
        again = concepts(*study, out=made.artefact.path.parents[2], config=CONFIG)
    assert "unchanged, kept" in capsys.readouterr().err and again.artefact.hash == made.artefact.hash
    with pytest.raises(SeqsaeError, match="neither annotations .* nor planted truth"):
        concepts(study[0], Covariates())
    assert made.planted is None
