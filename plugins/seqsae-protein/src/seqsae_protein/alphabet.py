"""One letter, one token: a model's character table, in place of a tokenizer.

A tokenizer that does not find its vocabulary file turns every residue into the unknown token without a word
(transformers 5 ignores `BertTokenizer(vocab_file=...)`). Here a letter that the model does not know is an error.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from seqsae.errors import SeqsaeError
from seqsae_protein import spiece

PAD = ("[PAD]", "<pad>")
START = ("[CLS]", "<cls>", "<s>", "<bos>", "<|bos|>")
END = ("[SEP]", "<eos>", "</s>", "<|eos|>")
MASK = ("[MASK]", "<mask>")
UNKNOWN = ("[UNK]", "<unk>")
WORD = "\u2581"  # stands before a letter in the vocabularies of SentencePiece, which take it for a word
BRACKETS = ("[]", "<>")  # a special token stands in one of these


@dataclass(frozen=True)
class Alphabet:
    """Token ids of residues and of special tokens."""

    tokens: tuple[str, ...]
    """Every token, at its id."""
    where: str = "vocabulary"
    """What the tokens were read from, for errors."""
    letters: dict[str, int] = field(init=False, repr=False)
    """Id of each token of one character: what a sequence may hold."""

    def __post_init__(self):
        longer = [token for token in self.tokens if len(token) != 1 and not _special(token)]
        if longer:
            raise SeqsaeError(
                f"{self.where}: token {longer[0]!r} has several characters; only models with a token for each "
                "residue can be read"
            )
        ids = {token: index for index, token in enumerate(self.tokens) if len(token) == 1}
        repeated = [token for token in self.tokens if token and self.tokens.count(token) > 1]
        if repeated or not ids:
            reason = f"token {repeated[0]!r} stands twice" if repeated else "no one-letter tokens"
            raise SeqsaeError(f"{self.where}: {reason}; give the vocabulary that the model was trained with")
        object.__setattr__(self, "letters", ids)

    @property
    def pad(self) -> int | None:
        """Id of the padding token; None if there is none, as of the others."""
        return self._first(PAD)

    @property
    def start(self) -> int | None:
        return self._first(START)

    @property
    def end(self) -> int | None:
        return self._first(END)

    @property
    def mask(self) -> int | None:
        return self._first(MASK)

    @property
    def unknown(self) -> int | None:
        return self._first(UNKNOWN)

    def _first(self, names: tuple[str, ...]) -> int | None:
        return next((self.tokens.index(name) for name in names if name in self.tokens), None)


def read(folder: Path) -> Alphabet:
    """The alphabet of a model folder: vocab.txt, tokenizer.json or spiece.model. Raises SeqsaeError if none can be used."""
    if (folder / "vocab.txt").is_file():
        return read_lines(folder / "vocab.txt")
    if (folder / "tokenizer.json").is_file():
        return _read_tokenizer(folder / "tokenizer.json")
    if (folder / "spiece.model").is_file():
        return Alphabet(_letters(spiece.pieces(folder / "spiece.model")), str(folder / "spiece.model"))
    raise SeqsaeError(
        f"{folder}: no vocab.txt, tokenizer.json or spiece.model there; put the model's vocabulary beside its weights"
    )


def read_lines(path: Path) -> Alphabet:
    """A vocabulary with a token on each line, in order of id."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as cause:
        raise SeqsaeError(
            f"{path}: not a readable vocabulary ({cause}); give a text file with a token a line"
        ) from None
    while lines and not lines[-1]:
        lines.pop()
    return Alphabet(tuple(lines), str(path))


def _read_tokenizer(path: Path) -> Alphabet:
    """A vocabulary from a tokenizers file: `model.vocab` and `added_tokens`, each token with its id."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        table = document["model"]["vocab"]  # token -> id, or in SentencePiece's kind [token, score] in order of id
        pairs = table.items() if isinstance(table, dict) else ((piece, place) for place, (piece, _) in enumerate(table))
        vocabulary = dict(pairs)
        vocabulary.update({token["content"]: token["id"] for token in document.get("added_tokens") or []})
        ids = {int(index): str(token) for token, index in vocabulary.items()}
    except (OSError, ValueError, KeyError, TypeError):
        raise SeqsaeError(f"{path}: no table of tokens and ids in it; give the model's vocab.txt instead") from None
    if sorted(ids) != list(range(len(vocabulary))):
        last = len(vocabulary) - 1
        raise SeqsaeError(f"{path}: its token ids are not 0 to {last}, each once; give the model's vocab.txt instead")
    return Alphabet(_letters(ids[index] for index in range(len(ids))), str(path))


def _letters(tokens: Iterable[str]) -> tuple[str, ...]:
    """Tokens without the mark of a word, but for the mark alone."""
    return tuple(token.removeprefix(WORD) or token for token in tokens)


def _special(token: str) -> bool:
    return len(token) > 2 and token[0] + token[-1] in BRACKETS
