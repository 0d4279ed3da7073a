"""Early stopping: an SAE that no longer gets better on validation rows keeps the weights it was best with."""

import torch
from torch import Tensor

from seqsae.sae.base import SAE

_BETTER = 1e-4  # relative fall that counts


class Stopping:
    """Watches one SAE's verdict (`seqsae.sae.training.judging`) on validation rows.

    Args:
        sae: the SAE in training.
        patience: measurements without a better verdict after which it is done; None: never, and nothing is kept.
    """

    def __init__(self, sae: SAE, patience: int | None):
        if patience is not None:
            sae.check_patience()
        self.sae, self.patience = sae, patience
        found = sae.state_dict() if patience is not None else {}
        self._best = {name: value.clone() for name, value in found.items()}
        device = sae.W_dec.device
        self._least = torch.full((), torch.inf, dtype=torch.float64, device=device)
        self._waited = torch.zeros((), dtype=torch.int64, device=device)

    @property
    def done(self) -> bool:
        """Whether training of this SAE has ended."""
        return self.patience is not None and int(self._waited) >= self.patience

    @torch.no_grad()
    def watch(self, verdict: float) -> None:
        """Take note of a measurement; the lower the better."""
        if self.patience is None or self.done:
            return
        self._waited += 1
        if verdict < float(self._least) * (1 - _BETTER):
            self._least.fill_(verdict)
            self._waited.zero_()
            for name, value in self.sae.state_dict().items():
                self._best[name].copy_(value)

    @torch.no_grad()
    def settle(self) -> None:
        """Put the best weights back; call once, when training has ended."""
        if self.patience is not None and torch.isfinite(self._least):
            for name, value in self.sae.state_dict().items():
                value.copy_(self._best[name])

    def tensors(self) -> dict[str, Tensor]:
        """Its state, to go on from."""
        if self.patience is None:
            return {}
        return {
            "least": self._least,
            "waited": self._waited,
            **{f"best.{name}": value for name, value in self._best.items()},
        }
