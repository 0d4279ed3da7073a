"""Models that read a protein residue by residue, behind seqsae's activation interface."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from seqsae.errors import SeqsaeError
from seqsae.models.contract import Batch, Sample, SequenceModel
from seqsae.records.record import Record
from seqsae_protein import windows
from seqsae_protein.alphabet import Alphabet
from seqsae_protein.reading import STRICT, Encoder, Reading


@dataclass(frozen=True)
class Part:
    """One input of the module: a sequence, or a window of it. Residues are counted among those that are read."""

    ids: np.ndarray
    """[t] int64, special tokens included."""
    first: int
    """The first residue."""
    rows: slice
    """[t] which positions are rows; the others are special tokens, or residues whose row another window has."""


class ResidueModel(SequenceModel):
    """A transformer of the transformers library over one-letter tokens. A row is a residue; special tokens are none.

    Args:
        module: forward takes `input_ids` and `attention_mask`, both [B, T].
        sites: site -> width d.
        alphabet: its start and end tokens, where given, stand around every input, each window's too.
        context: the longest input the model takes, special tokens included; None: no limit.
        reading: what is done with gaps, stops, rare and unknown letters, and sequences over the context.
        options: as in SequenceModel.
    """

    def __init__(  # noqa: PLR0913  a model's whole description in one call
        self,
        module: nn.Module,
        sites: dict[str, int | None],
        alphabet: Alphabet,
        context: int | None,
        reading: Reading = STRICT,
        starts: bool = True,
        **options,
    ):
        super().__init__(module, sites, vocabulary=list(alphabet.tokens), **options)
        self.alphabet, self.context, self.reading = alphabet, context, reading
        causal = self.attention == "causal"
        self.before = [] if alphabet.start is None or not starts else [alphabet.start]
        self.after = [] if alphabet.end is None or causal else [alphabet.end]
        self.encoder = Encoder(alphabet, reading)
        self.longest = self._longest()
        self.overlap = self._overlap()

    @property
    def preparation(self) -> str | None:
        """The policies that turn a sequence into input, None where they are the strict ones."""
        return None if self.reading == STRICT else repr(self.reading)

    def prepare(self, record: Record) -> Sample:
        """A sequence as token ids, in one part or in windows. `event` is the index in the sequence as it was given.

        Raises SeqsaeError for events, and for letters and lengths that the policies refuse.
        """
        name = str(record.subject_id)
        if record.sequence is None:
            raise SeqsaeError(f"subject {name!r} has no sequence; model {self.name!r} reads proteins: give FASTA")
        ids, event = self.encoder.encode(record.sequence, name)
        if self.longest is not None and len(ids) > self.longest:
            ids, event = self._too_long(ids, event, name)
        parts = self._parts(ids)
        letters = np.array(list(record.sequence), dtype=object)
        return Sample(
            inputs=parts,
            token=letters[event],
            event=event,
            position=np.concatenate([np.arange(part.rows.start, part.rows.stop) for part in parts]),
            length=max(len(part.ids) for part in parts),
            parts=len(parts),
        )

    def collate(self, samples: list[Sample]) -> Batch:
        """The parts of all samples, padded on the right."""
        parts = [part for sample in samples for part in sample.inputs]
        shape = (len(parts), max(len(part.ids) for part in parts))
        ids = torch.full(shape, self.alphabet.pad or 0, dtype=torch.int64)
        real = torch.zeros(shape, dtype=torch.int64)
        rows = torch.zeros(shape, dtype=torch.bool)
        for index, part in enumerate(parts):
            ids[index, : len(part.ids)] = torch.from_numpy(part.ids)
            real[index, : len(part.ids)] = 1
            rows[index, part.rows] = True
        return Batch({"input_ids": ids, "attention_mask": real}, rows, samples)

    def hide(self, batch: Batch, where: Tensor) -> Batch:
        """The batch with the mask token at `where` [B, T], and wherever else a window shows one of these residues.

        Raises SeqsaeError if the model is causal or has no mask token.
        """
        if self.attention == "causal" or self.alphabet.mask is None:
            return super().hide(batch, where)
        where = self._in_every_window(batch, where)
        ids = batch.inputs["input_ids"].masked_fill(where, self.alphabet.mask)
        return replace(batch, inputs={**batch.inputs, "input_ids": ids})

    def extend(self, sample: Sample, token: int) -> Sample:
        """The sample with one more residue, for causal models, as long as the model's context has room."""
        if self.attention != "causal":
            return super().extend(sample, token)
        if sample.parts > 1 or (self.longest is not None and len(sample) >= self.longest):
            raise SeqsaeError(
                f"model {self.name!r}: a sequence of {len(sample):,} residues has no room for another; it reads "
                f"{self.longest:,}: generate fewer, or begin with a shorter one"
            )
        (part,) = sample.inputs
        letter = self.alphabet.tokens[token] if token < len(self.alphabet.tokens) else f"id {token}"
        grown = Part(np.append(part.ids, token), part.first, slice(part.rows.start, part.rows.stop + 1))
        return replace(
            sample,
            inputs=[grown],
            token=np.append(sample.token, letter),
            event=np.append(sample.event, sample.event[-1] + 1),
            position=np.append(sample.position, part.rows.stop),
            length=sample.length + 1,
        )

    def account(self) -> list[str]:
        """What the policies did since this was last asked, a line each."""
        return self.encoder.account()

    def _longest(self) -> int | None:
        """Residues that one input holds at most."""
        own = None if self.context is None else self.context - len(self.before) - len(self.after)
        wish = self.reading.longest
        if own is not None and wish is not None and wish > own:
            raise SeqsaeError(f"model {self.name!r}: longest = {wish:,}, but it reads {own:,} residues at most")
        return own if wish is None else wish

    def _overlap(self) -> int:
        if self.longest is None:
            return 0
        overlap = self.longest // 4 if self.reading.overlap is None else self.reading.overlap
        if overlap >= self.longest:
            raise SeqsaeError(
                f"model {self.name!r}: overlap = {overlap:,} of windows of {self.longest:,} residues; give less"
            )
        return overlap

    def _too_long(self, ids: np.ndarray, event: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
        """What is read of a sequence of more than `longest` residues."""
        if self.reading.long == "refuse":
            raise SeqsaeError(
                f"sequence {name!r} has {len(ids):,} residues; model {self.name!r} reads {self.longest:,} at most: leave "
                'it out, or give the model the option long = "window" or "truncate"'
            )
        if self.reading.long == "window":
            return ids, event
        self.encoder.told(f"residues behind the first {self.longest:,}, without a row", len(ids) - self.longest)
        return ids[: self.longest], event[: self.longest]

    def _parts(self, ids: np.ndarray) -> list[Part]:
        n, causal = len(ids), self.attention == "causal"
        spans = windows.spans(n, self.longest or n, self.overlap, causal)
        owner = windows.owners(n, spans, causal)
        if len(spans) > 1:
            self.encoder.told(f"windows of up to {self.longest:,} residues", len(spans))
        parts, before = [], len(self.before)
        for index, (start, end) in enumerate(spans):
            mine = np.flatnonzero(owner == index)
            rows = (
                slice(int(mine[0]) - start + before, int(mine[-1]) + 1 - start + before) if len(mine) else slice(0, 0)
            )
            tokens = np.array([*self.before, *ids[start:end], *self.after], dtype=np.int64)
            parts.append(Part(tokens, start, rows))
        return parts

    def _in_every_window(self, batch: Batch, where: Tensor) -> Tensor:
        """`where`, and the same residues in the windows in which they have no row."""
        if all(sample.parts == 1 for sample in batch.samples):
            return where
        where, line, before = where.clone(), 0, len(self.before)
        for sample in batch.samples:
            hidden = torch.zeros(len(sample), dtype=torch.bool, device=where.device)
            lines = range(line, line + sample.parts)
            for index, part in zip(lines, sample.inputs, strict=True):
                low = part.first - before
                hidden[part.rows.start + low : part.rows.stop + low] = where[index, part.rows]
            for index, part in zip(lines, sample.inputs, strict=True):
                end = len(part.ids) - len(self.after)
                where[index, before:end] |= hidden[part.first : part.first + end - before]
            line += sample.parts
        return where
