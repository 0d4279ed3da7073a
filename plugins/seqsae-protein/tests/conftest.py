"""The packages with real weights and genes: found where they are installed, else fetched once into a cache folder."""

import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import polars as pl
import pytest
import torch

from seqsae.records.record import Record

sys.path.append(str(Path(__file__).parent / "helpers"))  # a folder of its own, so that no other conftest is shadowed

CACHE = Path(tempfile.gettempdir()) / "seqsae-test-packages"
UNREACHABLE = ("Connection", "connection", "Temporary failure", "timed out", "not known")


def provide(module: str, requirement: str) -> None:
    """Make `module` findable. Skips the test, saying why, only if the registry cannot be reached."""
    target = CACHE / requirement
    if find_spec(module) is None and str(target) not in sys.path:
        if not (target / module).is_dir():
            _fetch(requirement, target)
        sys.path.append(str(target))
        importlib.invalidate_caches()
    assert find_spec(module) is not None, f"{requirement} was fetched into {target}, but holds no {module}"


def _fetch(requirement: str, target: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--retries", "1", "--timeout", "20"]
    partial = target.with_name(f"{requirement}.{os.getpid()}")  # several test processes may fetch at once
    done = subprocess.run([*command, "--target", str(partial), requirement], capture_output=True, text=True)
    if done.returncode == 0:
        if target.exists():
            shutil.rmtree(partial)
        else:
            partial.replace(target)
        return
    reason = " ".join(done.stderr.split())[-300:]
    if any(sign in done.stderr for sign in UNREACHABLE):
        pytest.skip(f"NOT TESTED: {requirement} is not installed and the registry cannot be reached: {reason}")
    pytest.fail(f"pip could not install {requirement}: {reason}")


@pytest.fixture(scope="session")
def genes_package():
    provide("tcrdist", "tcrdist3==0.3")


@pytest.fixture(scope="session")
def antibodies(genes_package, tmp_path_factory) -> Path:
    """The antibody table with default options."""
    from seqsae_protein import antibody

    return antibody.make(tmp_path_factory.mktemp("antibody") / "table")


@pytest.fixture(scope="session")
def domains(antibodies) -> pl.DataFrame:
    """Sequences with their covariates and clusters, a row a subject."""
    table = pl.read_parquet(antibodies / "sequences.parquet")
    table = table.join(pl.read_parquet(antibodies / "covariates.parquet"), on="subject_id", maintain_order="left")
    return table.join(pl.read_parquet(antibodies / "subjects.parquet"), on="subject_id", maintain_order="left")


@pytest.fixture(scope="session")
def human_heavy(domains) -> list[Record]:
    """30 human heavy domains without substitutions."""
    wanted = domains.filter(species="human", locus="IGH", mutated_copy="no").sample(30, seed=0)
    return records(wanted["subject_id"].to_list(), wanted["sequence"].to_list())


@pytest.fixture(scope="session")
def antiberty():
    provide("antiberty", "antiberty==0.1.3")
    from seqsae_protein import antiberty

    return antiberty.open()


@pytest.fixture(scope="session")
def sapiens():
    provide("sapiens", "sapiens==1.0.5")
    from seqsae_protein import sapiens

    return sapiens.open()


@pytest.fixture(scope="session")
def masked_accuracy():
    """A function: share of 15% hidden residues that a model's argmax restores."""

    def measure(model, given: list[Record]) -> float:
        batch = model.collate([model.prepare(record) for record in given])
        hidden = torch.rand(batch.mask.shape, generator=torch.Generator().manual_seed(0)) < 0.15
        hidden &= batch.mask
        with torch.no_grad():
            logits = model.forward(model.hide(batch, hidden)).logits
        return (logits.argmax(-1) == batch.inputs["input_ids"])[hidden].float().mean().item()

    return measure


def records(names: list[str], sequences: list[str]) -> list[Record]:
    pairs = zip(names, sequences, strict=True)
    return [Record(index, name, sequence=sequence) for index, (name, sequence) in enumerate(pairs)]
