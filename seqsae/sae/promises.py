"""What every architecture promises, each promise a check that can fail. Third parties run it by `seqsae.testing.check_sae`."""

import tempfile
from collections.abc import Callable
from copy import deepcopy
from typing import Any, NamedTuple

import torch
from torch import Tensor

from seqsae.errors import SeqsaeError
from seqsae.plugins import find
from seqsae.sae import checkpoint
from seqsae.sae.base import SAE, Codes, Loss, TrainingState
from seqsae.sae.spec import Budget, Spec
from seqsae.sae.training.stream import ArrayStream
from seqsae.sae.training.train import train

_D, _K = 16, 4


class Trial(NamedTuple):
    """An architecture after a short training."""

    rows: Tensor
    """[n, d] raw rows it was trained on."""
    one: SAE
    again: SAE
    """The same training once more."""

    @property
    def width(self) -> int:
        return self.one.width

    def codes(self) -> Codes:
        return self.one.encode(self.rows)

    def dense(self, rows: Tensor) -> Tensor:
        """[n, width]: codes of raw rows with their zeros."""
        codes = self.one.encode(rows)
        return codes.values.new_zeros(len(rows), self.width).scatter_add_(1, codes.indices, codes.values).detach()

    def loss(self) -> Loss:
        state = TrainingState(1, 20, torch.zeros(self.width, dtype=torch.bool))
        return self.one.loss(self.one.normalise(self.rows), state)


def broken(architecture: str, width: int, k: int | None, options: dict[str, Any]) -> str | None:
    """Train an architecture twice for a moment on random rows; the first promise that it does not keep, with the error that
    showed it, if one did; None if it keeps all.

    Args:
        k: active latents a row; None: a small number, if the architecture has any.
    Raises:
        SeqsaeError: what it says of wrong options.
    """
    rows = torch.randn(512, _D, generator=torch.Generator().manual_seed(1)) + 3
    if k is None and find("saes", architecture).default_k is not None:
        k = min(_K, width)
    spec = Spec(width, k, architecture, options=options)
    promise = "it trains"
    try:
        found = Trial(rows, *(train(ArrayStream(rows), "array", [spec], Budget(20, 64)).saes[0] for _ in range(2)))
        for promise, kept in PROMISES.items():
            if not kept(found):
                return promise
    except SeqsaeError:
        raise
    except Exception as cause:  # whatever it is, it is the architecture's
        return f"{promise} ({type(cause).__name__}: {str(cause).split(chr(10))[0]})"
    return None


def _shapes(found: Trial) -> bool:
    values, indices = found.codes()
    return values.ndim == 2 and values.shape == indices.shape and len(values) == 512 and indices.dtype == torch.int64


def _weights(found: Trial) -> bool:
    sae, width = found.one, found.width
    shapes = {"W_enc": (_D, width), "b_enc": (width,), "W_dec": (width, _D), "b_dec": (_D,)}
    return all(getattr(sae, name).shape == shape for name, shape in shapes.items())


def _latents(found: Trial) -> bool:
    indices = found.codes().indices
    return int(indices.min()) >= 0 and int(indices.max()) < found.width


def _values(found: Trial) -> bool:
    silent = deepcopy(found.one)
    silent.shift_encoder(torch.full((found.width,), -1e4))  # then every pre-activation is far below 0
    values = [sae.encode(found.rows).values for sae in (found.one, silent)]
    return all(bool((value >= 0).all() and value.isfinite().all()) for value in values)


def _once(found: Trial) -> bool:
    values, indices = found.codes()
    counts = torch.zeros(len(values), found.width).scatter_add_(1, indices, (values > 0).float())
    return bool((counts <= 1).all())


def _decodes(found: Trial) -> bool:
    sae = found.one
    x_hat = sae.decode_normalised(found.codes())
    return torch.allclose(x_hat, found.dense(found.rows) @ sae.W_dec + sae.b_dec, atol=1e-4)


def _row_by_row(found: Trial) -> bool:
    return torch.allclose(found.dense(found.rows[5:9]), found.dense(found.rows)[5:9], atol=1e-5)


def _differentiable(found: Trial) -> bool:
    x = found.one.normalise(found.rows).requires_grad_()
    (gradient,) = torch.autograd.grad(found.one.codes(x).values.sum(), x)
    return bool(gradient.isfinite().all() and gradient.any())


def _adds_up(found: Trial) -> bool:
    loss = found.loss()
    return torch.allclose(loss.total.detach(), loss.reconstruction + loss.auxiliary, rtol=1e-4)


def _learns(found: Trial) -> bool:
    weights = [weight for name, weight in found.one.named_parameters() if name in ("W_enc", "W_dec", "b_dec")]
    found.one.requires_grad_()
    gradients = torch.autograd.grad(found.loss().total, weights, allow_unused=True)
    return all(gradient is not None and gradient.isfinite().all() and gradient.any() for gradient in gradients)


def _fired(found: Trial) -> bool:
    fired = found.loss().fired
    return fired.shape == (found.width,) and fired.dtype == torch.bool and bool(fired.any())


def _unmoved(found: Trial) -> bool:
    before = {name: value.clone() for name, value in found.one.state_dict().items()}
    found.loss()
    return all(torch.equal(value, before[name]) for name, value in found.one.state_dict().items())


def _same_seed(found: Trial) -> bool:
    other = found.again.state_dict()
    return all(torch.equal(value, other[name]) for name, value in found.one.state_dict().items())


def _saved(found: Trial) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        checkpoint.save(found.one, folder)
        loaded, codes = checkpoint.load(folder).encode(found.rows), found.codes()
    return torch.equal(loaded.values, codes.values) and torch.equal(loaded.indices, codes.indices)


PROMISES: dict[str, Callable[[Trial], bool]] = {
    "weights are W_enc [d, width], b_enc [width], W_dec [width, d] and b_dec [d]": _weights,
    "codes are [n, k] values and int64 indices": _shapes,
    "indices are latents": _latents,
    "values are finite and not negative": _values,
    "a latent stands once in a row": _once,
    "decode gives [n, d]": lambda found: found.one.decode(found.codes()).shape == found.rows.shape,
    "what encode gives is what decode takes: values W_dec + b_dec": _decodes,
    "each row is encoded for itself": _row_by_row,
    "no rows have no codes": lambda found: len(found.one.encode(found.rows[:0]).values) == 0,
    "codes pass gradients to their rows": _differentiable,
    "the auxiliary part is part of the loss": _adds_up,
    "the loss gives gradients to W_enc, W_dec and b_dec": _learns,
    "fired is [width] bool, some of it true": _fired,
    "out of training the loss changes nothing": _unmoved,
    "the same seed trains the same weights": _same_seed,
    "a saved SAE gives the same codes": _saved,
}
"""In the order in which they are checked: those behind rely on those before."""
