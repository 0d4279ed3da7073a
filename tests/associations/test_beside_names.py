"""What features beside may be called and where they may lie."""

import json
from pathlib import Path

import pytest

from seqsae import SeqsaeError, shelf
from seqsae.associations import beside

NAMES = ["a\nb", "\x1b[31m", "a/b", "../b", "a b", "é", "x" * 65, "x" * 10_000, "a\x00"]


@pytest.mark.parametrize("name", NAMES)
def test_names_that_would_not_stand_everywhere_are_refused(name):
    with pytest.raises(SeqsaeError, match="a name has 1 to 64 letters, digits and signs of -_.") as refused:
        beside.opened([f"{name}=folder"])
    assert len(str(refused.value)) < 200 and str(refused.value).isprintable()
    with pytest.raises(SeqsaeError, match="1 to 64 letters"):
        beside.check_beside(None, {name: None})


@pytest.mark.parametrize("name", ["random-model", "Seed_1.b", "7", "x" * 64])
def test_plain_names_are_taken(name):
    beside.check_name(name)


def features_at(folder: Path) -> None:
    made = shelf.stage(folder / "made", "features", {}, {}, lambda work: (work / "x").write_bytes(b"x"))
    (folder / shelf.MANIFEST).write_text(json.dumps(made.manifest))


def test_features_in_a_folder_given_by_a_short_path(tmp_path, monkeypatch):
    """`.` has no parents of its own: its place counts, not how it is written."""
    features_at(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SeqsaeError, match="give features in a whole run folder, RUN/features/NAME/VIEW"):
        beside.open_beside(".")


@pytest.mark.parametrize("shallow", ["/", "/x", "/x/y"])
def test_features_too_near_the_root_are_in_no_run(shallow, monkeypatch):
    monkeypatch.setattr(shelf, "open_artefact", lambda *_: None)
    with pytest.raises(SeqsaeError, match="lie in no run folder; give RUN/features/NAME/VIEW"):
        beside.open_beside(shallow)


def test_an_endless_folder_is_told_shortly():
    with pytest.raises(SeqsaeError) as refused:
        beside.opened([f"={'x' * 10_000}"])
    assert len(str(refused.value)) < 400 and "write NAME=FOLDER" in str(refused.value)
