"""Controls that every run carries: labels that mean nothing must not be supported, and a planted one must be found.

They go through the same judging as the covariates, in a family of their own.
"""

import numpy as np
import polars as pl

from seqsae import schema
from seqsae.associations.judging import RIVALS, judged
from seqsae.associations.screening import Bench
from seqsae.associations.targets import Target, cluster_codes
from seqsae.associations.units import Units
from seqsae.features.sources import FeatureSource
from seqsae.sae.base import SAE

NOISE = 0.1  # share of subjects whose planted label is turned round
FOUND = ("supported", "unstable", "token-readout", "position-readout")
"""Verdicts of a tie that holds, whatever stands behind it."""


def controls(bench: Bench, sources: list[FeatureSource], siblings: list[SAE]) -> pl.DataFrame:
    """Schema `controls`: a row a control.

    Args:
        sources: those of the run; only tokens and the position are needed for the verdicts.
    """
    planted = _planted(bench)
    aims = [*_meaningless(bench), *([] if planted is None else [planted[0]])]
    names = [name for rivals in RIVALS.values() for name in rivals]
    rivals = [source for source in sources if source.name in names]
    found = judged(bench, aims, rivals, siblings).associations
    rows = [_row(found, aim, None if planted is None or aim is not planted[0] else planted[1]) for aim in aims]
    return schema.check_table(pl.DataFrame(rows, infer_schema_length=None), "controls", "controls")


def _meaningless(bench: Bench) -> list[Target]:
    """A coin for each cluster, one for each sample, and one that only the length of the record weights."""
    store, rng = bench.encoded.store, np.random.default_rng([bench.seed, 17])
    cluster = cluster_codes(store, "subject")
    length = np.log1p(store.samples["n_rows"].to_numpy().astype(float))
    weight = (length - length.mean()) / (length.std() or 1.0)
    chances = {
        "coin of the cluster": (rng.random(cluster.max() + 1) < 0.5)[cluster],
        "coin of the sample": rng.random(len(cluster)) < 0.5,
        "drawn by length": rng.random(len(cluster)) < 1 / (1 + np.exp(-2 * weight)),
    }
    return [_aim(name, values, bench) for name, values in chances.items()]


def _planted(bench: Bench) -> tuple[Target, int] | None:
    """A label that is one feature's presence, turned round for some; the feature whose share of samples is nearest to a half."""
    store = bench.encoded.store
    whole = Units(store, "subject", "select")
    share = np.asarray((whole.pooled(bench.encoded, ("presence",)).make("presence") > 0).mean(axis=0)).ravel()
    feature = int(np.argmin(np.abs(share - 0.5)))
    if not 0.05 < share[feature] < 0.95:
        return None
    rng = np.random.default_rng([bench.seed, 18])
    there = np.zeros(len(store.samples), bool)
    there[store.row_sample[bench.encoded.values(np.arange(store.n_rows))[:, [feature]].nonzero()[0]]] = True
    return _aim("planted", there ^ (rng.random(len(there)) < NOISE), bench), feature


def _aim(name: str, values: np.ndarray, bench: Bench) -> Target:
    y = np.where(bench.encoded.store.samples["n_rows"].to_numpy() > 0, values.astype(float), np.nan)
    return Target(f"control: {name}", "yes", "binary", "subject", y)


def _row(found: pl.DataFrame, aim: Target, feature: int | None) -> dict:
    mine = found.filter(pl.col("covariate") == aim.covariate)
    supported = mine.filter(pl.col("verdict") == "supported")["feature"].n_unique()
    row = {
        "control": aim.covariate.removeprefix("control: "),
        "kind": "negative" if feature is None else "positive",
        "feature": feature,
        "selected": mine.filter(pl.col("verdict") != "not-selected")["feature"].n_unique(),
        "supported": supported,
        "as_expected": supported == 0,
    }
    if feature is not None:
        row["as_expected"] = bool(mine.filter(pl.col("feature") == feature)["verdict"].is_in(FOUND).any())
    return row
