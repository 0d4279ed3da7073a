"""Contract checks that plugin authors run on what they offer."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from seqsae.errors import SeqsaeError
from seqsae.models.contract import SequenceModel
from seqsae.models.doctor.case import relative_l2
from seqsae.models.doctor.edits import first_half
from seqsae.models.doctor.examining import examine
from seqsae.models.doctor.records import chosen
from seqsae.models.doctor.telling import lines
from seqsae.records.data import Dataset
from seqsae.records.record import Record
from seqsae.records.room import fingerprint

__all__ = ["check_model", "check_sae", "check_source", "doctor", "examine", "first_half", "relative_l2"]


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


def check_model(model: SequenceModel, records: Dataset | Iterable[Record], tolerance: float | None = None) -> None:
    """Hold a model against the contract: the checks of `seqsae doctor`, up to the first that fails.

    Args:
        records: at least three, of at least two lengths if padding is to change nothing; of a Dataset five are chosen.
        tolerance: relative L2 that counts as the same; None: 1e-5, more for modules in 16 bits.
    Raises:
        SeqsaeError: naming the first check that fails, the site, by how much, and the remedy; or what is given is no model or
            no records.
    """
    _check_model(model)
    for finding in examine(model, _few(records), tolerance=tolerance):
        if finding.wrong:
            raise SeqsaeError(f"check_model({model.name!r}): {finding.told()}")


def doctor(model: SequenceModel, records: Dataset | Iterable[Record], sites: Iterable[str] | None = None) -> str:
    """Every check of a model, right or wrong, with figures and remedies, as the text that `seqsae doctor` prints.

    Args:
        records: as for `check_model`.
        sites: those to look at; None: all that the model names.
    """
    _check_model(model)
    sites = list(model.sites if sites is None else sites)
    return "\n".join(lines(model, sites, examine(model, _few(records), sites)))


def _check_model(model: SequenceModel) -> None:
    if not isinstance(model, SequenceModel):
        raise SeqsaeError(
            f"{type(model).__name__} is no SequenceModel; give what seqsae.wrap or seqsae.open_model returns"
        )


def _few(records: Dataset | Iterable[Record]) -> list[Record]:
    if isinstance(records, Dataset):
        return chosen(records)
    given = list(records) if isinstance(records, Iterable) else [records]
    strange = [one for one in given if not isinstance(one, Record)]
    if strange:
        raise SeqsaeError(
            f"records: {type(strange[0]).__name__} is no Record; give what seqsae.dataset returns, or a list of its records"
        )
    return given
