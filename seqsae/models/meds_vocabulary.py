"""The vocabulary of a code model: which id a code has, and which ids are no codes.

`vocabulary.json` (a list, or token -> id) or MEDS `codes.parquet` with a column `code/vocab_index`, counted from 1 with 0
for padding, as meds-transforms writes it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from seqsae.errors import SeqsaeError
from seqsae.files import read_json, read_parquet

FILES = ("vocabulary.json", "vocab.json", "codes.parquet", "metadata/codes.parquet")
INDEX = "code/vocab_index"
SPECIALS = {
    "pad": ("[PAD]", "<pad>", "PAD"),
    "unknown": ("[UNK]", "<unk>", "UNK"),
    "mask": ("[MASK]", "<mask>", "MASK"),
    "start": ("[CLS]", "<cls>", "CLS", "[BOS]", "<bos>", "BOS", "<s>"),
    "end": ("[SEP]", "<sep>", "SEP", "[EOS]", "<eos>", "EOS", "</s>"),
}
IN_CONFIG = {"pad": "pad_token_id", "mask": "mask_token_id", "start": "bos_token_id", "end": "eos_token_id"}


@dataclass(frozen=True)
class Vocabulary:
    """Ids of codes, from 0 to `size` - 1; None where the model has no such special token."""

    ids: dict[str, int]
    """Every token, specials by name among them."""
    size: int
    """Rows of the model's embedding table."""
    pad: int | None
    unknown: int | None
    mask: int | None
    start: int | None
    end: int | None

    def look_up(self, codes: np.ndarray) -> np.ndarray:
        """[n] int64 id of each code; that of the unknown token, else -1, where there is none."""
        other = -1 if self.unknown is None else self.unknown
        return np.fromiter((self.ids.get(code, other) for code in codes.tolist()), np.int64, len(codes))

    def special(self, role: str, wish: str | int) -> int | None:
        """The id that an option names: `auto` (the model's own), `none`, a token or an id.

        Raises:
            SeqsaeError: no such token, or no such id.
        """
        if wish in ("auto", "none"):
            return getattr(self, role) if wish == "auto" else None
        found = self.ids.get(wish) if isinstance(wish, str) else wish
        if found is None or not 0 <= found < self.size:
            raise SeqsaeError(f"meds: {role} = {wish!r} is no token of the vocabulary; give one, its id, or 'none'")
        return found

    @property
    def tokens(self) -> list[str]:
        """[size] what stands under each id: tokens that share one are joined, ids without one are empty."""
        held: list[list[str]] = [[] for _ in range(self.size)]
        for token, number in self.ids.items():
            held[number].append(token)
        return ["\x1f".join(sorted(names)) for names in held]


def read(folder: Path, given: Any, config: Any) -> Vocabulary:
    """The vocabulary of the model in `folder`.

    Args:
        given: a path, a list of tokens, a mapping token -> id, or None: one of `FILES` in the folder.
        config: the model's config: `vocab_size` and the ids of its special tokens. An id that the vocabulary gives to a code
            is the code's: configs often carry the ids of a text model.
    Raises:
        SeqsaeError: no vocabulary, one of another form, or ids beyond the model's.
    """
    where, table = _table(folder, given)
    size = config.vocab_size
    wrong = next((token for token, number in table.items() if not 0 <= number < size), None)
    if wrong is not None:
        raise SeqsaeError(
            f"{where}: {wrong!r} has id {table[wrong]}, but the model knows ids 0 to {size - 1}; they are of different models"
        )
    held = set(table.values())
    named = {role: next((table[name] for name in names if name in table), None) for role, names in SPECIALS.items()}
    if where.endswith(".parquet") and named["pad"] is None and 0 not in held:
        named["pad"] = 0
    for role, field in IN_CONFIG.items():
        number = getattr(config, field, None)
        free = isinstance(number, int) and 0 <= number < size and number not in held
        named[role] = number if named[role] is None and free else named[role]
    return Vocabulary(table, size, **named)


def _table(folder: Path, given: Any) -> tuple[str, dict[str, int]]:
    """Where it comes from, and token -> id."""
    if isinstance(given, Mapping):
        return "vocabulary", _checked(given.items(), "vocabulary")
    if isinstance(given, list | tuple):
        return "vocabulary", _listed(given, "vocabulary")
    if given is not None and not isinstance(given, str | Path):
        raise SeqsaeError(f"vocabulary = {given!r}: give a path, a list of tokens, or token -> id")
    file = _file(folder, given)
    return str(file), _of_codes(file) if file.suffix == ".parquet" else _of_json(file)


def _file(folder: Path, given: str | Path | None) -> Path:
    if given is None:
        found = next((folder / name for name in FILES if (folder / name).is_file()), None)
        if found is None:
            raise SeqsaeError(f"{folder}: no vocabulary there ({', '.join(FILES)}); put one there or give vocabulary=")
        return found
    for path in (Path(given), folder / given):
        if path.is_file():
            return path
    raise SeqsaeError(f"vocabulary {str(given)!r}: no such file, here or in {folder}; check the path")


def _of_json(file: Path) -> dict[str, int]:
    document = read_json(file, "write it again")
    if isinstance(document, dict) and isinstance(document.get("tokens"), list):
        document = document["tokens"]
    if isinstance(document, list):
        return _listed(document, str(file))
    if not isinstance(document, dict):
        raise SeqsaeError(f"{file}: is a {type(document).__name__}; give a list of tokens or an object token -> id")
    return _checked(document.items(), str(file))


def _of_codes(file: Path) -> dict[str, int]:
    table = read_parquet(file)
    if not {"code", INDEX} <= set(table.columns):
        raise SeqsaeError(f"{file}: needs the columns 'code' and {INDEX!r} for a vocabulary; run meds-transforms on it")
    pairs = table.select(pl.col("code").cast(pl.String), INDEX).drop_nulls().unique(maintain_order=True)
    return _checked(pairs.iter_rows(), str(file))


def _listed(tokens: Iterable, where: str) -> dict[str, int]:
    return _checked(((token, number) for number, token in enumerate(tokens)), where)


def _checked(pairs: Iterable[tuple[Any, Any]], where: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for token, number in pairs:
        if not isinstance(token, str) or not isinstance(number, int) or isinstance(number, bool):
            raise SeqsaeError(
                f"{where}: {token!r} -> {number!r}: tokens are text and ids whole numbers; write it again"
            )
        if found.setdefault(token, number) != number:
            raise SeqsaeError(f"{where}: {token!r} has two ids, {found[token]} and {number}; keep one")
    if not found:
        raise SeqsaeError(f"{where}: holds no tokens; give the vocabulary that the model was trained with")
    return found
