"""`seqsae.wrap`: any `nn.Module` as a SequenceModel, with the caller's own collate and no tokenizer."""

import hashlib
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from seqsae.errors import SeqsaeError
from seqsae.models.contract import Batch, Sample, SequenceModel
from seqsae.records.record import Record

PAD_KEYS = ("src_key_padding_mask", "key_padding_mask")  # torch's convention: True is padding
REAL_KEYS = ("attention_mask",)  # transformers' convention: 1 is real


def wrap(  # noqa: PLR0913  a model's whole description in one call
    module: nn.Module,
    sites: Iterable[str],
    collate: Callable[[list[dict]], Any],
    *,
    name: str | None = None,
    attention: Literal["causal", "bidirectional"] = "bidirectional",
    pad_invariant: bool = True,
    hide: Callable[[Any, Tensor], Any] | None = None,
    ids: Callable[[Any], Tensor] | None = None,
    logits: Callable[[Any], Tensor] | None = None,
    device: str = "cpu",
    batch_first: bool = True,
) -> SequenceModel:
    """A SequenceModel from a module whose forward takes a tensor, a dict, or positional or keyword arguments.

    Args:
        module: any `nn.Module`; it is put in eval mode.
        sites: dotted module paths, each with an optional `:in` or `:out`.
        collate: items (the dicts given to `seqsae.dataset`; for events and sequences a dict with `token`, `time`,
            `value`) -> `(inputs, mask)`, mask [B, T] bool, True where a position is a real row. `inputs` alone will do if it
            is a dict with `attention_mask` or `src_key_padding_mask`.
        hide: (inputs, where [B, T]) -> inputs with the mask token there; needed for the masked readout only.
        ids: inputs -> the token ids [B, T] among them, and
        logits: output -> [B, T, V]: what the model says of each position; needed to ask what a feature does to its
            predictions, and found without asking where they are called `input_ids` and `logits`.
        pad_invariant: False if padding changes real rows: then only equal lengths share a batch.
    Raises:
        SeqsaeError: no such site, or a TorchScript module, which has no hooks.
    """
    if isinstance(module, torch.jit.ScriptModule):
        raise SeqsaeError("a TorchScript module cannot be hooked; give the original nn.Module")
    options = {"attention": attention, "pad_invariant": pad_invariant, "device": device, "batch_first": batch_first}
    functions = _Functions(collate, hide, ids, logits)
    return Wrapped(module, sites, functions, name=name or type(module).__name__, **options)


class _Functions(NamedTuple):
    """The caller's own code, as `wrap` takes it."""

    collate: Callable
    hide: Callable | None
    ids: Callable | None
    logits: Callable | None


class Wrapped(SequenceModel):
    """A plain module with the caller's collate."""

    def __init__(self, module: nn.Module, sites: Iterable[str], functions: _Functions, **options):
        super().__init__(module, sites, **options)
        self._collate, self._hide, self._ids, self._logits = functions

    @property
    def preparation(self) -> str:
        """Hash of the source of collate and hide, as far as it can be had, and of how padding is treated."""
        code = [source_of(function) for function in (self._collate, self._hide)]
        return hashlib.sha256(repr((code, self.pad_invariant, self.batch_first)).encode()).hexdigest()

    def prepare(self, record: Record) -> Sample:
        item = item_of(record)
        _, mask = self._split(self._collate([item]))
        position = np.flatnonzero(mask[0].cpu().numpy())
        token = tokens_of(item, len(position), record.subject_id)
        return Sample(
            inputs=item,
            token=token,
            event=np.arange(len(position)),
            position=position,
            length=mask.shape[1],
            time=times_of(item, len(position), record.subject_id),
        )

    def collate(self, samples: list[Sample]) -> Batch:
        inputs, mask = self._split(self._collate([sample.inputs for sample in samples]))
        return Batch(inputs, mask, samples)

    def hide(self, batch: Batch, where: Tensor) -> Batch:
        if self._hide is None:
            return super().hide(batch, where)
        return Batch(self._hide(batch.inputs, where), batch.mask, batch.samples)

    def ids(self, batch: Batch) -> Tensor:
        return super().ids(batch) if self._ids is None else self._ids(batch.inputs)

    def logits(self, output: Any) -> Tensor:
        return super().logits(output if self._logits is None else self._logits(output))

    def _split(self, collated: Any) -> tuple[Any, Tensor]:
        if isinstance(collated, tuple) and len(collated) == 2 and _is_mask(collated[1]):
            inputs, mask = collated
        elif isinstance(collated, Mapping) and any(key in collated for key in PAD_KEYS + REAL_KEYS):
            inputs, mask = collated, _mask_among(collated)
        else:
            raise SeqsaeError(
                f"collate of model {self.name!r} gave {type(collated).__name__} without a mask; return (inputs, mask) with "
                "mask [batch, positions] bool, True where a position is a real row"
            )
        return self._as_one_argument(inputs), mask.bool()

    def _as_one_argument(self, inputs: Any) -> Any:
        """A dict goes in as keyword arguments, unless forward has no such parameters: then it is the one argument."""
        if not isinstance(inputs, Mapping):
            return inputs
        parameters = inspect.signature(self.module.forward).parameters
        takes_any = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())
        return inputs if takes_any or all(key in parameters for key in inputs) else (inputs,)


def source_of(function: Callable | None) -> str | None:
    """A function's source text, else its name; what it calls or closes over is not seen."""
    try:
        return None if function is None else inspect.getsource(function)
    except (OSError, TypeError):
        return getattr(function, "__qualname__", type(function).__name__)


def _is_mask(value: Any) -> bool:
    return isinstance(value, Tensor) and value.ndim == 2 and not value.is_floating_point()


def _mask_among(inputs: Mapping) -> Tensor:
    for key in REAL_KEYS:
        if key in inputs:
            return inputs[key].bool()
    return ~inputs[next(key for key in PAD_KEYS if key in inputs)].bool()


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


def tokens_of(item: dict, n_rows: int, subject_id: Any) -> np.ndarray:
    """[n] str: the item's `token` or `tokens`, empty strings if it has none."""
    given = item.get("token", item.get("tokens"))
    if given is None:
        return np.full(n_rows, "", dtype=object)
    if len(given) != n_rows:
        raise SeqsaeError(
            f"subject {subject_id!r}: the item has {len(given)} tokens but its mask marks {n_rows} rows; mark each token "
            "once and leave special tokens and padding out of the mask"
        )
    return np.array([str(token) for token in given], dtype=object)


def times_of(item: dict, n_rows: int, subject_id: Any) -> np.ndarray | None:
    """[n] datetime64[us]: the item's `time`, given as datetimes or as days since 1970-01-01."""
    given = item.get("time")
    if given is None:
        return None
    values = np.asarray(given)
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
