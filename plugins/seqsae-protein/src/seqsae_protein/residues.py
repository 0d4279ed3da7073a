"""Models that read a protein residue by residue, behind seqsae's activation interface."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from seqsae.errors import SeqsaeError
from seqsae.models.contract import Batch, Sample, SequenceModel
from seqsae.records.record import Record
from seqsae_protein.alphabet import Alphabet, char_encode


class ResidueModel(SequenceModel):
    """A transformer of the transformers library over one-letter tokens. A row is a residue; special tokens are none.

    Args:
        module: forward takes `input_ids` and `attention_mask`, both [B, T].
        sites: site -> width d.
        alphabet: its start and end tokens, where given, stand around every sequence.
        context: the longest input the model takes, special tokens included.
        options: as in SequenceModel.
    """

    def __init__(self, module: nn.Module, sites: dict[str, int], alphabet: Alphabet, context: int, **options):
        super().__init__(module, sites, vocabulary=list(alphabet.tokens), **options)
        self.alphabet, self.context = alphabet, context
        causal = self.attention == "causal"
        self.before = [] if alphabet.start is None else [alphabet.start]
        self.after = [] if alphabet.end is None or causal else [alphabet.end]

    def prepare(self, record: Record) -> Sample:
        """A sequence as token ids. Raises SeqsaeError for events, unknown letters and sequences over the context."""
        name = str(record.subject_id)
        if record.sequence is None:
            raise SeqsaeError(f"subject {name!r} has no sequence; model {self.name!r} reads proteins: give FASTA")
        longest = self.context - len(self.before) - len(self.after)
        if len(record.sequence) > longest:
            raise SeqsaeError(
                f"sequence {name!r} has {len(record.sequence):,} residues; model {self.name!r} reads {longest:,} at "
                "most: cut it or leave it out"
            )
        ids = np.array([*self.before, *char_encode(record.sequence, self.alphabet, name), *self.after], dtype=np.int64)
        n = len(record.sequence)
        return Sample(
            inputs=ids,
            token=np.array(list(record.sequence), dtype=object),
            event=np.arange(n),
            position=np.arange(n) + len(self.before),
            length=len(ids),
        )

    def collate(self, samples: list[Sample]) -> Batch:
        """Samples padded on the right."""
        shape = (len(samples), max(sample.length for sample in samples))
        ids = torch.full(shape, self.alphabet.pad or 0, dtype=torch.int64)
        real = torch.zeros(shape, dtype=torch.int64)
        rows = torch.zeros(shape, dtype=torch.bool)
        for index, sample in enumerate(samples):
            ids[index, : sample.length] = torch.from_numpy(sample.inputs)
            real[index, : sample.length] = 1
            rows[index, torch.from_numpy(sample.position)] = True
        return Batch({"input_ids": ids, "attention_mask": real}, rows, samples)

    def hide(self, batch: Batch, where: Tensor) -> Batch:
        """The batch with the mask token at `where` [B, T]. Raises SeqsaeError if the model is causal or has none."""
        if self.attention == "causal" or self.alphabet.mask is None:
            return super().hide(batch, where)
        ids = batch.inputs["input_ids"].masked_fill(where, self.alphabet.mask)
        return replace(batch, inputs={**batch.inputs, "input_ids": ids})
