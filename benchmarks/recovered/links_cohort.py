"""One fresh cohort: the planted concepts themselves, the SAE's features, and the leak, each judged as any study is.

Concepts of the person are scored over pooled subjects, all others over rows; features are chosen on the select split.
"""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from recovered.links_study import Cohort, Home
from seqsae import shelf
from seqsae.activations.store import Store
from seqsae.associations.baselines import sources_of
from seqsae.associations.concept_scores import POOLINGS, concept_labels
from seqsae.associations.confounders import Confounders
from seqsae.associations.controls import FOUND
from seqsae.associations.f1 import best_f1
from seqsae.associations.judging import RIVALS, Judged, judged
from seqsae.associations.screening import Bench
from seqsae.associations.targets import supported, targets
from seqsae.associations.truth_source import TruthSource
from seqsae.associations.units import Units
from seqsae.config import AssociateConfig
from seqsae.features.encoding import Encoded
from seqsae.features.sources import FeatureSource
from seqsae.records.covariates import Covariates

CONFIG = AssociateConfig(permutations=0)
"""The defaults; permutations are left out, which no verdict looks at."""
WINDOW = "died_within_4y"
"""The label table whose prediction time cuts the records; its own answers are left out."""
BEST = 5
TABLES = ("oracle", "sae", "best", "leak")


def cohort_tables(home: Home, folder: Path, seed: int, persons: int) -> dict[str, pl.DataFrame]:
    """TABLES of one cohort, kept on the shelf; what they were made from is not.

    oracle: schema `associations`, `feature` numbering the concepts of truth.json. sae: of it what was chosen on select.
    best: concept, rank, feature, f1_select. leak: one row a view.
    """
    options = {"seed": seed, "persons": persons}
    inputs = {f"sae{i}": sae.artefact for i, sae in enumerate(home.saes)}
    kept = shelf.stage(folder / f"{seed:03d}", "links", options, inputs, lambda work: _write(home, work, seed, persons))
    return {name: kept.table(f"{name}.parquet") for name in TABLES}


def _write(home: Home, work: Path, seed: int, persons: int) -> None:
    scratch = work / ".scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    cohort = Cohort(home, scratch, seed, persons)
    covariates, encoded = cohort.data.covariates, cohort.encoded()
    leaking = [one["name"] for one in covariates.truth["covariates"] if one["status"] == "leaking"]
    concepts, features = (
        found(source, encoded, covariates, seed) for source in (TruthSource(encoded.store, covariates), encoded)
    )
    cut = windowed(cohort, leaking)
    tables = {
        "oracle": concepts.associations,
        "sae": features.associations.filter(pl.col("verdict") != "not-selected"),
        "best": best_features(encoded, encoded.store, covariates),
        "leak": pl.concat([leak(features, leaking), leak(cut, leaking)]),
    }
    for name, table in tables.items():
        shelf.write_table(work / f"{name}.parquet", table)


def found(source: Encoded | TruthSource, beside: Encoded, covariates: Covariates, seed: int) -> Judged:
    """All that a run would say of a source's units, with those baselines beside it that verdicts look at, and the dense probe.

    Args:
        beside: features of the same store.
    """
    store = source.store
    bench = Bench(source, Confounders(covariates, store), CONFIG, seed)
    aims = supported(targets(covariates, store), covariates, store)
    names = (*(name for rivals in RIVALS.values() for name in rivals if name in CONFIG.baselines), "dense-probe")
    sources = sources_of(beside, names, seed, bench.confounders)
    return judged(bench, aims, sources[1:], source.siblings)


def best_features(source: FeatureSource, store: Store, covariates: Covariates, most: int = BEST) -> pl.DataFrame:
    """concept, rank (from 1), feature, f1_select: the units of highest F1 on the select split, those that beat always saying yes."""
    rows = []
    for unit, person in (("token", False), ("subject", True)):
        names = [one["name"] for one in covariates.truth["concepts"] if (one["level"] == "person") == person]
        select = Units(store, unit, "select")
        labels = concept_labels(store, covariates.truth_spans, names, unit)[select.chosen]
        table = f1_table(source, select, labels)
        for name, f1 in zip(names, table.T, strict=True):
            order = np.argsort(-f1, kind="stable")[:most]
            rows += [(name, rank, int(i), float(f1[i])) for rank, i in enumerate(order, 1) if f1[i] > 0]
    columns = {"concept": pl.String, "rank": pl.UInt32, "feature": pl.Int32, "f1_select": pl.Float64}
    return pl.DataFrame(rows, schema=columns, orient="row")


def f1_table(source: FeatureSource, here: Units, labels: np.ndarray) -> np.ndarray:
    """[units, concepts] F1 at the best threshold, of subjects under the best pooling; 0 where none beats always saying yes."""
    pooled = here.pooled(source, POOLINGS)
    best = np.zeros((len(source.labels), labels.shape[1]))
    for pooling in pooled.poolings:
        values = pooled.make(pooling).tocsc()
        for unit in range(values.shape[1]):
            found = best_f1(values[:, [unit]], labels)
            best[unit] = np.maximum(best[unit], np.where(np.isfinite(found.threshold), found.f1, 0))
    return best


def windowed(cohort: Cohort, names: list[str]) -> Judged:
    """These covariates alone, and the confounders, against features of the records cut at the time of prediction."""
    covariates = cohort.data.covariates
    kept = [one for one in covariates.schema["covariates"] if one["name"] in names or one["role"] == "confounder"]
    encoded = cohort.encoded(WINDOW)
    return found(encoded, encoded, replace(covariates, schema={"covariates": kept}, labels={}), cohort.seed)


def leak(told: Judged, names: list[str]) -> pl.DataFrame:
    """A row a covariate: features chosen for it, those whose tie holds, those supported; AUROC of the dense probe."""
    verdict = pl.col("verdict")
    of = {"chosen": verdict != "not-selected", "holding": verdict.is_in(FOUND), "supported": verdict == "supported"}
    rows = []
    for name in names:
        mine = told.associations.filter(covariate=name)
        counts = {called: mine.filter(which)["feature"].n_unique() for called, which in of.items()}
        probe = told.baselines.filter(source="dense-probe", covariate=name).row(0, named=True)
        ends = {"probe": probe["effect"], "probe_low": probe["ci_low"], "probe_high": probe["ci_high"]}
        rows.append({"view": mine["window"][0], "covariate": name, **counts, **ends})
    return pl.DataFrame(rows)
