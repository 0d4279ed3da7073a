"""Covariates whose relation to the planted concepts is known, so that a verdict about them can be checked."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from synthetic_lives.codes import vocabulary
from synthetic_lives.people import People
from synthetic_lives.process import MOVING, Lives
from synthetic_lives.rules import YEAR

HEALTH = ["poor", "fair", "good", "excellent"]
HOUSING = ["owner", "renter", "cooperative", "other"]
LICENCE = ["none", "car", "lorry"]
BLOOD = ["A", "B", "AB", "O"]
DECILES = [f"D{d}" for d in range(1, 11)]

FIELDS = ("name", "type", "role", "level", "positive", "order", "within", "description", "unit")


def _field(name: str, kind: str, description: str, role: str = "target", **more) -> dict:
    """A line of covariates.schema.json; what is not given is null, `within` is empty."""
    given = {"name": name, "type": kind, "role": role, "level": "subject", "description": description}
    return {field: (given | {"within": []} | more).get(field) for field in FIELDS}


SCHEMA = [
    _field("age_at_last_event", "continuous", "Age at the last event", "confounder", unit="years"),
    _field("n_events", "continuous", "Events on record after birth", "confounder", unit="events"),
    _field("sex", "binary", "Sex", "confounder", positive="female"),
    _field("early_exit", "binary", "Left the labour market early", positive="yes"),
    _field("housing", "categorical", "How the person is housed at the end of the record"),
    _field("debt_level", "continuous", "Debt at the end of the record", unit="1,000 kroner, log"),
    _field("self_rated_health", "ordinal", "Answer in a survey at the end of the record", order=HEALTH),
    _field("hospital_days", "continuous", "Days in hospital after the record", unit="days, log"),
    _field("loneliness", "continuous", "Score in a survey at the end of the record", unit="points"),
    _field("smoker", "binary", "Smokes at the end of the record", positive="yes"),
    _field("liver_registry", "binary", "Stands in a registry of rare liver disease", positive="yes"),
    _field("reading_glasses", "binary", "Owns reading glasses", positive="yes"),
    _field("administrative_cost", "continuous", "Cost of keeping the record", unit="kroner"),
    _field("licence", "categorical", "Kind of driving licence"),
    _field("ever_fractured_arm", "binary", "A forearm fracture stands in the record", positive="yes"),
    _field("last_income_decile", "ordinal", "Decile of the last income, null without one", order=DECILES),
    _field("coin", "binary", "A fair coin", "negative-control", positive="heads"),
    _field("blood_group", "categorical", "Drawn blindly for each person", "negative-control"),
    _field("lottery", "continuous", "Drawn blindly for each person", "negative-control", unit="points"),
]


def _caused(*concepts: str) -> dict:
    return {"status": "caused", "concepts": list(concepts), "confounders": []}


def _confounded(*confounders: str) -> dict:
    return {"status": "confounded-by", "concepts": [], "confounders": list(confounders)}


def _read(*codes: str) -> dict:
    return {"status": "readable-from-token", "concepts": [], "confounders": [], "tokens": list(codes)}


_NULL = {"status": "null", "concepts": [], "confounders": []}

STATUS = {
    "early_exit": _caused("manual_then_back"),
    "housing": _caused("divorce_then_move", "low_class"),
    "debt_level": _caused("unemployed"),
    "self_rated_health": _caused("depressed", "frail"),
    "hospital_days": _caused("diabetes", "heart_disease"),
    "loneliness": _caused("depressed_while_unemployed", "divorce_then_move"),
    "smoker": _caused("risk_taking"),
    "liver_registry": _caused("rare_metabolism"),
    "reading_glasses": _confounded("age_at_last_event"),
    "administrative_cost": _confounded("n_events"),
    "licence": _confounded("age_at_last_event"),
    "ever_fractured_arm": _read("DIAG//S52"),
    "last_income_decile": _read(*(f"INCOME//{decile}" for decile in DECILES)),
    "coin": _NULL,
    "blood_group": _NULL,
    "lottery": _NULL,
}
"""Why each target varies. Age, length and sex are not listed: they are what others are confounded by."""


@dataclass(frozen=True)
class _Facts:
    """What covariates are drawn from, [P] each."""

    ever: dict[str, np.ndarray]
    """Concept that comes and goes, to: did it ever hold?"""
    share: dict[str, np.ndarray]
    """The same, to the share of the person's events in which it held."""
    traits: dict[str, np.ndarray]
    age: np.ndarray
    n_events: np.ndarray


def draw(people: People, lives: Lives, rng: np.random.Generator) -> pl.DataFrame:
    """subject_id and one column for each line of SCHEMA, sorted by subject_id."""
    facts = _facts(people, lives)
    columns = {
        "subject_id": people.subject_id,
        "age_at_last_event": facts.age,
        "n_events": facts.n_events.astype(float),
        "sex": np.where(people.traits["female"], "female", "male"),
        **_draw_caused(facts, rng),
        **_draw_confounded(facts, rng),
        **_read_from_tokens(lives),
        **_draw_null(len(facts.age), rng),
    }
    table = pl.DataFrame(columns).with_columns(pl.col(pl.Float64).round(4))
    return table.select("subject_id", *(field["name"] for field in SCHEMA)).sort("subject_id")


def write(folder: Path, table: pl.DataFrame) -> None:
    """covariates.parquet and covariates.schema.json."""
    table.write_parquet(folder / "covariates.parquet")
    (folder / "covariates.schema.json").write_text(json.dumps({"covariates": SCHEMA}, indent=1) + "\n")


def _facts(people: People, lives: Lives) -> _Facts:
    n = people.n_events
    held = (lives.holds & (lives.code >= 0)[:, :, None]).sum(axis=1)
    last = people.times[np.arange(len(n)), n - 1]
    return _Facts(
        ever={concept.name: held[:, i] > 0 for i, concept in enumerate(MOVING)},
        share={concept.name: held[:, i] / n for i, concept in enumerate(MOVING)},
        traits=people.traits,
        age=(last - people.birth) / YEAR,
        n_events=n,
    )


def _draw_caused(facts: _Facts, rng: np.random.Generator) -> dict[str, np.ndarray]:
    ever, traits, n = facts.ever, facts.traits, len(facts.age)
    health = rng.standard_normal(n) - 0.9 * ever["depressed"] - 0.9 * traits["frail"]
    lonely = 1.6 * ever["depressed_while_unemployed"] + 0.8 * ever["divorce_then_move"]
    ill = 1.2 * ever["diabetes"] + 1.2 * ever["heart_disease"]
    owning = np.array([1.2, 0.6, 0.0, -0.8])
    renting = np.array([-0.4, 1.4, 0.0, 0.4])
    strain = (ever["divorce_then_move"] + 0.6 * traits["low_class"])[:, None]
    return {
        "early_exit": _yes(0.08 + 0.5 * ever["manual_then_back"], rng),
        "housing": _choose(HOUSING, owning + strain * (renting - owning * 0.5), rng),
        "debt_level": 2.0 + 3.0 * facts.share["unemployed"] + 0.5 * rng.standard_normal(n),
        "self_rated_health": np.array(HEALTH)[np.digitize(health, [-1.6, -0.6, 0.8])],
        "hospital_days": 0.5 + ill + 0.8 * rng.standard_normal(n),
        "loneliness": 3.0 + lonely + rng.standard_normal(n),
        "smoker": _yes(0.15 + 0.5 * traits["risk_taking"], rng),
        "liver_registry": _yes(np.where(traits["rare_metabolism"], 1.0, 0.002), rng),
    }


def _draw_confounded(facts: _Facts, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Given the confounder, these have nothing to do with any concept."""
    older = np.clip((facts.age - 28) / 32, 0, 1)
    licence = np.stack([1.0 - 2.5 * older, np.ones_like(older), -1.5 + 2.5 * older], axis=1)
    return {
        "reading_glasses": _yes(0.05 + 0.85 * older, rng),
        "administrative_cost": 20.0 * facts.n_events + 300.0 * rng.standard_normal(len(older)),
        "licence": _choose(LICENCE, licence, rng),
    }


def _read_from_tokens(lives: Lives) -> dict[str, list]:
    codes = np.array(vocabulary().codes)
    fractured = (lives.code == list(codes).index("DIAG//S52")).any(axis=1)
    of_code = {f"INCOME//D{d}": d for d in range(1, 11)}
    decile = np.array([of_code.get(code, 0) for code in codes])
    seen = np.where(lives.code >= 0, decile[lives.code], 0)
    last = seen.shape[1] - 1 - (seen[:, ::-1] > 0).argmax(axis=1)
    value = seen[np.arange(len(seen)), last]
    return {
        "ever_fractured_arm": np.where(fractured, "yes", "no"),
        "last_income_decile": [f"D{d}" if d else None for d in value],
    }


def _draw_null(n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {
        "coin": np.where(rng.random(n) < 0.5, "heads", "tails"),
        "blood_group": rng.choice(BLOOD, size=n, p=[0.42, 0.12, 0.05, 0.41]),
        "lottery": rng.standard_normal(n),
    }


def _yes(probability: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.where(rng.random(len(probability)) < probability, "yes", "no")


def _choose(names: list[str], logits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a name for each row of logits [P, names]: the largest after Gumbel noise."""
    logits = np.broadcast_to(logits, (len(logits), len(names)))
    return np.array(names)[(logits + rng.gumbel(size=logits.shape)).argmax(axis=1)]
