"""What runs against what: shapes, contestants, and the jobs made of them."""

from dataclasses import dataclass
from pathlib import Path

from peers.data import SETS, written
from peers.turns import TUNED_MALLOC

LEARNING_RATES = (1e-3, 3e-3, 6e-3, 1e-2)
WARMUP, DECAY = 0.05, 0.2  # shares of the steps; sparsify can only fall over all of them
DEAD_STEPS = 100  # steps without firing that make a latent dead


@dataclass(frozen=True)
class Shape:
    """A size of the problem."""

    data: str
    width: int
    k: int
    batch: int

    @property
    def d(self) -> int:
        return SETS[self.data].d


SHAPES = {
    "8d": Shape("small", 1024, 16, 2048),
    "32d": Shape("small", 4096, 16, 2048),
    "B": Shape("small", 4096, 16, 2048),
    "C": Shape("large", 4096, 32, 4096),
    "D": Shape("large", 16384, 32, 4096),
}


@dataclass(frozen=True)
class Contestant:
    """A library in one of its settings."""

    name: str
    module: str
    """The adapter, a module of this package."""
    precision: str | None = None
    """None: as shipped."""


SAE_LENS = Contestant("sae-lens", "saelens")
AUTOCAST = Contestant("sae-lens-autocast", "saelens", "autocast")
SPARSIFY = Contestant("sparsify", "sparse")
PEERS = (SAE_LENS, SPARSIFY, Contestant("dictionary-learning", "dictionary"), Contestant("overcomplete", "complete"))
FLOORS = (Contestant("floor-float32", "floor", "float32"), Contestant("floor-bfloat16", "floor", "bfloat16"))


def ours(precisions: list[str]) -> list[Contestant]:
    """seqsae once for each precision."""
    return [Contestant(f"seqsae-{precision}", "ours", precision) for precision in precisions]


@dataclass(frozen=True)
class Plan:
    """What all jobs of a run share."""

    folder: Path
    """Where the data are written."""
    threads: int
    peers: tuple[Contestant, ...] = PEERS
    """Who we are held against."""

    def job(self, contestant: Contestant, shape: str, steps: int, lr: float = 3e-3, seed: int = 0, **other) -> dict:
        """A job for `peers.worker`: architecture topk, no quality, malloc as it comes, unless `other` says otherwise."""
        size = SHAPES[shape]
        job = {
            "peer": contestant.module,
            "precision": contestant.precision,
            "architecture": "topk",
            "d": size.d,
            "width": size.width,
            "k": size.k,
            "batch": size.batch,
            "steps": steps,
            "lr": lr,
            "warmup": WARMUP,
            "decay": DECAY,
            "dead_steps": DEAD_STEPS,
            "seed": seed,
            "threads": self.threads,
            "data": str(written(size.data, self.folder)),
            "every": 0,
            "judge": False,
            "environment": TUNED_MALLOC if other.pop("tuned_malloc", False) else {},
        }
        return job | other
