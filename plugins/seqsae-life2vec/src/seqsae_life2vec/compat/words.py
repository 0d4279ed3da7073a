"""The original's vocabulary file, `result.tsv`: ID, TOKEN, CATEGORY."""

import csv
from pathlib import Path

from seqsae.errors import SeqsaeError
from seqsae_life2vec.vocabulary import SPECIALS, UNK, Vocabulary


class OriginalVocabulary(Vocabulary):
    """Tokens as the original names them; an event's code is looked up whole, then by its part behind the last `//`."""

    def _id(self, name: str) -> int:
        found = self.index.get(name)
        return self.index.get(name.rpartition("//")[2], UNK) if found is None else found


def read(path: Path, n_tokens: int) -> OriginalVocabulary:
    """The vocabulary of a network of `n_tokens` tokens.

    Raises:
        SeqsaeError: no such file, not this format, ids that are not 0, 1, 2, ..., or another number of tokens.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file, delimiter="\t"))
        found = sorted((int(line["ID"]), line["TOKEN"]) for line in lines)
    except OSError as cause:
        raise SeqsaeError(f"{path}: {cause.strerror or cause}; give the vocabulary's result.tsv") from None
    except (KeyError, TypeError, ValueError, csv.Error):
        raise SeqsaeError(f"{path}: not a vocabulary; it needs the tab-separated columns ID and TOKEN") from None
    if [i for i, _ in found] != list(range(len(found))):
        raise SeqsaeError(
            f"{path}: its ids are not 0, 1, 2, ... up to {len(found) - 1}; give the file as it was written"
        )
    if len(found) != n_tokens:
        raise SeqsaeError(
            f"{path}: {len(found)} tokens but the network has {n_tokens}; give the vocabulary it was trained with"
        )
    tokens = [token for _, token in found]
    if None in tokens or tuple(tokens[: len(SPECIALS)]) != SPECIALS:
        raise SeqsaeError(f"{path}: does not start with {', '.join(SPECIALS)}; give the vocabulary it was trained with")
    return OriginalVocabulary(tokens)
