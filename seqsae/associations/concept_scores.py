"""Planted concepts: for each source the one unit that finds each concept best, on held-out subjects.

Rows are scored for concepts of level token, spell and conjunction; subjects for those of level person, over their pooled
values. Unit, threshold, sign and pooling are chosen on the select split, F1 and AUROC are read on the test split.
"""

from collections.abc import Iterator

import numpy as np
import polars as pl
import scipy.sparse as sp
from sklearn.metrics import roc_auc_score

from seqsae import schema
from seqsae.activations.store import Store
from seqsae.associations.f1 import best_auroc, best_f1, score, trivial_f1
from seqsae.associations.units import Units
from seqsae.features.encoding import Encoded
from seqsae.features.sources import FeatureSource, Neurons, Pca, Tokens, TokensSeen, random_directions
from seqsae.progress import track
from seqsae.records.covariates import Covariates
from seqsae.records.data import key_by_subject

POOLINGS = ("rate", "mean", "max")
LEVELS = ("token", "spell", "conjunction", "person")
LIFT = 0.2  # share of the way from the trivial F1 to 1 that a found concept must have come


def concept_table(encoded: Encoded, covariates: Covariates, seed: int) -> pl.DataFrame:
    """Schema `concepts`: how well the best single unit of each source finds each planted concept. Needs a truth."""
    store = encoded.store
    sources = track(_sources(encoded, seed), "concepts")
    rows = [row for source in sources for row in score_source(source, store, covariates)]
    if not rows:
        return schema.empty("concepts")
    table = pl.DataFrame(rows, infer_schema_length=None).drop("f1_select")
    return schema.check_table(table, "concepts", "concepts")


def score_source(source: FeatureSource, store: Store, covariates: Covariates) -> list[dict]:
    """Rows of schema `concepts` for one source, and `f1_select`: the F1 by which the unit was chosen on the select split."""
    rows: list[dict] = []
    for unit in ("token", "subject"):
        named = [one for one in covariates.truth["concepts"] if (one["level"] == "person") == (unit == "subject")]
        if named:
            rows += _score_source(source, store, unit, named, covariates.truth_spans)
    return rows


def found(table: pl.DataFrame) -> pl.DataFrame:
    """Concepts found (F1 > 0.5, and well above always saying yes) and mean F1, by source and level."""
    lift = (pl.col("f1") - pl.col("trivial_f1")) / (1 - pl.col("trivial_f1"))
    hit = (pl.col("f1") > 0.5) & (pl.col("trivial_f1") < 1) & (lift > LIFT)
    order = pl.Enum(LEVELS)
    grouped = table.group_by("source", "level", maintain_order=True).agg(
        pl.len().alias("concepts"),
        hit.sum().alias("found"),
        pl.col("f1").mean(),
        pl.col("auroc").mean(),
        pl.col("trivial_f1").mean(),
    )
    return (
        grouped.with_columns(pl.col("level").cast(order))
        .sort("level", maintain_order=True)
        .with_columns(pl.col("level").cast(pl.String))
    )


def _sources(encoded: Encoded, seed: int) -> list[FeatureSource]:
    store, site = encoded.store, encoded.site
    random = random_directions(store, site, encoded.sae, seed + 1)
    return [encoded, Neurons(store, site), Pca(store, site), random, Tokens(store), TokensSeen(store)]


def concept_labels(store: Store, spans: pl.DataFrame, names: list[str], unit: str) -> np.ndarray:
    """[units, concepts] uint8: where each concept holds, by row (subject and event) or by subject."""
    keyed = key_by_subject(spans, store.subjects, "truth_spans")
    if unit == "subject":
        subject = store.samples["subject"].to_numpy()
        holders = [keyed.filter(pl.col("concept") == name)["subject"].to_numpy() for name in names]
        return np.column_stack([np.isin(subject, have) for have in holders]).astype(np.uint8)
    offsets, flat = _event_index(store)
    columns = []
    for name in names:
        mine = keyed.filter(pl.col("concept") == name)
        columns.append(_inside(mine, offsets)[flat])
    return np.column_stack(columns).astype(np.uint8)


def _event_index(store: Store) -> tuple[np.ndarray, np.ndarray]:
    """[subjects + 1] where each subject's events start on one line, and [N] each row's place on it."""
    event = store.rows["event"].to_numpy().astype(np.int64)
    longest = np.zeros(len(store.subjects), dtype=np.int64)
    np.maximum.at(longest, store.row_subject, event + 1)
    offsets = np.concatenate([[0], np.cumsum(longest)])
    return offsets, offsets[store.row_subject] + event


def _inside(spans: pl.DataFrame, offsets: np.ndarray) -> np.ndarray:
    """[line] bool: which places lie in one of the spans; ends beyond a subject's last row are cut there."""
    subject = spans["subject"].to_numpy().astype(np.int64)
    low = np.minimum(offsets[subject] + spans["start"].to_numpy(), offsets[subject + 1])
    high = np.minimum(offsets[subject] + spans["end"].to_numpy(), offsets[subject + 1])
    steps = np.zeros(offsets[-1] + 1, dtype=np.int64)
    np.add.at(steps, low, 1)
    np.add.at(steps, high, -1)
    return np.cumsum(steps)[:-1] > 0


def _score_source(
    source: FeatureSource, store: Store, unit: str, named: list[dict], spans: pl.DataFrame
) -> Iterator[dict]:
    labels = concept_labels(store, spans, [concept["name"] for concept in named], unit)
    select, test = (Units(store, unit, split) for split in ("select", "test"))
    y_select, y_test = labels[select.chosen], labels[test.chosen]
    choices, curves, chosen_by = _choose(select, source, y_select)
    pooled = test.pooled(source, POOLINGS)
    matrices = {pooling: pooled.make(pooling) for pooling in {choice[0] for choice in choices + curves}}
    for j, concept in enumerate(named):
        pooling, pick, sign, threshold = choices[j]
        result = score(_column(matrices[pooling], pick), threshold, y_test[:, j], sign)
        pooling_a, pick_a, sign_a, _ = curves[j]
        x = sign_a * _column(matrices[pooling_a], pick_a)
        both = 0 < y_test[:, j].sum() < len(y_test)
        yield {
            "source": source.name,
            "concept": concept["name"],
            "level": concept["level"],
            "best_unit": _name(source, pooling, pick, sign) if np.isfinite(threshold) else None,
            "threshold": float(threshold) if np.isfinite(threshold) else None,
            "precision": result.precision,
            "recall": result.recall,
            "f1": result.f1,
            "f1_select": float(chosen_by[j]),
            "auroc": float(roc_auc_score(y_test[:, j], x)) if both and y_select[:, j].any() else None,
            "trivial_f1": trivial_f1(y_test[:, j]).f1,
            "n": len(y_test),
            "n_positive": int(y_test[:, j].sum()),
        }


def _name(source: FeatureSource, pooling: str | None, unit: int, sign: int) -> str:
    return source.labels[unit] + (f", {pooling}" if pooling else "") + (", low" if sign < 0 else "")


Choice = tuple[str | None, int, int, float]  # pooling, unit, sign, threshold


def _choose(select: Units, source: FeatureSource, y: np.ndarray) -> tuple[list[Choice], list[Choice], np.ndarray]:
    """For each concept the choice of best F1, that of best AUROC, and the former's F1, over units, signs and poolings."""
    pooled = select.pooled(source, POOLINGS)
    f1s, aurocs = np.full(y.shape[1], -1.0), np.full(y.shape[1], -1.0)
    by_f1: list[Choice] = [(pooled.poolings[0], 0, 1, np.inf)] * y.shape[1]
    by_auroc = list(by_f1)
    for pooling in pooled.poolings:
        matrix = pooled.make(pooling)
        signed = not sp.issparse(matrix)
        best, curve = best_f1(matrix, y, signed), best_auroc(matrix, y, signed)
        for j in range(y.shape[1]):
            if best.unit[j] >= 0 and best.f1[j] > f1s[j]:
                f1s[j], by_f1[j] = best.f1[j], (pooling, int(best.unit[j]), int(best.sign[j]), float(best.threshold[j]))
            if curve.unit[j] >= 0 and curve.auroc[j] > aurocs[j]:
                aurocs[j], by_auroc[j] = curve.auroc[j], (pooling, int(curve.unit[j]), int(curve.sign[j]), 0.0)
    return by_f1, by_auroc, f1s


def _column(matrix: sp.csr_array | np.ndarray, unit: int) -> np.ndarray:
    return matrix[:, [unit]].toarray().ravel() if sp.issparse(matrix) else matrix[:, unit]
