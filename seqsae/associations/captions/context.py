"""What stood before a row, and after it: each occurrence of a token as a stretch of rows over which it is told."""

import numpy as np
import scipy.sparse as sp

from seqsae.associations.captions.atoms import SEPARATOR
from seqsae.associations.captions.lines import stretches
from seqsae.associations.concept_spans import Part


class Occurrences:
    """Where each column of a matrix holds on a part's line, in order of columns, then rows."""

    def __init__(self, held: sp.csr_array, part: Part):
        """held: [n, A] of 0 and 1."""
        by_column = held.tocsc()
        by_column.sort_indices()
        self.shape = held.shape
        self.at = by_column.indices.astype(np.int64)
        self.column = np.repeat(np.arange(held.shape[1]), np.diff(by_column.indptr))
        sample = part.sample_of
        self.first, self.end = part.first[sample[self.at]], part.first[sample[self.at] + 1]
        same = np.zeros(len(self.at), bool)
        same[:-1] = (self.column[1:] == self.column[:-1]) & (self.first[1:] == self.first[:-1])
        self.next = np.where(same, np.append(self.at[1:], 0), self.end)
        """The next row of the sample with the same column, or the sample's end."""

    def seen(self, window: int | None) -> sp.csr_array:
        """[n, A]: it stood in one of the `window` rows before; None: in any row before."""
        end = np.minimum(self.next + 1, self.end)
        return self._filled(self.at + 1, end if window is None else np.minimum(end, self.at + 1 + window))

    def since(self) -> sp.csr_array:
        """[n, A]: it stands here or stood before."""
        return self._filled(self.at, self.next)

    def following(self) -> sp.csr_array:
        """[n, A]: it stands in the next row."""
        return self._filled(np.maximum(self.at - 1, self.first), self.at)

    def _filled(self, start: np.ndarray, end: np.ndarray) -> sp.csr_array:
        length = np.maximum(end - start, 0)
        rows, columns = stretches(start, length), np.repeat(self.column, length)
        return sp.csr_array((np.ones(len(rows), np.int8), (rows, columns)), shape=self.shape)


def latest(tokens: np.ndarray, names: list[str], numbers: np.ndarray, part: Part) -> sp.csr_array:
    """[n, len(numbers)]: of the tokens with the same first part up to `//`, that one stands here or stood last.

    Args:
        tokens: [n] token number of each row; names: their texts.
        numbers: tokens that are asked for; one without `//` is never told.
    """
    heads = [name.split(SEPARATOR)[0] if SEPARATOR in name else "" for name in names]
    number = {head: place for place, head in enumerate(sorted(set(heads) - {""}))}
    group = np.array([number.get(head, -1) for head in heads], dtype=np.int64)[tokens]
    at = np.flatnonzero(group >= 0)
    held = sp.csr_array((np.ones(len(at), np.int8), (at, group[at])), shape=(len(tokens), max(len(number), 1)))
    spans = Occurrences(held, part)
    column = np.full(len(names), -1)
    column[numbers] = np.arange(len(numbers))
    chosen = column[tokens[spans.at]] >= 0
    length = (spans.next - spans.at)[chosen]
    rows, columns = stretches(spans.at[chosen], length), np.repeat(column[tokens[spans.at[chosen]]], length)
    return sp.csr_array((np.ones(len(rows), np.int8), (rows, columns)), shape=(len(tokens), len(numbers)))
