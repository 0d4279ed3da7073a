"""Records changed in one place: cut in half, or with one token exchanged for another of the same record."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from seqsae.models.contract import Sample
from seqsae.models.doctor.case import Case
from seqsae.models.items import token_key
from seqsae.records.record import Record


class Edit(NamedTuple):
    """A sample and what becomes of it when the token of one of its rows is exchanged."""

    before: Sample
    after: Sample
    row: int
    """Which row of the sample."""


def edits(case: Case, most: int = 8) -> Iterator[Edit]:
    """Up to `most` exchanges, two in a sample, that leave the number and place of rows as they are."""
    found = 0
    for record, sample in zip(case.records, case.samples, strict=True):
        for row in dict.fromkeys((len(sample) // 3, 2 * len(sample) // 3)):
            after = _exchanged(case, record, sample, row)
            if after is None or found == most:
                continue
            found += 1
            yield Edit(sample, after, row)


def _exchanged(case: Case, record: Record, sample: Sample, row: int) -> Sample | None:
    """The sample with the token of `row` exchanged for the nearest that is another; None if there is none."""
    others = [one for one in range(len(sample)) if sample.token[one] != sample.token[row] or not sample.token[row]]
    for other in sorted(others, key=lambda one: abs(one - row))[:3]:
        changed = with_token(record, int(sample.event[row]), int(sample.event[other]), _role(sample), len(sample))
        if changed is None:
            return None
        after = case.model.prepare(changed)
        if len(after) == len(sample) and after.length == sample.length and np.array_equal(after.event, sample.event):
            return after
    return None


def _role(sample: Sample) -> str:
    return "decoder" if isinstance(sample.role, str) and sample.role == "decoder" else "token"


def with_token(record: Record, place: int, donor: int, role: str = "token", n_rows: int = 0) -> Record | None:
    """The record with the token at `place` replaced by the one at `donor`; None if it is not known where tokens stand."""
    if record.sequence is not None:
        letters = list(record.sequence)
        letters[place] = letters[donor]
        return replace(record, sequence="".join(letters))
    if record.item is None:
        return replace(record, code=_copied(record.code, place, donor))
    key = token_key(record.item, role)
    if role == "decoder" and key not in ("decoder_token", "decoder_tokens"):
        return None  # the same entry feeds the encoder
    if key is None:
        key = next((name for name, value in record.item.items() if is_list(value) and len(value) == n_rows), None)
    if key is None:
        return None
    return replace(record, item={**record.item, key: _copied(record.item[key], place, donor)})


def first_half(record: Record, role: str = "token") -> Record:
    """The record with the first half of its events, residues or item entries; of a decoder's rows only their own entries."""
    if record.sequence is not None:
        return replace(record, sequence=record.sequence[: max(1, len(record.sequence) // 2)])
    if record.item is not None:
        return replace(record, item=_half_item(record.item, role))
    n = max(1, len(record.code) // 2)
    arrays = {name: getattr(record, name) for name in ("time", "code", "numeric_value")}
    return replace(record, **{name: None if value is None else value[:n] for name, value in arrays.items()})


def _half_item(item: dict, role: str) -> dict:
    own = {
        key: value for key, value in item.items() if is_list(value) and (role == "token" or key.startswith("decoder"))
    }
    key = token_key(own, role)
    n = max((len(value) for value in own.values()), default=0) if key is None else len(own[key])
    return {**item, **{key: value[: n // 2] for key, value in own.items() if len(value) == n}}


def is_list(value: Any) -> bool:
    """Whether an entry of an item has one value a row: a list, an array, a tensor."""
    return hasattr(value, "__len__") and hasattr(value, "__getitem__") and not isinstance(value, str | dict)


def _copied(values: Any, place: int, donor: int) -> Any:
    changed = (
        values.clone()
        if isinstance(values, Tensor)
        else values.copy()
        if isinstance(values, np.ndarray)
        else list(values)
    )
    changed[place] = changed[donor]
    return changed
