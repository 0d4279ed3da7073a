"""Files of sequences: what is kept as given, and what is a named policy."""

import gzip

import polars as pl
import pytest

import seqsae
from seqsae import progress
from seqsae.errors import SeqsaeError
from seqsae.records import sequences


def read(tmp_path, text, name="s.fasta", **policies):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return sequences.read(path, **policies)


def names(data):
    return data.subjects["subject_id"].to_list()


def test_gaps_and_stops_stay_where_they_are(tmp_path):
    data = read(tmp_path, ">a\n--AC.D*\nEF*\n")
    assert data[0].sequence == "--AC.D*EF*"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_blank_lines_and_a_byte_order_mark_are_no_residues(tmp_path, end):
    data = read(tmp_path, "\ufeff" + end.join([">a x", "AC", "", "DE  ", ">b", "\tMK"]))
    assert names(data) == ["a", "b"] and [record.sequence for record in data] == ["ACDE", "MK"]


@pytest.mark.parametrize("name", ["s.fasta.gz", "s.fasta"])
def test_gzip_is_known_by_its_bytes_also_in_several_members(tmp_path, name):
    data = read(tmp_path, gzip.compress(b">a\nAC\n", mtime=0) + gzip.compress(b">b\nMK\n", mtime=0), name)
    assert names(data) == ["a", "b"]
    assert [record.sequence for record in read(tmp_path, ">c\nAC\n", "plain.fa.gz")] == ["AC"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (">a\nAC>b\nDE\n", "sequence 'a' holds '>' at residue 3; a header begins its line"),
        (">a\nAC DE\n", "holds ' ' at residue 3"),
        (">a\nAC\x00DE\n", "holds '\\\\x00' at residue 3"),
        (">a\nAC\u017fE\n", "holds '\u017f' at residue 3"),
        (">a\nAC\u00dfE\n", "holds '\u00df' at residue 3"),
        (">a\n;comment\nAC\n", "holds ';' at residue 1"),
        (">  \nAC\n", "line 1: a header without a name"),
        ("\n\nAC\n>a\n", "line 3: sequence before the first"),
        (">a\nAC\n>b\n", "'b' is empty"),
        (">a\nAC\n>a\nDE\n", "'a' stands twice"),
        (b">a\nAC\xff\n", "not a readable text file"),
        (gzip.compress(b">a\nAC\n" * 99, mtime=0)[:-5], "not a readable text file"),
        (b"\x1f\x8b", "not a readable text file"),
    ],
)
def test_what_is_no_sequence_is_one_line(tmp_path, text, complaint):
    with pytest.raises(SeqsaeError, match=complaint) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_small_letters_are_counted_or_refused(tmp_path, capsys):
    text = ">a\nACde\n>b\nAC\n"
    with progress.shown():
        assert [record.sequence for record in read(tmp_path, text)] == ["ACDE", "AC"]
    assert "1 of 2 sequences have small letters, read as capitals" in capsys.readouterr().err
    with pytest.raises(SeqsaeError, match="'a' has small letters"):
        read(tmp_path, text, case="refuse")


def test_names_that_stand_twice_can_be_numbered_and_none_is_taken(tmp_path, capsys):
    text = "".join(f">{name}\nAC\n" for name in ("a", "a", "a#2", "b", "a", "a#2"))
    with progress.shown():
        assert names(read(tmp_path, text, duplicates="number")) == ["a", "a#3", "a#2", "b", "a#4", "a#2#2"]
    assert "3 names stand more than once and were numbered" in capsys.readouterr().err
    pl.DataFrame({"subject_id": [1, 1], "sequence": ["AC", "DE"]}).write_parquet(tmp_path / "n.parquet")
    with pytest.raises(SeqsaeError, match="only text names can be numbered"):
        sequences.read(tmp_path / "n.parquet", duplicates="number")


def test_a_policy_that_is_none_is_refused(tmp_path):
    with pytest.raises(SeqsaeError, match="duplicates = 'drop'; it is 'refuse' or 'number'"):
        read(tmp_path, ">a\nAC\n", duplicates="drop")


def test_annotations_count_in_the_sequence_as_given(tmp_path):
    (tmp_path / "s.fasta").write_text(">a\n--AC*\n")
    spans = {"subject_id": ["a"], "start": [2], "end": [4], "covariate": ["r"], "value": ["x"]}
    pl.DataFrame(spans).write_parquet(tmp_path / "annotations.parquet")
    data = seqsae.dataset(tmp_path)
    ((start, end),) = data.annotations.select("start", "end").rows()
    assert data[0].sequence[start:end] == "AC"
