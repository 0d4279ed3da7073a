"""`seqsae probe`: the artefact, its page and its text, on a small study and on tables made up here."""

import json
import re

import numpy as np
import polars as pl
import pytest
from features.small_stores import Given, store_of

import seqsae
from seqsae import SeqsaeError, schema
from seqsae.associations.probing.found import Found
from seqsae.pages import probes_page, probes_tables
from seqsae.probe_options import ProbeConfig


def rows(**given) -> dict:
    fixed = {"category": None, "kind": "continuous", "unit": "subject", "n": 100, "n_positive": None, "n_clusters": 90}
    base = dict.fromkeys(schema.columns("probes")) | fixed | {"effect_name": "spearman", "ci_low": 0.1, "ci_high": 0.9}
    return base | given


def made_up() -> Found:
    probes = [
        rows(covariate="<script>", basis="confounders", probe="dense", effect=0.2),
        rows(
            covariate="<script>",
            basis="neuron",
            site="a",
            probe="dense",
            effect=0.6,
            gain=0.4,
            gain_low=0.3,
            gain_high=0.5,
        ),
        rows(covariate="<script>", basis="neuron", site="b", probe="dense", effect=0.4),
        rows(
            covariate="<script>",
            basis="sae",
            site="a",
            probe="dense",
            effect=0.5,
            gain=0.3,
            gain_low=0.2,
            gain_high=0.4,
        ),
        rows(covariate="<script>", basis="sae", site="a", probe="k-sparse", k=1, effect=0.3, chosen="feature 1 (5/5)"),
        rows(covariate="weak", basis="neuron", site="a", probe="dense", effect=0.02),
        rows(covariate="weak", basis="sae", site="a", probe="dense", effect=0.01),
        rows(covariate="weak", basis="sae", site="a", probe="k-sparse", k=1, effect=None, note="none"),
    ]
    loss = {"origin": "planted", "unit": "token", "loss_select": 0.1, "entropy": 0.4, "n": 50, "n_positive": 9}
    losses = [
        loss | {"concept": "c", "source": "sae", "best_unit": "feature 1", "loss": 0.1},
        loss | {"concept": "c", "source": "token", "best_unit": None, "loss": None},
    ]
    cover = {
        "origin": "planted",
        "source": "sae",
        "n_concepts": 1,
        "coverage": 0.5,
        "coverage_trivial": 0.1,
        "precise": 0,
    }
    cover |= {"threshold": None, "reconstruction": 0.0, "reconstruction_mean": 0.0, "n": 50}
    named = {"probes": probes, "absorption": [], "probe_losses": losses, "probe_coverage": [cover]}
    return Found(*[pl.DataFrame(some, schema=schema.columns(name)) for name, some in named.items()])


def test_tables_of_the_page():
    probes = probes_tables.named(made_up().probes)
    assert probes_tables.site_of(probes) == "a" and probes_tables.ranked(probes) == ["<script>", "weak"]
    wide = probes_tables.overview(probes).row(0, named=True)
    assert (wide["confounders all"], wide["neuron all"], wide["sae 1"], wide["sae all"], wide["gain"]) == (
        0.2,
        0.6,
        0.3,
        0.5,
        0.3,
    )
    shares = dict(probes_tables.kept_shares(probes).select("reads", "share").iter_rows())
    assert shares == pytest.approx({"1": 0.5, "all": 0.5 / 0.6})
    assert probes_tables.sites(probes).row(0) == ("<script>", "spearman", 0.6, 0.4)
    assert probes_tables.losses(made_up().losses)["saved"][0] == pytest.approx(0.75)


def test_the_page_holds_the_numbers_and_no_markup_of_the_data():
    text = probes_page.html(made_up(), ProbeConfig(), "sae-0", "full")
    assert "&lt;script&gt;" in text and "<script></h3>" not in text
    data = json.loads(re.search(r'id="data">(.*?)</script>', text, re.S).group(1))
    assert {"curve-0", "curve-1", "losses-0", "coverage-0"} <= set(data["charts"]) and data["overview"]["sae 1"][
        0
    ] == 0.3
    places = set(re.findall(r'data-chart="([\w-]+)"', text))
    assert places == set(data["charts"])
    assert "default-src &#x27;none&#x27;" in text and not re.search(r'(src|href)="http', text)


def test_a_page_without_targets_or_concepts_says_so():
    empty = Found(*[schema.empty(name) for name in ("probes", "absorption", "probe_losses", "probe_coverage")])
    text = probes_page.html(empty, ProbeConfig(), "sae-0", "full")
    assert "neither planted nor annotated concepts" in text


@pytest.fixture
def probed(cli, config_file):
    text = config_file.read_text().replace("[atlas]", "[probe]\nks = [1, 3]\nfolds = 3\n[atlas]")
    config_file.write_text(text)
    return cli("probe", config_file, "--out", config_file.parent / "run"), config_file.parent / "run"


def test_the_command_writes_tables_and_a_page_and_keeps_them(probed, cli, config_file):
    (code, out, err), run = probed
    assert code == 0, err
    [folder] = run.glob("probes/*/full")
    assert {path.name for path in folder.glob("*.parquet")} == {f"{name}.parquet" for name in Found._fields}
    table = pl.read_parquet(folder / "probes.parquet")
    assert set(table["basis"]) == {"confounders", "sae", "neuron", "pca", "random-dictionary", "token"}
    assert set(table["covariate"]) == {"has_3", "age", "group"}
    assert table.filter(pl.col("basis") == "neuron")["site"].n_unique() == 2
    assert "read off" in out and f"page: {folder / 'index.html'}" in out
    opened = json.loads((run / "ledger.json").read_text())["test_opened"]
    assert [entry["stage"] for entry in opened] == ["probe"]
    manifest = (folder / "manifest.json").read_bytes()
    code, out, err = cli("probe", config_file, "--out", run)
    assert code == 0 and f"{folder}: unchanged, kept" in err and (folder / "manifest.json").read_bytes() == manifest


def test_a_wrong_option_is_one_line(cli, config_file):
    config_file.write_text(config_file.read_text() + "\n[probe]\nks = [5, 2]\n")
    code, _, err = cli("probe", config_file)
    assert code == 2 and "probe.ks" in err and len(err.strip().splitlines()) == 1


def test_a_table_of_ones_own_is_probed_and_nothing_to_probe_is_an_error(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.random((160, 8)) * (rng.random((160, 8)) < 0.5)
    encoded = Given(store_of(tmp_path, np.ones(160, int)), x)
    table = pl.DataFrame({"subject_id": [f"s{i}" for i in range(160)], "first": x[:, 0], "same": ["u"] * 160})
    config = ProbeConfig(bases=("sae",), ks=(1,), poolings=("mean",), min_support=3)
    made = seqsae.probe(encoded, table, out=tmp_path / "out", config=config)
    best = made.table.filter(pl.col("k") == 1)
    assert best["covariate"].to_list() == ["first"] and best["chosen"][0] == "feature 0 (5/5)" and best["r2"][0] > 0.99
    assert made.absorption.is_empty() and len(made.losses) == 0 and made.page.parent == made.artefact.path
    with pytest.raises(SeqsaeError, match="no covariate has enough"):
        rare = table.select("subject_id", rare=pl.int_range(pl.len()) == 1)
        seqsae.probe(encoded, rare, out=tmp_path / "other", config=config)
