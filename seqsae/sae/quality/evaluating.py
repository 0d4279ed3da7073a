"""All that is measured of a finished SAE, as one document (schemas/quality.schema.json)."""

import math
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from seqsae import schema
from seqsae.sae.base import SAE
from seqsae.sae.quality.dark_matter import DarkMatter, Linear, fit_error
from seqsae.sae.quality.density import EDGES, histogram
from seqsae.sae.quality.dictionaries import COSINES, alignment, cosine_histogram, directions, nearest
from seqsae.sae.quality.metrics import Firing, Unexplained
from seqsae.sae.quality.privileged import excess_kurtosis, privileged
from seqsae.sae.quality.shrinkage import Shrinkage, base_of

FILE = "quality.json"
_NEIGHBOURS = 4096  # latents whose nearest other latent is looked for, evenly spaced, at most
_BLOCK = 8_192  # rows of an array that are encoded at a time
Rows = Tensor | np.ndarray | Iterable[Tensor] | Callable[[], Iterable[Tensor]]


@torch.no_grad()
def evaluate_quality(sae: SAE, heldout: Rows, fit: Rows = ()) -> dict:
    """Everything in one pass over held-out rows and one over rows to fit the error's linear part on.

    On one core, 65,536 rows of each kind take about as long as encoding them, plus 1e-10 d^2 seconds a row for the fit.

    Args:
        sae: put to eval mode by the caller; left as it is.
        heldout: raw rows [n, d] that it was not trained on: a tensor or array, several of them, or a function that gives them.
        fit: raw rows to fit on, best those of the training; without any, what needs them is null.
    Returns:
        A document that satisfies the schema `quality`. Numbers that have no meaning for these rows are null.
    """
    linear = fit_error(sae, _given(fit))
    seen = _Seen(sae, linear)
    for x in _given(heldout):
        seen.update(x.to(sae.W_dec.device))
    live = seen.firing.counts > 0
    document = {**seen.document(), "decoder": _decoder(sae, live), "privileged": _privileged(sae, live, seen)}
    return schema.check_document(_finite(document), "quality", FILE)


def read_quality(folder: Path) -> dict | None:
    """The document in an SAE's folder; None if there is none. Raises SeqsaeError if it is none of ours."""
    import json

    from seqsae.errors import SeqsaeError

    path = folder / FILE
    if not path.is_file():
        return None
    try:
        return schema.check_document(json.loads(path.read_text()), "quality", str(path))
    except ValueError as cause:
        raise SeqsaeError(f"{path}: not a JSON document ({cause}); train the SAE again") from None


def _given(rows: Rows) -> Iterable[Tensor]:
    if isinstance(rows, np.ndarray | Tensor):
        return torch.as_tensor(rows).split(_BLOCK)
    return (torch.as_tensor(block) for block in (rows() if callable(rows) else rows))


class _Seen:
    """The running measures of one pass over held-out rows."""

    def __init__(self, sae: SAE, linear: Linear | None):
        self._sae = sae
        self.firing, self._unexplained, self._shrinkage = Firing(sae.width), Unexplained(), Shrinkage()
        self._dark = None if linear is None else DarkMatter(linear)
        self._kurtosis = 0.0

    def update(self, x: Tensor) -> None:
        """Add raw rows [n, d]."""
        codes = self._sae.encode(x)
        x_hat = self._sae.decode(codes, x)
        self.firing.update(codes)
        self._unexplained.update(x, x_hat)
        self._shrinkage.update(x, x_hat, base_of(self._sae, x))
        self._kurtosis += excess_kurtosis(x).nansum().item()
        if self._dark is not None:
            self._dark.update(x, x_hat)

    def rows_kurtosis(self) -> float:
        """Mean excess kurtosis of the raw rows over their coordinates."""
        return self._kurtosis / max(self.firing.n, 1)

    def document(self) -> dict:
        """What the rows say."""
        firing, unexplained = self.firing, self._unexplained
        some = firing.n > 0
        explained = unexplained.explained().tolist() if some else []
        return {
            "rows": firing.n,
            "fvu": unexplained.value(),
            "explained_by_dimension": explained,
            "l0": firing.l0() if some else None,
            "dead": firing.dead() if some else None,
            "dense": firing.dense() if some else None,
            "density": {"edges": list(EDGES), "counts": histogram(firing.density()) if some else None},
            "shrinkage": self._shrinkage.gamma(),
            "l2_ratio": self._shrinkage.l2_ratio(),
            "dark_matter": self._dark.values() if self._dark is not None and some else None,
        }


def _decoder(sae: SAE, live: Tensor) -> dict:
    """The dictionary's own geometry, over its live latents; over all of them if none is live."""
    rows = _of(directions(sae), live)
    which = torch.arange(len(rows), device=rows.device)[:: max(1, math.ceil(len(rows) / _NEIGHBOURS))]
    near, along = nearest(rows, which).cosine, _of(alignment(sae), live)
    return {
        "latents": len(which),
        "nearest_mean": near.double().mean().item(),
        "nearest_over_09": (near > 0.9).double().mean().item(),
        "encoder_mean": along.double().mean().item(),
        "edges": list(COSINES),
        "nearest": cosine_histogram(near),
        "encoder": cosine_histogram(along),
    }


def _privileged(sae: SAE, live: Tensor, seen: _Seen) -> dict | None:
    found = privileged(_of(directions(sae), live))
    return None if found is None else {**found._asdict(), "rows": seen.rows_kurtosis() if seen.firing.n else None}


def _of(values: Tensor, live: Tensor) -> Tensor:
    return values[live.to(values.device)] if live.any() else values


def _finite(value):
    """The document with None where a number is NaN or infinite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list) else value
