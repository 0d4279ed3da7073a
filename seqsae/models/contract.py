"""The contract of a model: sequences in, aligned activation rows out.

An author writes `prepare` (record -> rows and the model's own input) and `collate` (samples -> padded batch with a mask
of real rows); capture, replacement, early stop and the fingerprint are given. `seqsae.testing.check_model` proves a
model right.

Shapes: B sequences in a batch, T padded positions, n real rows of the batch, d the width of a site.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from seqsae.errors import NoObjective, SeqsaeError
from seqsae.models import hooks, layout
from seqsae.models.calling import call, to_device
from seqsae.models.devices import usable
from seqsae.models.sites import locate, parse
from seqsae.records.record import Record


@dataclass(frozen=True)
class Sample:
    """One record as the model takes it. Arrays are aligned: one entry a row, in the order of the mask's True cells."""

    inputs: Any
    """Whatever `collate` needs: ids, channels, a dict."""
    token: np.ndarray
    """[n] str: what stands at the row."""
    event: np.ndarray
    """[n] int: index of the event or residue in the record."""
    position: np.ndarray
    """[n] int: index in the model's input, special tokens counted."""
    length: int
    """Positions the model sees, special tokens included."""
    time: np.ndarray | None = None
    """[n] datetime64[us], NaT where there is none; None: no times at all."""
    role: np.ndarray | str = "token"
    """[n] str or one for all: token, special, pooled, decoder."""
    parts: int = 1
    """Rows of the module's batch that the record takes: more than 1 where it is read in windows; `length` is the longest's."""

    def __len__(self) -> int:
        return len(self.token)


@dataclass(frozen=True)
class Batch:
    """Samples padded to one shape."""

    inputs: Any
    """What the module's forward takes: a tensor, a tuple of positional or a dict of keyword arguments."""
    mask: Tensor
    """[B, T] bool: True where a position is a row; padding and special tokens are False. B is the sum of the samples' parts."""
    samples: list[Sample] = field(default_factory=list)
    """Row r of a sample is the r-th True of its row of the mask, or, if it has several parts, of its rows one by one."""

    def __post_init__(self):
        counts, first = self.mask.sum(1).tolist(), 0
        if sum(sample.parts for sample in self.samples) != len(counts):
            parts = sum(sample.parts for sample in self.samples)
            raise SeqsaeError(
                f"a batch of {len(self.samples)} samples needs a mask of {parts} rows, but it has {len(counts)}; "
                "collate must give one for each part of each sample"
            )
        for index, sample in enumerate(self.samples):
            count, first = sum(counts[first : first + sample.parts]), first + sample.parts
            if len(sample) != count:
                raise SeqsaeError(
                    f"sample {index} of the batch: {len(sample)} rows are described but its mask marks {count}; "
                    "collate must give a mask with one True for each row of `prepare`"
                )

    @property
    def n_rows(self) -> int:
        return int(self.mask.sum())

    @property
    def owner(self) -> Tensor:
        """[B] int64: the sample to which each row of the mask belongs."""
        return torch.arange(len(self.samples)).repeat_interleave(torch.tensor([one.parts for one in self.samples]))


class SequenceModel(ABC):
    """An encoder behind one activation interface.

    Args:
        module: the network; put in eval mode and on `device`.
        sites: places to read, spelled as `seqsae.models.sites` says: dotted module paths, with `:in` for the module's first
            input, `:out` (default) for its output; a mapping gives each its width d.
        name: how the model is called in manifests and errors.
        attention: `causal` if a row never sees later positions, else `bidirectional`.
        pad_invariant: whether padding a batch leaves real rows unchanged; if not, only equal lengths share a batch.
        vocabulary: token strings by id, for the vocabulary hash; None if there are none.
        config: JSON-able description of the architecture, part of the fingerprint.
        batch_first: False if the sites give [T, B, d].
    """

    def __init__(  # noqa: PLR0913  a model's whole description in one call
        self,
        module: nn.Module,
        sites: Iterable[str] | Mapping[str, int],
        *,
        name: str,
        attention: Literal["causal", "bidirectional"] = "bidirectional",
        pad_invariant: bool = True,
        vocabulary: list[str] | None = None,
        config: dict | None = None,
        device: str | torch.device = "cpu",
        batch_first: bool = True,
    ):
        self.device = usable(device)
        self.module = module.eval().to(self.device)
        self.name, self.attention, self.pad_invariant = name, attention, pad_invariant
        self.vocabulary, self.config = vocabulary, config or {}
        self.batch_first = batch_first
        self.sites: dict[str, int | None] = dict(sites) if isinstance(sites, Mapping) else dict.fromkeys(sites)
        self.options: dict[str, Any] = {}
        self._run_once: set[str] = set()
        for site in self.sites:
            self.check_spelling(site)
        if attention not in ("causal", "bidirectional"):
            raise SeqsaeError(f"model {name!r}: attention is {attention!r}; it is 'causal' or 'bidirectional'")

    @abstractmethod
    def prepare(self, record: Record) -> Sample:
        """A record as rows and model input. Raises SeqsaeError naming the subject if it cannot be read."""

    @abstractmethod
    def collate(self, samples: list[Sample]) -> Batch:
        """Samples padded into one batch; the attention mask that the module needs is among the inputs."""

    def hide(self, batch: Batch, where: Tensor) -> Batch:
        """The batch with the tokens at `where` [B, T] bool replaced by the mask token. Only masked LMs can."""
        raise NoObjective(f'model {self.name!r} has no masked readout; use readout = "observed"')

    def ids(self, batch: Batch) -> Tensor:
        """[B, T] int64: the vocabulary id at each position of a batch in which nothing is hidden.

        Raises NoObjective if the model does not say.
        """
        if isinstance(batch.inputs, Mapping) and isinstance(batch.inputs.get("input_ids"), Tensor):
            return batch.inputs["input_ids"]
        raise NoObjective(
            f"model {self.name!r} does not say which token ids its input holds; define ids, or give loss="
        )

    def logits(self, output: Any) -> Tensor:
        """[B, T, V]: what an output says of the token at each position (causal: of the one behind it).

        Raises NoObjective if nothing in the output is called logits: a bare tensor may as well be states.
        """
        found = output.get("logits") if isinstance(output, Mapping) else getattr(output, "logits", None)
        if not isinstance(found, Tensor) or found.ndim != 3:
            raise NoObjective(
                f"model {self.name!r}: no logits [batch, positions, vocabulary] in its {type(output).__name__}; define "
                "logits, or give loss="
            )
        return found if self.batch_first else found.transpose(0, 1)

    def extend(self, sample: Sample, token: int) -> Sample:
        """The sample with one more row behind its last, the vocabulary's `token`. Only models that generate can."""
        raise SeqsaeError(f"model {self.name!r} cannot be given further tokens; define extend to generate sequences")

    def account(self) -> list[str]:
        """What `prepare` has left out of the records since this was last asked, a line each; a harvest says them."""
        return []

    def forward(self, batch: Batch) -> Any:
        """The module's own output for a batch."""
        with hooks.plain_kernels(self.module):
            return call(self.module, to_device(batch.inputs, self.device))

    def capture(self, batch: Batch, sites: Iterable[str]) -> dict[str, Tensor]:
        """Activations [n, d] at each site, in row order; the forward pass ends after the last of them.

        Before a site is first read, one sample is run to the end, to see that its module is called once.

        Raises:
            SeqsaeError: unknown site, one that did not run or ran several times, or one whose shape does not fit the mask.
        """
        sites = [self.check_site(site) for site in sites]
        self._see_once([site for site in sites if site not in self._run_once], batch)
        with torch.no_grad(), hooks.Capture(self.module, sites, lambda *found: self.read(*found, batch)) as found:
            self.forward(batch)
        rows = {site: found.values[site] for site in found.require(sites)}
        for site, value in rows.items():
            self._check_width(site, value.shape[1])
        return rows

    def replace(self, batch: Batch, site: str, change: Callable[[Tensor], Tensor]) -> Any:
        """The module's output when the real rows [n, d] at `site` are replaced by `change(rows)`.

        Raises SeqsaeError for a site that `capture` would refuse.
        """

        def splice(value: Any) -> Any:
            return self.write(site, value, batch, change(self.read(site, value, batch)))

        with hooks.replacing(self.module, self.check_site(site), splice):
            return self.forward(batch)

    def read(self, site: str, value: Any, batch: Batch) -> Tensor:
        """The real rows [n, d] of what runs through a site, in float32 where the module computes in fewer bits."""
        padded = self._padded(site, value, batch.mask)
        return layout.wide(padded[batch.mask.to(padded.device)])

    def write(self, site: str, value: Any, batch: Batch, rows: Tensor) -> Any:
        """What runs through a site with `rows` [n, d] in the place of its real rows, in the module's own number format."""
        changed = self._padded(site, value, batch.mask).clone()
        changed[batch.mask.to(changed.device)] = rows.to(changed)
        return layout.back(changed, value, self.batch_first)

    def check_spelling(self, site: str) -> None:
        """Raises SeqsaeError unless `site` names a module, and rows of the kind that this model gives."""
        _, found = locate(self.module, site)
        if found.pool is not None:
            raise SeqsaeError(
                f"site {site!r}: a row a subject stands beside no row a position; give all sites of a model an @, or none"
            )

    def check_site(self, site: str) -> str:
        """`site` itself. Raises SeqsaeError if the model does not declare it, naming those it does."""
        if site not in self.sites:
            raise SeqsaeError(f"model {self.name!r} has no site {site!r}; its sites: {', '.join(self.sites)}")
        return site

    @property
    def fingerprint(self) -> str:
        """Hex SHA-256 of weights, buffers and config: the identity an SAE checks."""
        state = hashlib.sha256(repr((type(self.module).__name__, sorted(self.config.items()))).encode())
        for key, value in sorted(self.module.state_dict().items()):
            state.update(f"{key}{tuple(value.shape)}{value.dtype}".encode())
            state.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
        return state.hexdigest()

    @property
    def identity(self) -> dict[str, Any]:
        """What a harvest depends on besides its records: weights, options, and how records become input."""
        return {
            "name": self.name,
            "fingerprint": self.fingerprint,
            "attention": self.attention,
            "vocabulary_hash": self.vocabulary_hash,
            "options": {key: repr(value) for key, value in sorted(self.options.items())},
            "preparation": self.preparation,
        }

    @property
    def preparation(self) -> str | None:
        """A hash of what turns records into input where that is code of the caller's own; None where a plugin does."""
        return None

    @property
    def vocabulary_hash(self) -> str | None:
        """Hex SHA-256 of the vocabulary, None without one."""
        return None if self.vocabulary is None else hashlib.sha256("\n".join(self.vocabulary).encode()).hexdigest()

    def _see_once(self, sites: list[str], batch: Batch) -> None:
        """Run the longest sample to the end. Raises SeqsaeError if the module of a site is called more than once in it."""
        asked = [site for site in sites if parse(site).call is None]
        longest = max(batch.samples, key=lambda sample: sample.length, default=None)
        if asked:
            small = batch if longest is None else self.collate([longest])
            for site, calls in hooks.count(self.module, asked, lambda: self.forward(small)).items():
                if calls > 1:
                    raise hooks.several(site, calls)
        self._run_once.update(sites)

    def _check_width(self, site: str, width: int) -> None:
        if self.sites[site] not in (None, width):
            raise SeqsaeError(
                f"site {site!r} of model {self.name!r} is declared {self.sites[site]} wide but gives {width}; mend `sites`"
            )
        self.sites[site] = width

    def _padded(self, site: str, value: Any, mask: Tensor) -> Tensor:
        padded = layout.padded(value, self.batch_first, mask.shape[1])
        if padded.ndim != 3 or tuple(padded.shape[:2]) != tuple(mask.shape):
            raise SeqsaeError(
                f"site {site!r} of model {self.name!r} gives shape {tuple(padded.shape)}, expected "
                f"({mask.shape[0]}, {mask.shape[1]}, width) as in the mask; choose another site, or batch_first=False"
            )
        if not padded.is_floating_point():
            raise SeqsaeError(
                f"site {site!r} of model {self.name!r} gives {padded.dtype}, no activations; choose another"
            )
        return padded
