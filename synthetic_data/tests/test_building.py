"""Where a folder may be made, and what is left of one whose making was cut short."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from synthetic_lives import make
from synthetic_lives.building import building

LONG = (
    "import sys; sys.path.insert(0, sys.argv[2]); import synthetic_lives\n"
    "if __name__ == '__main__': synthetic_lives.make(sys.argv[1], 100_000, workers=2)"
)


def test_a_link_is_followed(tmp_path):
    (tmp_path / "real").mkdir()
    for name, target in (("empty", "real"), ("dangling", "nowhere")):
        (tmp_path / name).symlink_to(target)
        assert (make(tmp_path / name, 50) / "truth.json").is_file()
        assert (tmp_path / name).is_symlink() and (tmp_path / target / "truth.json").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dangling", "empty", "nowhere", "real"]


@pytest.mark.parametrize(
    ("out", "words"),
    [
        (".", "the folder you are in"),
        ("", "the folder you are in"),
        ("loop", "no path of a folder"),
        ("x" * 300, "no path of a folder|no folder can be made"),
        ("a\0b", "no path of a folder"),
        ("file/below", "no folder can be made there"),
        ("file", "a file stands there"),
        ("/proc/lives", "no folder can be made there"),
    ],
)
def test_a_place_that_cannot_be_is_refused_before_anything_is_made(tmp_path, monkeypatch, out, words):
    monkeypatch.setattr("synthetic_lives.folder._fill", lambda *_: pytest.fail("the work was begun"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_text("mine")
    place = Path(out) if out in (".", "") else tmp_path / out
    with pytest.raises(ValueError, match=words) as caught:
        make(place, 50)
    assert "\n" not in str(caught.value) and (tmp_path / "file").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "here", "loop"]


def test_two_do_not_make_one_folder_at_once(tmp_path):
    with building(tmp_path / "lives") as folder:
        (folder / "begun").write_text("")
        with pytest.raises(ValueError, match="another process is making it"):
            make(tmp_path / "lives", 50)
        assert (folder / "begun").exists()
    assert [path.name for path in (tmp_path / "lives").iterdir()] == ["begun"]
    assert [path.name for path in tmp_path.iterdir()] == ["lives"]


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found]


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def waited(what) -> bool:
    """Whether it comes true within half a minute."""
    end = time.monotonic() + 30
    while not what() and time.monotonic() < end:
        time.sleep(0.05)
    return what()


@pytest.mark.skipif(not Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").exists(), reason="asks Linux")
def test_a_kill_leaves_nothing_that_the_next_run_does_not_clear(tmp_path):
    script = tmp_path / "long.py"  # spawned workers read it again
    script.write_text(LONG)
    command = [sys.executable, script, tmp_path / "lives", Path(__file__).parents[1]]
    with subprocess.Popen(command) as process:
        assert waited(lambda: list(tmp_path.glob(".lives.building/data/*.parquet")) or process.poll() is not None)
        workers = children(process.pid)
        assert len(workers) >= 2
        with pytest.raises(ValueError, match="another process is making it"):
            make(tmp_path / "lives", 50)
        process.kill()
    assert waited(lambda: not any(running(worker) for worker in workers)), "the workers end with their parent"
    assert not (tmp_path / "lives").exists() and (tmp_path / ".lives.building").is_dir()
    assert (make(tmp_path / "lives", 50) / "data" / "00000.parquet").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lives", "long.py"]
    assert len(list((tmp_path / "lives" / "data").iterdir())) == 1
