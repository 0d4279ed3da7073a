"""Every option of the training, with its reason."""

from dataclasses import dataclass, fields
from difflib import get_close_matches

from seqsae.errors import SeqsaeError


@dataclass(frozen=True)
class Options:
    """What `open.train` takes beside the records. Budgets are epochs, never seconds."""

    d_model: int = 64
    """Width of the residual stream."""
    n_blocks: int = 2
    n_heads: int = 4
    """Divides d_model."""
    d_hidden: int = 256
    """Width of each MLP's hidden layer."""
    max_length: int = 512
    """Positions the network reads; a longer record keeps its latest events."""
    min_subjects: int = 5
    """A code that fewer train subjects have becomes [UNK]."""
    epochs: int = 11
    batch_size: int = 16
    """Lives in a step; lives of like length go together."""
    learning_rate: float = 2e-3
    """Peak of the warm-up and cosine."""
    warmup: float = 0.05
    """Share of the steps in which the rate rises."""
    weight_decay: float = 0.01
    mask_share: float = 0.25
    """Share of the rows hidden in each step, every one of them replaced by [MASK]."""
    checkpoint_every: int = 200
    """Steps between two states to resume from."""
    device: str = "cpu"

    def __post_init__(self):
        positive = (
            "d_model",
            "n_blocks",
            "n_heads",
            "d_hidden",
            "min_subjects",
            "epochs",
            "batch_size",
            "checkpoint_every",
        )
        for name in positive:
            _hold(self, name, getattr(self, name) >= 1, "1 or more")
        _hold(self, "max_length", self.max_length >= 2, "2 or more: [CLS] and an event")
        _hold(self, "n_heads", self.d_model % self.n_heads == 0, f"a divisor of d_model = {self.d_model}")
        _hold(self, "learning_rate", self.learning_rate > 0, "above 0")
        _hold(self, "mask_share", 0 < self.mask_share < 1, "above 0 and below 1")
        _hold(self, "warmup", 0 <= self.warmup < 1, "0 or more and below 1")
        _hold(self, "weight_decay", self.weight_decay >= 0, "0 or more")


def parse(given: dict) -> Options:
    """Options from keyword arguments. Raises SeqsaeError on an unknown name or an impossible value."""
    known = {field.name: field.type for field in fields(Options)}
    for name, value in given.items():
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise SeqsaeError(f"life2vec has no training option {name!r}; {hint}it has {', '.join(known)}")
        _typed(name, value, known[name])
    return Options(**given)


def _typed(name: str, value, kind: type) -> None:
    wanted = (int, float) if kind is float else kind
    if isinstance(value, bool) or not isinstance(value, wanted):
        raise SeqsaeError(f"life2vec: {name} = {value!r}; it must be of type {kind.__name__}")


def _hold(options: Options, name: str, right: bool, rule: str) -> None:
    if not right:
        raise SeqsaeError(f"life2vec: {name} = {getattr(options, name)!r}; it must be {rule}")
