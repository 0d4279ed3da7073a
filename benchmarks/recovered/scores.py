"""What finds the planted concepts: every source at every site, the dense probe, and how alike SAEs of other seeds are."""

import numpy as np
import polars as pl
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from recovered.study import HIDDEN, SITES, Recovered
from seqsae.activations.store import Store
from seqsae.associations.concept_scores import concept_labels, score_source
from seqsae.associations.units import Units
from seqsae.features.ica import Ica
from seqsae.features.neurons import MlpNeurons
from seqsae.features.sources import Dictionary, FeatureSource, Neurons, Pca, Tokens, TokensSeen, random_directions
from seqsae.sae.base import SAE
from seqsae.sae.quality.dictionaries import best_match

PROBE_ROWS = 30_000
MATCHED = 0.7  # decoder cosine


def scored(learnt: Recovered, unlearnt: Recovered) -> pl.DataFrame:
    """Rows of schema `concepts` with `site` and `f1_select`; SAEs are named sae-0, sae-1, ..."""
    store, covariates = learnt.store, learnt.study.data.covariates
    rows = []
    for site, source in _sources(learnt, unlearnt):
        found = score_source(source, unlearnt.store if source.name == "random-model" else store, covariates)
        rows += [{**row, "site": site} for row in found]
    return pl.DataFrame(rows, infer_schema_length=None)


def _sources(learnt: Recovered, unlearnt: Recovered) -> list[tuple[str, FeatureSource]]:
    store = learnt.store
    found: list[tuple[str, FeatureSource]] = [("input", Tokens(store)), ("input", TokensSeen(store))]
    found += [(site, MlpNeurons(store, [site])) for site in HIDDEN]
    for site in SITES:
        saes = learnt.saes(site)
        found += [(site, Dictionary(store, site, sae, f"sae-{seed}")) for seed, sae in enumerate(saes)]
        found += [(site, Neurons(store, site)), (site, Pca(store, site)), (site, Ica(store, site))]
        found += [(site, random_directions(store, site, saes[0], learnt.seed + 1))]
        found += [(site, Dictionary(unlearnt.store, site, unlearnt.saes(site)[0], "random-model"))]
    return found


def probed(learnt: Recovered, site: str) -> dict[str, float]:
    """Level to mean AUROC of logistic regressions on the site, fitted on the train split and read on the test split."""
    store, covariates = learnt.store, learnt.study.data.covariates
    named = [one for one in covariates.truth["concepts"] if one["level"] != "person"]
    labels = concept_labels(store, covariates.truth_spans, [one["name"] for one in named], "token")
    fit, test = Units(store, "token", "train").chosen, Units(store, "token", "test").chosen
    fit = fit[:: max(1, len(fit) // PROBE_ROWS)]
    x_fit, x_test = (store.read(site, rows).numpy() for rows in (fit, test))
    found: dict[str, list[float]] = {}
    for column, concept in enumerate(named):
        y_fit, y_test = labels[fit, column], labels[test, column]
        if y_fit.sum() >= 5 and 0 < y_test.sum() < len(y_test):
            probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300)).fit(x_fit, y_fit)
            found.setdefault(concept["level"], []).append(roc_auc_score(y_test, probe.decision_function(x_test)))
    return {level: float(np.mean(values)) for level, values in found.items()}


@torch.no_grad()
def stability(saes: list[SAE], store: Store, site: str, winners: list[int]) -> tuple[float, float]:
    """Of the first SAE against the others: share of the activation mass of latents with a match, and of the winning latents.

    A match is the nearest decoder direction of the other SAE beyond MATCHED; two latents may have the same one.
    """
    rows = store.rows_in("select")
    codes = saes[0].encode(store.read(site, rows[:: max(1, len(rows) // 20_000)]))
    mass = torch.zeros(saes[0].width).scatter_add_(0, codes.indices.flatten(), codes.values.flatten())
    matched = (
        torch.stack([best_match(saes[0].W_dec, other.W_dec).cosine > MATCHED for other in saes[1:]]).double().mean(0)
    )
    of_winners = matched[winners].mean().item() if winners else float("nan")
    return (matched * mass).sum().item() / mass.sum().item(), of_winners
