"""`seqsae.wrap`: any `nn.Module` as a SequenceModel, with the caller's own collate and no tokenizer."""

import hashlib
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from torch import Tensor, nn

from seqsae.errors import NoObjective, SeqsaeError
from seqsae.models import masks
from seqsae.models.contract import Batch, Sample, SequenceModel
from seqsae.models.given import check_functions, is_mask, no_mask, sites_of
from seqsae.models.items import entries, item_of, times_of, tokens_of
from seqsae.models.modules import check_reach, plain
from seqsae.models.pooling import Pooled
from seqsae.models.roles import role_of
from seqsae.models.sites import parse
from seqsae.records.record import Record


def wrap(  # noqa: PLR0913  a model's whole description in one call
    module: nn.Module,
    sites: Iterable[str],
    collate: Callable[[list[dict]], Any],
    *,
    name: str | None = None,
    attention: Literal["causal", "bidirectional"] = "bidirectional",
    pad_invariant: bool = True,
    role: Literal["token", "decoder"] | None = None,
    hide: Callable[[Any, Tensor], Any] | None = None,
    ids: Callable[[Any], Tensor] | None = None,
    logits: Callable[[Any], Tensor] | None = None,
    device: str = "cpu",
    batch_first: bool = True,
) -> SequenceModel:
    """A SequenceModel from a module whose forward takes a tensor, a dict, or positional or keyword arguments.

    Args:
        module: any `nn.Module`; it is put in eval mode. `torch.compile` and `DataParallel` around it are taken off.
        sites: places to read (`seqsae.models.sites`): dotted module paths, with `:in` for the first input, `:out.1` or
            `:out.hidden` for a part of a tuple, dict or dataclass, `#2` for the second call of a module that runs several
            times, `@mean`, `@cls`, `@last` or `@pooled` for one row a subject (then all sites have an @).
        collate: items (the dicts given to `seqsae.dataset`; for events and sequences a dict with `token`, `time`,
            `value`) -> `(inputs, mask)`, mask [B, T] bool, True where a position is a real row; `(inputs, mask, index)` if rows are
            not all of an item's entries in their order, index [B, T] int the entry that each stands for. `inputs` alone will do if it
            is a dict with `attention_mask` or `src_key_padding_mask`.
        role: `decoder` if the rows are positions of a decoder that reads an encoder; items then name them
            `decoder_token`. None: found where the sites of a transformers or torch encoder-decoder say it.
        hide: (inputs, where [B, T]) -> inputs with the mask token there; needed for the masked readout only.
        ids: inputs -> the token ids [B, T] among them, and
        logits: output -> [B, T, V]: what the model says of each position; needed to ask what a feature does to its
            predictions, and found without asking where they are called `input_ids` and `logits`.
        pad_invariant: False if padding changes real rows: then only equal lengths share a batch.
    Raises:
        SeqsaeError: no such site, or one that no hook reaches, such as inside TorchScript; no list of sites, or no function
            where one is wanted.
    """
    module, sites = plain(module), sites_of(sites)
    check_functions("collate", collate=collate, hide=hide, ids=ids, logits=logits)
    check_reach(module, sites)
    options = {"attention": attention, "pad_invariant": pad_invariant, "device": device, "batch_first": batch_first}
    functions = _Functions(collate, hide, ids, logits)
    is_pooled = any(parse(site).pool is not None for site in sites)
    own = list(dict.fromkeys(site.partition("@")[0] or ":out" for site in sites)) if is_pooled else sites
    model = Wrapped(module, own, functions, role_of(module, own, role), name=name or type(module).__name__, **options)
    return Pooled(model, sites) if is_pooled else model


class _Functions(NamedTuple):
    """The caller's own code, as `wrap` takes it."""

    collate: Callable
    hide: Callable | None
    ids: Callable | None
    logits: Callable | None


class Wrapped(SequenceModel):
    """A plain module with the caller's collate."""

    def __init__(self, module: nn.Module, sites: Iterable[str], functions: _Functions, role: str, **options):
        super().__init__(module, sites, **options)
        self._collate, self._hide, self._ids, self._logits = functions
        self.role = role

    @property
    def preparation(self) -> str:
        """Hash of the source of collate and hide, as far as it can be had, and of how padding is treated."""
        code = [source_of(function) for function in (self._collate, self._hide)]
        parts = (code, self.pad_invariant, self.batch_first, *([] if self.role == "token" else [self.role]))
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def prepare(self, record: Record) -> Sample:
        item = item_of(record)
        _, mask, index = self._split(self._collate([item]))
        position = np.flatnonzero(mask[0].cpu().numpy())
        event = None if index is None else entries(index[0].cpu().numpy()[position], item, record.subject_id)
        return Sample(
            inputs=item,
            token=tokens_of(item, len(position), record.subject_id, self.role, event),
            event=np.arange(len(position)) if event is None else event,
            position=position,
            length=mask.shape[1],
            time=times_of(item, len(position), record.subject_id, self.role, event),
            role=self.role,
        )

    def collate(self, samples: list[Sample]) -> Batch:
        inputs, mask, _ = self._split(self._collate([sample.inputs for sample in samples]))
        return Batch(inputs, mask, samples)

    def hide(self, batch: Batch, where: Tensor) -> Batch:
        if self._hide is None:
            return super().hide(batch, where)
        hidden = self._hide(self._as_given(batch.inputs), where)
        return Batch(self._as_one_argument(hidden), batch.mask, batch.samples)

    def ids(self, batch: Batch) -> Tensor:
        given = self._as_given(batch.inputs)
        if self._ids is not None:
            return self._ids(given)
        key = "decoder_input_ids" if self.role == "decoder" else "input_ids"
        if isinstance(given, Mapping) and isinstance(given.get(key), Tensor) and not self._reads_for_a_decoder(given):
            return given[key]
        raise NoObjective(
            f"model {self.name!r} does not say which token ids its input holds; give wrap ids=, or give loss="
        )

    def logits(self, output: Any) -> Tensor:
        return super().logits(output if self._logits is None else {"logits": self._logits(output)})

    def _reads_for_a_decoder(self, given: Mapping) -> bool:
        """Whether the rows are an encoder's whose output is a decoder's: then no logits are about them."""
        return self.role == "token" and "decoder_input_ids" in given

    def _split(self, collated: Any) -> tuple[Any, Tensor, Tensor | None]:
        index = None
        if isinstance(collated, tuple) and len(collated) == 2 and is_mask(collated[1]):
            inputs, mask = collated
        elif isinstance(collated, tuple) and len(collated) == 3 and all(map(is_mask, collated[1:])):
            inputs, mask, index = collated
            if index.shape != mask.shape:
                raise SeqsaeError(
                    f"collate of model {self.name!r}: mask is {tuple(mask.shape)} and index {tuple(index.shape)}; give one number a position"
                )
        elif isinstance(collated, Mapping) and masks.key_of(collated) is not None and self.role == "token":
            inputs, mask = collated, masks.real(collated)
        else:
            raise no_mask(self.name, collated)
        return self._as_one_argument(inputs), mask.bool(), index

    def _as_one_argument(self, inputs: Any) -> Any:
        """A dict goes in as keyword arguments, unless forward has no such parameters: then it is the one argument."""
        if not isinstance(inputs, Mapping):
            return inputs
        parameters = inspect.signature(self.module.forward).parameters
        takes_any = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())
        return inputs if takes_any or all(key in parameters for key in inputs) else (inputs,)

    @staticmethod
    def _as_given(inputs: Any) -> Any:
        """The inputs as the caller's collate gave them."""
        return (
            inputs[0] if isinstance(inputs, tuple) and len(inputs) == 1 and isinstance(inputs[0], Mapping) else inputs
        )


def source_of(function: Callable | None) -> str | None:
    """A function's source text, else its name; what it calls or closes over is not seen."""
    try:
        return None if function is None else inspect.getsource(function)
    except (OSError, TypeError):
        return getattr(function, "__qualname__", type(function).__name__)
