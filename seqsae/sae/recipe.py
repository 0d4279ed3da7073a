"""What an SAE is, before any data."""

from dataclasses import dataclass, field
from typing import Any

from seqsae.errors import SeqsaeError
from seqsae.sae import normalise


@dataclass(frozen=True)
class Recipe:
    """What an SAE is, before any data: all that is needed to build it again.

    Raises:
        SeqsaeError: a value is out of range.
    """

    architecture: str
    """Name under which `seqsae.plugins.find("saes", name)` finds the class."""
    d_model: int
    """Width d of the activations it reads."""
    width: int
    """Number of latents."""
    k: int | None = None
    """Active latents a row; None where the architecture has no such number."""
    normalisation: str = "center-scale"
    """Kind of input normaliser, see `seqsae.sae.normalise`."""
    seed: int = 0
    """Seed of the initial weights."""
    options: dict[str, Any] = field(default_factory=dict)
    """The architecture's own options; those left out take its defaults."""

    def __post_init__(self):
        for name in ("d_model", "width"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise SeqsaeError(f"SAE {self.architecture!r}: {name} is {value!r}; give a whole number >= 1")
        if self.k is not None and not (isinstance(self.k, int) and 1 <= self.k <= self.width):
            raise SeqsaeError(
                f"SAE {self.architecture!r}: k is {self.k!r} with a width of {self.width}; give a whole number, 1 <= k <= width"
            )
        if not isinstance(self.seed, int) or isinstance(self.seed, bool) or not 0 <= self.seed < 2**63:
            raise SeqsaeError(
                f"SAE {self.architecture!r}: seed is {str(self.seed)[:20]}; give a whole number from 0 to 2^63 - 1"
            )
        normalise.check(self.normalisation)
        if self.normalisation == "layer-norm" and self.d_model == 1:
            raise SeqsaeError("SAE: layer-norm of rows of width 1 leaves nothing; choose another normalisation")
