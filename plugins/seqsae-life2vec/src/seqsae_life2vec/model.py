"""The encoder behind seqsae's model contract, and the factory that the entry point names."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from seqsae.errors import SeqsaeError
from seqsae.models.contract import Batch, Sample, SequenceModel
from seqsae.records.record import Record
from seqsae_life2vec import batching, folder
from seqsae_life2vec.network import Life2VecEncoder
from seqsae_life2vec.tokenizer import encode
from seqsae_life2vec.training import train
from seqsae_life2vec.vocabulary import Vocabulary


class Life2Vec(SequenceModel):
    """Lives in, a row for each event out (and one for each background row); [CLS] and births are no rows.

    Sites: `embedding`; for each block i `blocks.i` (the residual stream after it), `blocks.i.attention` and `blocks.i.mlp`
    (what each writes into it, gate included), `blocks.i.mlp.hidden` (the MLP's neurons).
    """

    def __init__(
        self,
        network: Life2VecEncoder,
        words: Vocabulary,
        max_length: int = 512,
        device: str | torch.device = "cpu",
    ):
        super().__init__(
            network,
            sites_of(network),
            name="life2vec",
            attention="bidirectional",
            pad_invariant=True,
            vocabulary=words.tokens,
            config={**network.shape.__dict__, "max_length": max_length},
            device=device,
        )
        self.words, self.max_length = words, max_length

    def prepare(self, record: Record) -> Sample:
        life = encode(record, self.words, self.max_length)
        return Sample(
            inputs=life,
            token=np.asarray(record.code).astype(str)[life.event],
            event=life.event,
            position=np.arange(1, len(life)),
            length=len(life),
            time=np.asarray(record.time).astype("datetime64[us]")[life.event],
        )

    def collate(self, samples: list[Sample]) -> Batch:
        inputs = batching.pad([sample.inputs for sample in samples])
        return Batch(inputs, batching.rows(inputs["real"]), samples)

    def hide(self, batch: Batch, where: Tensor) -> Batch:
        if where.shape != batch.mask.shape or where.dtype != torch.bool or (where & ~batch.mask).any():
            raise SeqsaeError(
                "life2vec: hide(batch, where) takes a bool tensor [batch, positions] that is True on rows only"
            )
        return Batch(batching.hide(batch.inputs, where), batch.mask, batch.samples)


def sites_of(network: Life2VecEncoder) -> dict[str, int]:
    """Site to width."""
    shape = network.shape
    sites = {"embedding": shape.d_model}
    for i in range(shape.n_blocks):
        sites[f"blocks.{i}"] = shape.d_model
        sites[f"blocks.{i}.attention"] = shape.d_model
        sites[f"blocks.{i}.mlp"] = shape.d_model
        sites[f"blocks.{i}.mlp.hidden"] = shape.d_hidden
    return sites


def open(path: str | Path | None = None, device: str = "cpu") -> Life2Vec:
    """The model in the folder `path`. Raises SeqsaeError if there is none, or its files do not belong together."""
    if path is None:
        raise SeqsaeError(
            "life2vec: no path; give the folder of a trained model, or add [model.train] to the config to train one"
        )
    network, words, config = folder.load(Path(path))
    return Life2Vec(network, words, config["max_length"], device)


open.train = train
