"""Training: several SAEs in one pass over a stream, each as if it were alone, resumable to the bit.

A step pulls one batch and hands it to every learner; nothing is shared but the batch. This file knows streams, steps and
files; architectures are behind `SAE.loss`, optimisers behind `Learner`.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import polars as pl
import torch
from torch import Tensor

from seqsae.errors import SeqsaeError
from seqsae.progress import track
from seqsae.sae import normalise, resume
from seqsae.sae.base import SAE, build
from seqsae.sae.learner import Learner
from seqsae.sae.metrics import measure
from seqsae.sae.spec import Budget, Spec

Heldout = Iterable[Tensor] | Callable[[], Iterable[Tensor]]

COLUMNS = {
    "sae": pl.UInt32,  # index into the specs
    "step": pl.UInt32,  # optimiser steps done
    "rows": pl.Int64,  # training rows read
    "loss": pl.Float64,  # mean since the last measurement, normalised units
    "auxiliary": pl.Float64,  # the part of it that is auxiliary
    "dead": pl.Float64,  # share of latents that count as dead in training
    "fvu": pl.Float64,  # on held-out rows; null without any
    "l0": pl.Float64,  # on held-out rows; null without any
    "lr": pl.Float64,  # learning rate of the last step
}


class Trained(NamedTuple):
    """What a training gives."""

    saes: list[SAE]
    """One for each spec, in order, in eval mode on the budget's device."""
    metrics: pl.DataFrame
    """A row for each SAE and measurement; columns `COLUMNS`."""


def train(
    stream,
    site: str,
    specs: Sequence[Spec],
    budget: Budget,
    heldout: Heldout = (),
    work: Path | str | None = None,
) -> Trained:
    """Train SAEs on one site of a stream.

    Args:
        stream: a Stream (`sites`, `n_rows`, `next`, `state`, `restore`) of raw rows; its place is moved.
        specs: one for each SAE.
        heldout: raw rows [n, d] to measure on: tensors, or a function that gives them afresh each time.
        work: a folder for the training's state. If it holds one, training goes on from there, and the result is bit for
            bit that of an uninterrupted run.
    Raises:
        SeqsaeError: unknown site, bad settings, NaN or infinite rows, a loss that is no number, a state that does not fit.
    """
    learners = _learners(stream, site, specs, budget)
    run = _run(stream, site, specs, budget)
    heldout = heldout if callable(heldout) else list(heldout)
    work = None if work is None else Path(work)
    start, rows = _restored(stream, learners, run, work)
    for step in track(range(start, budget.steps), f"training on {site}", budget.steps - start):
        batch = _batch(stream, site, budget)
        for learner in learners:
            learner.learn(batch, step)
        if (step + 1) % budget.every == 0 or step + 1 == budget.steps:
            rows += _measured(learners, step + 1, budget, heldout)
            _saved(stream, learners, run, work, rows)
    saes = [learner.sae.eval() for learner in learners]
    return Trained(saes, pl.DataFrame(rows, schema=COLUMNS))


def _learners(stream, site: str, specs: Sequence[Spec], budget: Budget) -> list[Learner]:
    """Fresh learners. SAEs of one kind of normalisation share one fit: all see the same sample."""
    if site not in stream.sites:
        raise SeqsaeError(f"no site {site!r} in these activations; they hold {', '.join(stream.sites)}")
    if not specs:
        raise SeqsaeError("SAE training: no SAE to train; give at least one spec")
    recipes = [spec.recipe(stream.sites[site]) for spec in specs]
    kinds = sorted({spec.normalisation for spec in specs})
    fitted = {kind: normalise.fit(normalise.sample(stream, site, budget.sample), kind, site) for kind in kinds}
    dead_after = budget.dead_rows(stream.n_rows)
    learners = []
    for spec, recipe in zip(specs, recipes, strict=True):
        sae = build(recipe)
        sae.set_normaliser(fitted[spec.normalisation])
        learners.append(Learner(sae.to(budget.device).train(), spec, budget, dead_after))
    return learners


def _run(stream, site: str, specs: Sequence[Spec], budget: Budget) -> dict:
    """What must be the same for a saved state to fit."""
    settings = {key: value for key, value in asdict(budget).items() if key != "device"}
    return {"site": site, "n_rows": stream.n_rows, "specs": [asdict(spec) for spec in specs], **settings}


def _batch(stream, site: str, budget: Budget) -> Tensor:
    batch = stream.next(budget.batch)[site]
    if not torch.isfinite(batch).all():
        raise SeqsaeError(
            f"site {site!r}: a training batch holds NaN or infinite values; mend the model or drop those rows and harvest again"
        )
    return batch.to(budget.device)


def _measured(learners: list[Learner], step: int, budget: Budget, heldout) -> list[dict]:
    """A metrics row for each learner after `step` steps. Raises SeqsaeError if a loss is no number."""
    rows = []
    for index, learner in enumerate(learners):
        lr = learner.spec.rate(step - 1, budget.steps)
        row = {"sae": index, "step": step, "rows": step * budget.batch, "lr": lr, **learner.report()}
        if not math.isfinite(row["loss"]):
            raise SeqsaeError(
                f"SAE {index} ({learner.spec.architecture}): the loss is no number by step {step}; "
                f"lower lr (now {learner.spec.lr}) or look for extreme rows"
            )
        quality = measure(learner.sae, heldout() if callable(heldout) else heldout)
        row["fvu"], row["l0"] = (quality.fvu, quality.l0) if quality.n else (None, None)
        rows.append({key: None if value != value else value for key, value in row.items()})  # NaN is no JSON
    return rows


def _saved(stream, learners: list[Learner], run: dict, work: Path | None, rows: list[dict]) -> None:
    if work is None:
        return
    tensors = {f"{i}.{name}": value for i, learner in enumerate(learners) for name, value in learner.tensors().items()}
    step = rows[-1]["step"]
    resume.save(work, step, tensors, {"run": run, "step": step, "stream": stream.state(), "metrics": rows})


def _restored(stream, learners: list[Learner], run: dict, work: Path | None) -> tuple[int, list[dict]]:
    """Steps done and metrics rows so far; learners and stream are put where they stood."""
    found = None if work is None else resume.latest(work, run)
    if found is None:
        return 0, []
    tensors, document = found
    for index, learner in enumerate(learners):
        prefix = f"{index}."
        learner.load({name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)})
    stream.restore(document["stream"])
    return document["step"], document["metrics"]
