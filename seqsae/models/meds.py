"""The model `meds`: any encoder or decoder of the transformers library over code ids, as event models of MEDS data are."""

import hashlib
import inspect
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from seqsae.errors import SeqsaeError
from seqsae.models import meds_folder, meds_layout, meds_sites, meds_vocabulary
from seqsae.models.contract import Batch, Sample, SequenceModel
from seqsae.models.devices import usable
from seqsae.models.meds_layout import Laid, Layout, Losses
from seqsae.models.meds_vocabulary import Vocabulary
from seqsae.progress import say
from seqsae.records.record import Record


class CodeModel(SequenceModel):
    """MEDS records in, a row for every row of the record that the vocabulary knows; special tokens are no rows.

    Padding stands on the right, behind an attention mask, and changes no real row. Numeric values are not read: a model of
    value tokens needs data whose codes hold them.
    """

    def __init__(self, module: nn.Module, words: Vocabulary, layout: Layout, **options: Any):
        super().__init__(module, vocabulary=words.tokens, pad_invariant=True, **options)
        self.words, self.layout, self.lost = words, layout, Losses()

    @property
    def preparation(self) -> str:
        """Hash of how records become input."""
        ends = [self.words.special(role, getattr(self.layout, role)) for role in ("start", "end")]
        return hashlib.sha256(repr((self.layout, ends, self.words.unknown)).encode()).hexdigest()

    def prepare(self, record: Record) -> Sample:
        laid = meds_layout.lay_out(record, self.words, self.layout, self.lost)
        self._check_ages(record, laid)
        return Sample(
            inputs=laid,
            token=np.asarray(record.code).astype(object)[laid.event],
            event=laid.event,
            position=np.flatnonzero(laid.rows),
            length=max(1, len(laid.ids)),
            time=np.asarray(record.time).astype("datetime64[us]")[laid.event],
        )

    def collate(self, samples: list[Sample]) -> Batch:
        n = max(sample.length for sample in samples)
        laid = [sample.inputs for sample in samples]
        real = torch.zeros(len(laid), n, dtype=torch.long)
        for row, sample in zip(real, samples, strict=True):
            row[: sample.length] = 1  # an empty record is one padding token that attends to itself
        inputs = {"input_ids": _padded([one.ids for one in laid], n, self.words.pad or 0), "attention_mask": real}
        if self.layout.time_as != "none":
            inputs["position_ids"] = _padded([one.positions for one in laid], n, 0)
        return Batch(inputs, _padded([one.rows for one in laid], n, False), samples)

    def hide(self, batch: Batch, where: Tensor) -> Batch:
        if self.words.mask is None:
            return super().hide(batch, where)
        if where.shape != batch.mask.shape or (where & ~batch.mask).any():
            raise SeqsaeError(
                "meds: hide(batch, where) takes a bool tensor [batch, positions] that is True on rows only"
            )
        ids = batch.inputs["input_ids"]
        hidden = ids.masked_fill(where.to(ids.device), self.words.mask)
        return Batch({**batch.inputs, "input_ids": hidden}, batch.mask, batch.samples)

    def _check_ages(self, record: Record, laid: Laid) -> None:
        """Raises SeqsaeError if an age is no position of the model."""
        oldest = 0 if laid.positions is None else max(laid.positions.tolist(), default=0)
        most = meds_sites.positions_of(self.module) if oldest else None
        if most is not None and oldest >= most:
            raise SeqsaeError(
                f"subject {record.subject_id!r}: age {oldest} is no position id of a model with {most} positions; "
                "leave time_as out"
            )

    def account(self) -> list[str]:
        """What did not reach the model since this was last asked, a line each."""
        lines = self.lost.lines("left out" if self.words.unknown is None else "read as the unknown token")
        self.lost = Losses()
        return lines


def open(
    path: str | Path | None = None,
    vocabulary: Any = None,
    max_length: int | None = None,
    device: str = "cpu",
    *,
    sites: Iterable[str] | None = None,
    attention: str | None = None,
    **layout: Any,
) -> CodeModel:
    """The model in a folder that `save_pretrained` wrote, with its vocabulary beside it. Nothing is fetched.

    Args:
        vocabulary: path, list of tokens, or token -> id; default: vocabulary.json or codes.parquet in the folder.
        max_length: positions to read, at most the model's own, which are the default; longer records keep their newest
            whole moments.
        sites: module paths; default: embedding, and for each block the residual stream after it, what attention and MLP
            write, and the MLP's hidden neurons.
        attention: `causal` or `bidirectional`, for architectures that are not known here.
        layout: `static`, `time_as`, `start`, `end`; see `Layout`.
    Raises:
        SeqsaeError: a folder, vocabulary or option that does not fit, in one line.
    """
    usable(device)
    if path is None:
        raise SeqsaeError(
            "model meds: no path; give the folder that holds config.json, safetensors and vocabulary.json"
        )
    unknown = sorted(set(layout) - set(meds_layout.names()))
    if unknown:
        raise SeqsaeError(f"model meds: no option {unknown[0]!r}; it has {', '.join(_options())}")
    module, fields = meds_folder.load(Path(path))
    words = meds_vocabulary.read(Path(path), vocabulary, module.config)
    chosen = Layout(max_length=_length(module, max_length), **layout)
    _check_positions(module, chosen)
    found = meds_sites.sites_of(module) if sites is None else list(sites)
    if not found:
        raise SeqsaeError(
            f"model meds: {type(module).__name__} has no list of blocks, one a layer; give sites = [module paths]"
        )
    options = {"name": "meds", "attention": attention or _declared(module), "device": device}
    model = CodeModel(module, words, chosen, sites=found, config=fields, **options)
    _say_specials(model)
    return model


def _options() -> list[str]:
    own = [name for name, kind in inspect.signature(open).parameters.items() if kind.kind is not kind.VAR_KEYWORD]
    return [*own, *(name for name in meds_layout.names() if name not in own)]


def _declared(module: nn.Module) -> str:
    found = meds_sites.attention_of(module.config)
    if found is None:
        raise SeqsaeError(
            f"model meds: {type(module).__name__} is not known here; say attention = 'causal' or 'bidirectional'"
        )
    return found


def _length(module: nn.Module, wish: int | None) -> int:
    most = meds_sites.positions_of(module)
    if wish is not None and type(wish) is not int:
        raise SeqsaeError(f"model meds: max_length = {wish!r}; give a whole number of positions")
    if wish is None and most is None:
        raise SeqsaeError(
            f"model meds: {type(module).__name__} does not say how long its input may be; give max_length"
        )
    if wish is not None and most is not None and wish > most:
        raise SeqsaeError(f"model meds: max_length = {wish}, but the model has {most} positions; give at most {most}")
    return most if wish is None else wish


def _check_positions(module: nn.Module, layout: Layout) -> None:
    if layout.time_as != "none" and "position_ids" not in inspect.signature(module.forward).parameters:
        raise SeqsaeError(f"model meds: {type(module).__name__} takes no position_ids; leave time_as out")


def _say_specials(model: CodeModel) -> None:
    """Which special tokens are used, since a config's own are often those of a text model."""
    words, names = model.words, model.vocabulary
    used = {role: words.special(role, getattr(model.layout, role)) for role in ("start", "end")}
    used |= {"padding": words.pad, "unknown": words.unknown, "mask": words.mask}
    told = [f"{role} {names[number] or 'id'} ({number})" for role, number in used.items() if number is not None]
    say(
        f"model 'meds': {model.attention}, {model.layout.max_length} positions; {', '.join(told) or 'no special tokens'}"
    )


def _padded(parts: list[np.ndarray], n: int, filler: int | bool) -> Tensor:
    """[B, n] the parts from the left, `filler` behind them."""
    table = np.full((len(parts), n), filler, np.int64 if not isinstance(filler, bool) else bool)
    for row, part in zip(table, parts, strict=True):
        row[: len(part)] = part
    return torch.from_numpy(table)
