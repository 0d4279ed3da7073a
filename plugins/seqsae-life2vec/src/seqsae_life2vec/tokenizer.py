"""A MEDS record as a Life2Vec document: [CLS] background [SEP] moment [SEP] moment [SEP] ..., five channels a position.

A moment is all rows of one subject and time: what Life2Vec calls a sentence. L is the length of the document.
"""

from dataclasses import dataclass

import numpy as np

from seqsae.errors import SeqsaeError
from seqsae.records.record import Record
from seqsae_life2vec.birth import births, tokens_of_birth
from seqsae_life2vec.layout import Layout
from seqsae_life2vec.vocabulary import CLS, SEP, SPECIALS, UNK, Vocabulary, is_birth

DAY = np.timedelta64(1, "D")
YEAR = 365.25  # days
UNKNOWN_AGE = -1.0
CYCLE = np.array([2, 3, 1])  # segments of the moments, from the first of the record on; background 1, padding 0
PREFIX = 0  # `moment` of [CLS], the background and their [SEP]


@dataclass(frozen=True)
class Encoded:
    """One record as channels, and which of its events stand where."""

    token: np.ndarray
    """[L] int64 ids."""
    age: np.ndarray
    """[L] float32 years since birth; 0 in the prefix, UNKNOWN_AGE without a birth."""
    time: np.ndarray
    """[L] float32 days since the reference date, itself day 1; 0 in the prefix."""
    segment: np.ndarray
    """[L] int64, 1 to 3."""
    dated: np.ndarray
    """[L] bool: False on [CLS] and the background, which get no time embeddings."""
    moment: np.ndarray
    """[L] int64: PREFIX, or 1, 2, ... for the moments that are there."""
    event: np.ndarray
    """[L] int64: index in the record of what stands there; -1 on [CLS] and [SEP], which are no rows."""
    name: np.ndarray
    """[rows] str: the token of each row before roll-up."""
    counts: dict[str, int]
    """`events` and `background` rows read, and how many were clipped, unknown, before birth, a second birth or had a value that is
    not read; `long_moments` and `long_newest_moments`: moments, and newest ones, alone longer than the document; `without_birth`: 1 if so."""

    def __len__(self) -> int:
        return len(self.token)

    @property
    def row(self) -> np.ndarray:
        """[L] bool: what an activation row is made of."""
        return self.event >= 0


def encode(record: Record, vocabulary: Vocabulary, layout: Layout) -> Encoded:
    """The document of a record: of more than `max_length` positions the latest whole moments stay, and the background.

    Raises:
        SeqsaeError: the record has no codes or times, they are not of one length, or its events are not in time order.
    """
    code, time = _columns(record)
    birth = np.fromiter((is_birth(each) for each in code.tolist()), bool, len(code))
    dated = ~np.isnat(time)
    born = births(record)
    background, events = np.flatnonzero(~dated & ~birth), np.flatnonzero(dated & ~birth)
    if (np.diff(time[events]).astype(np.int64) < 0).any():
        raise SeqsaeError(f"subject {record.subject_id!r}: its events are not in time order; sort them by time")
    names = vocabulary.names(code, record.numeric_value).astype(object)
    prefix = _prefix(record, layout, born, background, names)
    sizes = np.unique(time[events], return_counts=True)[1]
    room = layout.max_length - len(prefix[0]) - 1 - layout.separators
    long, kept = sizes + layout.separators > room, _kept(sizes, room, layout.separators)
    shown = events[np.repeat(kept, sizes)]
    parts = _assemble(layout, prefix, shown, sizes[kept], CYCLE[np.arange(len(sizes)) % 3][kept])
    first = time[born[0]] if len(born) else np.datetime64("NaT", "us")
    channels = _times(parts["at"], parts["moment"] > PREFIX, time, first, layout)
    name = np.concatenate([prefix[1], names[shown]]).astype(str)
    token = _tokens(parts["event"], vocabulary.ids(name))
    counts = {
        "events": len(shown),
        "background": len(prefix[0]),
        "events_clipped": len(events) - len(shown),
        "background_clipped": prefix[2],
        "unknown": int((token == UNK).sum()),
        "before_birth": int((time[shown] < first).sum()),
        "second_births": max(0, len(born) - 1),
        "without_birth": int(not len(born)),
        "long_moments": int(long.sum()),
        "long_newest_moments": int(long[-1:].sum()),
        "unread_values": _unread(record, code, np.concatenate([background, shown]), vocabulary),
    }
    del parts["at"]
    return Encoded(token=token, **channels, **parts, name=name, counts=counts)


def _columns(record: Record) -> tuple[np.ndarray, np.ndarray]:
    """Codes as strings and times as datetime64[us], both [n]."""
    if record.code is None or record.time is None:
        raise SeqsaeError(
            f"subject {record.subject_id!r}: has no events with codes and times; life2vec reads MEDS records"
        )
    code, time = np.asarray(record.code).astype(str), np.asarray(record.time).astype("datetime64[us]")
    if len(code) != len(time) or (record.numeric_value is not None and len(record.numeric_value) != len(code)):
        raise SeqsaeError(
            f"subject {record.subject_id!r}: {len(code)} codes but {len(time)} times; give one time (and value) a code"
        )
    return code, time


def _unread(record: Record, code: np.ndarray, rows: np.ndarray, vocabulary: Vocabulary) -> int:
    """How many of the rows have a value that no quantile tells."""
    if record.numeric_value is None:
        return 0
    given = np.isfinite(np.asarray(record.numeric_value, float)[rows])
    return sum(each not in vocabulary.edges for each in code[rows][given].tolist())


def _prefix(record: Record, layout: Layout, born: np.ndarray, background: np.ndarray, names: np.ndarray):
    """Record indices and names of the background rows that fit with one event, the birth's last; how many do not."""
    room = layout.max_length - layout.least
    extra = tokens_of_birth(record) if layout.birth_tokens else []
    rows = np.concatenate([background, np.repeat(born[:1], len(extra))]).astype(np.int64)
    return rows[:room], np.concatenate([names[background], np.array(extra, object)])[:room], max(0, len(rows) - room)


def _kept(sizes: np.ndarray, room: int, separators: bool) -> np.ndarray:
    """[moments] bool: the latest that fit whole into `room`; one that is longer than all the room is passed over."""
    lengths = sizes + separators
    fits = lengths <= room
    taken = np.cumsum(np.where(fits, lengths, 0)[::-1])[::-1]
    return fits & (taken <= room)


def _assemble(layout: Layout, prefix: tuple, shown: np.ndarray, sizes: np.ndarray, segments: np.ndarray) -> dict:
    """Moment, segment, dated and event of each position, and `at`: the record index whose time holds there."""
    sep = int(layout.separators)
    front = 1 + len(prefix[0]) + sep
    moment = np.concatenate([np.full(front, PREFIX), np.repeat(np.arange(1, len(sizes) + 1), sizes + sep)])
    event = np.full(front + len(shown) + sep * len(sizes), -1, np.int64)
    place = front + np.arange(len(shown)) + sep * np.repeat(np.arange(len(sizes)), sizes)
    event[1 : 1 + len(prefix[0])] = prefix[0]
    event[place] = shown
    last = np.cumsum(sizes) - 1
    at = np.concatenate([np.full(front, -1), np.repeat(shown[last] if len(shown) else shown, sizes + sep)])
    dated = np.arange(len(event)) >= front - sep
    segment = np.concatenate([np.ones(front, np.int64), np.repeat(segments, sizes + sep)])
    return {"moment": moment, "segment": segment, "dated": dated, "event": event, "at": at}


def _times(at: np.ndarray, dated: np.ndarray, time: np.ndarray, first: np.datetime64, layout: Layout) -> dict:
    """Age and absolute position of each position; events before birth count as age 0."""
    when = time[at[dated]]
    days = (when - np.datetime64(layout.reference, "us")) / DAY + 1
    years = (when - first) / DAY / YEAR
    if layout.whole_units:
        days, years = np.floor(days), np.floor(years)
    age, position = np.zeros(len(at), np.float32), np.zeros(len(at), np.float32)
    age[dated] = UNKNOWN_AGE if np.isnat(first) else np.maximum(years, 0.0)
    position[dated] = days
    return {"age": age, "time": position}


def _tokens(event: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """[L] ids: [CLS] in front, [SEP] wherever else no event stands."""
    token = np.full(len(event), SEP, np.int64)
    token[0] = CLS
    token[event >= 0] = ids
    assert ids.min(initial=UNK) >= len(SPECIALS) - 1  # no event is a special, [UNK] apart
    return token
