"""What a caller's own collate sees of a record, and what its rows are called."""

from typing import Any

import numpy as np

from seqsae.errors import SeqsaeError
from seqsae.records.record import Record

TOKEN_KEYS = {"token": ("token", "tokens"), "decoder": ("decoder_token", "decoder_tokens", "token", "tokens")}
TIME_KEYS = {"token": "time", "decoder": "decoder_time"}


def item_of(record: Record) -> dict:
    """The dict a caller's collate sees: the caller's own item, or `token`, `time` and `value` of a stored record."""
    if record.item is not None:
        return record.item
    if record.sequence is not None:
        return {"subject_id": record.subject_id, "token": list(record.sequence)}
    return {
        "subject_id": record.subject_id,
        "token": list(record.code),
        "time": record.time,
        "value": record.numeric_value,
    }


def token_key(item: dict, role: str) -> str | None:
    """The entry of an item that names its rows: `token` or `tokens`, for decoder rows `decoder_token` first."""
    return next((key for key in TOKEN_KEYS[role] if item.get(key) is not None), None)


def tokens_of(
    item: dict, n_rows: int, subject_id: Any, role: str = "token", event: np.ndarray | None = None
) -> np.ndarray:
    """[n] str: what the item calls its rows, empty strings if it does not; `event` [n]: which of its entries they are."""
    key = token_key(item, role)
    given = None if key is None else item[key]
    if given is None:
        return np.full(n_rows, "", dtype=object)
    if event is None and len(given) != n_rows:
        raise SeqsaeError(
            f"subject {subject_id!r}: the item has {len(given)} entries of {key!r} but its mask marks {n_rows} rows; mark each token "
            "once and leave special tokens and padding out of the mask, or return (inputs, mask, index) with the entry of each row"
        )
    given = given.tolist() if hasattr(given, "tolist") else given  # a tensor's entries are written as numbers
    return _chosen(np.array([str(token) for token in given], dtype=object), event, subject_id)


def times_of(
    item: dict, n_rows: int, subject_id: Any, role: str = "token", event: np.ndarray | None = None
) -> np.ndarray | None:
    """[n] datetime64[us]: the item's `time` (`decoder_time`), given as datetimes or as days since 1970-01-01."""
    given = item.get(TIME_KEYS[role])
    if given is None:
        return None
    values = np.asarray(given)
    values = _chosen(values, event, subject_id)
    if len(values) != n_rows:
        raise SeqsaeError(f"subject {subject_id!r}: {len(values)} times for {n_rows} rows; give one time a row")
    if np.issubdtype(values.dtype, np.number):
        return (values.astype("float64") * 86_400_000_000).astype("int64").astype("datetime64[us]")
    try:
        return values.astype("datetime64[us]")
    except ValueError as cause:
        raise SeqsaeError(
            f"subject {subject_id!r}: times that are no datetimes ({cause}); give datetimes or days"
        ) from None


def entries(index: np.ndarray, item: dict, subject_id: Any) -> np.ndarray:
    """[n] int64: which entries of an item its rows stand for. Raises SeqsaeError for one that cannot be there."""
    lengths = [len(value) for value in item.values() if hasattr(value, "__len__") and not isinstance(value, str)]
    longest = max(lengths, default=2**31)
    wrong = index[(index < 0) | (index >= longest)]
    if len(wrong):
        raise SeqsaeError(
            f"subject {subject_id!r}: collate says that a row is entry {wrong[0]} of an item that has {longest}; count from 0"
        )
    return index.astype(np.int64)


def _chosen(values: np.ndarray, event: np.ndarray | None, subject_id: Any) -> np.ndarray:
    """The entries that rows stand for. Raises SeqsaeError for one that is not there."""
    if event is None:
        return values
    wrong = event[event >= len(values)]
    if len(wrong):
        raise SeqsaeError(
            f"subject {subject_id!r}: collate says that a row is entry {wrong[0]} of an item that has {len(values)}; count from 0"
        )
    return values[event]
