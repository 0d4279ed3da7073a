"""The page "Bring your own encoder": its examples run, what it shows of them is theirs, and its tables are true."""

import ast
import re
import runpy
from pathlib import Path

import polars as pl
import pytest

from seqsae.maps.umap_layout import principal_axes
from seqsae.models.doctor.examining import CHECKS
from seqsae.models.sites import parse
from seqsae.testing import doctor

EXAMPLES = Path(__file__).parents[1] / "examples"
PAGE = (EXAMPLES / "bring_your_own_encoder.md").read_text()
OWN = sorted(EXAMPLES.glob("own_*.py"))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Path of an example to what it leaves behind: each is run once, in a folder of its own.

    The map is drawn by its first two axes: UMAP compiles for half a minute, and has tests of its own.
    """
    done = {}

    def once(path: Path, monkeypatch) -> tuple[dict, Path]:
        if path not in done:
            folder = tmp_path_factory.mktemp(path.stem)
            monkeypatch.chdir(folder)
            monkeypatch.setattr("seqsae.maps.room.layout", lambda directions, *_: principal_axes(directions))
            done[path] = runpy.run_path(str(path)), folder
        return done[path]

    return once


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.stem)
def test_an_example_runs_from_encoder_to_report(path, run, monkeypatch, capsys):
    found, folder = run(path, monkeypatch)
    page = folder / found["page"]
    assert page.is_file() and path.stem in str(found["page"])
    rows = pl.concat(
        [pl.read_parquet(file) for file in (folder / "runs" / path.stem).glob("activations/full/rows-*.parquet")]
    )
    assert len(rows) == sum(len(item["token"]) for item in found["items"])
    first = [str(getattr(token, "item", lambda token=token: token)()) for token in found["items"][0]["token"]]
    assert rows.filter(pl.col("sample") == 0)["token"].to_list() == first


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.stem)
def test_an_example_is_short(path):
    """About ten lines of seqsae behind the caller's own collate."""
    source = path.read_text()
    body = ast.parse(source).body
    assigned = [
        node
        for node in body
        if isinstance(node, ast.Assign | ast.Expr) and node.lineno > source[: source.index("# From here")].count("\n")
    ]
    assert 8 <= len(assigned) <= 10


def test_what_the_page_shows_is_in_the_files():
    shown = re.findall(r"<!-- in (\S+) -->\n```python\n(.*?)^```$", PAGE, re.M | re.S)
    assert {name for name, _ in shown} == {path.name for path in OWN}
    for name, block in shown:
        assert block in (EXAMPLES / name).read_text(), name
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        assert (EXAMPLES / target).exists(), target


def test_the_sites_of_the_page_are_spelled_so():
    table = PAGE[PAGE.index("| site |") :].split("\n\n")[0]
    sites = re.findall(r"^\| `([^`]+)` \|", table, re.M)
    assert len(sites) == 10 and all(parse(site) for site in sites)
    assert parse("mix:in.1").parts == ("1",) and {parse(site).pool for site in sites} == {
        None,
        "mean",
        "cls",
        "last",
        "pooled",
    }


def test_the_doctor_says_what_the_page_shows(run, monkeypatch):
    """Every check with its mark and its words; figures of rounding are each machine's own."""
    found, _ = run(EXAMPLES / "own_recurrent.py", monkeypatch)
    [shown] = re.findall(r"<!-- doctor of own_recurrent.py -->\n```\n(.*?)^```$", PAGE, re.M | re.S)
    said = doctor(found["model"], found["data"])

    def rough(text: str) -> list[str]:
        return [
            re.sub(r"\b[\d.]+e-\d+\b|relative L2 [\d.e-]+|norm [\d.]+|[0-9a-f]{12}", "#", line)
            for line in text.split("\n")
        ]

    assert rough(shown.strip()) == rough(said)


def test_the_checks_that_the_page_names_are_there():
    table = PAGE[PAGE.index("| fault |") :].split("\n\n")[0]
    named = re.findall(r"`([^`]+)`", re.sub(r"^\|.*?\|", "", table, flags=re.M))
    assert len(named) > 8 and set(named) <= set(CHECKS)
