"""Files read and written with one kind of error."""

import json

import pytest

from seqsae.errors import SeqsaeError
from seqsae.files import read_json, write_json
from seqsae.progress import say, shown


def test_a_byte_order_mark_is_no_part_of_a_document(tmp_path):
    (tmp_path / "a.json").write_bytes(b"\xef\xbb\xbf" + json.dumps({"a": "ü"}, ensure_ascii=False).encode())
    assert read_json(tmp_path / "a.json", "mend it") == {"a": "ü"}


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"{", "Expecting"), (b"\xff", "decode"), (b"[" * 100_000, "nested too deep"), (None, "Is a directory")],
    ids=["cut", "no text", "deep", "a folder"],
)
def test_what_is_no_document_is_refused_in_one_line(tmp_path, content, says):
    file = tmp_path / "a.json"
    file.mkdir() if content is None else file.write_bytes(content)
    with pytest.raises(SeqsaeError, match=says) as refused:
        read_json(file, "mend it")
    assert "mend it" in str(refused.value) and "\n" not in str(refused.value)


def test_a_document_that_cannot_be_put_in_place_leaves_nothing_beside_it(tmp_path):
    (tmp_path / "a.json").mkdir()
    with pytest.raises(IsADirectoryError) as refused:
        write_json(tmp_path / "a.json", {})
    assert refused.value.filename == str(tmp_path / "a.json")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_line_of_progress_is_one_line_whatever_it_quotes(capsys):
    with shown():
        say("  lacks A\nerror: x, \x1b[31mB\u202e\r, ß")
    assert capsys.readouterr().err == "  lacks A error: x,  [31mB  , ß\n"
