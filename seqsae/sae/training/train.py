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
from torch import Tensor

from seqsae.errors import SeqsaeError
from seqsae.progress import track
from seqsae.sae import normalise
from seqsae.sae.base import SAE, build
from seqsae.sae.moments import sample
from seqsae.sae.products.kernels import finite
from seqsae.sae.quality.metrics import HELDOUT, Quality, measure
from seqsae.sae.spec import Budget, Spec
from seqsae.sae.training import resume
from seqsae.sae.training.judging import verdict
from seqsae.sae.training.learner import Learner

Heldout = Iterable[Tensor] | Callable[[], Iterable[Tensor]]
"""Raw rows [n, d] to measure on: tensors, or a function that gives them afresh each time."""

COLUMNS = {
    "sae": pl.UInt32,  # index into the specs
    "step": pl.UInt32,  # optimiser steps done
    "rows": pl.Int64,  # training rows read
    "loss": pl.Float64,  # mean since the last measurement, normalised units
    "auxiliary": pl.Float64,  # the part of it that is auxiliary
    "dead": pl.Float64,  # share of latents that count as dead in training
    "lr": pl.Float64,  # learning rate of the last step
    **HELDOUT,  # on held-out rows; null without any
}


class Trained(NamedTuple):
    """What a training gives."""

    saes: list[SAE]
    """One for each spec, in order, in eval mode on the budget's device, their weights fixed."""
    metrics: pl.DataFrame
    """A row for each SAE and measurement; columns `COLUMNS`."""


def train(
    stream,
    site: str,
    specs: Sequence[Spec],
    budget: Budget,
    heldout: Heldout = (),
    work: Path | str | None = None,
    tell: Callable[[list[dict]], None] = lambda rows: None,
) -> Trained:
    """Train SAEs on one site of a stream.

    Args:
        stream: a Stream (`sites`, `n_rows`, `next`, `state`, `restore`) of raw rows; its place is moved.
        specs: one for each SAE.
        heldout: rows that quality is measured on, and that early stopping looks at where a spec has patience.
        work: a folder for the training's state. If it holds one, training goes on from there, and the result is bit for
            bit that of an uninterrupted run.
        tell: is given the rows of `metrics` as they come, those of a resumed run's earlier part first.
    Raises:
        SeqsaeError: unknown site, bad settings, NaN or infinite rows, a loss that is no number, a state that does not fit.
    """
    learners = _learners(stream, site, specs, budget)
    run = _run(stream, site, specs, budget, work)
    heldout = heldout if callable(heldout) else list(heldout)
    work = None if work is None else Path(work)
    start, rows = _restored(stream, learners, run, work)
    tell(rows)
    for step in track(range(start, budget.steps), f"training on {site}", budget.steps, start):
        if all(learner.stopping.done for learner in learners):
            break
        batch = _batch(stream, site, budget)
        for learner in learners:
            learner.learn(batch, step)
        if (step + 1) % budget.every == 0 or step + 1 == budget.steps:
            new = _measured(learners, step + 1, budget, heldout)
            rows += new
            tell(new)
            _saved(stream, learners, run, work, rows, step + 1)
    for learner in learners:
        learner.stopping.settle()
    saes = [learner.sae.eval().requires_grad_(False) for learner in learners]
    return Trained(saes, pl.DataFrame(rows, schema=COLUMNS))


def _learners(stream, site: str, specs: Sequence[Spec], budget: Budget) -> list[Learner]:
    """Fresh learners. SAEs of one kind of normalisation share one fit: all see the same sample."""
    if site not in stream.sites:
        raise SeqsaeError(f"no site {site!r} in these activations; they hold {', '.join(stream.sites)}")
    if not specs:
        raise SeqsaeError("SAE training: no SAE to train; give at least one spec")
    recipes = [spec.recipe(stream.sites[site]) for spec in specs]
    kinds = sorted({(spec.normalisation, spec.bias) for spec in specs})
    fitted = {kind: normalise.fit(sample(stream, site, budget.sample), kind[0], site, kind[1]) for kind in kinds}
    dead_after = budget.dead_rows(stream.n_rows)
    learners = []
    for spec, recipe in zip(specs, recipes, strict=True):
        sae = build(recipe)
        sae.set_normaliser(fitted[spec.normalisation, spec.bias])
        learners.append(Learner(sae.to(budget.device).train(), spec, budget, dead_after))
    return learners


def _run(stream, site: str, specs: Sequence[Spec], budget: Budget, work: Path | str | None) -> dict:
    """What must be the same for a saved state to fit."""
    settings = {key: value for key, value in asdict(budget).items() if key != "device"}
    data = getattr(stream, "fingerprint", None) if work is not None else None
    return {"site": site, "n_rows": stream.n_rows, "data": data, "specs": [asdict(spec) for spec in specs], **settings}


def _batch(stream, site: str, budget: Budget) -> Tensor:
    batch = stream.next(budget.batch)[site]
    if not finite(batch):
        raise SeqsaeError(
            f"site {site!r}: a training batch holds NaN or infinite values; mend the model or drop those rows and harvest again"
        )
    return batch.to(budget.device)


def _measured(learners: list[Learner], step: int, budget: Budget, heldout: Heldout) -> list[dict]:
    """A metrics row for each learner still at work after `step` steps. Raises SeqsaeError if a loss is no number."""
    rows = []
    for index, learner in enumerate(learners):
        if learner.stopping.done:
            continue
        lr = learner.rate(step - 1)
        row = {"sae": index, "step": step, "rows": step * budget.batch, "lr": lr, **learner.report()}
        if not math.isfinite(row["loss"]):
            raise SeqsaeError(
                f"SAE {index} ({learner.spec.architecture}): the loss is no number by step {step}; "
                f"lower lr (now {learner.spec.height(learner.sae.d_model):.2g}) or look for extreme rows"
            )
        quality = measure(learner.sae, heldout() if callable(heldout) else heldout)
        row |= quality.row()
        rows.append({key: None if value != value else value for key, value in row.items()})  # NaN is no JSON
        if learner.spec.patience is not None:
            learner.stopping.watch(_verdict(learner, quality, heldout))
    return rows


def _verdict(learner: Learner, quality: Quality, heldout: Heldout) -> float:
    """What early stopping is to judge by. Raises SeqsaeError if the held-out rows say nothing."""
    if not quality.n:
        raise SeqsaeError("SAE training: patience is set and there are no held-out rows; give some, or no patience")
    if math.isnan(quality.fvu):
        raise SeqsaeError(
            "SAE training: patience is set and the held-out rows are all equal; hold out others, or set no patience"
        )
    return verdict(learner.sae, quality.fvu, heldout() if callable(heldout) else heldout)


def _saved(stream, learners: list[Learner], run: dict, work: Path | None, rows: list[dict], step: int) -> None:
    if work is None:
        return
    tensors = {f"{i}.{name}": value for i, learner in enumerate(learners) for name, value in learner.tensors().items()}
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
