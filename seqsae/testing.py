"""Contract checks that plugin authors run on what they offer."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seqsae.errors import SeqsaeError
from seqsae.models.contract import Batch, Sample, SequenceModel
from seqsae.records.data import Dataset
from seqsae.records.record import Record
from seqsae.records.room import fingerprint

TOLERANCE = 1e-5  # relative L2 in float32


def check_source(source: Callable, *arguments: Any, **options: Any) -> Dataset:
    """Hold a source against the contract: it gives a Dataset, or the path of data, the same each time.

    Returns:
        The Dataset it gives, for checks of its own.
    Raises:
        SeqsaeError: naming the promise that is broken, or whatever reading its data says.
    """
    once, again = (_read(source(*arguments, **options)) for _ in range(2))
    if not len(once):
        raise SeqsaeError("check_source: the source gives no subjects")
    if fingerprint(once) != fingerprint(again):
        raise SeqsaeError("check_source: asked twice with the same options, the source gives different data; seed it")
    for record in once:
        if record.code is None and record.sequence is None and record.item is None:
            raise SeqsaeError(f"check_source: subject {record.subject_id!r} has neither events, a sequence nor an item")
    return once


def _read(found: Dataset | Path | str) -> Dataset:
    from seqsae.records.reading import read_source

    return found if isinstance(found, Dataset) else read_source(Path(found))


def check_sae(architecture: str, width: int = 32, k: int | None = None, **options: Any) -> None:
    """Train an architecture for a moment on random rows and hold it against the contract, `seqsae.sae.promises`.

    Args:
        k: active latents a row; None: a small number, or none if the architecture has no such number.
    Raises:
        SeqsaeError: naming the promise that is broken.
    """
    from seqsae.sae.promises import broken

    promise = broken(architecture, width, k, options)
    if promise is not None:
        raise SeqsaeError(f"check_sae({architecture!r}): broken: {promise}")


def check_model(model: SequenceModel, records: Iterable[Record], tolerance: float = TOLERANCE) -> None:
    """Hold a model against the contract on at least three records of different lengths.

    Raises:
        SeqsaeError: naming the first promise that is broken, the site and by how much.
    """
    records = list(records)
    samples = [model.prepare(record) for record in records]
    too_alike = model.pad_invariant and len({sample.length for sample in samples}) < 2
    if len(samples) < 3 or too_alike:
        raise SeqsaeError(f"check_model({model.name!r}): give at least three records of at least two lengths")
    if not model.sites:
        raise SeqsaeError(f"check_model({model.name!r}): the model names no sites")
    together = _batch(model, samples)
    _eval_mode(model)
    whole = model.capture(together, model.sites)
    _shapes(model, together, whole)
    _same(model, whole, model.capture(together, model.sites), 0.0, "a second forward pass differs: dropout left on?")
    _alone(model, samples, whole, tolerance)
    _one_site_at_a_time(model, together, whole)
    _replacement(model, together, whole, tolerance)
    _fingerprint(model)
    if model.attention == "causal":
        _causal(model, records, samples, tolerance)


def _batch(model: SequenceModel, samples: list[Sample]) -> Batch:
    if model.pad_invariant:
        return model.collate(samples)
    longest = max(sample.length for sample in samples)
    return model.collate([sample for sample in samples if sample.length == longest])


def _eval_mode(model: SequenceModel) -> None:
    if model.module.training:
        raise SeqsaeError(f"check_model({model.name!r}): the module is in training mode; call .eval()")


def _shapes(model: SequenceModel, batch: Batch, rows: dict[str, Tensor]) -> None:
    for site, value in rows.items():
        if len(value) != batch.n_rows or model.sites[site] != value.shape[1]:
            raise SeqsaeError(
                f"check_model({model.name!r}): site {site!r} gives {tuple(value.shape)} for {batch.n_rows} rows of width {model.sites[site]}"
            )
        if not torch.isfinite(value).all():
            raise SeqsaeError(f"check_model({model.name!r}): site {site!r} gives NaN or infinite activations")


def _same(model: SequenceModel, one: dict, other: dict, tolerance: float, complaint: str) -> None:
    for site in one:
        off = relative_l2(one[site], other[site])
        if not off <= tolerance:
            raise SeqsaeError(f"check_model({model.name!r}): site {site!r}: {complaint} (relative L2 {off:.2g})")


def _alone(model: SequenceModel, samples: list[Sample], whole: dict, tolerance: float) -> None:
    """Each real row is the same in a padded batch as alone: the mask reaches the model."""
    if not model.pad_invariant:
        return
    alone = [model.capture(model.collate([sample]), model.sites) for sample in samples]
    joined = {site: torch.cat([part[site] for part in alone]) for site in whole}
    _same(model, whole, joined, tolerance, "padding changes real rows: does the attention mask reach the model?")


def _one_site_at_a_time(model: SequenceModel, batch: Batch, whole: dict) -> None:
    for site in whole:
        _same(model, {site: whole[site]}, model.capture(batch, [site]), 0.0, "stopping early changes the activations")


def _replacement(model: SequenceModel, batch: Batch, whole: dict, tolerance: float) -> None:
    """Putting captured rows back changes nothing; putting others there changes the output."""
    with torch.no_grad():
        before = _tensor(model.forward(batch))
        for site, rows in whole.items():
            back = _tensor(model.replace(batch, site, lambda _, rows=rows: rows))
            if not relative_l2(before, back) <= tolerance:
                raise SeqsaeError(
                    f"check_model({model.name!r}): site {site!r}: putting its own activations back changes the output"
                )
            other = _tensor(model.replace(batch, site, lambda _, rows=rows: rows.roll(1, 0) * 2 + 1))
            if relative_l2(before, other) == 0:
                raise SeqsaeError(
                    f"check_model({model.name!r}): site {site!r}: putting other activations there changes nothing"
                )


def _tensor(output) -> Tensor:
    from seqsae.models.hooks import tensor_of

    return tensor_of(output, "the output").nan_to_num()


def _fingerprint(model: SequenceModel) -> None:
    before = model.fingerprint
    parameter = next(iter(model.module.parameters()), None)
    if parameter is None:
        return
    with torch.no_grad():
        kept = parameter.flatten()[0].clone()
        parameter.view(-1)[0] += 1
        changed = model.fingerprint
        parameter.view(-1)[0] = kept
    if before == changed or before != model.fingerprint:
        raise SeqsaeError(f"check_model({model.name!r}): the fingerprint does not follow the weights")


def _causal(model: SequenceModel, records: list[Record], samples: list[Sample], tolerance: float) -> None:
    """The rows of the first half of a record read the same when the model is never shown the second half."""
    for record, sample in zip(records, samples, strict=True):
        prefix = model.prepare(first_half(record))
        rows = model.capture(model.collate([sample]), model.sites)
        seen = model.capture(model.collate([prefix]), model.sites)
        n = len(prefix) if prefix.length < sample.length else 0
        _same(
            model,
            {site: value[:n] for site, value in rows.items()},
            {site: value[:n] for site, value in seen.items()},
            tolerance,
            "a model that calls itself causal sees later positions",
        )


def first_half(record: Record) -> Record:
    """The record with the first half of its events, residues or item entries."""
    if record.sequence is not None:
        return replace(record, sequence=record.sequence[: max(1, len(record.sequence) // 2)])
    if record.item is not None:
        lengths = [
            len(value) for value in record.item.values() if hasattr(value, "__len__") and not isinstance(value, str)
        ]
        n = max(lengths)
        halves = {
            key: value[: n // 2]
            if hasattr(value, "__len__") and not isinstance(value, str) and len(value) == n
            else value
            for key, value in record.item.items()
        }
        return replace(record, item=halves)
    n = max(1, len(record.code) // 2)
    return replace(record, time=record.time[:n], code=record.code[:n], numeric_value=record.numeric_value[:n])


def relative_l2(one: Tensor, other: Tensor) -> float:
    """||one - other|| / ||one|| in float64; infinite if the shapes differ."""
    if one.shape != other.shape:
        return float("inf")
    one, other = one.double(), other.double()
    scale = one.norm().item()
    return (one - other).norm().item() / scale if scale else float((one - other).norm().item() > 0)
