"""The JumpReLU and its step, with straight-through estimates of the gradients that they have not."""

import torch
from torch import Tensor

from seqsae.sae.products.sparse import Pattern


class _Jump(torch.autograd.Function):
    @staticmethod
    def forward(ctx, pre, threshold, pattern, bandwidth):
        ctx.pattern, ctx.bandwidth = pattern, bandwidth
        there = pattern.spread(threshold)
        active = pre > there
        ctx.save_for_backward(active, (pre - there).abs() < bandwidth / 2, threshold)
        return pre * active, active.sum().to(pre.dtype)

    @staticmethod
    def backward(ctx, by_values, by_count):
        active, near, threshold = ctx.saved_tensors
        by_threshold = threshold * ctx.pattern.latent_sum(by_values * near) + by_count * ctx.pattern.latent_sum(
            near.to(by_values.dtype)
        )
        return by_values * active, -by_threshold / ctx.bandwidth, None, None


def jump(pre: Tensor, threshold: Tensor, pattern: Pattern, bandwidth: float) -> tuple[Tensor, Tensor]:
    """JumpReLU of pre-activations, z = pre [pre > t], and how many are active, n = sum [pre > t].

    Rajamanoharan et al. 2024 (arXiv 2407.14435), equations 11 and 12: with K the rectangle of width 1 and e the bandwidth,

        dz/dpre = [pre > t],   dz/dt = -(t / e) K((pre - t) / e),   dn/dpre = 0,   dn/dt = -(1 / e) sum K((pre - t) / e)

    Averaged over a batch this is the exact gradient of the expected loss, the density of pre at t being estimated by the share
    of pre-activations within e of it.

    Args:
        pre: at the pattern's places, which are all that lie above t - e / 2.
        threshold: t [width], > 0.
        bandwidth: e.
    Returns:
        z in the shape of `pre`, n [].
    """
    return _Jump.apply(pre, threshold, pattern, bandwidth)
