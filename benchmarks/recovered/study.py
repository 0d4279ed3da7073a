"""One model of one seed: trained, harvested at every site, with SAEs at each; and the same with weights that never learnt."""

import json
from dataclasses import dataclass
from pathlib import Path

from seqsae.activations.store import Store
from seqsae.config import RunConfig, parse
from seqsae.pipeline import Study
from seqsae.sae.base import SAE
from seqsae.sae.room import train

SITES = ("embedding", "blocks.0", "blocks.1")
HIDDEN = ("blocks.0.mlp.hidden", "blocks.1.mlp.hidden")
PERSONS, EPOCHS = 10_000, 11
QUICK_PERSONS, QUICK_EPOCHS = 2_000, 6
SAES = {"width": 128, "k": 4, "seeds": 3, "steps": 2000, "batch": 1024}


@dataclass(frozen=True)
class Kind:
    """A way to train and to read."""

    name: str
    objective: str
    readout: str


CAUSAL = Kind("causal", "next", "observed")
MASKED = Kind("bidirectional, masked", "masked", "masked")
OBSERVED = Kind("bidirectional, observed", "masked", "observed")


class Recovered:
    """A study of a kind and seed under a folder.

    Args:
        learnt: False for a model whose weights stay as they started.
    """

    def __init__(self, folder: Path, kind: Kind, seed: int, quick: bool, learnt: bool = True):
        self.kind, self.seed = kind, seed
        training = {"objective": kind.objective, "epochs": QUICK_EPOCHS if quick else EPOCHS}
        if not learnt:
            training |= {"learning_rate": 1e-30, "epochs": 1}
        config = {
            "seed": seed,
            "records": {
                "source": "synthetic-lives",
                "options": {"persons": QUICK_PERSONS if quick else PERSONS, "seed": seed},
            },
            "model": {"name": "life2vec", "train": training},
            "harvest": {"sites": [*SITES, *HIDDEN], "views": [{"readout": kind.readout}]},
        }
        name = f"{kind.objective}-{seed}" if learnt else f"{kind.objective}-{seed}-unlearnt"
        self.study = Study(parse(RunConfig, config, "recovery"), out=folder / name)
        self.saes_of = {"steps": 500} | SAES if not quick else SAES | {"steps": 600}

    @property
    def store(self) -> Store:
        return self.study.first

    def saes(self, site: str) -> list[SAE]:
        """Three seeds of the SAE at a site."""
        return train(self.store, site=site, out=self.study.out, seed=self.seed, **self.saes_of)

    def gap_closed(self) -> float:
        """Share of the way from the code frequencies' loss to that of an oracle who knows all states, on held-out lives."""
        self.study.model  # noqa: B018  which trains it
        losses = json.loads((self.study.out / "model" / "training.json").read_text())["losses"]
        oracle = self.study.data.truth["loss"]["oracle"]
        return (losses["unigram"] - losses["model"]) / (losses["unigram"] - oracle)
