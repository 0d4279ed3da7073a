"""What a record's birth says: the moment, and the month and year as tokens of the background."""

import numpy as np

from seqsae.records.record import Record
from seqsae_life2vec.vocabulary import is_birth


def births(record: Record) -> np.ndarray:
    """Indices of the dated birth rows, in the order of the record."""
    code, time = np.asarray(record.code).astype(str), np.asarray(record.time).astype("datetime64[us]")
    born = np.fromiter((is_birth(each) for each in code.tolist()), bool, len(code))
    return np.flatnonzero(born & ~np.isnat(time))


def tokens_of_birth(record: Record) -> list[str]:
    """`MONTH_m` and `YEAR_y` of the first birth, as in the published background; none without a birth."""
    found = births(record)
    if not len(found):
        return []
    month = int(np.asarray(record.time)[found[0]].astype("datetime64[M]").astype(int))  # since 1970-01
    return [f"MONTH_{month % 12 + 1}", f"YEAR_{1970 + month // 12}"]
