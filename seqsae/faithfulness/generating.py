"""Sequences that a causal model goes on with, unchanged and with a feature changed at every step."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
import torch
from torch import Tensor

from seqsae import schema
from seqsae.errors import SeqsaeError
from seqsae.faithfulness.objectives import Turn
from seqsae.faithfulness.pushing import Bench, Push, look, pushed
from seqsae.faithfulness.shown import Shown, groups
from seqsae.faithfulness.steering import Steer
from seqsae.models.contract import Sample
from seqsae.progress import track


class Going(NamedTuple):
    """How sequences go on."""

    n_tokens: int
    temperature: float = 0.0
    """0 takes the likeliest token."""
    seed: int = 0


def generated_table(bench: Bench, told: Shown, asked: Steer, going: Going) -> pl.DataFrame:
    """Schema `generated`. Both sequences of a sample are drawn with the same random numbers, so that what differs is the change.

    Raises:
        SeqsaeError: the model is not causal or cannot be extended, or the temperature is below 0.
    """
    if bench.model.attention != "causal":
        raise SeqsaeError(f"model {bench.model.name!r} is bidirectional and generates nothing; leave generate out")
    if not (going.n_tokens > 0 and going.temperature >= 0):
        raise SeqsaeError(
            f"generate = {going.n_tokens}, temperature = {going.temperature}: give at least 1, and 0 or more"
        )
    rows = {}
    for group in track(list(groups(bench.model, told.samples, bench.budget)), "generate"):
        samples = [told.samples[i] for i in group]
        draws = [np.random.default_rng([going.seed, int(told.numbers[i])]).random(going.n_tokens) for i in group]
        plain, steered = (_grown(bench, samples, np.array(draws), going, change) for change in (None, asked))
        for place, one, other in zip(group, plain, steered, strict=True):
            rows[int(place)] = (one, other)
    order = sorted(rows)
    table = pl.DataFrame(
        {
            "subject": told.subjects[order],
            "sample": told.numbers[order],
            "prompt": [len(told.samples[i]) for i in order],
            "tokens": [rows[i][0] for i in order],
            "tokens_steered": [rows[i][1] for i in order],
        },
        schema_overrides={"tokens": pl.List(pl.String), "tokens_steered": pl.List(pl.String)},
    )
    return schema.check_table(table, "generated", "generated")


def _grown(
    bench: Bench, samples: Sequence[Sample], draws: np.ndarray, going: Going, asked: Steer | None
) -> list[list[str]]:
    """The tokens that each sample goes on with; draws [samples, n_tokens] in [0, 1)."""
    grown, starts = list(samples), [len(sample) for sample in samples]
    for step in range(going.n_tokens):
        last = _last_logits(bench, grown, asked)
        chosen = [_drawn(logits, draws[i, step], going.temperature) for i, logits in enumerate(last)]
        grown = [bench.model.extend(sample, token) for sample, token in zip(grown, chosen, strict=True)]
    return [[str(token) for token in sample.token[start:]] for sample, start in zip(grown, starts, strict=True)]


@torch.no_grad()
def _last_logits(bench: Bench, samples: Sequence[Sample], asked: Steer | None) -> list[Tensor]:
    """[V] of each sample: what is said at its last row. Samples that have grown alike still share a batch."""
    turns = [Turn(i, sample, np.zeros(len(sample), bool)) for i, sample in enumerate(samples)]
    found: dict[int, Tensor] = {}
    for group in groups(bench.model, samples, bench.budget):
        chosen = [turns[i] for i in group]
        seen = look(bench, chosen)
        output, laid = seen.output, seen.laid
        if asked is not None:
            pushes = [Push(turn, asked.feature, asked.by(bench, seen, i)) for i, turn in enumerate(chosen)]
            output, laid = pushed(bench, pushes)
        logits, mask = bench.objective.logits(output, laid), laid.batch.mask.cpu()
        for place, one, rows in zip(group, logits, mask, strict=True):
            found[int(place)] = one[int(rows.nonzero().max())]
    return [found[i] for i in range(len(samples))]


def _drawn(logits: Tensor, draw: float, temperature: float) -> int:
    """The likeliest token, or the one at `draw` in [0, 1) of the cumulated probabilities."""
    logits = logits.double().cpu()
    if not temperature:
        return int(logits.argmax())
    cumulated = (logits / temperature).softmax(0).cumsum(0)
    return min(
        int(torch.searchsorted(cumulated, torch.tensor(draw * float(cumulated[-1])), right=True)), len(logits) - 1
    )
