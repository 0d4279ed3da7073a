"""Covariates whose relation to the planted concepts is known, so that a verdict about them can be checked."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from synthetic_lives.codes import JURY
from synthetic_lives.covariate_schema import AFTERWARDS, HEALTH, HOUSING, LICENCE, columns, decile
from synthetic_lives.people import People
from synthetic_lives.process import CENSORED, CUT, Lives
from synthetic_lives.rules import YEAR
from synthetic_lives.world import World

BLOOD = ["A", "B", "AB", "O"]


@dataclass(frozen=True)
class _Facts:
    """What covariates are drawn from, [P] each."""

    ever: dict[str, np.ndarray]
    """Concept that comes and goes, to: did it ever hold?"""
    share: dict[str, np.ndarray]
    """The same, to the share of the person's events in which it held."""
    traits: dict[str, np.ndarray]
    household: np.ndarray
    """The first person of a household, numbered within the block."""
    age: np.ndarray
    n_events: np.ndarray


def draw(world: World, people: People, lives: Lives, ending: np.ndarray, rng: np.random.Generator) -> pa.Table:
    """subject_id and the columns of the covariate schema, by ascending subject_id.

    What is asked or counted after the record is null for whom there is nothing after it: the dead, and who went abroad.
    """
    facts = _facts(world, people, lives)
    drawn = {
        "subject_id": people.subject_id,
        "age_at_last_event": facts.age,
        "n_events": facts.n_events.astype(float),
        "sex": np.where(people.traits["female"], "female", "male"),
        **_draw_caused(world, facts, rng),
        **_draw_confounded(facts, rng),
        **_draw_survival(facts, rng),
        **_read_from_codes(world, lives, len(facts.age)),
        "heating_bill": _shared(facts.household, rng),
        **_draw_null(len(facts.age), rng),
    }
    gone = ending != CENSORED
    return pa.table({name: _column(drawn[name], gone if name in AFTERWARDS else None) for name in columns()})


def _column(values, unknown: np.ndarray | None) -> pa.Array:
    if isinstance(values, list):
        return pa.array(values, pa.string())
    return pa.array(np.round(values, 4) if values.dtype.kind == "f" else values, mask=unknown)


def _facts(world: World, people: People, lives: Lives) -> _Facts:
    many = len(people.birth)
    n = np.bincount(lives.person, minlength=many)
    last = people.opened.copy()
    np.maximum.at(last, lives.person, lives.time)
    held = {concept.name: np.bincount(lives.person, lives.holds[:, i], many) for i, concept in enumerate(world.moving)}
    return _Facts(
        ever={name: count > 0 for name, count in held.items()},
        share={name: count / np.maximum(n, 1) for name, count in held.items()},
        traits=people.traits,
        household=np.unique(people.household, return_inverse=True)[1],
        age=(last - people.birth) / YEAR,
        n_events=n,
    )


def _draw_caused(world: World, facts: _Facts, rng: np.random.Generator) -> dict[str, np.ndarray]:
    ever, traits, n = facts.ever, facts.traits, len(facts.age)
    health = rng.standard_normal(n) - 0.9 * ever["depressed"] - 0.9 * traits["frail"]
    lonely = 1.6 * ever["depressed_while_unemployed"] + 0.8 * ever[world.uprooted]
    ill = 1.2 * ever["diabetes"] + 1.2 * ever["heart_disease"]
    owning = np.array([1.2, 0.6, 0.0, -0.8])
    renting = np.array([-0.4, 1.4, 0.0, 0.4])
    strain = (ever[world.uprooted] + 0.6 * traits["low_class"])[:, None]
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
        "shoe_size": 43.0 - 4.5 * facts.traits["female"] + 1.6 * rng.standard_normal(len(older)),
    }


def _draw_survival(facts: _Facts, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Constant hazards a year from the moment of entry on; the follow-up ends after 2 to 12 years."""
    n = len(facts.age)
    log_hazard = 0.8 * facts.ever["heart_disease"] + 0.6 * facts.ever["diabetes"] + 0.6 * facts.traits["frail"]
    entry, closing = rng.uniform(0, 1, n), rng.uniform(2, 12, n)
    moved = rng.exponential(1, n) / (0.03 * np.exp(log_hazard))
    died = rng.exponential(1, n) / (0.02 * np.exp(0.5 * facts.traits["frail"]))
    first = np.minimum(np.minimum(moved, died), closing)
    return {
        "nursing_home_time": entry + first,
        "nursing_home_event": first == moved,
        "nursing_home_competing": first == died,
        "nursing_home_entry": entry,
    }


def _read_from_codes(world: World, lives: Lives, persons: int) -> dict[str, list]:
    """What the record states: last income, a fracture, and the jury's letter for those with an event after CUT."""
    index = world.vocabulary.index
    deciles = np.array([decile(code) or 0 for code in world.vocabulary.codes] + [0])  # the last: no code
    seen = deciles[lives.tokens].max(axis=1)
    last = np.zeros(persons, int)
    last[lives.person[seen > 0]] = seen[seen > 0]  # by time: the last one stands
    fractured, called, later = (np.zeros(persons, bool) for _ in range(3))
    fractured[lives.person[(lives.tokens == index["DIAG//S52"]).any(axis=1)]] = True
    called[lives.person[lives.tokens[:, 0] == index[JURY]]] = True
    later[lives.person[(lives.time > CUT) & (lives.topic < world.vocabulary.n_topics)]] = True
    return {
        "ever_fractured_arm": ["yes" if one else "no" for one in fractured],
        "last_income_decile": [f"D{d}" if d else None for d in last],
        "called_for_jury": [
            ("yes" if one else "no") if known else None for one, known in zip(called, later, strict=True)
        ],
    }


def _shared(household: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """[P] noise of which four fifths of the variance are the household's."""
    n = len(household)
    return 15.0 + 3.0 * (np.sqrt(0.8) * rng.standard_normal(n)[household] + np.sqrt(0.2) * rng.standard_normal(n))


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
