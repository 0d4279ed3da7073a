"""What the checks look at: a model, a few records, and what comes of them, computed once."""

from collections.abc import Iterable
from functools import cached_property

import torch
from torch import Tensor

from seqsae.errors import SeqsaeError
from seqsae.models.contract import Batch, Sample, SequenceModel
from seqsae.models.parts import tensors_in
from seqsae.records.record import Record

TOLERANCE = 1e-5  # relative L2 in float32
NARROW = {torch.bfloat16: 3e-2, torch.float16: 5e-3}  # what rounding alone moves, a few units in the last place
PUT_BACK = 1e-6  # relative L2 of the output when a site's own rows are put back
Rows = dict[str, Tensor]


class Case:
    """A model and at least three records, of at least two lengths if padding is to change nothing.

    Args:
        sites: those to look at; None: all that the model names.
        tolerance: relative L2 that counts as the same; None: 1e-5, or what the module's number format can hold.
    Raises:
        SeqsaeError: no records, too few or too equal ones, no sites, or a tolerance below 0.
    """

    def __init__(
        self,
        model: SequenceModel,
        records: Iterable[Record],
        sites: Iterable[str] | None = None,
        tolerance: float | None = None,
    ):
        self.model, self.records = model, list(records)
        self.sites = list(model.sites) if sites is None else [model.check_site(site) for site in sites]
        self.tolerance = tolerance_of(model) if tolerance is None else tolerance
        if not self.sites:
            raise SeqsaeError(f"model {model.name!r} names no sites; give at least one")
        if not self.records:
            raise SeqsaeError(
                f"model {model.name!r}: no records to look at; give at least three of at least two lengths"
            )
        if not self.tolerance >= 0:
            raise SeqsaeError(f"tolerance = {self.tolerance!r}: give a relative L2, 0 or more")

    @cached_property
    def samples(self) -> list[Sample]:
        return [self.model.prepare(record) for record in self.records]

    def require_variety(self) -> None:
        """Raises SeqsaeError if the records are too few or too much alike to show anything."""
        alike = self.model.pad_invariant and len({sample.length for sample in self.samples}) < 2
        if len(self.samples) < 3 or alike:
            raise SeqsaeError(f"model {self.model.name!r}: give at least three records of at least two lengths")

    @cached_property
    def group(self) -> list[int]:
        """The samples that share a batch: all, or the most that are of one length."""
        if self.model.pad_invariant:
            return list(range(len(self.samples)))
        lengths = [sample.length for sample in self.samples]
        chosen = max(sorted(set(lengths), reverse=True), key=lengths.count)
        return [index for index, length in enumerate(lengths) if length == chosen]

    @property
    def together(self) -> list[Sample]:
        return [self.samples[index] for index in self.group]

    @cached_property
    def batch(self) -> Batch:
        return self.model.collate(self.together)

    @cached_property
    def rows(self) -> Rows:
        """[n, d] of the batch at each site."""
        return self.model.capture(self.batch, self.sites)

    @cached_property
    def output(self) -> Tensor:
        """Every number of the module's output for the batch, in one row."""
        with torch.no_grad():
            return flat(self.model.forward(self.batch))

    @property
    def is_pooled(self) -> bool:
        return all(isinstance(sample.role, str) and sample.role == "pooled" for sample in self.samples)

    def read(self, *samples: Sample) -> Rows:
        """The rows of some samples in a batch of their own."""
        return self.model.capture(self.model.collate(list(samples)), self.sites)


def tolerance_of(model: SequenceModel) -> float:
    """1e-5 for modules in float32 or more, else what rounding in their number format moves."""
    used = {parameter.dtype for parameter in model.module.parameters()}
    return max((NARROW[dtype] for dtype in used if dtype in NARROW), default=TOLERANCE)


def flat(output) -> Tensor:
    """Every floating-point number of an output in one row of float64; what is undefined, as at padding, is 0."""
    found = tensors_in(output)
    if not found:
        raise SeqsaeError(f"the module gives {type(output).__name__} without a floating-point tensor in it")
    return torch.cat([tensor.double().flatten() for tensor in found]).nan_to_num()


def parts(rows: Rows, samples: list[Sample]) -> list[Rows]:
    """The rows of each sample."""
    counts = [len(sample) for sample in samples]
    split = {site: value.split(counts) for site, value in rows.items()}
    return [{site: split[site][index] for site in rows} for index in range(len(samples))]


def worst(one: Rows, other: Rows) -> tuple[float, str]:
    """The largest relative L2 between two readings of the same rows, and its site."""
    return max((relative_l2(one[site], other[site]), site) for site in one)


def relative_l2(one: Tensor, other: Tensor) -> float:
    """||one - other|| / ||one|| in float64; infinite if the shapes differ."""
    if one.shape != other.shape:
        return float("inf")
    one, other = one.double(), other.double()
    scale = one.norm().item()
    return (one - other).norm().item() / scale if scale else float((one - other).norm().item() > 0)
