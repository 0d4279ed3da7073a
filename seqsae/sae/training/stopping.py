"""Early stopping: an SAE whose validation FVU has stopped falling keeps the weights it was best with."""

import torch
from torch import Tensor

from seqsae.sae.base import SAE

_BETTER = 1e-4  # relative fall of FVU that counts


class Stopping:
    """Watches one SAE's FVU on validation rows.

    Args:
        sae: the SAE in training.
        patience: measurements without a better FVU after which it is done; None: never, and nothing is kept.
    """

    def __init__(self, sae: SAE, patience: int | None):
        self.sae, self.patience = sae, patience
        found = sae.state_dict() if patience is not None else {}
        self._best = {name: value.clone() for name, value in found.items()}
        device = sae.W_dec.device
        self._fvu = torch.full((), torch.inf, dtype=torch.float64, device=device)
        self._waited = torch.zeros((), dtype=torch.int64, device=device)

    @property
    def done(self) -> bool:
        """Whether training of this SAE has ended."""
        return self.patience is not None and int(self._waited) >= self.patience

    @torch.no_grad()
    def watch(self, fvu: float) -> None:
        """Take note of a measurement."""
        if self.patience is None or self.done:
            return
        self._waited += 1
        if fvu < float(self._fvu) * (1 - _BETTER):
            self._fvu.fill_(fvu)
            self._waited.zero_()
            for name, value in self.sae.state_dict().items():
                self._best[name].copy_(value)

    @torch.no_grad()
    def settle(self) -> None:
        """Put the best weights back; call once, when training has ended."""
        if self.patience is not None and torch.isfinite(self._fvu):
            for name, value in self.sae.state_dict().items():
                value.copy_(self._best[name])

    def tensors(self) -> dict[str, Tensor]:
        """Its state, to go on from."""
        if self.patience is None:
            return {}
        return {
            "fvu": self._fvu,
            "waited": self._waited,
            **{f"best.{name}": value for name, value in self._best.items()},
        }
