"""The k-sparse baseline against a loop over dense arrays and scikit-learn's ridge."""

from dataclasses import replace

import numpy as np
import pytest
from associations import planted as study
from scipy.stats import pearsonr, rankdata, spearmanr
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import StandardScaler

from seqsae.associations.fitted import STRENGTHS
from seqsae.associations.probing.ksparse import KSparse
from seqsae.associations.targets import targets
from seqsae.associations.units import Units


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return study.planted(tmp_path_factory.mktemp("planted"))


def pooled(made, pooling):
    rule = {"mean": lambda x: x.mean(0), "max": lambda x: x.max(0), "presence": lambda x: (x > 0).any(0)}[pooling]
    sample = made.store.row_sample
    return np.array([rule(made.codes[sample == i].astype(float)) for i in range(study.N)], dtype=float)


def by_loop(made, y, binary, k):
    """Scores of the test units: features by |Pearson| (binary) or |Spearman| on select, ridge with folds by cluster."""
    select, test = made.split == "select", made.split == "test"
    cluster = np.unique((np.arange(study.N) // 2).astype(str), return_inverse=True)[1]
    known = np.isfinite(y) & select
    measure = pearsonr if binary else spearmanr
    best = []
    for feature in range(made.codes.shape[1]):
        columns = [pooled(made, name)[:, feature] for name in ("mean", "max", "presence")]
        ties = [abs(measure(c[known], y[known]).statistic) for c in columns]
        best.append((max(ties), columns[int(np.argmax(ties))]))
    chosen = sorted(range(len(best)), key=lambda f: -best[f][0])[:k]
    x = np.column_stack([best[f][1] for f in chosen])
    target = y[known] if binary else rankdata(y[known])
    scaler = StandardScaler().fit(x[known])
    inner, groups = scaler.transform(x[known]), cluster[known]
    held = np.zeros((len(target), len(STRENGTHS)))
    for fit, rest in GroupKFold(5).split(inner, None, groups):
        for j, strength in enumerate(STRENGTHS):
            weights = Ridge(alpha=strength * len(fit)).fit(inner[fit], target[fit]).coef_
            held[rest, j] = inner[rest] @ weights + target[fit].mean()
    strength = STRENGTHS[((held - target[:, None]) ** 2).sum(0).argmin()]
    fitted = Ridge(alpha=strength * len(target)).fit(inner, target)
    return scaler.transform(x[test]) @ fitted.coef_


@pytest.mark.parametrize(("covariate", "category", "k"), [("sex", "m", 1), ("sex", "m", 2), ("age", None, 5)])
def test_scores_are_those_of_scikit_learn(made, covariate, category, k):
    [aim] = [one for one in targets(made.covariates(study.ENTRIES[:2]), made.store) if one.covariate == covariate]
    select, test = (Units(made.store, "subject", split) for split in ("select", "test"))
    found = KSparse(made.encoded, k).scores(aim, select, test)
    wanted = by_loop(made, study.label(made.columns[covariate], category), category is not None, k)
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_what_cannot_be_fitted_is_none_and_names_are_told(made):
    [aim] = targets(made.covariates(study.ENTRIES[:1]), made.store)
    select, test = (Units(made.store, "subject", split) for split in ("select", "test"))
    probe = KSparse(made.encoded, 5)
    assert (probe.name, probe.label(aim)) == ("k-sparse-5", "ridge on 5 features")
    assert probe.scores(replace(aim, y=np.ones(study.N)), select, test) is None
    assert probe.scores(replace(aim, y=np.full(study.N, np.nan)), select, test) is None
    assert KSparse(made.encoded, 2, min_support=10_000).scores(aim, select, test) is None


def test_every_k_shares_what_was_pooled(made, monkeypatch):
    [aim] = targets(made.covariates(study.ENTRIES[:1]), made.store)
    select, test = (Units(made.store, "subject", split) for split in ("select", "test"))
    encoded, calls = made.encoded, []
    values = encoded.values
    monkeypatch.setattr(encoded, "values", lambda rows: calls.append(len(rows)) or values(rows), raising=False)
    for k in (1, 2, 5):
        KSparse(encoded, k).scores(aim, select, test)
    assert len([n for n in calls if n > 1]) <= 6
