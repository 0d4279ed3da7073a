"""One SAE in training: its optimiser, its counters, one step, and all of it as tensors to go on from."""

import torch
from torch import Tensor

from seqsae.sae.base import SAE, TrainingState
from seqsae.sae.spec import Budget, Spec

_EPSILON = 6.25e-10  # Adam's epsilon of Gao et al. 2024: gradients of rare latents are small


class Learner:
    """An SAE, Adam over its weights, and the rows since each latent fired.

    Args:
        sae: the SAE, on its device, normaliser set.
        dead_after: rows without firing after which a latent counts as dead.
    """

    def __init__(self, sae: SAE, spec: Spec, budget: Budget, dead_after: int):
        self.sae = sae
        self.spec = spec
        self.steps = budget.steps
        self.dead_after = dead_after
        device = sae.W_dec.device
        self.idle = torch.zeros(sae.width, dtype=torch.int64, device=device)
        # Adam is given the weights as they lie in memory: its fused kernel would copy W_enc, which is a transposed view
        self._stored = {name: _as_stored(weight.detach()) for name, weight in sae.named_parameters()}
        self.adam = torch.optim.Adam(
            self._stored.values(), lr=spec.lr, eps=_EPSILON, fused=device.type in ("cpu", "cuda")
        )
        self._since = torch.zeros(3, dtype=torch.float64, device=device)  # sums of loss and auxiliary; steps
        for weight in self._stored.values():  # Adam fills its state at its first step; filled here, it can be loaded
            self.adam.state[weight] = {
                "step": torch.zeros((), device=device),
                "exp_avg": torch.zeros_like(weight),
                "exp_avg_sq": torch.zeros_like(weight),
            }

    def learn(self, batch: Tensor, step: int) -> None:
        """One step on raw rows [n, d]; `step` counts from 0."""
        state = TrainingState(step, self.steps, self.dead(), getattr(torch, self.spec.precision))
        loss = self.sae.loss(self.sae.normalise(batch), state)
        loss.total.backward()
        self.sae.constrain_gradients()
        torch.nn.utils.clip_grad_norm_(self.sae.parameters(), self.spec.clip)
        self._move(self.spec.rate(step, self.steps))
        self.sae.constrain_weights()
        self.idle = torch.where(loss.fired, 0, self.idle + len(batch))
        self._since += torch.stack([loss.total.detach(), loss.auxiliary, torch.ones_like(loss.auxiliary)])

    def _move(self, rate: float) -> None:
        """One step of Adam along the gradients, which are then gone."""
        for name, weight in self.sae.named_parameters():
            self._stored[name].grad = _as_stored(weight.grad)
            weight.grad = None
        for group in self.adam.param_groups:
            group["lr"] = rate
        self.adam.step()
        self.adam.zero_grad()

    def dead(self) -> Tensor:
        """[width] bool: latents that have not fired for `dead_after` rows."""
        return self.idle >= self.dead_after

    def report(self) -> dict[str, float]:
        """Mean loss and auxiliary term since the last report, and the share of dead latents; starts the means anew."""
        loss, auxiliary, steps = self._since.tolist()
        self._since.zero_()
        return {
            "loss": loss / max(steps, 1),
            "auxiliary": auxiliary / max(steps, 1),
            "dead": self.dead().double().mean().item(),
        }

    def tensors(self) -> dict[str, Tensor]:
        """Everything a later process needs to go on; call it right after `report`, when no means are pending."""
        found = {f"sae.{name}": value for name, value in self.sae.state_dict().items()}
        for name, weight in self._stored.items():
            found |= {f"adam.{key}.{name}": value for key, value in self.adam.state[weight].items()}
        return found | {"idle": self.idle}

    @torch.no_grad()
    def load(self, tensors: dict[str, Tensor]) -> None:
        """Go on from `tensors`, in place, so that every weight keeps its device and memory layout."""
        for name, value in self.tensors().items():
            value.copy_(tensors[name])


def _as_stored(tensor: Tensor) -> Tensor:
    """The tensor, or its transpose if that is how it lies in memory."""
    return tensor if tensor.is_contiguous() else tensor.T
