"""One SAE in training: its optimiser, its counters, one step, and all of it as tensors to go on from."""

import torch
from torch import Tensor

from seqsae.sae.base import SAE, Loss, TrainingState
from seqsae.sae.products.precision import resolved
from seqsae.sae.spec import Budget, Spec
from seqsae.sae.training.adam import Adam, clip
from seqsae.sae.training.resample import resample
from seqsae.sae.training.stopping import Stopping

_BETAS = (0.5, 0.999)  # a longer memory of gradients moves latents in steps in which they do not fire
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
        self.stopping = Stopping(sae, spec.patience)
        device = sae.W_dec.device
        self.precision = resolved(spec.precision, device.type)
        self.idle = torch.zeros(sae.width, dtype=torch.int64, device=device)
        # Adam is given the weights as they lie in memory: its kernel would copy W_enc, which is a transposed view
        self._stored = {name: _as_stored(weight.detach()) for name, weight in sae.named_parameters()}
        self.adam = Adam(self._stored.values(), _BETAS, _EPSILON)
        self._since = torch.zeros(3, dtype=torch.float64, device=device)  # sums of loss and auxiliary; steps

    def learn(self, batch: Tensor, step: int) -> None:
        """One step on raw rows [n, d]; `step` counts from 0. Nothing happens once early stopping has ended it."""
        if self.stopping.done:
            return
        x = self.sae.normalise(batch)
        self._resample(x, step)
        loss = self._loss(x, step)
        loss.total.backward()
        self.sae.constrain_gradients()
        if self.spec.clip is not None:
            clip([weight.grad for weight in self.sae.parameters() if weight.grad is not None], self.spec.clip)
        self._move(self.rate(step))
        self.sae.constrain_weights()
        self.idle = torch.where(loss.fired, 0, self.idle + len(batch))
        self._since += torch.stack([loss.total.detach(), loss.auxiliary, torch.ones_like(loss.auxiliary)])

    def rate(self, step: int) -> float:
        """The learning rate of step `step`, from 0."""
        return self.spec.height(self.sae.d_model) * self.spec.share(step, self.steps)

    def _loss(self, x: Tensor, step: int) -> Loss:
        state = TrainingState(step, self.steps, self.dead(), self.precision)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.precision == "autocast"):
            return self.sae.loss(x, state)

    @torch.no_grad()
    def _resample(self, x: Tensor, step: int) -> None:
        """Every `spec.resample` steps, until the last fifth: new weights for dead latents, Adam's memory of them cleared."""
        every = self.spec.resample
        if every is None or step == 0 or step % every or step >= 0.8 * self.steps:
            return
        latents = resample(self.sae, x, self.dead(), (self.spec.seed, step))
        self.idle[latents] = 0
        for name, weight in self._stored.items():
            if name != "b_dec" and weight.ndim and weight.shape[0] == self.sae.width:
                self.adam.state[weight]["exp_avg"][latents] = 0
                self.adam.state[weight]["exp_avg_sq"][latents] = 0

    def _move(self, rate: float) -> None:
        """One step of Adam along the gradients, which are then gone."""
        for name, weight in self.sae.named_parameters():
            self._stored[name].grad = None if weight.grad is None else _as_stored(weight.grad)
            weight.grad = None
        self.adam.step(rate)

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
        found |= {f"stopping.{name}": value for name, value in self.stopping.tensors().items()}
        return found | {"idle": self.idle}

    @torch.no_grad()
    def load(self, tensors: dict[str, Tensor]) -> None:
        """Go on from `tensors`, in place, so that every weight keeps its device and memory layout."""
        for name, value in self.tensors().items():
            value.copy_(tensors[name])


def _as_stored(tensor: Tensor) -> Tensor:
    """The tensor, or its transpose if that is how it lies in memory."""
    return tensor if tensor.is_contiguous() else tensor.T
