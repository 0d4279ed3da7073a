"""Lives as the original's tensors: made from MEDS records, or brought ready by the caller."""

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from seqsae.errors import SeqsaeError
from seqsae.models.contract import Sample
from seqsae.records.record import Record
from seqsae_life2vec import batching
from seqsae_life2vec.tokenizer import Encoded
from seqsae_life2vec.vocabulary import CLS, PAD, SEP, UNK, Vocabulary

FIRST_DATED = 5  # behind [CLS] and four background tokens


def read(record: Record, words: Vocabulary, max_length: int) -> Encoded:
    """A ready document: `item["input_ids"]`, the original's [4, n] rows of token, absolute position, age, segment.

    Padding at the end ([PAD], or 0 in an `item["padding_mask"]` [n]) is taken off.

    Raises:
        SeqsaeError: another shape, ids that the vocabulary has not, or more positions than the network reads.
    """
    try:
        given = np.asarray(record.item["input_ids"])
        given = given.astype(float, casting="unsafe" if given.dtype == object else "same_kind")
    except (KeyError, TypeError, ValueError):
        raise SeqsaeError(f"subject {record.subject_id!r}: its item has no numbers `input_ids` [4, n]") from None
    if given.ndim != 2 or given.shape[0] != 4 or not np.isfinite(given).all():
        raise SeqsaeError(
            f"subject {record.subject_id!r}: input_ids has shape {list(given.shape)}; give [4, n]: token, position, age, segment"
        )
    token, time, age, segment = given.astype(np.int64)
    real = _real(record, token != PAD)
    n = int(np.flatnonzero(real)[-1]) + 1 if real.any() else 0
    if real.shape != token.shape or not real[:n].all() or not 0 < n <= max_length:
        raise SeqsaeError(
            f"subject {record.subject_id!r}: {n} positions with gaps, none, or more than the {max_length} that the network reads; "
            "give documents padded at the end alone"
        )
    token, time, age, segment = (channel[:n] for channel in (token, time, age, segment))
    if token.min() < 0 or token.max() >= len(words) or segment.min() < 0 or segment.max() > 3:
        raise SeqsaeError(
            f"subject {record.subject_id!r}: token ids go from 0 to {len(words) - 1} and segments from 0 to 3 in this model"
        )
    place = np.arange(n)
    event = np.where(np.isin(token, (PAD, CLS, SEP)), -1, place)
    names = np.array(words.tokens)[token[event >= 0]]
    counts = dict.fromkeys(("events_clipped", "background_clipped", "before_birth", "second_births"), 0)
    counts |= {"events": int((event >= 0).sum()), "unknown": int((token == UNK).sum())}
    age, time = age.astype(np.float32), time.astype(np.float32)
    return Encoded(token, age, time, segment, place >= FIRST_DATED, np.ones(n, np.int64), event, names, counts)


def _real(record: Record, usual: np.ndarray) -> np.ndarray:
    """[n] bool: `item["padding_mask"]` where there is one."""
    try:
        return np.asarray(record.item.get("padding_mask", usual), bool)
    except (TypeError, ValueError):
        raise SeqsaeError(f"subject {record.subject_id!r}: its padding_mask is no row of 0 and 1; give [n]") from None


def sample(life: Encoded, length: int) -> Sample:
    """The rows of a ready document; its events are its positions, and its times are not known as dates."""
    place = np.flatnonzero(life.row)
    return Sample(life, life.name, place, place, length)


def padded(lives: list[Encoded], max_length: int) -> dict[str, Tensor]:
    """The network's inputs [B, max_length]: whole days and years, as the original truncates them."""
    inputs = batching.pad(lives)
    short = max_length - inputs["token"].shape[1]
    channels = {name: F.pad(inputs[name], (0, short)) for name in ("token", "time", "age", "segment", "real")}
    whole = {"time": channels["time"].long(), "age": channels["age"].clamp(min=0).long()}
    return {**channels, **whole, "real": channels["real"].bool()}
