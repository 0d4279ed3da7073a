"""Artefacts are whole or absent, kept when nothing changed, resumed after a kill, and refused when damaged."""

import json

import polars as pl
import pytest

from seqsae import shelf
from seqsae.errors import SeqsaeError


def writer(calls, content=b"abc"):
    def write(work):
        calls.append(work)
        (work / "data.bin").write_bytes(content)

    return write


def test_a_stage_is_kept_when_nothing_changed_and_made_anew_when_something_did(tmp_path):
    calls = []
    one = shelf.stage(tmp_path / "a", "thing", {"x": 1}, {}, writer(calls))
    again = shelf.stage(tmp_path / "a", "thing", {"x": 1}, {}, writer(calls))
    assert len(calls) == 1 and one.hash == again.hash
    shelf.stage(tmp_path / "a", "thing", {"x": 2}, {}, writer(calls, b"other"))
    assert len(calls) == 2
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["data.bin", "manifest.json"]


def test_an_input_that_changes_makes_the_stage_anew(tmp_path):
    calls = []
    source = shelf.stage(tmp_path / "s", "source", {}, {}, writer([], b"1"))
    shelf.stage(tmp_path / "a", "thing", {}, {"source": source}, writer(calls))
    source = shelf.stage(tmp_path / "s", "source", {"v": 2}, {}, writer([], b"2"))
    shelf.stage(tmp_path / "a", "thing", {}, {"source": source}, writer(calls))
    assert len(calls) == 2


def test_a_failed_stage_leaves_the_old_artefact_and_is_resumed(tmp_path):
    shelf.stage(tmp_path / "a", "thing", {"x": 1}, {}, writer([], b"old"))

    def dies(work):
        (work / "first").write_text("done")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        shelf.stage(tmp_path / "a", "thing", {"x": 2}, {}, dies)
    assert (tmp_path / "a" / "data.bin").read_bytes() == b"old"
    seen = []
    shelf.stage(tmp_path / "a", "thing", {"x": 2}, {}, lambda work: seen.append((work / "first").read_text()))
    assert seen == ["done"] and (tmp_path / "a" / "first").exists()


def test_what_another_config_left_half_done_is_thrown_away(tmp_path):
    def dies(work):
        (work / "first").write_text("done")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        shelf.stage(tmp_path / "a", "thing", {"x": 2}, {}, dies)
    shelf.stage(tmp_path / "a", "thing", {"x": 3}, {}, writer([]))
    assert not (tmp_path / "a" / "first").exists()


@pytest.mark.parametrize("damage", [b"ab", b"abd", b""])
def test_a_damaged_file_is_refused_by_name_and_made_again(tmp_path, damage):
    made = shelf.stage(tmp_path / "a", "thing", {}, {}, writer([]))
    (tmp_path / "a" / "data.bin").write_bytes(damage)
    with pytest.raises(SeqsaeError, match="data.bin"):
        made.file("data.bin")
    calls = []
    shelf.stage(tmp_path / "a", "thing", {}, {}, writer(calls))
    assert len(calls) == 1


def test_the_manifest_names_every_file_and_no_time(tmp_path):
    made = shelf.stage(tmp_path / "a", "thing", {"x": 1}, {}, writer([]))
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    assert manifest["files"]["data.bin"]["sha256"] == shelf.sha256(tmp_path / "a" / "data.bin")
    assert set(manifest) == {"kind", "key", "config", "inputs", "versions", "files"}
    assert made.manifest == manifest


def test_wrong_folders_are_refused(tmp_path):
    with pytest.raises(SeqsaeError, match="no finished artefact"):
        shelf.open_artefact(tmp_path, "sae")
    shelf.stage(tmp_path / "a", "thing", {}, {}, writer([]))
    with pytest.raises(SeqsaeError, match="holds 'thing', not 'sae'"):
        shelf.open_artefact(tmp_path / "a", "sae")
    (tmp_path / "a" / "manifest.json").write_text("{")
    with pytest.raises(SeqsaeError, match="not a JSON document"):
        shelf.open_artefact(tmp_path / "a", "sae")
    (tmp_path / "file").write_text("")
    with pytest.raises(SeqsaeError, match="a file stands where"):
        shelf.stage(tmp_path / "file", "thing", {}, {}, writer([]))


@pytest.mark.parametrize("blocked", ["a.partial", "a.old", "a", ".", "broken"])
def test_a_file_where_a_folder_is_to_be_written_is_named_before_anything_is_made(tmp_path, blocked):
    room = tmp_path / "run" / "room"
    stands = room / blocked
    stands.parent.mkdir(parents=True)
    if blocked == "broken":
        stands = room / "a.partial"
        stands.symlink_to(tmp_path / "nowhere")
    else:
        stands.resolve().rmdir() if stands.is_dir() else None
        stands.write_text("mine")
    calls = []
    with pytest.raises(SeqsaeError) as refused:
        shelf.stage(room / "a", "thing", {}, {}, writer(calls))
    assert str(refused.value).startswith(f"{stands}: a file stands where a folder is to be written; remove it")
    assert not calls and (blocked == "broken" or stands.read_text() == "mine")


def test_a_file_that_a_manifest_does_not_name_is_told_with_a_remedy(tmp_path):
    made = shelf.stage(tmp_path / "a", "thing", {}, {}, writer([]))
    with pytest.raises(SeqsaeError, match=r"names no file 'x', it has data\.bin; delete .* and run the stage again"):
        made.file("x")
    empty = shelf.stage(tmp_path / "b", "thing", {}, {}, lambda work: None)
    with pytest.raises(SeqsaeError, match="names no file 'x', it has none; delete"):
        empty.table("x")


def test_unreadable_parquet_is_one_line(tmp_path):
    (tmp_path / "x.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(SeqsaeError, match="x.parquet: not a readable parquet file") as caught:
        shelf.read_parquet(tmp_path / "x.parquet")
    assert "\n" not in str(caught.value)


def test_the_hash_of_a_table_is_of_its_content():
    table = pl.DataFrame({"a": [1, 2, 3]})
    assert shelf.hash_table(table) == shelf.hash_table(pl.concat([table[:1], table[1:]], rechunk=False))
    assert shelf.hash_table(table) != shelf.hash_table(pl.DataFrame({"a": [1, 2, 4]}))
    assert shelf.hash_table(table) != shelf.hash_table(pl.DataFrame({"b": [1, 2, 3]}))


def test_a_locked_folder_is_refused_and_free_again_and_what_happens_inside_is_not_renamed(tmp_path):
    with (
        shelf.locked(tmp_path / "run"),
        pytest.raises(SeqsaeError, match="another seqsae run"),
        shelf.locked(tmp_path / "run"),
    ):
        pass
    with pytest.raises(BlockingIOError), shelf.locked(tmp_path / "run"):
        raise BlockingIOError("somebody's own")
    assert not list((tmp_path / "run").iterdir())


@pytest.mark.parametrize("left", [b"\xff\xfe\x00", b"", b"another"])
def test_a_partial_folder_of_who_knows_what_is_begun_anew(tmp_path, left):
    work = tmp_path / "a.partial"
    work.mkdir()
    (work / "key").write_bytes(left)
    (work / "rest").write_text("of another run")
    made = shelf.stage(tmp_path / "a", "thing", {}, {}, writer([]))
    assert sorted(made.manifest["files"]) == ["data.bin"] and not work.exists()


def test_an_artefact_counts_as_there_only_whole_and_of_its_kind(tmp_path):
    made = shelf.stage(tmp_path / "a", "thing", {}, {}, writer([]))
    key = made.manifest["key"]
    assert shelf.existing(made.path, "thing", key) is not None
    assert shelf.existing(made.path, "other", key) is None and shelf.existing(made.path, "thing", "0" * 64) is None
    manifest = json.loads((made.path / "manifest.json").read_text())
    (made.path / "manifest.json").write_text(json.dumps(manifest | {"kind": "other"}))
    assert shelf.existing(made.path, "thing", key) is None
    calls = []
    assert shelf.stage(tmp_path / "a", "thing", {}, {}, writer(calls)).manifest["kind"] == "thing" and len(calls) == 1
    (made.path / "data.bin").unlink()
    assert shelf.existing(made.path, "thing", key) is None
