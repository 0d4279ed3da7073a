"""Features ablated and steered one by one, each in samples in which it fires, and what that does to the output."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from seqsae.faithfulness.attribution import Slopes, Target, guessed, slopes
from seqsae.faithfulness.changes import Change
from seqsae.faithfulness.differences import Reader, Said, Sum, log_softmax, reader_of
from seqsae.faithfulness.objectives import Turn
from seqsae.faithfulness.pushing import Bench, Look, Push, look, pushed
from seqsae.faithfulness.shown import groups
from seqsae.progress import track


class Guess(NamedTuple):
    """What ablation does to the target, in truth and by gradients."""

    true: float
    gradient: float
    integrated: float


class Classes(NamedTuple):
    """Token classes: summed over scored positions, with the feature less without it, or steered less as it was."""

    added: np.ndarray
    """[C] float32, probability."""
    added_log: np.ndarray
    """[C] float32, log-probability."""
    before: np.ndarray
    """[C] float32, probability with nothing changed."""


@dataclass(frozen=True)
class Measured:
    """One feature changed in one turn."""

    feature: int
    change: str
    """What was done to it, as `Change.told`."""
    place: int
    """Index of the sample among those shown."""
    sums: dict[str, Sum]
    guess: Guess | None
    """Of ablation alone."""
    classes: Classes | None


@dataclass(frozen=True)
class Ask:
    """What is wanted."""

    features: Sequence[int]
    """All that are changed."""
    changes: tuple[Change, ...]
    """What is done to each."""
    told: frozenset[int]
    """Those of which token classes are kept."""
    samples: int
    """Turns a feature is changed in, at most."""
    ig_steps: int
    """Midpoints of integrated gradients; 0: no attribution."""
    class_of: Tensor | None
    """[V] class of each token, -1 for none; None: no token classes."""
    target: Target
    seed: int


def measured(bench: Bench, turns: Sequence[Turn], ask: Ask) -> list[Measured]:
    """Every change of every feature in every turn that was drawn for it.

    One clean pass a batch of turns serves all features; pairs of any features then share batches.
    """
    plan = _plan(firing(bench, turns, ask.features), ask)
    needed = [turns[i] for i in plan]
    wanted = list(plan.values())
    found: list[Measured] = []
    for group in track(list(groups(bench.model, [turn.sample for turn in needed], bench.budget)), "change features"):
        chosen = [needed[i] for i in group]
        found += _of_batch(bench, chosen, [wanted[i] for i in group], ask)
    return sorted(found, key=lambda one: (one.feature, one.place))


@torch.no_grad()
def firing(bench: Bench, turns: Sequence[Turn], features: Sequence[int]) -> dict[int, np.ndarray]:
    """Feature to the indices of the turns in which it is on at a row of the bench's kind."""
    asked = torch.tensor(sorted(set(features)), dtype=torch.int64)
    where: dict[int, list[int]] = {int(feature): [] for feature in asked}
    for group in groups(bench.model, [turn.sample for turn in turns], bench.budget):
        laid = bench.objective.lay([turns[i] for i in group])
        rows = bench.model.capture(laid.batch, [bench.site])[bench.site]
        kept = laid.rows(bench.kind)
        codes = bench.sae.encode(rows[kept.to(rows.device)])
        on = (codes.values > 0).cpu()
        entry = laid.entry[kept][:, None].expand_as(on)[on]
        pairs = torch.unique(torch.stack([codes.indices.cpu()[on], entry]), dim=1)
        for feature, place in pairs[:, torch.isin(pairs[0], asked)].T.tolist():
            where[feature].append(int(group[place]))
    return {feature: np.array(sorted(found), int) for feature, found in where.items()}


def _plan(where: Mapping[int, np.ndarray], ask: Ask) -> dict[int, list[int]]:
    """Turn to the features that are changed in it."""
    plan: dict[int, list[int]] = {}
    for feature, found in where.items():
        drawn = np.random.default_rng([ask.seed, feature]).permutation(found)[: ask.samples]
        for turn in drawn.tolist():
            plan.setdefault(turn, []).append(feature)
    return dict(sorted(plan.items()))


def _of_batch(bench: Bench, turns: list[Turn], features: list[list[int]], ask: Ask) -> Iterator[Measured]:
    """The features of one batch of turns, each with every change."""
    seen, reader = look(bench, turns), reader_of(bench.objective)
    with torch.no_grad():
        before = reader.read(seen.output, seen.laid)
        target = ask.target(seen.output, seen.laid) if ask.ig_steps else None
    slope = slopes(bench, seen, ask.target, ask.ig_steps) if ask.ig_steps else None
    pairs = [
        (i, feature, change) for i, several in enumerate(features) for feature in several for change in ask.changes
    ]
    for group in groups(bench.model, [turns[i].sample for i, *_ in pairs], bench.budget):
        chosen = [pairs[g] for g in group]
        pushes = [Push(turns[i], feature, _by(seen, i, feature, change)) for i, feature, change in chosen]
        output, laid = pushed(bench, pushes)
        with torch.no_grad():
            after = reader.read(output, laid)
            moved = ask.target(output, laid) if ask.ig_steps else None
        for number, ((i, _, change), push) in enumerate(zip(chosen, pushes, strict=True)):
            guess = None
            if slope is not None and change.kind == "ablate":
                guess = Guess((moved[number] - target[i]).item(), *_guesses(bench, seen, slope, i, push))
            yield _pair(reader, (before[i], after[number]), (push, change), guess, ask)


def _by(seen: Look, sample: int, feature: int, change: Change) -> Tensor:
    """[r] what is added to the feature's value, at rows of the bench's kind where it is on."""
    f = seen.own_values(sample, feature)
    return torch.where(f > 0, change.new(f) - f, 0)


def _pair(reader: Reader, said: tuple, done: tuple[Push, Change], guess: Guess | None, ask: Ask) -> Measured:
    push, change = done
    kept = push.feature in ask.told and ask.class_of is not None and isinstance(said[0], Said)
    sums = reader.differ(*said, push.by != 0)
    more = said[::-1] if change.raises else said  # what the feature adds: more of it, less less of it
    classes = class_changes(*more, ask.class_of, said[0]) if kept else None
    return Measured(push.feature, change.told, push.turn.place, sums, guess, classes)


def _guesses(bench: Bench, seen: Look, slope: Slopes, sample: int, push: Push) -> list[float]:
    rows = slice(seen.bounds[sample], seen.bounds[sample + 1])
    return [guessed(bench, one[rows], seen.x[rows], push.feature, push.by) for one in slope]


def class_changes(more: Said, less: Said, class_of: Tensor, before: Said) -> Classes:
    """Sums over the scored positions of the probability of each class, and of its logarithm, `more` less `less`."""
    with_it, without, start = (_class_logs(one.scored, class_of) for one in (more, less, before))
    parts = (with_it.exp() - without.exp(), with_it - without, start.exp())
    return Classes(*(part.sum(0).float().cpu().numpy() for part in parts))


def _class_logs(logits: Tensor, class_of: Tensor) -> Tensor:
    """[P, C] float64 log-probability of each class."""
    logs = log_softmax(logits)
    index = class_of.to(logs.device)
    kept, n = index >= 0, int(class_of.max()) + 1
    if n == logs.shape[1] and bool(kept.all()):  # each token its own class
        return logs
    sums = logs.new_zeros(len(logs), n).index_add(1, index[kept], logs[:, kept].exp())
    return sums.clamp_min(torch.finfo(sums.dtype).tiny).log()
