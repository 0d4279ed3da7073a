"""What the links part rests on: one model and its SAEs, and fresh cohorts of lives that neither has seen."""

from dataclasses import replace
from functools import cached_property
from pathlib import Path

import polars as pl
import synthetic_lives

from recovered.study import CAUSAL, EPOCHS, PERSONS, QUICK_EPOCHS, QUICK_PERSONS, SAES
from seqsae.activations.harvesting import harvest
from seqsae.activations.store import Store
from seqsae.config import FeaturesConfig, HarvestConfig, RecordsConfig, RunConfig, parse
from seqsae.features.encoding import Encoded, encode
from seqsae.pipeline import Study
from seqsae.records import room as records
from seqsae.records.data import Dataset
from seqsae.records.splits import fraction
from seqsae.sae.base import SAE
from seqsae.sae.room import train

SITE = "blocks.1"
SHARES = (("train", 0.1), ("select", 0.5), ("test", 1.0))
"""Of a fresh cohort's households, cumulative: nobody in it was trained on, so the train split serves baselines alone."""


class Home:
    """The lives of seed 0, a causal model of them, and three SAEs of its last block."""

    def __init__(self, folder: Path, quick: bool):
        training = {"objective": CAUSAL.objective, "epochs": QUICK_EPOCHS if quick else EPOCHS}
        config = {
            "records": {
                "source": "synthetic-lives",
                "options": {"persons": QUICK_PERSONS if quick else PERSONS, "seed": 0},
            },
            "model": {"name": "life2vec", "train": training},
            "harvest": {"sites": [SITE]},
        }
        self.study = Study(parse(RunConfig, config, "recovery, links"), out=folder)
        self.options = {"steps": 500} | SAES if not quick else SAES | {"steps": 600}

    @property
    def store(self) -> Store:
        return self.study.first

    @cached_property
    def saes(self) -> list[SAE]:
        """Those of other seeds behind the first."""
        return train(self.store, site=SITE, out=self.study.out, **self.options)


class Cohort:
    """Lives of another seed under a folder, read by the same model."""

    def __init__(self, home: Home, folder: Path, seed: int, persons: int):
        self.home, self.folder, self.seed = home, folder, seed
        lives = synthetic_lives.make(folder / "lives", persons=persons, seed=seed)
        found = records.gather(parse(RecordsConfig, {"path": str(lives)}, "recovery, links"))
        self.data: Dataset = replace(found, splits=dealt(found.subjects, f"links {seed}"))

    def encoded(self, view: str = "full") -> Encoded:
        """The codes of the first SAE, the others beside it."""
        config = HarvestConfig(sites=(SITE,))
        store = harvest(self.home.study.model, self.data, view, out=self.folder, config=config, seed=self.seed)
        return encode(self.home.saes, store, out=self.folder, config=FeaturesConfig(examples=0))


def dealt(subjects: pl.DataFrame, salt: str) -> pl.DataFrame:
    """Schema `splits`: households by hash, in SHARES."""
    parts = [
        next(name for name, upper in SHARES if fraction(cluster, salt) < upper)
        for cluster in subjects["cluster"].to_list()
    ]
    return pl.DataFrame({"subject": subjects["subject"], "split": parts})
