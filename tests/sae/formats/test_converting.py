"""`seqsae convert` on the command line."""

import subprocess
import sys

import pytest
from sae.formats.cases import CASES, sparsify
from sae.formats.formulas import K, assert_gives, dense, rows, weights

from seqsae import cli
from seqsae.errors import SeqsaeError
from seqsae.sae import formats
from seqsae.sae.room import load_sae


@pytest.fixture
def run(monkeypatch, capsys):
    def command(*words):
        monkeypatch.setattr(sys, "argv", ["seqsae", *map(str, words)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        told = capsys.readouterr()
        return caught.value.code, told.out, told.err

    return command


def test_from_another_tool_to_ours_and_on_to_a_third(run, tmp_path):
    x = rows()
    (tmp_path / "in").mkdir()
    path, _, gives = CASES["interprot_safetensors"](tmp_path / "in", weights(), x)
    code, out, _ = run(
        "convert", path, tmp_path / "ours", "--to", "seqsae", "--k", K, "--model", "esm2", "--site", "layers.3"
    )
    assert code == 0
    lines = [
        f"topk of 20 latents, 3 active, d_model 6, from interprot: {tmp_path / 'ours'}",
        "note: k 3 was given by whoever imported it",
    ]
    assert out.splitlines() == lines
    sae = load_sae(tmp_path / "ours")
    assert sae.artefact is not None and sae.identity["inputs"]["site"] == "layers.3"
    assert_gives(sae, x, gives)
    code, out, _ = run("convert", tmp_path / "ours", tmp_path / "openai.pt", "--to", "openai")
    assert code == 0 and "from seqsae" in out
    assert_gives(formats.read(tmp_path / "openai.pt"), x, gives)
    code, out, _ = run("convert", tmp_path / "openai.pt", tmp_path / "lens", "--to", "saelens", "--from", "openai")
    assert code == 0 and "note: it does not say which model and site it reads" in out
    assert_gives(formats.read(tmp_path / "lens"), x, gives)


def test_the_same_source_gives_the_same_bytes(tmp_path):
    path = sparsify(tmp_path / "in", weights())
    for name in "ab":
        formats.convert(path, tmp_path / name, "seqsae")
    for file in ("sae.safetensors", "config.json", "manifest.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_bad_input_gives_2_and_one_line(run, tmp_path):
    path = sparsify(tmp_path / "in", weights())
    formats.convert(path, tmp_path / "ours", "seqsae")
    for words, said in {
        (path, tmp_path / "x", "--to", "saelense"): "no format named 'saelense'; choose one of saelens, sparsify",
        (path, tmp_path / "x", "--to", "openai"): "openai",
        (path, tmp_path / "ours", "--to", "seqsae"): "already there; give another path",
        (tmp_path / "none", tmp_path / "x", "--to", "seqsae"): "is not there",
        (tmp_path / "ours", tmp_path / "x", "--to", "sparsify", "--k", "3"): "says everything itself; leave out --k",
        (path, tmp_path / "x", "--to", "seqsae", "--from", "esmc"): "config.json: no such file",
    }.items():
        code, out, err = run("convert", *words)
        assert code == 2 and out == "" and said in err and len(err.splitlines()) == 1, words
    assert sorted(one.name for one in tmp_path.iterdir()) == ["in", "ours"]


def test_a_dictionary_that_no_format_names_is_kept_by_ours(tmp_path):
    """From ours to ours is a copy."""
    formats.convert(sparsify(tmp_path / "in", weights()), tmp_path / "a", "seqsae")
    formats.convert(tmp_path / "a", tmp_path / "b", "seqsae")
    one, two = load_sae(tmp_path / "a"), load_sae(tmp_path / "b")
    assert (dense(one, rows()) == dense(two, rows())).all() and one.identity["imported"] == two.identity["imported"]


def test_looking_for_formats_loads_nothing_heavy():
    code = "import seqsae.cli, sys; print([m for m in ('torch', 'polars') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_option_of_a_reader_is_told(tmp_path):
    with pytest.raises(SeqsaeError, match="sparsify: its files need no layer"):
        formats.convert(sparsify(tmp_path / "in", weights()), tmp_path / "x", "seqsae", layer=3)
