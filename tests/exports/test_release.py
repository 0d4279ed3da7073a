"""The release of a run in memory: whole or not at all, listed, harmless, and refused where it would tell too much."""

import csv as reader
import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from released.cohorts import CANARY, cohort, without  # noqa: E402

from seqsae.disclosure.policy import NAMED, Policy  # noqa: E402
from seqsae.disclosure.safe import LABEL, sealed  # noqa: E402
from seqsae.errors import SeqsaeError  # noqa: E402
from seqsae.exports import audit as audit_room  # noqa: E402
from seqsae.exports import release_files, releasing  # noqa: E402
from seqsae.exports.leaf import Leaf  # noqa: E402
from seqsae.exports.opened import Opened  # noqa: E402
from seqsae.exports.release_files import csv, harmless, write_files  # noqa: E402
from seqsae.ledger import note_opening  # noqa: E402

DEFAULT = NAMED["default"]


def study(run, one):
    run.mkdir(exist_ok=True, parents=True)
    return Opened(run, None, None, None, one.evidence, one.subjects)


@pytest.fixture(scope="module")
def one():
    return cohort(3)


@pytest.fixture(scope="module")
def done(one, tmp_path_factory):
    run = tmp_path_factory.mktemp("study") / "run"
    return releasing.released(study(run, one), DEFAULT, run / "release", None, inside=None)


def test_it_passes_the_audit_and_holds_what_its_manifest_says(done):
    assert done.passed, done.told
    found = {path.relative_to(done.path).as_posix() for path in done.path.rglob("*") if path.is_file()}
    manifest = json.loads((done.path / "manifest.json").read_text())
    assert found == {"manifest.json", *(one["path"] for one in manifest["files"])}
    assert {
        "report.html",
        "release_notes.txt",
        "tables/features.csv",
        "tables/associations.csv",
        "tables/crossed.csv",
    } <= found
    notes = (done.path / "release_notes.txt").read_text()
    assert all(path in notes for path in found)
    for entry in manifest["datasets"]:
        if entry["file"].endswith(".csv"):
            rows = list(reader.DictReader(io.StringIO((done.path / entry["file"]).read_text())))
            assert len(rows) == entry["n_rows"] and list(rows[0]) == list(entry["columns"])


def test_no_file_names_a_canary_and_no_number_is_exact(done, one):
    for path in done.path.rglob("*.*"):
        text = path.read_text()
        assert CANARY not in text and "98765" not in text, path
    table = pl.read_csv(done.path / "tables" / "associations.csv")
    assert (table["n"] % 5 == 0).all() and "note" not in table.columns
    assert all(len(f"{effect:g}") <= 4 for effect in table["effect"].abs())


def test_the_page_holds_the_tables_and_nothing_else(done):
    text = (done.path / "report.html").read_text()
    document = json.loads(text.split('<script type="application/json" id="data">')[1].split("</script>")[0])
    for name, columns in document["tables"].items():
        table = pl.read_csv(done.path / "tables" / f"{name}.csv", infer_schema_length=None)
        assert list(columns) == table.columns and len(next(iter(columns.values()))) == len(table)
    assert all("datasets" not in chart and "values" not in json.dumps(chart) for chart in document["charts"].values())


def test_the_same_people_may_go_again_one_less_may_not(one, done, tmp_path):
    run = done.path.parent
    again = releasing.released(study(run, one), DEFAULT, run / "release", None, inside=None)
    assert again.passed and len(json.loads((run / "ledger.json").read_text())["released"]) == 1
    with pytest.raises(SeqsaeError, match="D14.*nearly the same people"):
        releasing.released(study(run, without(one, 5)), DEFAULT, run / "release", None, inside=None)
    other = Policy(name="own", min_subjects=9, min_clusters=9, round_to=3)
    with pytest.raises(SeqsaeError, match="D14.*rounded to 5"):
        releasing.released(study(run, one), other, run / "release", None, inside=None)


def test_studies_that_share_a_ledger_are_held_against_each_other(one, tmp_path):
    shared = tmp_path / "ledger.json"
    shared.write_text("{}")
    first, second = (study(tmp_path / name, each) for name, each in (("a", one), ("b", without(one, 5))))
    assert releasing.released(first, DEFAULT, tmp_path / "a" / "release", None, inside=None).passed
    assert (tmp_path / "a" / "ledger.json").stat().st_mode & 0o077 == 0
    with pytest.raises(SeqsaeError, match="D14"):
        releasing.released(second, DEFAULT, tmp_path / "b" / "release", None, inside=None)
    assert not (tmp_path / "b" / "release").exists() and not (tmp_path / "b" / "ledger.json").exists()


def test_a_release_without_a_list_that_studies_share_says_so(tmp_path, monkeypatch):
    from seqsae.exports import released_before as before

    said = []
    monkeypatch.setattr(before, "say", said.append)
    before.ledgers(tmp_path / "run", tmp_path / "shared.json")
    assert before.ledgers(tmp_path / "run", None) == [tmp_path / "run" / "ledger.json"]
    assert len(said) == 1 and "no list that studies of the same people share" in said[0]


def test_a_site_with_a_large_threshold_may_release(one, tmp_path):
    wide = Policy(name="wide", min_subjects=30, min_clusters=5, round_to=3)
    done = releasing.released(study(tmp_path / "run", one), wide, tmp_path / "out", None, inside=None)
    assert done.passed and "fewer than 30 of those" in (done.path / "report.html").read_text()


ENTRIES = [
    "{}",
    '{"cohorts": 3}',
    '{"cohorts": {"everybody": 5}}',
    '{"cohorts": {}, "min_subjects": "a"}',
    '{"cohorts": {"everybody": "!"}}',
]
LEDGERS = [
    "[]", "{", '{"released": 3}', '{"released": [1]}', '{"key": "short"}', '{"released": [{"cohorts": {}}]}',
    *(f'{{"key": "{"0" * 64}", "released": [{entry}]}}' for entry in ENTRIES),
]  # fmt: skip


@pytest.mark.parametrize("text", LEDGERS)
def test_a_ledger_that_cannot_be_read_is_not_forgotten(one, tmp_path, text):
    made = study(tmp_path / "run", one)
    (tmp_path / "run" / "ledger.json").write_text(text)
    with pytest.raises(SeqsaeError, match="ledger.json"):
        releasing.released(made, DEFAULT, tmp_path / "run" / "release", None, inside=None)
    assert (tmp_path / "run" / "ledger.json").read_text() == text


def test_a_further_look_at_the_test_split_forgets_no_release(done):
    path = done.path.parent / "ledger.json"
    before = json.loads(path.read_text())
    path.write_text(json.dumps(before | {"test_opened": []}))
    look = SimpleNamespace(path=Path("associations/sae/full"), manifest={"key": "0"})
    note_opening(path, look)
    note_opening(path, look)
    after = json.loads(path.read_text())
    assert len(after.pop("test_opened")) == 1 and after == {name: before[name] for name in ("key", "released")}


def test_a_refused_release_stands_aside_with_the_findings_and_is_not_listed(one, tmp_path, monkeypatch):
    found = audit_room.Findings((audit_room.Violation("D1", "tables/x.csv:2", "a small count", "merge it"),), ())
    monkeypatch.setattr(audit_room, "audit", lambda folder, run=None: found)
    made = releasing.released(study(tmp_path / "run", one), DEFAULT, tmp_path / "run" / "release", None, inside=None)
    assert (
        not made.passed
        and made.path == tmp_path / "run" / "release.refused"
        and "D1" in (made.path / "findings.txt").read_text()
    )
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"release.refused"}


def test_what_is_no_release_is_not_written_over(one, tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(SeqsaeError, match="something that is no release"):
        releasing.released(study(tmp_path / "run", one), DEFAULT, tmp_path / "mine", None, inside=None)


def test_other_artefacts_are_not_written_over_and_an_old_release_stays_until_the_new_one_stands(
    one, tmp_path, monkeypatch
):
    run = tmp_path / "run"
    (run / "records").mkdir(parents=True)
    (run / "records" / "manifest.json").write_text('{"kind": "records"}')
    for place in (run / "records", run / "records" / ".."):
        with pytest.raises(SeqsaeError, match="something that is no release"):
            releasing.released(study(run, one), DEFAULT, place, None, inside=None)
    (tmp_path / "link").symlink_to(run / "release")
    made = releasing.released(study(run, one), DEFAULT, tmp_path / "link", None, inside=None)
    assert made.passed and made.path == run / "release"
    found = audit_room.Findings((audit_room.Violation("D1", "tables/x.csv:2", "a small count", "merge it"),), ())
    with monkeypatch.context() as patch:
        patch.setattr(audit_room, "audit", lambda folder, run=None: found)
        again = releasing.released(study(run, one), DEFAULT, run / "release", None, inside=None)
    assert not again.passed and audit_room.audit(run / "release").passed
    (run / "release.refused" / "manifest.json").unlink()
    with pytest.raises(SeqsaeError, match="release.refused: something that is no release"):
        releasing.released(study(run, one), DEFAULT, run / "release", None, inside=None)


def test_a_release_that_came_in_between_is_seen(one, tmp_path, monkeypatch):
    """Another study of nearly the same people is released while this one is written: the list is looked at again."""
    shared, audit = tmp_path / "shared.json", audit_room.audit

    def meanwhile(folder, run=None):
        with monkeypatch.context() as patch:
            patch.setattr(audit_room, "audit", audit)
            other = study(tmp_path / "b", without(one, 5))
            assert releasing.released(other, DEFAULT, tmp_path / "b" / "release", shared, inside=None).passed
        return audit(folder, run=run)

    monkeypatch.setattr(audit_room, "audit", meanwhile)
    with pytest.raises(SeqsaeError, match="D14"):
        releasing.released(study(tmp_path / "a", one), DEFAULT, tmp_path / "a" / "release", shared, inside=None)
    assert not (tmp_path / "a" / "ledger.json").exists() and not (tmp_path / "a" / "release").exists()
    assert len(json.loads(shared.read_text())["released"]) == 1


def test_only_safe_tables_are_written(tmp_path):
    with pytest.raises(TypeError, match="only a SafeTable may leave"):
        write_files(tmp_path, [Leaf("x", "row", "what", pl.DataFrame({"a": [1]}))], DEFAULT, "title")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "text", ["=CMD()", " =CMD()", "+1", "-x", "@a", "\tb", "a,b", 'say "x"', "two\nlines", "‮rtl", "x" * 10_000]
)
def test_any_text_is_harmless_in_a_table(text):
    table = sealed(("name",), DEFAULT, [{"name": text}], {"name": LABEL}, ("D1",), {})
    (cell,) = list(reader.reader(io.StringIO(csv(table))))[1]
    assert not cell.lstrip().startswith(("=", "+", "-", "@", "\t")) and cell in (harmless(text), text)
    assert release_files.harmless("plain") == "plain"


def test_too_few_people_release_nothing(tmp_path):
    with pytest.raises(SeqsaeError, match="fewer subjects or clusters"):
        releasing.released(
            study(tmp_path / "run", cohort(4, n=12)), DEFAULT, tmp_path / "run" / "release", None, inside=None
        )
    assert not np.any([path.is_dir() for path in (tmp_path / "run").iterdir()])
