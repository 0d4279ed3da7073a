"""An original checkpoint behind seqsae's contract."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from seqsae.errors import NoObjective, SeqsaeError
from seqsae.models.contract import Batch, Sample, SequenceModel
from seqsae.records.record import Record
from seqsae_life2vec import batching
from seqsae_life2vec.account import Account
from seqsae_life2vec.compat import documents, files, words
from seqsae_life2vec.compat.decoders import OriginalPerson
from seqsae_life2vec.compat.hparams import gather
from seqsae_life2vec.compat.network import Original
from seqsae_life2vec.layout import Layout
from seqsae_life2vec.rows import block_sites, check_rows, check_where, event_sample, person_sample
from seqsae_life2vec.vocabulary import Vocabulary


class OriginalLife2Vec(SequenceModel):
    """MEDS records or ready documents in, a row for each token that is neither [CLS], [SEP] nor padding.

    Every input is padded to the trained length, because the FAVOR+ heads count padding in their normaliser; so the
    length of a sample is that length, and the contract's `pad_invariant` is False.

    Sites as of the reference model: `embedding`, `blocks.i`, `blocks.i.attention`, `blocks.i.mlp` (times their gates: true
    residual writes), `blocks.i.mlp.hidden`; with `rows = "person"` the one site `person`: what the fine-tuned decoder
    pools, or the [CLS] state after the last block.

    Args:
        background: code prefixes of the static rows that are background, in their order; none: all static rows.
    """

    def __init__(
        self,
        network: Original | OriginalPerson,
        vocabulary: Vocabulary,
        layout: Layout,
        rows: str = "events",
        device: str | torch.device = "cpu",
        background: tuple[str, ...] = (),
    ):
        hparams = (network if rows == "events" else network.encoder).hparams
        chosen = {"background": list(background)} if background else {}
        super().__init__(
            network,
            sites_of(network) if rows == "events" else {"person": hparams.d_model},
            name="life2vec",
            attention="bidirectional",
            pad_invariant=False,
            vocabulary=vocabulary.tokens,
            config={**asdict(hparams), **asdict(layout), "rows": rows, "form": "original", **chosen},
            device=device,
        )
        self.words, self.layout, self.rows = vocabulary, layout, rows
        self.background, self.lost = background, Account()

    def prepare(self, record: Record) -> Sample:
        length = self.layout.max_length
        if record.item is not None:
            life = documents.read(record, self.words, length)
            sample = documents.sample(life, length)
        else:
            life = documents.lived(record, self.words, self.layout, self.background)
            sample = event_sample(life, record, length)
        self.lost.add(life)
        return sample if self.rows == "events" else person_sample(life, length)

    def collate(self, samples: list[Sample]) -> Batch:
        lives = [sample.inputs for sample in samples]
        inputs = documents.padded(lives, self.layout.max_length)
        if self.rows == "person":
            return Batch(inputs, torch.ones(len(lives), 1, dtype=torch.bool), samples)
        mask = torch.zeros_like(inputs["real"])
        rows = batching.rows(lives)
        mask[:, : rows.shape[1]] = rows
        return Batch(inputs, mask, samples)

    def hide(self, batch: Batch, where: Tensor) -> Batch:
        """The batch with [MASK] at `where`. Raises SeqsaeError for persons and what is no row."""
        if self.rows == "person":
            return super().hide(batch, where)
        check_where(batch, where)
        return Batch(batching.hide(batch.inputs, where), batch.mask, batch.samples)

    def ids(self, batch: Batch) -> Tensor:
        if self.rows == "person":
            raise NoObjective("life2vec: a person vector says no tokens; read rows = 'events', or give loss=")
        return batch.inputs["token"]

    def logits(self, output: Tensor) -> Tensor:
        if self.rows == "person" or self.module.decoder is None:
            raise NoObjective(
                "life2vec: no token head: a person vector is read, or the checkpoint holds no mlm_decoder; give the "
                "pretrained .ckpt and rows = 'events', or give loss="
            )
        return output

    def account(self) -> list[str]:
        """What did not reach the model since this was last asked, a line each."""
        lines = self.lost.lines()
        self.lost = Account()
        return lines


def sites_of(network: Original) -> dict[str, int]:
    """Site to width."""
    hparams = network.hparams
    sites = {"embedding": hparams.d_model}
    for i in range(hparams.n_blocks):
        sites |= block_sites(i, hparams.d_model, hparams.d_hidden)
    return sites


def open(
    path: Path,
    vocabulary: str | Path | None = None,
    reference: str = "2008-01-01",
    device: str = "cpu",
    rows: str = "events",
    background: Sequence[str] = (),
    **hparams,
) -> OriginalLife2Vec:
    """The model of an original checkpoint.

    Args:
        path: a `.ckpt` of Lightning, or a `.pth` with the transformer's state dict.
        vocabulary: its `result.tsv`.
        reference: the date from which the original counts days (2020-01-01 in the light version).
        rows: `events` or `person`.
        background: code prefixes of the static rows that are background, in the order of training: origin, then gender; of each the
            first row is taken. Default: all static rows, in their own order.
        hparams: `heads`, `local_heads`, `window`, `max_length`, `activation`: those that the file does not say.
    Raises:
        SeqsaeError: in one line, whatever is wrong with the files or the options.
    """
    check_rows(rows)
    _check_background(background)
    if vocabulary is None:
        raise SeqsaeError(f"{path}: give its vocabulary too: vocabulary = 'result.tsv'")
    unknown = set(hparams) - {"heads", "local_heads", "window", "max_length", "activation"}
    if unknown:
        raise SeqsaeError(
            f"life2vec: no option {min(unknown)!r} for an original checkpoint; it has vocabulary, reference, rows, device, "
            "background, heads, local_heads, window, max_length, activation"
        )
    checkpoint = files.read(path)
    found = gather(checkpoint.transformer, checkpoint.hparams, hparams, str(path))
    tokens = files.table(checkpoint.transformer, "embedding.token", path)
    network = Original(found, tokens, files.token_decoder(checkpoint, found.d_model))
    files.load_network(network, checkpoint)
    vocabulary = words.read(Path(vocabulary), found.n_tokens)
    layout = Layout(found.max_length, reference=reference)
    if rows == "person":
        network = OriginalPerson(network, files.person_decoder(checkpoint, found.d_model))
    return OriginalLife2Vec(network, vocabulary, layout, rows, device, tuple(background))


def _check_background(background: Sequence[str]) -> None:
    if not isinstance(background, list | tuple) or not all(isinstance(one, str) and one for one in background):
        raise SeqsaeError(f"life2vec: background = {background!r}; give code prefixes, e.g. ['ORIGIN', 'SEX']")
