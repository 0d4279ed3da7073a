"""FAVOR+ attention: softmax attention estimated by positive random features, linear in the length.

Facts of the original's implementation (package performer-pytorch, 1.1 and later), which its weights were trained with:
queries are stabilised by their own maximum, keys by one maximum a life and head, the maximum is of the projections alone,
and 1e-4 is added to each feature behind the exponential. Shapes: B lives, G heads, L positions, h width of a head, m features.
"""

import torch
from torch import Tensor

EPSILON = 1e-4


def features(x: Tensor, projection: Tensor, keys: bool) -> Tensor:
    """[B, G, L, m]: phi(x)_j = m^-1/2 (exp(w_j . x h^-1/4 - |x|^2 h^-1/2 / 2 - stabiliser) + EPSILON).

    Positive features of the softmax kernel (Choromanski et al. 2021, Rethinking Attention with Performers, Lemma 1).

    Args:
        projection: [m, h] the random directions w, drawn once at training and kept with the weights.
        keys: one stabiliser a life and head over all positions, padding included; else one a position.
    """
    m, h = projection.shape
    projected = (x * h**-0.25) @ projection.T
    half_square = (x**2).sum(-1, keepdim=True) * h**-0.5 / 2
    stabiliser = projected.amax(dim=(-1, -2) if keys else -1, keepdim=True)
    return m**-0.5 * (torch.exp(projected - half_square - stabiliser) + EPSILON)


def attend(q: Tensor, k: Tensor, v: Tensor, real: Tensor, projection: Tensor) -> Tensor:
    """[B, G, L, h]: phi(q) (phi(k)^T v) / (phi(q) . sum of phi(k)).

    `real` [B, L] masks the values and not the keys, as the original does: padding adds to the normaliser, so that the
    result depends on how long the input is padded. Pad to the trained length, always.
    """
    q, k = features(q, projection, keys=False), features(k, projection, keys=True)
    v = v * real[:, None, :, None]
    return q @ (k.transpose(-1, -2) @ v) / (q @ k.sum(-2).unsqueeze(-1))
