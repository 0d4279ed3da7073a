"""Lives as the original's tensors: made from MEDS records, or brought ready by the caller."""

from dataclasses import replace

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from seqsae.errors import SeqsaeError
from seqsae.models.contract import Sample
from seqsae.records.record import Record
from seqsae_life2vec import batching
from seqsae_life2vec.layout import Layout
from seqsae_life2vec.tokenizer import Encoded, encode
from seqsae_life2vec.vocabulary import CLS, PAD, SEP, UNK, Vocabulary, is_birth

BACKGROUND = 4  # tokens, as published: origin, gender, month and year of the birth
FIRST_DATED = BACKGROUND + 1  # behind [CLS] and them


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
    counts = {"events": int((event >= 0).sum()), "events_clipped": 0, "unknown": int((token == UNK).sum())}
    age, time = age.clip(0).astype(np.float32), time.astype(np.float32)  # below 0 would be a life without a birth
    return Encoded(token, age, time, segment, place >= FIRST_DATED, np.ones(n, np.int64), event, names, counts)


def _real(record: Record, usual: np.ndarray) -> np.ndarray:
    """[n] bool: `item["padding_mask"]` where there is one."""
    try:
        return np.asarray(record.item.get("padding_mask", usual), bool)
    except (TypeError, ValueError):
        raise SeqsaeError(f"subject {record.subject_id!r}: its padding_mask is no row of 0 and 1; give [n]") from None


def lived(record: Record, words: Vocabulary, layout: Layout, prefixes: tuple[str, ...]) -> Encoded:
    """The document of a MEDS record, its background in the order of `prefixes`; without any, every static row is background.

    `counts` says whether the background is another than the published four tokens, and how many static rows were not chosen.
    """
    if not prefixes or record.code is None or record.time is None:
        life, left = encode(record, words, layout), 0
    else:
        rows, left = _chosen(record, prefixes)
        columns = {name: getattr(record, name) for name in ("time", "code", "numeric_value")}
        life = encode(replace(record, **{k: None if v is None else v[rows] for k, v in columns.items()}), words, layout)
        life = replace(life, event=np.where(life.row, rows[life.event], -1))
    counts = {"other_background": int(life.counts["background"] != BACKGROUND), "background_not_chosen": left}
    return replace(life, counts=life.counts | counts)


def _chosen(record: Record, prefixes: tuple[str, ...]) -> tuple[np.ndarray, int]:
    """[rows] indices: the first static row of each prefix, then the births and all with a time; how many static ones are left."""
    codes, static = record.code.tolist(), np.isnat(record.time)
    free = [i for i in np.flatnonzero(static).tolist() if not is_birth(codes[i])]
    found = (next((i for i in free if codes[i] == p or codes[i].startswith(f"{p}//")), None) for p in prefixes)
    rows = list(dict.fromkeys(i for i in found if i is not None))
    return np.array([*rows, *np.flatnonzero(~static)], np.int64), len(free) - len(rows)


def sample(life: Encoded, length: int) -> Sample:
    """The rows of a ready document; its events are its positions, and its times are not known as dates."""
    place = np.flatnonzero(life.row)
    return Sample(life, life.name, place, place, length)


def padded(lives: list[Encoded], max_length: int) -> dict[str, Tensor]:
    """The network's inputs [B, max_length]: whole days and years, as the original truncates them; age -1 without a birth."""
    inputs = batching.pad(lives)
    short = max_length - inputs["token"].shape[1]
    channels = {name: F.pad(inputs[name], (0, short)) for name in ("token", "time", "age", "segment", "real")}
    real = channels["real"].bool()
    whole = {"time": channels["time"].long(), "age": channels["age"].long().masked_fill(~real, 0)}
    return {**channels, **whole, "real": real}
