"""Sequences that a causal model goes on with, unchanged and with a feature changed at every step."""

from collections.abc import Sequence
from math import inf
from numbers import Integral, Real
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
from seqsae.faithfulness.steering import Steer, not_finite
from seqsae.models.contract import Sample, SequenceModel
from seqsae.progress import track


class Going(NamedTuple):
    """How sequences go on."""

    n_tokens: int
    temperature: float = 0.0
    """0 takes the likeliest token."""
    seed: int = 0


def going_of(model: SequenceModel, n_tokens: int, temperature: float, seed: int) -> Going:
    """How sequences are to go on, looked at before anything is done.

    Raises:
        SeqsaeError: `n_tokens` is no whole number from 0 on, the temperature is no finite one from 0 on, or the model is not
            causal.
    """
    if isinstance(n_tokens, bool) or not isinstance(n_tokens, Integral) or n_tokens < 0:
        raise SeqsaeError(f"generate = {n_tokens!r}: give a whole number of tokens to go on with, 0 for none")
    if isinstance(temperature, bool) or not isinstance(temperature, Real) or not 0 <= temperature < inf:
        raise SeqsaeError(
            f"temperature = {temperature!r}: give a finite number, 0 or more; 0 takes the likeliest token"
        )
    if n_tokens and model.attention != "causal":
        raise SeqsaeError(f"model {model.name!r} is bidirectional and generates nothing; leave generate out")
    return Going(int(n_tokens), float(temperature), seed)


def generated_table(bench: Bench, told: Shown, asked: Steer, going: Going) -> pl.DataFrame:
    """Schema `generated`. Both sequences of a sample are drawn with the same random numbers, so that what differs is the change.

    Raises:
        SeqsaeError: the model cannot be extended, or says NaN or infinite values.
    """
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
            found[int(place)] = last = one[int(rows.nonzero().max())].double()
            if last.log_softmax(0).isnan().any():
                raise not_finite(bench, asked)
    return [found[i] for i in range(len(samples))]


def _drawn(logits: Tensor, draw: float, temperature: float) -> int:
    """The likeliest token, or the one at `draw` in [0, 1) of the cumulated probabilities."""
    logits = logits.double().cpu()
    if not temperature:
        return int(logits.argmax())
    cumulated = ((logits - logits.max()) / temperature).softmax(0).cumsum(0)  # near 0 a logit itself would overflow
    return min(
        int(torch.searchsorted(cumulated, torch.tensor(draw * float(cumulated[-1])), right=True)), len(logits) - 1
    )
