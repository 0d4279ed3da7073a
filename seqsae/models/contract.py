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

from seqsae.errors import SeqsaeError
from seqsae.models import hooks
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

    def __len__(self) -> int:
        return len(self.token)


@dataclass(frozen=True)
class Batch:
    """Samples padded to one shape."""

    inputs: Any
    """What the module's forward takes: a tensor, a tuple of positional or a dict of keyword arguments."""
    mask: Tensor
    """[B, T] bool: True where a position is a row; padding and special tokens are False."""
    samples: list[Sample] = field(default_factory=list)
    """The B samples; row r of sample b is the r-th True of mask[b]."""

    def __post_init__(self):
        counts = self.mask.sum(1).tolist()
        for index, (sample, count) in enumerate(zip(self.samples, counts, strict=True)):
            if len(sample) != count:
                raise SeqsaeError(
                    f"sample {index} of the batch: {len(sample)} rows are described but its mask marks {count}; "
                    "collate must give a mask with one True for each row of `prepare`"
                )

    @property
    def n_rows(self) -> int:
        return int(self.mask.sum())


class SequenceModel(ABC):
    """An encoder behind one activation interface.

    Args:
        module: the network; put in eval mode and on `device`.
        sites: places to read: dotted module paths, with `:in` for the module's first input, `:out` (default) for its
            output; a mapping gives each its width d.
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
        self.module = module.eval().to(device)
        self.name, self.attention, self.pad_invariant = name, attention, pad_invariant
        self.vocabulary, self.config = vocabulary, config or {}
        self.device, self.batch_first = torch.device(device), batch_first
        self.sites: dict[str, int | None] = dict(sites) if isinstance(sites, Mapping) else dict.fromkeys(sites)
        self.options: dict[str, Any] = {}
        for site in self.sites:
            hooks.locate(module, site)
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
        raise SeqsaeError(f'model {self.name!r} has no masked readout; use readout = "observed"')

    def ids(self, batch: Batch) -> Tensor:
        """[B, T] int64: the vocabulary id at each position of a batch in which nothing is hidden.

        Raises SeqsaeError if the model does not say: then it has no objective of its own.
        """
        if isinstance(batch.inputs, Mapping) and isinstance(batch.inputs.get("input_ids"), Tensor):
            return batch.inputs["input_ids"]
        raise SeqsaeError(
            f"model {self.name!r} does not say which token ids its input holds; define ids, or give loss="
        )

    def logits(self, output: Any) -> Tensor:
        """[B, T, V]: what an output says of the token at each position (causal: of the one behind it).

        Raises SeqsaeError if there is no such thing in the output.
        """
        found = output.get("logits") if isinstance(output, Mapping) else getattr(output, "logits", output)
        found = found[0] if isinstance(found, tuple) and found else found
        if not isinstance(found, Tensor) or found.ndim != 3:
            raise SeqsaeError(
                f"model {self.name!r}: no logits [batch, positions, vocabulary] in its {type(output).__name__}; define "
                "logits, or give loss="
            )
        return found if self.batch_first else found.transpose(0, 1)

    def account(self) -> list[str]:
        """What `prepare` has left out of the records since this was last asked, a line each; a harvest says them."""
        return []

    def forward(self, batch: Batch) -> Any:
        """The module's own output for a batch."""
        with hooks.plain_attention():
            return call(self.module, to_device(batch.inputs, self.device))

    def capture(self, batch: Batch, sites: Iterable[str]) -> dict[str, Tensor]:
        """Activations [n, d] at each site, in row order; the forward pass ends after the last of them.

        Raises:
            SeqsaeError: unknown site, a site that did not run, or one whose shape does not fit the mask.
        """
        sites = [self.check_site(site) for site in sites]
        with torch.no_grad(), hooks.Capture(self.module, sites) as found:
            self.forward(batch)
        rows = {site: self._rows(site, found.values[site], batch.mask) for site in found.require(sites)}
        self.sites.update({site: value.shape[1] for site, value in rows.items()})
        return rows

    def replace(self, batch: Batch, site: str, change: Callable[[Tensor], Tensor]) -> Any:
        """The module's output when the real rows [n, d] at `site` are replaced by `change(rows)`."""

        def splice(value: Tensor) -> Tensor:
            value = value if self.batch_first else value.transpose(0, 1)
            mask = batch.mask.to(value.device)
            changed = value.clone()
            changed[mask] = change(value[mask]).to(value.dtype)
            return changed if self.batch_first else changed.transpose(0, 1)

        with hooks.replacing(self.module, self.check_site(site), splice):
            return self.forward(batch)

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

    def _rows(self, site: str, value: Tensor, mask: Tensor) -> Tensor:
        value = value if self.batch_first else value.transpose(0, 1)
        if value.ndim != 3 or tuple(value.shape[:2]) != tuple(mask.shape):
            raise SeqsaeError(
                f"site {site!r} of model {self.name!r} gives shape {tuple(value.shape)}, expected "
                f"({mask.shape[0]}, {mask.shape[1]}, width) as in the mask; choose another site, or batch_first=False"
            )
        return value[mask.to(value.device)]


def call(module: nn.Module, inputs: Any) -> Any:
    """`module` applied to a tensor, a tuple of positional arguments or a dict of keyword arguments."""
    if isinstance(inputs, Mapping):
        return module(**inputs)
    return module(*inputs) if isinstance(inputs, tuple) else module(inputs)


def to_device(value: Any, device: torch.device) -> Any:
    """Tensors inside dicts, tuples and lists moved to `device`."""
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, Mapping):
        return {key: to_device(inner, device) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(to_device(inner, device) for inner in value)
    return value
