import json

import pytest
from seqsae_protein.alphabet import Alphabet, char_encode, read

from seqsae.errors import SeqsaeError

TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"ACDEFGHIKLMNPQRSTVWY")


def test_ids_are_the_tokens_places():
    assert char_encode("ACY", Alphabet(TOKENS), "p").tolist() == [5, 6, 24]


@pytest.mark.parametrize("letter", list("XBZU*-") + ["[UNK]"[0], " ", "É"])
def test_an_unknown_letter_is_named_with_its_sequence_and_place(letter):
    with pytest.raises(SeqsaeError) as caught:
        char_encode(f"ACD{letter}F", Alphabet(TOKENS), "sp|P1")
    assert f"sequence 'sp|P1': letter {letter!r} at residue 4" in str(caught.value)
    assert "ACDEFGHIKLMNPQRSTVWY" in str(caught.value)


def test_small_letters_are_refused_with_the_remedy():
    with pytest.raises(SeqsaeError, match="letter 'a' at residue 2 is unknown; write residues as capital letters"):
        char_encode("Aa", Alphabet(TOKENS), "p")


def test_an_empty_sequence_is_refused():
    with pytest.raises(SeqsaeError, match="sequence 'p' has no residues"):
        char_encode("", Alphabet(TOKENS), "p")


def test_special_tokens_are_found_by_name_and_are_no_letters():
    bert = Alphabet(TOKENS)
    assert (bert.pad, bert.start, bert.end, bert.mask) == (0, 2, 3, 4)
    esm = Alphabet(("<cls>", "<pad>", "<eos>", "<unk>", *"LAG", ".", "-", "<null_1>", "<mask>"))
    assert (esm.pad, esm.start, esm.end, esm.mask) == (1, 0, 2, 10)
    assert set(esm.letters) == set("LAG.-")
    bare = Alphabet(tuple("ACD"))
    assert (bare.pad, bare.start, bare.end, bare.mask) == (None, None, None, None)


def test_vocabularies_with_longer_tokens_are_refused():
    with pytest.raises(SeqsaeError, match="token 'LL' has several characters"):
        Alphabet(("<pad>", "L", "LL"))
    with pytest.raises(SeqsaeError, match="token 'A' stands twice"):
        Alphabet(("A", "A"))
    with pytest.raises(SeqsaeError, match="no one-letter tokens"):
        Alphabet(("[PAD]",))


def test_both_vocabulary_files_read_alike(tmp_path):
    lines, tokenizer = tmp_path / "lines", tmp_path / "tokenizer"
    for folder in (lines, tokenizer):
        folder.mkdir()
    (lines / "vocab.txt").write_text("\n".join(TOKENS) + "\n\n")
    letters = {token: index for index, token in enumerate(TOKENS) if len(token) == 1}
    added = [{"id": index, "content": token} for index, token in enumerate(TOKENS[:5])]
    document = {"added_tokens": added, "model": {"type": "WordLevel", "vocab": letters}}
    (tokenizer / "tokenizer.json").write_text(json.dumps(document))
    assert read(lines).tokens == read(tokenizer).tokens == TOKENS


def test_unusable_vocabulary_files_are_named(tmp_path):
    with pytest.raises(SeqsaeError, match=r"no vocab\.txt and no tokenizer\.json"):
        read(tmp_path)
    (tmp_path / "tokenizer.json").write_text('{"model": {}}')
    with pytest.raises(SeqsaeError, match="no table of tokens and ids"):
        read(tmp_path)
    (tmp_path / "tokenizer.json").write_text('{"model": {"vocab": {"A": 0, "C": 2}}}')
    with pytest.raises(SeqsaeError, match="are not 0 to 1, each once"):
        read(tmp_path)
    (tmp_path / "vocab.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SeqsaeError, match="not a readable vocabulary"):
        read(tmp_path)
