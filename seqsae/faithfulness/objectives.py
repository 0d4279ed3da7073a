"""What a model is judged by: its own tokens, hidden or next, or a task head's loss.

Shapes: B samples in a batch, T padded positions, n real rows of the batch, V tokens.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from seqsae.activations.views import passes_of
from seqsae.errors import SeqsaeError
from seqsae.faithfulness.hiding import copied, unchanged
from seqsae.faithfulness.shown import Shown, plainly
from seqsae.models.contract import Batch, Sample, SequenceModel
from seqsae.models.given import described
from seqsae.models.objective import nats, targets
from seqsae.progress import say


@dataclass(frozen=True)
class Turn:
    """One sample as the model sees it once."""

    place: int
    """Index of the sample among those shown."""
    sample: Sample
    hidden: np.ndarray
    """[rows] bool, rows that are hidden from the model in this turn."""


@dataclass(frozen=True)
class Laid:
    """Turns as one batch."""

    batch: Batch
    """What the model sees."""
    hidden: Tensor
    """[B, T] bool."""
    wanted: Tensor | None
    """[B, T] int64, the token id that is scored at a position, -1 where none is; None where no tokens are scored."""

    @cached_property
    def entry(self) -> Tensor:
        """[n] which of the B samples each row is of."""
        return torch.arange(len(self.batch.mask)).repeat_interleave(self.batch.mask.cpu().sum(1))

    def rows(self, kind: str) -> Tensor:
        """[n] bool: rows of a kind, `all`, `hidden` or `observed`."""
        hidden = self.hidden[self.batch.mask.cpu()]
        return {"all": torch.ones_like(hidden), "hidden": hidden, "observed": ~hidden}[kind]


class Cost(NamedTuple):
    """What the samples of a batch cost."""

    total: Tensor
    """[B] float64, sum over what is scored; nats for tokens."""
    count: Tensor
    """[B] float64, how much is scored."""


class Objective(ABC):
    """A way to judge the model's output; `kinds` are the places at which activations can be replaced, the widest first."""

    model: SequenceModel
    name: str
    kinds: tuple[str, ...] = ("all",)

    def turns(self, told: Shown) -> list[Turn]:
        """Each sample once, with nothing hidden."""
        return [Turn(i, sample, np.zeros(len(sample), bool)) for i, sample in enumerate(told.samples)]

    def lay(self, turns: Sequence[Turn]) -> Laid:
        """The turns as one batch."""
        with plainly(f"model {self.model.name!r} fails"):
            return self._lay(turns)

    @abstractmethod
    def _lay(self, turns: Sequence[Turn]) -> Laid: ...

    @abstractmethod
    def cost(self, output: Any, laid: Laid) -> Cost:
        """What the module's output costs, differentiable."""

    def own(self, readout: str) -> str:
        """The kind of rows that an SAE of this readout was trained on, as far as this objective shows any."""
        wanted = "hidden" if readout == "masked" else "observed"
        return wanted if wanted in self.kinds else "all"


class Tokens(Objective):
    """Cross-entropy of the model's own tokens: hidden ones (bidirectional), or each next one (causal).

    Rows are hidden in seeded passes, as a masked readout harvests them; every sample is shown in the first `passes` of
    `masked_passes`.
    """

    def __init__(self, model: SequenceModel, passes: int, masked_passes: int, seed: int):
        self.model, self.passes, self.masked_passes, self.seed = model, min(passes, masked_passes), masked_passes, seed
        self.masked = model.attention == "bidirectional"
        self.name = "masked-token" if self.masked else "next-token"
        self.kinds = ("all", "hidden", "observed") if self.masked else ("all",)

    def turns(self, told: Shown) -> list[Turn]:
        """Each sample once (causal), or once for each pass in which one of its rows is hidden."""
        if not self.masked:
            return super().turns(told)
        found = []
        for place, (number, sample) in enumerate(zip(told.numbers, told.samples, strict=True)):
            turn = passes_of(int(number), len(sample), self.masked_passes, self.seed)
            found += [Turn(place, sample, turn == i) for i in range(self.passes) if (turn == i).any()]
        return found

    def _lay(self, turns: Sequence[Turn]) -> Laid:
        """The tokens are asked for before they are hidden."""
        batch = self.model.collate([turn.sample for turn in turns])
        wanted = targets(self.model, batch)
        hidden = torch.zeros(batch.mask.shape, dtype=torch.bool)
        if not self.masked:
            return Laid(batch, hidden, wanted)
        hidden[batch.mask.cpu()] = torch.from_numpy(np.concatenate([turn.hidden for turn in turns]))
        return Laid(self._hid(batch, hidden), hidden, wanted.masked_fill(~hidden, -1))

    def _hid(self, batch: Batch, hidden: Tensor) -> Batch:
        """The batch with tokens hidden. Raises SeqsaeError if that leaves its inputs as they are."""
        before = copied(batch.inputs)
        shown = self.model.hide(batch, hidden.to(batch.mask.device))
        if hidden.any() and unchanged(before, shown.inputs):
            raise SeqsaeError(
                f"model {self.model.name!r}: hide changes nothing of its inputs, so it would be judged on tokens it sees; "
                "let hide put the mask token there"
            )
        return shown

    def logits(self, output: Any, laid: Laid) -> Tensor:
        """[B, T, V] raw. Raises SeqsaeError if they do not fit the batch, or its ids."""
        name, shape = self.model.name, laid.batch.mask.shape
        with plainly(f"model {name!r} fails"):
            found = self.model.logits(output)
        if not isinstance(found, Tensor) or not found.is_floating_point():
            raise SeqsaeError(
                f"model {name!r}: its logits are {described(found)}; give a tensor of floating-point numbers"
            )
        if found.ndim != 3 or found.shape[:2] != shape:
            raise SeqsaeError(
                f"model {name!r}: logits of shape {tuple(found.shape)} for a batch of {tuple(shape)}; "
                "define logits so that there is one row of them a position"
            )
        largest, n_tokens = int(laid.wanted.max()) if laid.wanted.numel() else -1, found.shape[2]
        if largest >= n_tokens:
            raise SeqsaeError(
                f"model {name!r}: an id of {largest} among logits for {n_tokens} tokens; let ids give those that the logits are about"
            )
        return found

    def cost(self, output: Any, laid: Laid) -> Cost:
        each = nats(self.logits(output, laid), laid.wanted).double()
        return Cost(each.sum(1), (laid.wanted >= 0).sum(1).to(each))


class Task(Objective):
    """A task head's own loss, `loss(output, batch)` -> [B] or [B, T]; NaN where nothing is scored."""

    name = "task"

    def __init__(self, model: SequenceModel, loss: Callable[[Any, Batch], Tensor]):
        self.model, self.loss = model, loss

    def _lay(self, turns: Sequence[Turn]) -> Laid:
        batch = self.model.collate([turn.sample for turn in turns])
        return Laid(batch, torch.zeros(batch.mask.shape, dtype=torch.bool), None)

    def cost(self, output: Any, laid: Laid) -> Cost:
        with plainly("loss= fails"):
            each = self.loss(output, laid.batch)
        mask = laid.batch.mask
        if not isinstance(each, Tensor) or each.shape not in (mask.shape, mask.shape[:1]):
            got = tuple(each.shape) if isinstance(each, Tensor) else type(each).__name__
            raise SeqsaeError(
                f"loss= gave {got} for a batch of {tuple(mask.shape)}; return one number a sample, or one a position"
            )
        scored = ~each.isnan()
        if each.ndim == 2:
            scored &= mask.to(each.device)
        total = torch.where(scored, each, 0).double()
        return Cost(*((total.sum(1), scored.sum(1).double()) if each.ndim == 2 else (total, scored.double())))


def objectives_of(
    model: SequenceModel, told: Shown, loss: Callable | None, passes: tuple[int, int], seed: int
) -> list[Objective]:
    """All the model can be judged by: its own tokens, if it says them, and the task.

    Args:
        passes: how many of how many masked passes each sample is shown in.
    Raises:
        SeqsaeError: there is no objective at all; says what to define.
    """
    tokens = Tokens(model, *passes, seed)
    found: list[Objective] = [] if loss is None else [Task(model, loss)]
    try:
        _try(tokens, told)
    except SeqsaeError as cause:
        if not found:
            raise
        say(f"judged by its task alone: {cause}")
        return found
    return [tokens, *found]


@torch.no_grad()
def _try(tokens: Tokens, told: Shown) -> None:
    """Raises SeqsaeError unless the shortest sample can be laid and scored."""
    turns = tokens.turns(told)
    with plainly(f"model {tokens.model.name!r} fails"):
        laid = tokens.lay([min(turns, key=lambda turn: turn.sample.length)])
        tokens.cost(tokens.model.forward(laid.batch), laid)


def token_classes(
    vocabulary: list[str] | None, n_tokens: int, classes: Mapping[str, str] | None
) -> tuple[list[str], Tensor]:
    """Names of the classes of tokens [C] and which one each token is of [V], -1 for none; without classes, each token its own.

    Raises:
        SeqsaeError: classes are given but the model has no vocabulary, or none of them is of a token it has.
    """
    names = [str(i) for i in range(n_tokens)] if vocabulary is None else [*map(str, vocabulary)][:n_tokens]
    names += [str(i) for i in range(len(names), n_tokens)]
    if classes is None:
        return names, torch.arange(n_tokens)
    known = [name for name in names if name in classes]
    if not known:
        raise SeqsaeError(
            "classes: none of its tokens is in the model's vocabulary; give a mapping from token to class"
        )
    found = sorted({classes[name] for name in known})
    index = {name: i for i, name in enumerate(found)}
    return found, torch.tensor([index[classes[name]] if name in classes else -1 for name in names])
