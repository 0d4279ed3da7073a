"""Adam, by torch's fused kernel, and gradient clipping. torch.optim loads a compiler, seconds and 70 MB; this needs neither."""

from collections.abc import Iterable

import torch
from torch import Tensor


class Adam:
    """Kingma & Ba 2015 (arXiv 1412.6980), the steps of `torch.optim.Adam(..., fused=True)`.

    Args:
        weights: contiguous tensors; those whose `grad` is None at a step stay as they are.
        betas: decay of the running means of gradients and of their squares.
        eps: added to the root of the latter.
    """

    def __init__(self, weights: Iterable[Tensor], betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8):
        self.weights = list(weights)
        self.betas, self.eps = betas, eps
        self.state = {
            weight: {
                "step": torch.zeros((), device=weight.device),
                "exp_avg": torch.zeros_like(weight),
                "exp_avg_sq": torch.zeros_like(weight),
            }
            for weight in self.weights
        }

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """One step at a learning rate; the gradients are gone afterwards."""
        moved = [weight for weight in self.weights if weight.grad is not None]
        steps, means, squares = (
            [self.state[weight][name] for weight in moved] for name in ("step", "exp_avg", "exp_avg_sq")
        )
        for step in steps:
            step += 1
        if moved:
            gradients, (beta1, beta2) = [weight.grad for weight in moved], self.betas
            options = {"weight_decay": 0.0, "amsgrad": False, "maximize": False, "eps": self.eps}
            torch._fused_adam_(
                moved, gradients, means, squares, [], steps, lr=rate, beta1=beta1, beta2=beta2, **options
            )
        for weight in moved:
            weight.grad = None


@torch.no_grad()
def clip(gradients: list[Tensor], limit: float) -> None:
    """Scale gradients down, in place, to a norm of `limit` over all of them, if theirs is larger."""
    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(gradient) for gradient in gradients]))
    factor = limit / (norm + 1e-6)
    if factor.device.type == "cpu" and factor >= 1:  # elsewhere to ask would be to wait
        return
    torch._foreach_mul_(gradients, factor.clamp_max(1))
