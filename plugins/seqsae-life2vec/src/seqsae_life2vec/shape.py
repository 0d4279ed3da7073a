"""What fixes a network's parameters and what they mean, apart from their values; and the values they start from."""

import math
from dataclasses import dataclass

from seqsae.errors import SeqsaeError

LARGEST = {"d_model": 65_536, "n_blocks": 1_000, "n_heads": 65_536, "d_hidden": 1_048_576}  # beyond all that is built


@dataclass(frozen=True)
class Shape:
    """The architecture; the published one but for its sizes, unless an option says otherwise."""

    n_tokens: int
    d_model: int = 280
    n_blocks: int = 5
    n_heads: int = 10
    d_hidden: int = 2210
    """Width of each MLP's hidden layer."""
    causal: bool = False
    """Positions see only themselves and earlier ones."""
    head: str = "published"
    """`published`: g * unit rows of the centred output table . l2norm(tanh(V h)); `plain`: W layernorm(h) + bias."""
    tied: bool = True
    """The published head's output table is the token table."""
    order_head: bool = True
    """A head that tells sentence order from [CLS]."""
    dropout: float = 0.1
    days_per_unit: float = 1.0
    """Absolute positions are divided by it: the same functions of time, at a scale that a small step moves less."""

    def __post_init__(self):
        for name, most in LARGEST.items():
            if not 1 <= getattr(self, name) <= most:
                raise SeqsaeError(f"life2vec: {name} = {getattr(self, name)!r}; it must be 1 to {most:,}")
        if not 0 <= self.dropout < 1:
            raise SeqsaeError(f"life2vec: dropout = {self.dropout!r}; it must be 0 or more and below 1")
        if not (self.days_per_unit > 0 and math.isfinite(self.days_per_unit)):
            raise SeqsaeError(f"life2vec: days_per_unit = {self.days_per_unit!r}; it must be a number above 0")
        if self.head not in ("published", "plain"):
            raise SeqsaeError(f"life2vec: head = {self.head!r}; it must be 'published' or 'plain'")
        if self.d_model % self.n_heads:
            raise SeqsaeError(f"life2vec: n_heads = {self.n_heads!r}; it must be a divisor of d_model = {self.d_model}")

    @property
    def n_weights(self) -> int:
        """Numbers in the tables and matrices: all parameters but biases, gates and heads, told without building them."""
        tables = 1 if self.tied and self.head == "published" else 2
        return self.d_model * (
            tables * self.n_tokens + self.n_blocks * (4 * self.d_model + 2 * self.d_hidden) + self.d_model
        )


@dataclass(frozen=True)
class Start:
    """Values that parameters start from; the published ones are the defaults."""

    gate: float = 0.0
    """ReZero gates of attention and MLP."""
    time_gate: float = 0.0
    """Gates of age, absolute position and segment."""
    token: float = 0.01
    """Tokens and segments start uniform between plus and minus this."""
    spread: bool = False
    """Frequencies of time start with periods from half a year to 160 years in pairs a quarter period apart, instead of
    uniform within 0.01 of 0; only of use with positions in years."""
