"""Which concepts a dense probe finds in the activations of the model's own lives."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from seqsae.activations.store import Store
from seqsae.associations.concept_scores import concept_labels
from seqsae.associations.units import Units
from seqsae.features.pooling import pool
from seqsae.records.covariates import Covariates

ROWS = 12_000  # that a probe is fitted on
FEWEST = 5  # units with the concept, in either split


def probed_concepts(store: Store, covariates: Covariates, site: str) -> dict[str, float]:
    """Concept to AUROC of a logistic regression on all of the site, fitted on the train split and read on the test split.

    A concept of the person is sought in the mean of each subject's rows, any other in every row. Those that fewer than FEWEST units
    of a split have are left out.
    """
    aurocs: dict[str, float] = {}
    for unit, person in (("token", False), ("subject", True)):
        names = [one["name"] for one in covariates.truth["concepts"] if (one["level"] == "person") == person]
        labels = concept_labels(store, covariates.truth_spans, names, unit)
        fit, test = (_numbers(store, site, unit, split) for split in ("train", "test"))
        for name, y in zip(names, labels.T, strict=True):
            if min(y[fit[0]].sum(), y[test[0]].sum()) >= FEWEST:
                probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(fit[1], y[fit[0]])
                aurocs[name] = float(roc_auc_score(y[test[0]], probe.decision_function(test[1])))
    return aurocs


def _numbers(store: Store, site: str, unit: str, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Units of a split, a share of its rows if there are many, and their activations [units, d]."""
    here = Units(store, unit, split)
    if unit == "subject":
        counts = store.samples["n_rows"].to_numpy()[here.chosen].astype(np.int64)
        return here.chosen, pool(store.read(site, here.rows).numpy(), counts, "mean")
    rows = here.chosen[:: max(1, len(here.chosen) // ROWS)] if split == "train" else here.chosen
    return rows, store.read(site, rows).numpy()
