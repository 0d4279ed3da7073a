import json

import pytest
from seqsae_protein.alphabet import Alphabet, read

from seqsae.errors import SeqsaeError

TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"ACDEFGHIKLMNPQRSTVWY")


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
    with pytest.raises(SeqsaeError, match=r"no vocab\.txt, tokenizer\.json or spiece\.model"):
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


def piece(text, kind=None):
    """A piece of a SentencePiece file: text, score 0.5 (4 bytes) and kind."""
    data = text.encode()
    body = (
        b"\x0a" + bytes([len(data)]) + data + b"\x15\x00\x00\x00\x3f" + (b"" if kind is None else bytes([0x18, kind]))
    )
    return b"\x0a" + bytes([len(body)]) + body


def test_the_vocabulary_of_prot_t5_reads_from_its_sentencepiece_file_and_from_tokenizers(tmp_path):
    tokens = ["<pad>", "</s>", "<unk>", *(f"\u2581{letter}" for letter in "ALGVXU")]
    data = b"".join(piece(token, 3 if token.startswith("<") else None) for token in tokens)
    trailer = b"\x12\x04\x0a\x02ab" + b"\x29" + bytes(8) + b"\x20\xac\x02"  # other fields of every wire type
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
    (one / "spiece.model").write_bytes(data + trailer)
    (other / "tokenizer.json").write_text(
        json.dumps({"model": {"type": "Unigram", "vocab": [[t, -1.0] for t in tokens]}})
    )
    alphabet = read(one)
    assert alphabet.tokens == read(other).tokens == ("<pad>", "</s>", "<unk>", *"ALGVXU")
    assert (alphabet.pad, alphabet.start, alphabet.end, alphabet.unknown, alphabet.mask) == (0, None, 1, 2, None)
    for cut in (1, len(data) - 3, len(data) // 2):
        (one / "spiece.model").write_bytes(data[:cut])
        with pytest.raises(SeqsaeError, match="not a readable SentencePiece model"):
            read(one)
    (one / "spiece.model").write_bytes(b"no such thing")
    with pytest.raises(SeqsaeError, match="not a readable SentencePiece model"):
        read(one)
