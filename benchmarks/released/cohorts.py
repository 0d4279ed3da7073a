"""Random cohorts: households, rare codes, features of few, covariates with holes, and persons who must leave no trace."""

from typing import NamedTuple

import numpy as np
import polars as pl
import scipy.sparse as sp

from seqsae import schema
from seqsae.associations.targets import Target
from seqsae.exports.evidence import Evidence

CANARY = "CANARY"
SPLITS = ("train", "select", "calibrate", "test")
VERDICTS = ("supported", "confounded", "inconclusive", "unstable", "token-readout")


class Cohort(NamedTuple):
    """A made-up run in memory."""

    evidence: Evidence
    subjects: pl.DataFrame
    """`subject_id`, `cluster`, `split` and `subject`."""
    canaries: list[int]
    """Subjects that carry what nobody else does."""


def cohort(seed: int, n: int | None = None) -> Cohort:
    """A cohort of `n` subjects (default: 90 to 360), of whom two carry codes, levels and values of their own."""
    rng = np.random.default_rng(seed)
    n = n or int(rng.integers(90, 360))
    size = int(rng.integers(1, 4))
    home = rng.integers(0, max(1, n // size), n)
    split = rng.choice(SPLITS, n, p=[0.4, 0.1, 0.05, 0.45])[home]
    canaries = sorted(rng.choice(n, 2, replace=False).tolist())
    people = pl.DataFrame({"subject": np.arange(n), "cluster": home, "split": split})
    rows = _rows(rng, n, canaries)
    codes = _codes(rng, rows, n, canaries)
    aims = _aims(rng, n, canaries)
    presence = presence_of(codes, rows["subject"].to_numpy(), n)
    evidence = Evidence(
        people=people,
        rows=rows,
        codes=codes,
        aims=aims,
        units={"subject": (presence, np.arange(n)), "token": (codes, rows["subject"].to_numpy())},
        associations=_associations(rng, aims, presence, split),
        baselines=_baselines(rng, aims),
        profile=pl.DataFrame({"feature": np.arange(codes.shape[1]), "stability": rng.random(codes.shape[1])}),
        atlas=_atlas(rng, codes.shape[1]),
        persons=pl.DataFrame({"subject": np.arange(n), "x": rng.normal(size=n), "y": rng.normal(size=n)}),
        parents={"DIAG//R1": "DIAG//R", "DIAG//R2": "DIAG//R", f"DIAG//{CANARY}": "DIAG//R"},
        facts={"architecture": "topk", "width": codes.shape[1]},
    )
    subjects = people.select("subject", pl.format(f"{CANARY}-{{}}", "subject").alias("subject_id"),
                             pl.format("home-{}", "cluster").alias("cluster"), "split")  # fmt: skip
    return Cohort(evidence, subjects, canaries)


def without(one: Cohort, subject: int) -> Cohort:
    """The same cohort less one subject; all others keep what they have."""
    old = one.evidence
    kept = np.delete(np.arange(len(old.people)), subject)
    number = np.full(len(old.people), -1)
    number[kept] = np.arange(len(kept))
    there = old.rows["subject"].to_numpy() != subject
    rows = old.rows.filter(there).with_columns(subject=pl.Series(number[old.rows["subject"].to_numpy()[there]]))
    aims = [_cut(aim, kept, there) for aim in old.aims]
    codes = old.codes[np.flatnonzero(there)]
    presence = presence_of(codes, rows["subject"].to_numpy(), len(kept))
    people = old.people[kept].with_columns(subject=pl.int_range(len(kept)))
    split = people["split"].to_numpy()
    rng = np.random.default_rng(0)
    evidence = Evidence(
        people=people, rows=rows, codes=codes, aims=aims, baselines=old.baselines, profile=old.profile, atlas=old.atlas,
        parents=old.parents, facts=old.facts,
        units={"subject": (presence, np.arange(len(kept))), "token": (codes, rows["subject"].to_numpy())},
        associations=_associations(rng, aims, presence, split),
    )  # fmt: skip
    subjects = one.subjects.filter(pl.col("subject") != subject).with_columns(subject=pl.int_range(len(kept)))
    return Cohort(evidence, subjects, [])


def _cut(aim: Target, kept: np.ndarray, there: np.ndarray) -> Target:
    chosen = kept if aim.unit == "subject" else np.flatnonzero(there)
    follow = None if aim.follow is None else aim.follow[chosen]
    return Target(aim.covariate, aim.category, aim.kind, aim.unit, aim.y[chosen], follow)


def _rows(rng: np.random.Generator, n: int, canaries: list[int]) -> pl.DataFrame:
    """Heavy-tailed tokens from everybody's to one person's, with places, years, ages and gaps."""
    lengths = rng.geometric(0.12, n).clip(1, 60)
    owner = np.repeat(np.arange(n), lengths)
    common = [f"WORK//{number}" for number in range(12)] + ["DIAG//R1", "DIAG//R2"]
    weights = 1 / np.arange(1, len(common) + 1) ** rng.uniform(0.8, 2.2)
    token = rng.choice(common, len(owner), p=weights / weights.sum()).astype(object)
    for subject in canaries:
        token[np.flatnonzero(owner == subject)[-1]] = f"DIAG//{CANARY}" if rng.random() < 0.5 else f"{CANARY}-{subject}"
    position = np.arange(len(owner)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    born = rng.integers(1930, 1990, n)
    year = born[owner] + 18 + position
    since = np.where(position == 0, np.nan, rng.exponential(100, len(owner)))
    age = (year - born[owner]).astype(float)
    age[owner == canaries[0]] += 90
    return pl.DataFrame({"subject": owner, "token": pl.Series(token, dtype=pl.String), "position": position, "year": year, "age": age,
                         "since": pl.Series(since).fill_nan(None)})  # fmt: skip


def _codes(rng: np.random.Generator, rows: pl.DataFrame, n: int, canaries: list[int]) -> sp.csr_array:
    """Ten features: on tokens, in some persons, nearly everywhere, nearly nowhere, and one of a canary alone."""
    tokens, owner = rows["token"].to_numpy(), rows["subject"].to_numpy()
    columns = []
    for number in range(10):
        odds = float(rng.choice([0.002, 0.02, 0.2, 0.6, 0.97]))
        chosen = rng.random(n) < float(rng.choice([0.1, 0.4, 0.7, 0.95, 1.0]))
        on = (rng.random(len(owner)) < odds) & chosen[owner]
        if number % 3 == 0:
            on &= np.isin(tokens, rng.choice(np.unique(tokens), 3))
        if number == 9:
            on = owner == canaries[1]
        columns.append(np.where(on, rng.gamma(2.0, 1.0, len(owner)) + 1e-3, 0.0))
    return sp.csr_array(np.column_stack(columns))


def presence_of(codes: sp.csr_array, owner: np.ndarray, n: int) -> sp.csr_array:
    """[n, F] 1 where a feature fires on any row of a subject."""
    gathered = sp.csr_array((np.ones(len(owner)), (owner, np.arange(len(owner)))), shape=(n, len(owner))) @ codes
    return (gathered > 0).astype(float).tocsr()


def _aims(rng: np.random.Generator, n: int, canaries: list[int]) -> list[Target]:
    """A binary, a categorical with rare levels, a number with a canary's, and a survival covariate; with holes."""
    hole = rng.random() * 0.4

    def holed(y: np.ndarray) -> np.ndarray:
        return np.where(rng.random(n) < hole * rng.integers(0, 2), np.nan, y)

    sick = holed((rng.random(n) < rng.choice([0.05, 0.2, 0.5])).astype(float))
    place = np.minimum(rng.geometric(rng.uniform(0.25, 0.6), n), 6)
    place[canaries] = 7
    lost = rng.random(n) < hole * rng.integers(0, 2)
    names = {number: f"region {number}" for number in range(1, 7)} | {7: f"{CANARY} land"}
    found = [Target("sick", "yes", "binary", "subject", sick)]
    found += [Target("region", names[number], "categorical", "subject", np.where(lost, np.nan, place == number).astype(float))
              for number in range(1, 8)]  # fmt: skip
    income = holed(np.exp(rng.normal(10, 0.4, n)))
    income[canaries[0]] = 98765.4321
    found.append(Target("income", None, "continuous", "subject", income))
    time, event = rng.exponential(5, n) + 0.01, (rng.random(n) < 0.5).astype(float)
    follow = np.column_stack([np.zeros(n), event, ((rng.random(n) < 0.3) & (event == 0)).astype(float)])
    found.append(Target("died", None, "survival", "subject", time, follow))
    return found


def _associations(
    rng: np.random.Generator, aims: list[Target], presence: sp.csr_array, split: np.ndarray
) -> pl.DataFrame:
    """Every pair as a discovery; AUROCs of presence as they are, the rest made up, notes with exact counts."""
    table = schema.empty("associations")
    rows = [
        _association(rng, aim, feature, presence, split == "test")
        for aim in aims
        for feature in range(presence.shape[1])
    ]
    return pl.DataFrame(rows, schema=table.schema)


def _association(rng: np.random.Generator, aim: Target, feature: int, presence: sp.csr_array, test: np.ndarray) -> dict:
    here = test & np.isfinite(aim.y)
    on = np.asarray(presence[:, [feature]].todense()).ravel()[here] > 0
    inside = aim.y[here] == 1 if aim.is_binary else np.zeros(int(here.sum()), bool)
    effect = float(rng.random())
    if aim.is_binary and inside.any() and not inside.all():
        effect = 0.5 + (on[inside].mean() - on[~inside].mean()) / 2
    row = dict.fromkeys(schema.columns("associations"))
    return row | {
        "feature": feature, "covariate": aim.covariate, "category": aim.category, "unit": aim.unit, "kind": aim.kind, "window": "full",
        "pooling": "presence", "n": int(here.sum()), "n_positive": int(inside.sum()), "n_adjusted": int(here.sum()),
        "n_positive_adjusted": int(inside.sum()),
        "effect_name": aim.effect_name, "effect": effect, "ci_low": effect - 0.05, "ci_high": effect + 0.05, "adjusted_name": "log odds ratio",
        "effect_adjusted": float(rng.normal()), "ci_low_adjusted": -1.0, "ci_high_adjusted": 1.0, "q_select": 0.01 * float(rng.random()),
        "p_select": 1e-4, "p_test": 1e-3 * float(rng.random()), "p_test_holm": float(rng.random()), "p_test_adjusted_holm": float(rng.random()),
        "replicated_seeds": 2, "n_seeds": 3, "note": f"{CANARY}: {int(here.sum())} units", "verdict": str(rng.choice(VERDICTS)),
    }  # fmt: skip


def _baselines(rng: np.random.Generator, aims: list[Target]) -> pl.DataFrame:
    rows = [
        {"feature": None, "covariate": aim.covariate, "category": aim.category, "unit": aim.unit, "source": source, "baseline": label,
         "effect": float(rng.random()), "ci_low": 0.4, "ci_high": 0.6}
        for aim in aims
        for source, label in (("neuron", "neuron 4, max"), ("token", f"{CANARY}, presence"), ("sae", f"feature {int(rng.integers(10))}, max"))
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=schema.empty("baselines").schema)


def _atlas(rng: np.random.Generator, width: int) -> pl.DataFrame:
    return pl.DataFrame({"feature": np.arange(width), "x": rng.normal(size=width), "y": rng.normal(size=width),
                         "cluster": rng.integers(-1, 3, width), "cluster_label": [f"{CANARY} label"] * width})  # fmt: skip
