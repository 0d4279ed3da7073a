"""A MEDS record as the four channels that the network reads: token, age, absolute time, segment.

L is the length of the input: [CLS], the background (rows without a time), then one position an event.
"""

from dataclasses import dataclass

import numpy as np

from seqsae.errors import SeqsaeError
from seqsae.records.record import Record
from seqsae_life2vec.vocabulary import CLS, Vocabulary, is_birth

REFERENCE = np.datetime64("2000-01-01", "us")
DAY = np.timedelta64(1, "D")
YEAR = 365.25  # days
UNKNOWN_AGE = -1.0
UNDATED = 0  # segment of [CLS], of the background and of padding
SEGMENTS = 3  # events that happen at one moment share a segment; the next moment takes the next of 1, 2, 3


@dataclass(frozen=True)
class Encoded:
    """One record as channels, and which of its events stand where. Position 0 is [CLS], the others are rows."""

    token: np.ndarray
    """[L] int64 ids."""
    age: np.ndarray
    """[L] float32 years since birth; UNKNOWN_AGE where there is no birth or no time."""
    time: np.ndarray
    """[L] float32 years since 2000-01-01; 0 where there is no time."""
    segment: np.ndarray
    """[L] int64: UNDATED, or 1 to 3."""
    event: np.ndarray
    """[L - 1] int64: index in the record of each position after [CLS]."""

    def __len__(self) -> int:
        return len(self.token)


def encode(record: Record, vocabulary: Vocabulary, max_length: int) -> Encoded:
    """The channels of a record of at most `max_length` positions: the earliest events are clipped, the background stays.

    A birth is no row; it gives the age. The numeric value of an event is not read.

    Raises:
        SeqsaeError: the record has no codes or times, they are not of one length, or its events are not in time order.
    """
    code, time = _columns(record)
    birth = np.array([is_birth(each) for each in code.tolist()], bool)
    dated = ~np.isnat(time)
    background, events = np.flatnonzero(~dated & ~birth), np.flatnonzero(dated & ~birth)
    if (np.diff(time[events]).astype(np.int64) < 0).any():
        raise SeqsaeError(f"subject {record.subject_id!r}: its events are not in time order; sort them by time")
    background = background[: max_length - 1]
    room = max_length - 1 - len(background)
    events = events[max(0, len(events) - room) :]
    born = time[birth & dated]
    when = time[events]
    front = 1 + len(background)
    return Encoded(
        token=np.concatenate([[CLS], vocabulary.ids(code[np.concatenate([background, events])])]),
        age=_padded(front, UNKNOWN_AGE, _ages(when, born)),
        time=_padded(front, 0.0, (when - REFERENCE) / DAY / YEAR),
        segment=np.concatenate([np.full(front, UNDATED), _segments(when)]),
        event=np.concatenate([background, events]),
    )


def _columns(record: Record) -> tuple[np.ndarray, np.ndarray]:
    """Codes as strings and times as datetime64[us], both [n]."""
    if record.code is None or record.time is None:
        raise SeqsaeError(
            f"subject {record.subject_id!r}: has no events with codes and times; life2vec reads MEDS records"
        )
    code, time = np.asarray(record.code).astype(str), np.asarray(record.time).astype("datetime64[us]")
    if len(code) != len(time):
        raise SeqsaeError(
            f"subject {record.subject_id!r}: {len(code)} codes but {len(time)} times; give one time a code"
        )
    return code, time


def _padded(front: int, filler: float, values: np.ndarray) -> np.ndarray:
    return np.concatenate([np.full(front, filler), values]).astype(np.float32)


def _ages(when: np.ndarray, born: np.ndarray) -> np.ndarray:
    """[n] years since the first birth row; events before it count as age 0."""
    if not len(born):
        return np.full(len(when), UNKNOWN_AGE)
    return np.maximum((when - born[0]) / DAY / YEAR, 0.0)


def _segments(when: np.ndarray) -> np.ndarray:
    """[n] 1, 2, 3, 1, ... by moment, counted from the latest so that clipping changes nothing."""
    moments = np.unique(when)
    return (len(moments) - 1 - np.searchsorted(moments, when)) % SEGMENTS + 1
