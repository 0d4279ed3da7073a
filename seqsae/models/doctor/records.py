"""A handful of records that show something: of the data, or invented where there is none."""

from collections.abc import Iterable
from itertools import islice

import numpy as np

from seqsae.errors import SeqsaeError
from seqsae.models.contract import SequenceModel
from seqsae.models.doctor.edits import is_list
from seqsae.records.record import Record

LOOKED_AT = 200  # records of the data, from the front
CHOSEN = (0.1, 0.3, 0.5, 0.7, 0.9)  # quantiles of their sizes
INVENTED = (5, 12, 19, 8)  # events or residues
RESIDUES = "ACDEFGHIKLMNPQRSTVWY"


def chosen(data: Iterable[Record]) -> list[Record]:
    """Five records of different size among the first of the data, or as many as there are."""
    found = sorted(islice(data, LOOKED_AT), key=size_of)
    found = [record for record in found if size_of(record) > 1] or found
    places = dict.fromkeys(int(share * len(found)) for share in CHOSEN)
    return [found[place] for place in places] if found else []


def size_of(record: Record) -> int:
    """Events, residues, or entries of the longest list of an item."""
    if record.item is not None:
        return max((len(value) for value in record.item.values() if is_list(value)), default=0)
    return len(record.code if record.sequence is None else record.sequence)


def invented(model: SequenceModel) -> list[Record]:
    """Random proteins, or random events from the model's vocabulary, whichever it reads.

    Raises:
        SeqsaeError: it reads neither.
    """
    for make in (_proteins, _events):
        records = make(model)
        try:
            if all(len(model.prepare(record)) for record in records):
                return records
        except (Exception, SystemExit):  # a model of the one kind can fail on the other in any way
            continue
    raise SeqsaeError(f"model {model.name!r}: reads neither random proteins nor events of its vocabulary; give --data")


def _proteins(_: SequenceModel) -> list[Record]:
    draw = np.random.default_rng(0)
    texts = ["".join(draw.choice(list(RESIDUES), n)) for n in INVENTED]
    return [Record(i, f"random-{i}", sequence=text) for i, text in enumerate(texts)]


def _events(model: SequenceModel) -> list[Record]:
    draw = np.random.default_rng(0)
    words = [word for word in model.vocabulary or () if word and word[0] not in "[<"][:50] or ["CODE//1", "CODE//2"]
    records = []
    for i, n in enumerate(INVENTED):
        days = np.sort(draw.integers(0, 9000, n)).astype("datetime64[D]").astype("datetime64[us]")
        codes = np.array(draw.choice(words, n), dtype=object)
        records.append(Record(i, i, days, codes, np.full(n, np.nan, "float32")))
    return records
