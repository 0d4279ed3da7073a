"""The reference model behind seqsae's contract, and the factory that the entry point names."""

from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from seqsae.errors import NoObjective, SeqsaeError
from seqsae.models.contract import Batch, Sample, SequenceModel
from seqsae.models.devices import usable
from seqsae.records.record import Record
from seqsae.shelf import digest
from seqsae_life2vec import batching, folder
from seqsae_life2vec.account import Account
from seqsae_life2vec.layout import Layout
from seqsae_life2vec.network import Life2VecEncoder, Person
from seqsae_life2vec.rows import block_sites, check_rows, check_where, event_sample, person_sample
from seqsae_life2vec.tokenizer import encode
from seqsae_life2vec.training import train
from seqsae_life2vec.vocabulary import Vocabulary

SUFFIXES = (".ckpt", ".pth", ".pt")  # an original checkpoint is one file, a model trained here a folder


class Life2Vec(SequenceModel):
    """Lives in, a row for each event out (and one for each background row); [CLS], [SEP] and births are no rows.

    Sites: `embedding`; for each block i `blocks.i` (the residual stream after it), `blocks.i.attention` and `blocks.i.mlp`
    (what each writes into it, gate included), `blocks.i.mlp.hidden` (the MLP's neurons). With `rows = "person"` the one
    site is `person`, the [CLS] state after the last block: one row a life, of role `pooled`.
    """

    def __init__(
        self,
        network: Life2VecEncoder,
        words: Vocabulary,
        layout: Layout,
        rows: str = "events",
        device: str | torch.device = "cpu",
    ):
        check_rows(rows)
        if rows == "person" and network.shape.causal:
            raise SeqsaeError("life2vec: [CLS] of a causal model sees nothing of the life; read rows = 'events'")
        super().__init__(
            network if rows == "events" else Person(network),
            sites_of(network) if rows == "events" else {"person": network.shape.d_model},
            name="life2vec",
            attention="causal" if network.shape.causal else "bidirectional",
            pad_invariant=True,
            vocabulary=words.tokens,
            config={
                **asdict(network.shape),
                **asdict(layout),
                "rows": rows,
                "tokens": digest([words.edges, words.rolled]),
            },
            device=device,
        )
        self.words, self.layout, self.rows = words, layout, rows
        self.lost = Account()

    def prepare(self, record: Record) -> Sample:
        life = encode(record, self.words, self.layout)
        self.lost.add(life)
        return person_sample(life, len(life)) if self.rows == "person" else event_sample(life, record, len(life))

    def collate(self, samples: list[Sample]) -> Batch:
        lives = [sample.inputs for sample in samples]
        mask = batching.rows(lives) if self.rows == "events" else torch.ones(len(lives), 1, dtype=torch.bool)
        return Batch(batching.pad(lives), mask, samples)

    def hide(self, batch: Batch, where: Tensor) -> Batch:
        """The batch with [MASK] at `where`. Raises SeqsaeError for a causal model, persons, and what is no row."""
        if self.rows == "person" or self.attention == "causal":
            return super().hide(batch, where)
        check_where(batch, where)
        return Batch(batching.hide(batch.inputs, where), batch.mask, batch.samples)

    def ids(self, batch: Batch) -> Tensor:
        if self.rows == "person":
            raise NoObjective("life2vec: a person vector says no tokens; read rows = 'events', or give loss=")
        return batch.inputs["token"]

    def logits(self, output: Tensor) -> Tensor:
        return output

    def account(self) -> list[str]:
        """What did not reach the model since this was last asked, a line each."""
        lines = self.lost.lines()
        self.lost = Account()
        return lines


def sites_of(network: Life2VecEncoder) -> dict[str, int]:
    """Site to width."""
    shape = network.shape
    sites = {"embedding": shape.d_model}
    for i in range(shape.n_blocks):
        sites |= block_sites(i, shape.d_model, shape.d_hidden)
    return sites


def open(path: str | Path | None = None, device: str = "cpu", rows: str = "events", **original) -> SequenceModel:
    """The model in the folder `path` (one trained here), or in the original checkpoint `path` (.ckpt, .pth).

    Args:
        rows: `events`, or `person` for one row a life.
        original: what an original checkpoint needs beside it, see `seqsae_life2vec.compat.model.open`.
    Raises:
        SeqsaeError: there is no model, its files do not belong together, or an option is not one of its kind.
    """
    usable(device)
    if path is None:
        raise SeqsaeError(
            "life2vec: no path; give the folder of a trained model, or add [model.train] to the config to train one"
        )
    if Path(path).suffix in SUFFIXES:
        from seqsae_life2vec.compat import model as compat

        return compat.open(Path(path), device=device, rows=rows, **original)
    if original:
        raise SeqsaeError(
            f"life2vec: {min(original)!r} is an option for original checkpoints ({', '.join(SUFFIXES)}), not for the folder {path}"
        )
    network, words, layout = folder.load(Path(path))
    return Life2Vec(network, words, layout, rows, device)


open.train = train
