"""`seqsae convert` on the command line."""

import os
import resource
import subprocess
import sys
from contextlib import contextmanager

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


# two SAEs that between them every format can hold
BARE, NORMED = "overcomplete_topk", "esmc_one_layer"
TO = {
    **{"seqsae": (BARE, "out"), "saelens": (BARE, "out"), "sparsify": (BARE, "out"), "interplm": (BARE, "out")},
    **{"dictionary_learning": (BARE, "out"), "overcomplete": (BARE, "out.pt"), "openai": (NORMED, "out.pt")},
    **{"interprot": (NORMED, "out.safetensors"), "esmc": (NORMED, "out")},
}


@pytest.fixture(params=TO)
def way(request, tmp_path):
    """(words of the command, where it writes), for each format that can be written."""
    case, name = TO[request.param]
    (tmp_path / "in").mkdir()
    (tmp_path / "there").mkdir()
    source, _, _ = CASES[case](tmp_path / "in", weights(), rows())
    path = tmp_path / "there" / name
    return ("convert", source, path, "--to", request.param), path


def test_every_format_is_among_them():
    assert set(TO) == {"seqsae", *formats.FORMATS}


@contextmanager
def little_room():
    """Context in which a file can grow to 600 bytes, as on a disk that is all but full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_gives_one_line_and_leaves_nothing(run, way):
    words, path = way
    with little_room():
        code, out, err = run(*words)
    assert (code, out) == (2, "") and len(err.splitlines()) == 1 and f"{path}: File too large" in err
    assert list(path.parent.iterdir()) == []
    assert run(*words)[0] == 0 and list(path.parent.iterdir()) == [path]


def test_a_place_that_takes_no_files_gives_one_line(run, way):
    words, path = way
    code, out, err = run(*words[:2], f"/proc/{path.name}", *words[3:])
    assert (code, out) == (2, "") and len(err.splitlines()) == 1 and f"/proc/{path.name}: No such file" in err


def test_neighbours_are_left_alone(run, way):
    """Whatever their names, those of half-written files of other programs among them."""
    words, path = way
    kept = path.with_name(f"{path.name}.partial")
    kept.mkdir()
    (kept / "precious").write_text("mine")
    path.with_name(f"{path.name}.old").write_text("mine")
    assert run(*words)[0] == 0
    assert (kept / "precious").read_text() == path.with_name(f"{path.name}.old").read_text() == "mine"
    assert len(list(path.parent.iterdir())) == 3


def test_what_lies_there_is_left_alone(run, way):
    words, path = way
    for make in (path.mkdir, lambda: path.write_text("mine"), lambda: path.symlink_to(path.parent / "gone")):
        make()
        code, _, err = run(*words)
        assert code == 2 and f"{path}: already there; give another path" in err and os.path.lexists(path)
        assert list(path.parent.iterdir()) == [path]
        path.rmdir() if path.is_dir() else path.unlink()


def test_a_stop_in_the_middle_leaves_nothing(way, monkeypatch):
    (_, source, path, _, to), _ = way

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("seqsae.sae.formats.files.Path.replace", stop)
    with pytest.raises(KeyboardInterrupt):
        formats.convert(source, path, to)
    assert list(path.parent.iterdir()) == []


def test_what_is_written_is_as_open_as_any_new_file(run, way):
    """Not as closed as a temporary one."""
    words, path = way
    assert run(*words)[0] == 0
    plain = path.with_name("plain")
    plain.mkdir() if path.is_dir() else plain.touch()
    assert path.stat().st_mode == plain.stat().st_mode


@pytest.mark.parametrize("to", ["seqsae", "saelens"])
def test_nothing_is_written_into_the_source(run, to, tmp_path):
    """Its folder would no longer be what was read; one of ours would be refused from then on."""
    formats.convert(sparsify(tmp_path / "in", weights()), tmp_path / "ours", "seqsae")
    (tmp_path / "link").symlink_to(tmp_path / "ours")
    before = sorted((tmp_path / "ours").iterdir())
    for source in ("ours", "link"):
        for path in (tmp_path / "ours" / "inner", tmp_path / "link" / "a" / "b", tmp_path / "in" / ".." / "ours" / "c"):
            code, out, err = run("convert", tmp_path / source, path, "--to", to)
            assert (code, out) == (2, "") and len(err.splitlines()) == 1 and f"{path}: lies inside" in err
    assert sorted((tmp_path / "ours").iterdir()) == before
    assert run("convert", tmp_path / "ours", tmp_path / "ours2", "--to", to)[0] == 0


@pytest.mark.parametrize("option", ["--k", "--layer", "--scale"])
def test_zero_is_given_and_not_left_out(run, option, tmp_path):
    """0 equals False in Python; it must not be taken for an option that is off."""
    path = sparsify(tmp_path / "in", weights())
    formats.convert(path, tmp_path / "ours", "seqsae")
    for source, said in ((tmp_path / "ours", f"leave out {option}"), (path, f"its files need no {option[2:]}")):
        code, out, err = run("convert", source, tmp_path / "x", "--to", "saelens", option, "0")
        assert (code, out) == (2, "") and said in err and not (tmp_path / "x").exists()
