"""A MEDS record as one row of ids: a start token, the static rows, then the events as far as they fit, newest kept.

n is the number of rows of a record, L that of positions of the model's input.
"""

from collections import Counter
from dataclasses import dataclass, field, fields

import numpy as np

from seqsae.errors import SeqsaeError
from seqsae.models.meds_vocabulary import Vocabulary
from seqsae.records.code_table import listed
from seqsae.records.record import Record

BIRTH = "MEDS_BIRTH"
YEAR = np.timedelta64(31_557_600, "s")  # 365.25 days
CHOICES = {"static": ("front", "leave-out"), "time_as": ("none", "age-position-ids")}


@dataclass(frozen=True)
class Layout:
    """How records become input."""

    max_length: int
    """Positions the model reads, special tokens counted."""
    static: str = "front"
    """Rows without a time: `front`, before all events, or `leave-out`."""
    time_as: str = "none"
    """`age-position-ids`: the position id of a row is its subject's age in whole years (static and special rows: 0), as
    CEHR-BERT brings age in beside the code; `none`: positions are counted."""
    start: str | int = "auto"
    """Token put in front: `auto` (the vocabulary's [CLS] or [BOS], or the config's), `none`, a token or an id."""
    end: str | int = "none"
    """Token put at the end, in the same words."""

    def __post_init__(self):
        for name in ("start", "end"):
            if type(getattr(self, name)) not in (str, int):
                raise SeqsaeError(f"meds: {name} = {getattr(self, name)!r}; it is 'auto', 'none', a token or its id")
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                raise SeqsaeError(f"meds: {name} = {getattr(self, name)!r}; it is one of {', '.join(known)}")
        if self.max_length < 3:
            raise SeqsaeError(f"meds: max_length = {self.max_length}; give 3 positions or more")


@dataclass
class Losses:
    """What did not reach the model, counted over records."""

    records: int = 0
    unknown: Counter = field(default_factory=Counter)
    """Code -> rows of a code outside the vocabulary."""
    clipped: int = 0
    """Rows clipped from the left."""
    shortened: int = 0
    """Records that lost some."""
    static: int = 0
    """Static rows for which there was no place."""
    cut: int = 0
    """Records whose newest moment alone is longer than the input: cut apart."""
    unborn: int = 0
    """Records without a birth, whose age counts from their first event."""
    values: int = 0
    """Rows whose numeric value is not read."""

    def lines(self, kept_as: str) -> list[str]:
        """A line for each kind of loss; `kept_as` says what becomes of unknown codes."""
        common = listed([code for code, _ in self.unknown.most_common()], self.unknown)
        said = {
            f"{self.unknown.total():,} rows of {len(self.unknown):,} codes outside the vocabulary {kept_as}: {common}": self.unknown,
            f"{self.shortened:,} of {self.records:,} records exceed the model: {self.clipped:,} of their oldest rows clipped": self.clipped,
            f"{self.static:,} static rows had no place": self.static,
            f"{self.cut:,} records have a moment longer than the model: its first rows clipped": self.cut,
            f"{self.unborn:,} of {self.records:,} records have no {BIRTH}: age counted from their first event": self.unborn,
            f"{self.values:,} rows have values, which this model does not read": self.values,
        }
        return [line for line, counts in said.items() if counts]


@dataclass(frozen=True)
class Laid:
    """One record as input."""

    ids: np.ndarray
    """[L] int64."""
    rows: np.ndarray
    """[L] bool: True where a row of the record stands, False on special tokens."""
    event: np.ndarray
    """[rows] int64 index in the record."""
    positions: np.ndarray | None
    """[L] int64 position ids, None if they are counted."""


def lay_out(record: Record, words: Vocabulary, layout: Layout, lost: Losses) -> Laid:
    """The input of a record; what is left out is added to `lost`. A birth that the vocabulary lacks is no row.

    Raises:
        SeqsaeError: the record has no codes and times, or its events are not in time order.
    """
    if record.code is None or record.time is None:
        raise SeqsaeError(f"subject {record.subject_id!r}: has no events with codes and times; meds reads MEDS records")
    ids, births = words.look_up(record.code), _births(record.code)
    strange = np.array([code not in words.ids for code in record.code.tolist()], bool)
    ids[strange & births] = -1
    lost.records += 1
    lost.unknown.update(np.asarray(record.code)[strange & ~births].tolist())
    ends = [words.special(role, getattr(layout, role)) for role in ("start", "end")]
    room = layout.max_length - sum(end is not None for end in ends)
    event = _chosen(record, ids >= 0, np.isnat(record.time), layout, room, lost)
    if record.numeric_value is not None:
        lost.values += int(np.isfinite(np.asarray(record.numeric_value, float)[event]).sum())
    front, back = ([] if end is None else [end] for end in ends)
    rows = np.concatenate([np.zeros(len(front), bool), np.ones(len(event), bool), np.zeros(len(back), bool)])
    every = np.concatenate([np.array(part, np.int64) for part in (front, ids[event], back)])
    positions = None if layout.time_as == "none" else _ages(record, event, rows, lost)
    return Laid(every, rows, event, positions)


def _chosen(
    record: Record, known: np.ndarray, undated: np.ndarray, layout: Layout, room: int, lost: Losses
) -> np.ndarray:
    """[rows] indices in the record: static rows, then the newest whole moments that fit into `room` positions."""
    static, dated = np.flatnonzero(known & undated), np.flatnonzero(known & ~undated)
    if (np.diff(record.time[dated]) < np.timedelta64(0)).any():
        raise SeqsaeError(f"subject {record.subject_id!r}: its events are not in time order; sort them by time")
    static = static[:0] if layout.static == "leave-out" else static
    if len(static) + len(dated) > room:
        most = max(room // 2, room - len(dated))  # static rows leave at least half to the events
        lost.static += max(0, len(static) - most)
        static = static[:most]
    first = _first_kept(record.time[dated], room - len(static), lost)
    lost.clipped += first
    lost.shortened += first > 0
    return np.concatenate([static, dated[first:]])


def _first_kept(time: np.ndarray, room: int, lost: Losses) -> int:
    """Index of the first of the newest moments that fit whole; a moment longer than the room keeps its last rows."""
    n = len(time)
    if n <= room:
        return 0
    first = n - room
    if time[first] == time[first - 1]:
        first = int(np.searchsorted(time, time[first], side="right"))
    if first < n:
        return first
    lost.cut += 1
    return n - room


def _ages(record: Record, event: np.ndarray, rows: np.ndarray, lost: Losses) -> np.ndarray:
    """[L] int64 age in whole years at each position, 0 for static rows and special tokens."""
    dated = ~np.isnat(record.time)
    birth = _births(record.code) & dated
    lost.unborn += not birth.any()
    since = record.time[birth] if birth.any() else record.time[dated]
    positions = np.zeros(len(rows), np.int64)
    if len(since):
        moments = np.where(dated[event], record.time[event], since[0])  # a static row has age 0
        positions[rows] = np.maximum((moments - since[0]) // YEAR, 0)
    return positions


def _births(codes: np.ndarray) -> np.ndarray:
    """[n] bool: MEDS_BIRTH and its kinds."""
    return np.array([code == BIRTH or code.startswith(f"{BIRTH}//") for code in codes.tolist()], bool)


def names() -> tuple[str, ...]:
    """The options of a layout."""
    return tuple(one.name for one in fields(Layout))
