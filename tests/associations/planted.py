"""A small study whose ties are known, and the same numbers by loops."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from features.small_stores import Given, parts, store_of
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from seqsae.activations.store import Store
from seqsae.records.covariates import Covariates, check_schema

N = 320  # subjects, two a cluster
ENTRIES = [
    {"name": "sex", "type": "binary", "positive": "m"},
    {"name": "age", "type": "continuous"},
    {"name": "group", "type": "categorical"},
    {"name": "noise", "type": "binary"},
]
POOL = {
    "rate": lambda x: (x > 0).mean(0),
    "mean": lambda x: x.mean(0),
    "max": lambda x: x.max(0),
    "min": lambda x: x.min(0),
}


@dataclass(frozen=True)
class Planted:
    """Everything the study was made from. `columns` holds what each subject's covariates are, None where unknown."""

    store: Store
    codes: np.ndarray
    x: np.ndarray
    columns: dict[str, list]
    split: np.ndarray

    @property
    def encoded(self) -> Given:
        return Given(self.store, self.codes)

    def covariates(self, entries=ENTRIES, **columns) -> Covariates:
        return covariates_of({**self.columns, **columns}, entries)


def covariates_of(columns: dict[str, list], entries, annotations=None, **more) -> Covariates:
    n = len(next(iter(columns.values()))) if columns else 0
    table = pl.DataFrame({"subject": pl.Series(range(n), dtype=pl.UInt32), **columns}, strict=False)
    return Covariates(table, check_schema({"covariates": list(entries)}, "test"), annotations, **more)


def planted(folder: Path, seed: int = 0) -> Planted:
    """Features 0 and 1 follow sex (1 turned round), 2 age, 3 the group c, the other five nothing; neurons likewise."""
    rng = np.random.default_rng(seed)
    split = np.array(parts(N // 2)).repeat(2)
    n_rows = rng.integers(3, 9, N)
    subject = np.repeat(np.arange(N), n_rows)
    total = len(subject)
    sex, age = rng.choice(["f", "m"], N), np.round(rng.normal(50, 10, N))
    group = rng.choice(["a", "b", "c"], N)
    codes = np.round(rng.random((total, 9)) * (rng.random((total, 9)) < 0.3), 2)
    more = {0: (sex == "m"), 1: (sex == "f"), 2: (age > 50), 3: (group == "c")}
    for feature, who in more.items():
        fires = who[subject] & (rng.random(total) < 0.5)
        codes[fires, feature] = np.round(0.5 + rng.random(fires.sum()), 2)
    x = rng.normal(size=(total, 4))
    x[:, 1] -= 1.5 * (sex[subject] == "m")
    x[:, 2] += 0.1 * (age[subject] - 50)
    tokens = np.where(
        rng.random(total) < np.where(group[subject] == "b", 0.3, 0.05), "B", rng.choice(["k", "l"], total)
    )
    store = store_of(folder, n_rows, x=x, tokens=tokens, split=split, cluster=np.arange(N) // 2)
    columns = {
        "sex": sex.tolist(),
        "age": age.tolist(),
        "group": group.tolist(),
        "noise": rng.choice(["u", "v"], N).tolist(),
    }
    for name in ("sex", "age"):
        columns[name] = [None if gap else value for gap, value in zip(rng.random(N) < 0.1, columns[name], strict=True)]
    return Planted(store, codes.astype(np.float32), x.astype(np.float32), columns, split)


def pooled(values: np.ndarray, store: Store, pooling: str) -> np.ndarray:
    """[samples, units] by a loop."""
    sample = store.row_sample
    return np.array([POOL[pooling](values[sample == i].astype(np.float64)) for i in range(len(store.samples))])


def label(covariate: list, category: str | None) -> np.ndarray:
    """[subjects] float with NaN where unknown."""
    if category is None:
        return np.array([np.nan if value is None else value for value in covariate], dtype=float)
    return np.array([np.nan if value is None else float(value == category) for value in covariate])


def effect(x: np.ndarray, y: np.ndarray, binary: bool) -> float:
    """AUROC by scikit-learn or rho by SciPy, over the units with a value."""
    known = np.isfinite(y)
    return roc_auc_score(y[known], x[known]) if binary else spearmanr(x[known], y[known]).statistic
