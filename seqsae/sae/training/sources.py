"""Where the rows of a training come from: a store on the shelf, or a stream of rows in memory."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from seqsae.activations.store import Store
from seqsae.activations.stream import StoreStream
from seqsae.config import SaeConfig
from seqsae.errors import SeqsaeError
from seqsae.sae.quality.evaluating import Rows
from seqsae.sae.training.rows import FIT_ROWS, blocks, thinned, training_rows
from seqsae.shelf import Artefact


class Source(NamedTuple):
    """Rows of one site, and what they are made from."""

    stream: Callable[[], Any]
    """Gives the Stream to learn from."""
    n_rows: int
    """Rows in an epoch of it."""
    d_model: int
    heldout: Rows
    """Raw rows [n, d] to measure on while training."""
    final: tuple[Rows, Rows]
    """Rows that a finished SAE's quality is measured on, and rows to fit on for that."""
    inputs: dict[str, Artefact | str]
    """What the SAEs are made from, for the shelf."""
    identity: dict | None
    """What the SAEs read (`checkpoint.save`); None if nobody knows."""
    view: str = "full"


def of_store(acts: Store, site: str, config: SaeConfig, seed: int) -> Source:
    """The train split of a store; `config` says whether rows of it are held out for early stopping."""
    fit, held = training_rows(acts, config)
    return Source(
        lambda: StoreStream(acts, [site], fit, seed),
        len(fit),
        acts.sites[acts.check_site(site)],
        blocks(acts, site, held),
        (blocks(acts, site, thinned(acts.rows_in("select"))), blocks(acts, site, thinned(fit, FIT_ROWS))),
        {"activations": acts.artefact},
        _identity(acts, site),
        acts.view,
    )


def of_stream(stream: Any, site: str, config: SaeConfig) -> Source:
    """A stream in memory, a share of whose rows (of its groups, if it knows of any) is held out; none if it cannot be parted.

    Raises:
        SeqsaeError: early stopping is asked for, and nothing can be held out.
    """
    held: list[Tensor] = []
    data = getattr(stream, "fingerprint", None)
    alone = (getattr(stream, "n_groups", None) or stream.n_rows) < 2
    if hasattr(stream, "parted") and (config.patience is not None or not alone):
        stream, held = stream.parted(config.validation)
    elif config.patience is not None:
        raise SeqsaeError("train: early stopping has no rows to hold out of this stream; give an array, or no patience")
    inputs = {} if data is None else {"rows": data}
    fit = lambda: _some(stream, site)  # noqa: E731
    return Source(lambda: stream, stream.n_rows, stream.sites[site], held, (held, fit), inputs, None)


def _some(stream: Any, site: str) -> list[Tensor]:
    """Rows of a stream, which is put back where it stood."""
    before = stream.state()
    try:
        return list(torch.split(stream.next(min(FIT_ROWS, stream.n_rows))[site], 8_192))
    finally:
        stream.restore(before)


def _identity(acts: Store, site: str) -> dict:
    reads = {"model": acts.model["name"], "fingerprint": acts.model["fingerprint"], "site": site}
    return {
        "inputs": reads,
        "targets": reads,
        "vocabulary_hash": acts.model["vocabulary_hash"],
        "training_data": acts.artefact.hash,
    }
