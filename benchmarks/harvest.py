"""Harvest against the bare forward pass, stopping early against all hidden states, and batches of like lengths against other padding.

AntiBERTy over antibody domains (both from their packages), one thread, CPU seconds; the ways are interleaved, round by round, and the ratios
are medians over the rounds. The bare pass runs embeddings and blocks by hand, without hooks, on the very batches of the harvest.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from bars import Bars, parser
from seqsae_protein import antibody

import seqsae
from seqsae.activations.batches import bucketed
from seqsae.activations.harvesting import harvest
from seqsae.config import HarvestConfig
from seqsae.models.contract import Batch, SequenceModel
from seqsae.pipeline import limited_threads
from seqsae.records.data import Dataset

LAYER, LAYERS = 3, 8
SITE = f"bert.encoder.layer.{LAYER}"
BUDGET = 8192


def main() -> None:
    options = parser(__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=7, help="rounds of each comparison")
    options = options.parse_args()
    rounds, domains = (3, 64) if options.quick else (options.rounds, 256)
    model = seqsae.open_model("antiberty", sites=[SITE])
    with tempfile.TemporaryDirectory() as folder, limited_threads(1), torch.no_grad():
        data = some(seqsae.dataset(antibody.make(Path(folder) / "antibodies", copies=1)), domains)
        bars = compared(model, data, Path(folder), rounds)
    bars.tell(options.json)


def some(data: Dataset, n: int) -> list:
    """Every so many records, so that all loci and lengths are there."""
    return [data[i] for i in np.linspace(0, len(data) - 1, n).astype(int)]


def compared(model: SequenceModel, records: list, folder: Path, rounds: int) -> Bars:
    samples = [model.prepare(record) for record in records]
    lengths = np.array([sample.length for sample in samples])
    alike = [model.collate([samples[i] for i in group]) for group in bucketed(lengths, BUDGET)]
    size = max(1, BUDGET // lengths.max())
    as_given = [model.collate(samples[i : i + size]) for i in range(0, len(samples), size)]
    padded = [widened(batch, lengths.max()) for batch in as_given]
    items = seqsae.dataset([{"subject_id": i, "record": record} for i, record in enumerate(records)], split_salt="x")
    ways = {
        "harvest": lambda turn: harvested(model, items, records, folder / f"{turn}"),
        "bare forward to the site": lambda _: [bare(model, batch, LAYER) for batch in alike],
        "forward, all hidden states": lambda _: [whole(model, batch) for batch in alike],
        "capture at the site": lambda _: [model.capture(batch, [SITE]) for batch in alike],
        "capture, batches in the given order": lambda _: [model.capture(batch, [SITE]) for batch in as_given],
        "capture, all padded to the longest": lambda _: [model.capture(batch, [SITE]) for batch in padded],
    }
    for batch in alike[:1]:  # the bare pass is the same computation
        torch.testing.assert_close(
            bare(model, batch, LAYER)[batch.mask], model.capture(batch, [SITE])[SITE], rtol=1e-4, atol=1e-4
        )
    spent = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            seconds = cpu(lambda way=way, turn=turn: way(turn))
            if turn:  # the first round warms up
                spent[name].append(seconds)
    residues = int(lengths.sum())
    for name, seconds in spent.items():
        print(
            f"{name:36} {statistics.median(seconds):7.2f} s, {residues / statistics.median(seconds):8,.0f} positions a second"
        )
    print(
        f"lengths {lengths.min()} to {lengths.max()}, median {np.median(lengths):.0f}; {len(alike)} batches of like lengths, {len(padded)} padded"
    )
    return judged(spent)


def judged(spent: dict[str, list[float]]) -> Bars:
    def ratio(one: str, other: str) -> float:
        return statistics.median(a / b for a, b in zip(spent[one], spent[other], strict=True))

    bars = Bars()
    bars.at_most("harvest over the bare forward pass to its site", ratio("harvest", "bare forward to the site"), 1.10)
    bars.at_most("capture over the bare forward pass", ratio("capture at the site", "bare forward to the site"), 1.10)
    predicted = (LAYER + 1) / LAYERS
    bars.at_most(
        "stopping at the site over all hidden states, against the share of blocks",
        ratio("capture at the site", "forward, all hidden states") / predicted, 1.05,
    )  # fmt: skip
    bars.at_least(
        "all padded to the longest over like lengths",
        ratio("capture, all padded to the longest", "capture at the site"),
        1.0,
    )
    bars.at_least(
        "batches in the given order, padded to their own longest, over like lengths",
        ratio("capture, batches in the given order", "capture at the site"),
        1.0,
    )
    return bars


def harvested(model: SequenceModel, items: Dataset, records: list, out: Path) -> None:
    """The whole stage: preparing, batching, capturing, writing half-precision shards with their hashes."""
    plain = model.prepare
    model.prepare = lambda record: plain(record.item["record"])
    try:
        harvest(model, items, out=out, config=HarvestConfig(sites=(SITE,), token_budget=BUDGET))
    finally:
        del model.prepare


def bare(model: SequenceModel, batch: Batch, layer: int) -> torch.Tensor:
    """Embeddings and blocks up to the site, as transformers' own BERT runs them."""
    bert = model.module.bert
    ids, real = batch.inputs["input_ids"], batch.inputs["attention_mask"]
    mask = torch.where(real[:, None, None, :].bool(), 0.0, torch.finfo(torch.float32).min)
    x = bert.embeddings(input_ids=ids)
    for block in bert.encoder.layer[: layer + 1]:
        x = block(x, mask)
        x = x[0] if isinstance(x, tuple) else x
    return x


def whole(model: SequenceModel, batch: Batch) -> torch.Tensor:
    return model.module(**batch.inputs, output_hidden_states=True).hidden_states[LAYER + 1]


def widened(batch: Batch, width: int) -> Batch:
    """The same samples padded to `width` positions."""
    more = width - batch.mask.shape[1]
    inputs = {name: torch.nn.functional.pad(value, (0, more)) for name, value in batch.inputs.items()}
    return Batch(inputs, torch.nn.functional.pad(batch.mask, (0, more)), batch.samples)


def cpu(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    sys.exit(main())
