"""Shared: one thread a process; an outsider's plugin, installed; small data folders; a run config over them."""

import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

# Test processes share the cores: with a pool of threads in each, most of the time goes into waiting for one another.
# Read by the libraries when they are imported; processes that tests start inherit it.
for _pool in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"):
    os.environ.setdefault(_pool, "1")

import numpy as np  # noqa: E402
import polars as pl  # noqa: E402
import pytest  # noqa: E402

HERE = Path(__file__).parent

CONFIG = """
[records]
path = "{data}"
[model]
name = "outsider"
[harvest]
sites = ["embed", "gru"]
shard_samples = 64
[sae]
width = 32
k = 4
seeds = 2
steps = 60
batch = 128
check_every = 20
[associate]
baselines = ["neuron", "token"]
[atlas]
neighbours = 5
seeds = 1
nulls = 0
persons = 0
[report]
features = 5
"""


@pytest.fixture(scope="session")
def outsider(tmp_path_factory):
    """The folder into which the outsider's package is installed by pip; on sys.path while the tests run."""
    target = tmp_path_factory.mktemp("site")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--target",
        str(target),
    ]
    source = tmp_path_factory.mktemp("outsider")
    for file in ("pyproject.toml", "outsider.py", "outsider_sae.py"):
        (source / file).write_text((HERE / "outsider" / file).read_text())
    subprocess.run([*pip, str(source)], check=True, capture_output=True)
    sys.path.insert(0, str(target))
    yield target
    sys.path.remove(str(target))


def events_table(n_subjects: int, seed: int = 0) -> pl.DataFrame:
    """A MEDS table: one static row, then 5 to 15 dated events of 8 codes a subject."""
    rng = np.random.default_rng(seed)
    rows = []
    for subject in range(n_subjects):
        rows.append((subject, None, "STATIC//A", None))
        start = datetime(2000, 1, 1)
        for step in range(int(rng.integers(5, 16))):
            rows.append((subject, start + timedelta(days=30 * step), f"CODE//{rng.integers(8)}", None))
    schema = {"subject_id": pl.Int64, "time": pl.Datetime("us"), "code": pl.String, "numeric_value": pl.Float32}
    return pl.DataFrame(rows, schema=schema, orient="row")


def write_events(folder: Path, n_subjects: int = 160, seed: int = 0) -> Path:
    """A MEDS folder with covariates: `has_3` is true where code 3 occurs, `age` is noise, `group` has three values."""
    table = events_table(n_subjects, seed)
    (folder / "data").mkdir(parents=True)
    table.write_parquet(folder / "data" / "0.parquet")
    rng = np.random.default_rng(seed + 1)
    has_3 = table.group_by("subject_id").agg((pl.col("code") == "CODE//3").any().alias("has_3"))
    covariates = has_3.sort("subject_id").with_columns(
        pl.Series("age", rng.normal(50, 10, n_subjects)), pl.Series("group", rng.choice(["a", "b", "c"], n_subjects))
    )
    covariates.write_parquet(folder / "covariates.parquet")
    document = [("has_3", "binary"), ("age", "continuous"), ("group", "categorical")]
    import json

    entries = [{"name": name, "type": kind} for name, kind in document]
    (folder / "covariates.schema.json").write_text(json.dumps({"covariates": entries}))
    return folder


@pytest.fixture
def events_folder(tmp_path):
    return write_events(tmp_path / "events")


@pytest.fixture
def config_file(tmp_path, events_folder, outsider):
    path = tmp_path / "study.toml"
    path.write_text(CONFIG.format(data=events_folder))
    return path


@pytest.fixture
def cli(monkeypatch, capsys):
    """Run the command line in this process: (exit code, stdout, stderr)."""

    def call(*arguments):
        from seqsae import cli

        monkeypatch.setattr(sys, "argv", ["seqsae", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            cli.main()
        said = capsys.readouterr()
        return stop.value.code, said.out, said.err

    return call
