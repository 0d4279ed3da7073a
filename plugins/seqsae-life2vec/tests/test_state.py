"""A training that is killed, whose state is damaged, or whose folder is not its own."""

import hashlib
import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from life2vec_cases import CODES, life
from safetensors.torch import load_file, save_file
from seqsae_life2vec import folder, training
from seqsae_life2vec.state import State

import seqsae
from seqsae.errors import SeqsaeError
from seqsae.progress import shown

TINY = {"d_model": 8, "n_blocks": 1, "n_heads": 1, "d_hidden": 8, "epochs": 2, "batch_size": 4, "min_subjects": 1}
LONGER = TINY | {"epochs": 60, "checkpoint_every": 3}
OPTIONS = [f"--set={name}={value}" for name, value in LONGER.items()]


def lives(n: int = 12) -> list:
    return [life(3 + i % 5, i) for i in range(n)]


def run(out, seed: int = 0, n: int = 12, **options) -> dict:
    return training.train(lives(n), np.arange(n - 4), np.arange(n - 4, n), out, seed, **(TINY | options))


def digests(where) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in where.iterdir() if path.is_file()}


@pytest.fixture
def meds(tmp_path):
    """A MEDS folder of 30 lives."""
    import polars as pl

    rows = []
    for subject in range(30):
        rows.append((subject, "1980-01-01", "MEDS_BIRTH"))
        rows += [(subject, f"20{year:02}-05-01", CODES[(subject + year) % 3]) for year in range(subject % 9 + 3)]
    table = pl.DataFrame(rows, ["subject_id", "time", "code"], orient="row")
    (tmp_path / "d" / "data").mkdir(parents=True)
    time_of = pl.col("time").str.to_datetime("%Y-%m-%d", time_unit="us")
    table.with_columns(time_of).write_parquet(tmp_path / "d" / "data" / "0.parquet")
    return tmp_path / "d"


def command(meds, out) -> list[str]:
    return [sys.executable, "-m", "seqsae_life2vec.cli", "train", str(meds), "--out", str(out), *OPTIONS]


@pytest.fixture
def one_thread():
    """As the command has it by default."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_a_killed_process_goes_on_to_the_same_bytes(meds, tmp_path, one_thread, capsys):
    process = subprocess.Popen(command(meds, tmp_path / "killed"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    note = tmp_path / "killed" / ".state" / "progress.json"
    until = time.monotonic() + 120
    while not note.exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "the training was too short to be killed"
    assert not (tmp_path / "killed" / "model.safetensors").exists()
    data = seqsae.dataset(meds)
    for name in ("killed", "whole"):
        with shown():
            training.train(data, data.in_split("train"), data.in_split("select"), tmp_path / name, 0, **LONGER)
        assert ("going on after step" in capsys.readouterr().err) == (name == "killed")
    assert digests(tmp_path / "killed") == digests(tmp_path / "whole")
    assert not list((tmp_path / "killed").glob(".*"))


def test_ctrl_c_ends_the_step_keeps_it_and_training_goes_on_to_the_same_bytes(tmp_path, monkeypatch, capsys):
    whole = run(tmp_path / "whole")
    real, calls = training._step, []

    def stopped(*given):
        calls.append(1)
        if len(calls) == 2:
            signal.raise_signal(signal.SIGINT)
        real(*given)

    before = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt), shown():
        patched.setattr(training, "_step", stopped)
        run(tmp_path / "out")
    assert signal.getsignal(signal.SIGINT) is before and len(calls) == 2
    assert "stopped; kept after step 2 of 4" in capsys.readouterr().err
    with shown():
        assert run(tmp_path / "out") == whole
    assert "going on after step 2 of 4" in capsys.readouterr().err
    assert digests(tmp_path / "out") == digests(tmp_path / "whole")


def test_a_second_ctrl_c_stops_at_once(tmp_path, monkeypatch):
    def impatient(*_):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("not stopped")

    monkeypatch.setattr(training, "_step", impatient)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path)
    assert not (tmp_path / ".state").exists()


@pytest.mark.parametrize(("model", "warned"), [(1.5, True), (0.5, False)])
def test_a_model_no_better_than_frequencies_is_told(tmp_path, monkeypatch, capsys, model, warned):
    monkeypatch.setattr(training.losses, "nats", lambda *_: model)
    monkeypatch.setattr(training.losses, "unigram", lambda *_: 1.0)
    with shown():
        run(tmp_path, epochs=1)
    assert ("no better than frequencies" in capsys.readouterr().err) == warned


def _flip(file):
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(content)


def _no_note(file):
    save_file(load_file(file), file)


@pytest.mark.parametrize(
    "damage",
    [_flip, _no_note, lambda f: f.write_bytes(f.read_bytes()[:300]), lambda f: f.write_bytes(b""), lambda f: f.write_text("x")],
    ids=["a bit", "no note", "cut", "empty", "text"],
)  # fmt: skip
def test_a_damaged_state_is_told_and_training_begins_anew(tmp_path, monkeypatch, capsys, damage):
    whole = run(tmp_path / "whole", checkpoint_every=1)

    def dies(*given):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(training, "_losses", dies)
        run(tmp_path / "out", checkpoint_every=1)
    damage(State(tmp_path / "out", "").file)
    with shown():
        assert run(tmp_path / "out", checkpoint_every=1) == whole
    told = capsys.readouterr().err
    assert "state.safetensors is damaged: training begins anew" in told and "going on" not in told
    assert digests(tmp_path / "out") == digests(tmp_path / "whole")


def test_a_state_of_another_training_is_told(tmp_path, capsys):
    module = torch.nn.Linear(2, 2)
    optimiser = torch.optim.AdamW(module.parameters())
    State(tmp_path, "a").save(5, module, optimiser)
    with shown():
        assert State(tmp_path, "b").load(module, optimiser) == 0
    assert "other data, options or another seed" in capsys.readouterr().err
    assert State(tmp_path, "a").load(module, optimiser) == 5


def test_a_finished_model_is_kept_and_another_is_not_put_over_it(tmp_path, monkeypatch, capsys):
    report, before = run(tmp_path), digests(tmp_path)
    with monkeypatch.context() as patched, shown():
        patched.setattr(training, "_fit", None)
        assert run(tmp_path) == report
    assert "this very model already" in capsys.readouterr().err
    for other in ({"seed": 1}, {"epochs": 1}, {"n": 13}):
        with pytest.raises(SeqsaeError, match="holds a model of other data, options or another seed"):
            run(tmp_path, **other)
    assert digests(tmp_path) == before


def test_a_model_killed_while_it_was_written_is_written_again(tmp_path):
    run(tmp_path)
    before = digests(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    run(tmp_path)
    assert digests(tmp_path) == before


@pytest.mark.parametrize("content", ["mine", "[]", json.dumps({"architectures": ["GPT2LMHeadModel"]})])
def test_a_foreign_config_is_not_written_over(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(SeqsaeError, match=r"config.json: .*give another folder"):
        run(tmp_path)
    assert (tmp_path / "config.json").read_text() == content and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name", folder.FILES)
def test_a_folder_in_the_place_of_a_file_is_told_before_training(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(SeqsaeError, match=f"{name}: is a folder"):
        run(tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == [name]


@pytest.mark.parametrize(
    "options", [{"learning_rate": 1e6, "epochs": 40}, {"days_per_unit": 1e-320}, {"gate": 1e6, "time_gate": 1e6, "n_blocks": 9}],
    ids=str,
)  # fmt: skip
def test_numbers_that_are_not_finite_end_the_training_and_leave_nothing(tmp_path, options, monkeypatch):
    if "learning_rate" in options:  # the network's own norms keep many such runs finite
        monkeypatch.setattr(training.losses, "nats", lambda *_: float("nan"))
    with pytest.raises(SeqsaeError, match="is not a finite number, and nothing is saved"):
        run(tmp_path / "out", checkpoint_every=1, **options)
    assert not (tmp_path / "out").exists()


def test_a_full_disk_is_one_line_and_leaves_no_half_file(meds, tmp_path):
    line = "ulimit -f 20; exec " + " ".join(command(meds, tmp_path / "m")).replace("d_model=8", "d_model=64")
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("seqsae-life2vec: error: ")
    assert not list((tmp_path / "m").rglob("*.partial"))
