"""Every option of the training, with its reason, and the presets."""

import math
from dataclasses import dataclass, fields
from difflib import get_close_matches

from seqsae.errors import SeqsaeError
from seqsae_life2vec.layout import Layout
from seqsae_life2vec.shape import Shape, Start

OBJECTIVES = ("masked", "next")


@dataclass(frozen=True)
class Options:
    """What `open.train` takes beside the records; the defaults are the preset `small`. Budgets are epochs, never seconds."""

    d_model: int = 64
    """Width of the residual stream."""
    n_blocks: int = 2
    n_heads: int = 4
    """Divides d_model."""
    d_hidden: int = 256
    """Width of each MLP's hidden layer."""
    max_length: int = 512
    """Positions the network reads; a longer record keeps its latest whole moments."""
    min_subjects: int = 5
    """A token that fewer train subjects hold is read as its nearest frequent parent, or as [UNK]."""
    quantiles: int = 0
    """Numeric values become tokens CODE//Q1 to CODE//Qk, edges from the train subjects, for codes with so many distinct values; 0: off."""
    separators: bool = False
    """[SEP] after the background and after each moment."""
    birth_tokens: bool = False
    """MONTH_m and YEAR_y of the birth among the background."""
    reference: str = "2000-01-01"
    """Day 1 of the absolute position."""
    whole_units: bool = False
    """Ages in whole years and positions in whole days."""
    days_per_unit: float = 365.25
    """Absolute positions are divided by it."""
    objective: str = "masked"
    """`masked`: hidden tokens, both sides seen; `next`: the next token, the same network with a causal mask."""
    head: str = "published"
    """`published`: l2norm(tanh(V h)) against a centred unit table; `plain`: layer norm and a linear map."""
    tied: bool = True
    """The published head's table is the token table."""
    order_weight: float = 0.0
    """Share of the sentence-order loss: 0 off, 0.2 published."""
    mask_share: float = 0.25
    """Share of the rows that are guessed in each step."""
    keep_share: float = 0.0
    """Of these, the share whose token still shows."""
    random_share: float = 0.0
    """Of these, the share that shows a random token; all others show [MASK]."""
    dropout: float = 0.0
    gate: float = 1.0
    """Where the gates of attention and MLP start."""
    time_gate: float = 0.2
    """Where the gates of age, position and segment start."""
    token_start: float = 0.5
    """Tokens start uniform between plus and minus this."""
    spread: bool = True
    """Time frequencies start with periods from half a year to 160 years; False: uniform within 0.01 of 0."""
    epochs: int = 11
    batch_size: int = 16
    """Lives in a forward pass; lives of like length go together."""
    accumulate: int = 1
    """Forward passes in a step."""
    learning_rate: float = 4e-3
    """Peak of the warm-up and cosine."""
    warmup: float = 0.05
    """Share of the steps in which the rate rises."""
    weight_decay: float = 0.01
    """On weight matrices; tokens, times, gates and biases have none."""
    checkpoint_every: int = 200
    """Steps between two states to resume from."""
    device: str = "cpu"

    def __post_init__(self):
        for name in COUNTS:
            _hold(self, name, 1 <= getattr(self, name) <= MOST, f"1 to {MOST:,}")
        for name in ("quantiles", "weight_decay", "gate", "time_gate", "token_start"):
            _hold(self, name, 0 <= getattr(self, name) <= MOST, f"0 to {MOST:,}")
        for name in ("keep_share", "random_share", "dropout", "warmup", "order_weight"):
            _hold(self, name, 0 <= getattr(self, name) < 1, "0 or more and below 1")
        _hold(self, "learning_rate", 0 < self.learning_rate <= MOST, f"above 0 and at most {MOST:,}")
        _hold(self, "mask_share", LEAST_SHARE <= self.mask_share < 1, f"{LEAST_SHARE} or more and below 1")
        _hold(self, "keep_share", self.keep_share + self.random_share < 1, "below 1 together with random_share")
        _hold(self, "objective", self.objective in OBJECTIVES, "'masked' or 'next'")
        masked = self.objective == "masked" or not self.order_weight
        _hold(self, "order_weight", masked, "0 with objective = 'next', where [CLS] sees nothing of the life")
        self.shape(16)
        self.layout  # noqa: B018 (both check themselves)

    @property
    def layout(self) -> Layout:
        """How lives become documents."""
        return Layout(self.max_length, self.separators, self.birth_tokens, self.reference, self.whole_units)

    def shape(self, n_tokens: int) -> Shape:
        """The network for a vocabulary of so many tokens."""
        return Shape(
            n_tokens=n_tokens,
            d_model=self.d_model,
            n_blocks=self.n_blocks,
            n_heads=self.n_heads,
            d_hidden=self.d_hidden,
            causal=self.objective == "next",
            head=self.head,
            tied=self.tied,
            order_head=self.order_weight > 0,
            dropout=self.dropout,
            days_per_unit=self.days_per_unit,
        )

    @property
    def start(self) -> Start:
        """The values that parameters start from."""
        return Start(self.gate, self.time_gate, self.token_start, self.spread)


MOST = 1_000_000  # of whatever is counted or scaled: more can only be a slip
LEAST_SHARE = 0.001  # each held-out life is read 1 / share times
COUNTS = (
    *("d_model", "n_blocks", "n_heads", "d_hidden", "min_subjects", "epochs", "batch_size", "accumulate"),
    "checkpoint_every",
)
PRESETS: dict[str, dict] = {
    "tiny": {"d_model": 32, "n_heads": 2, "d_hidden": 128, "max_length": 256},
    "small": {},
    "medium": {
        **{"d_model": 128, "n_blocks": 4, "n_heads": 8, "d_hidden": 512, "max_length": 1024, "quantiles": 10},
        **{"separators": True, "birth_tokens": True, "dropout": 0.1, "batch_size": 32, "learning_rate": 1e-3},
        **{"mask_share": 0.3, "keep_share": 0.1, "random_share": 0.1},
    },
    "published": {
        **{"d_model": 280, "n_blocks": 5, "n_heads": 10, "d_hidden": 2210, "max_length": 2560, "min_subjects": 1000},
        **{"quantiles": 100, "separators": True, "birth_tokens": True, "reference": "2008-01-01", "whole_units": True},
        **{"days_per_unit": 1.0, "order_weight": 0.2, "mask_share": 0.3, "keep_share": 0.1, "random_share": 0.1},
        **{"dropout": 0.1, "gate": 0.0, "time_gate": 0.0, "token_start": 0.01, "spread": False, "epochs": 30},
        **{"batch_size": 8, "accumulate": 8, "learning_rate": 5e-3},
    },
}


def parse(given: dict) -> Options:
    """Options from keyword arguments, `preset` among them. Raises SeqsaeError on an unknown name or an impossible value."""
    given = dict(given)
    preset = given.pop("preset", "small")
    if preset not in PRESETS:
        raise SeqsaeError(f"life2vec has no preset {preset!r}; it has {', '.join(PRESETS)}")
    known = {field.name: field.type for field in fields(Options)}
    for name, value in given.items():
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise SeqsaeError(f"life2vec has no training option {name!r}; {hint}it has preset, {', '.join(known)}")
        _typed(name, value, known[name])
    return Options(**(PRESETS[preset] | given))


def _typed(name: str, value, kind: type) -> None:
    wanted = (int, float) if kind is float else kind
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind is not bool):
        raise SeqsaeError(f"life2vec: {name} = {value!r}; it must be of type {kind.__name__}")
    if kind is float and not math.isfinite(value):
        raise SeqsaeError(f"life2vec: {name} = {value!r}; it must be a finite number")


def _hold(options: Options, name: str, right: bool, rule: str) -> None:
    if not right:
        raise SeqsaeError(f"life2vec: {name} = {getattr(options, name)!r}; it must be {rule}")
