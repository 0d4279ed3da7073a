"""Random SAEs and what they give, by the formulas, in float64 and plain numpy."""

from typing import NamedTuple

import numpy as np
import torch

D, F, K = 6, 20, 3
TOLERANCE = 1e-6  # of the largest number


class Weights(NamedTuple):
    W_enc: np.ndarray  # [D, F]
    b_enc: np.ndarray  # [F]
    W_dec: np.ndarray  # [F, D]
    b_dec: np.ndarray  # [D]
    threshold: np.ndarray  # [F], some 0, some below
    r_mag: np.ndarray  # [F]
    b_mag: np.ndarray  # [F]


class Gives(NamedTuple):
    codes: np.ndarray  # [n, F]
    x_hat: np.ndarray  # [n, D]


def weights(seed: int = 0) -> Weights:
    """float32 numbers, so that what a file holds is what the formulas use."""
    rng = np.random.default_rng(seed)
    shapes = [(D, F), (F,), (F, D), (D,), (F,), (F,), (F,)]
    drawn = [rng.normal(0, 0.5, shape).astype(np.float32).astype(np.float64) for shape in shapes]
    w = Weights(*drawn)
    threshold = np.abs(w.threshold)
    threshold[:4] = [0, 0, -0.3, -0.1]
    return w._replace(threshold=threshold)


def rows(n: int = 60, seed: int = 9) -> np.ndarray:
    """[n, D] rows with an offset, float32 numbers."""
    return np.random.default_rng(seed).normal(0.4, 1.5, (n, D)).astype(np.float32).astype(np.float64)


def relu(pre: np.ndarray) -> np.ndarray:
    return np.maximum(pre, 0)


def largest(pre: np.ndarray, k: int = K) -> np.ndarray:
    """relu of the k largest of each row; equal numbers do not occur in random ones."""
    kept = pre >= np.sort(pre, axis=1)[:, -k][:, None]
    return relu(pre * kept)


def above(pre: np.ndarray, threshold) -> np.ndarray:
    return relu(pre) * (pre > threshold)


def gated(x_enc: np.ndarray, w: Weights) -> np.ndarray:
    return (x_enc + w.b_enc > 0) * relu(np.exp(w.r_mag) * x_enc + w.b_mag)


def layer_normed(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows less their mean over their deviation + 1e-5; the mean; the deviation."""
    mean, std = x.mean(1, keepdims=True), x.std(1, ddof=1, keepdims=True)
    return (x - mean) / (std + 1e-5), mean, std


def dense(sae, x: np.ndarray) -> np.ndarray:
    """[n, F] codes of one of our SAEs."""
    codes = sae.encode(torch.from_numpy(x).float())
    found = torch.zeros(len(x), sae.width).scatter_add_(1, codes.indices.long(), codes.values.detach())
    return found.double().numpy()


def assert_close(found, wanted, tolerance: float = TOLERANCE) -> None:
    assert np.shape(found) == np.shape(wanted)
    assert np.abs(wanted).max() > 0.1, "nothing to compare"
    assert np.abs(np.asarray(found) - wanted).max() <= tolerance * max(1.0, np.abs(wanted).max())


def assert_gives(sae, x: np.ndarray, wanted: Gives) -> None:
    """Our SAE's codes and reconstruction are those."""
    assert 0 < (wanted.codes > 0).mean() < 0.9
    assert_close(dense(sae, x), wanted.codes)
    with torch.no_grad():
        assert_close(sae(torch.from_numpy(x).float()).double().numpy(), wanted.x_hat)


def tensor(array) -> torch.Tensor:
    """float32, contiguous."""
    return torch.from_numpy(np.ascontiguousarray(array)).float()
