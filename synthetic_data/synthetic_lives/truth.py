"""What was planted, how far it shifts what, what knowing it is worth, and how well events can be predicted: truth.json."""

import json
from math import exp
from pathlib import Path

import numpy as np

from synthetic_lives.block import Tally
from synthetic_lives.concept import Concept
from synthetic_lives.covariate_schema import status
from synthetic_lives.labels import TASKS
from synthetic_lives.world import World


def write(path: Path, world: World, tally: Tally, arguments: dict) -> None:
    """truth.json, from the sums over all blocks."""
    strength = arguments["strength"]
    document = {
        "format": 1,
        "generator": {"name": "synthetic-lives", **arguments},
        "concepts": [_describe(world, concept, i, tally, strength) for i, concept in enumerate(world.concepts)],
        "covariates": [{"name": name, **why} for name, why in status(world).items()],
        "labels": [
            {"name": name, "concept": task.concept, "description": task.description} for name, task in TASKS.items()
        ],
        "loss": _loss(tally),
        "endings": dict(zip(("closed", "dead", "abroad"), tally.endings.tolist(), strict=True)),
    }
    path.write_text(json.dumps(document, indent=1) + "\n")


def _describe(world: World, concept: Concept, place: int, tally: Tally, strength: float) -> dict:
    words = world.vocabulary
    static = world.static.get(concept.name)
    return {
        "name": concept.name,
        "level": concept.level,
        "description": concept.description,
        "codes": words.members(concept.topics) or ([static[1]] if static else None),
        "rule": concept.rule.document(words) if concept.rule else None,
        "prevalence_persons": round(tally.had[place] / tally.persons, 6),
        "prevalence_events": round(tally.covered[place] / tally.rows, 6),
        "shifts": _shifts(concept),
        "shifted": _shifted(world, concept, strength),
        "worth": _worth(world, concept, tally),
        "effects": concept.effects,
    }


def _shifts(concept: Concept) -> str:
    if not concept.effects:
        return "Shifts nothing by itself: the code is the concept."
    raised = [topic for topic, size in concept.effects.items() if size > 0]
    lowered = [topic for topic, size in concept.effects.items() if size < 0]
    when = "in the whole life" if concept.level == "person" else "after the event that starts it"
    return f"Makes codes of {', '.join(raised)} likelier and codes of {', '.join(lowered)} rarer {when}."


def _shifted(world: World, concept: Concept, strength: float) -> list[dict]:
    """Which codes, by how much on the logit, and the factor on their odds against codes that it leaves alone."""
    found = []
    for topic, size in concept.effects.items():
        codes = world.vocabulary.members([topic])
        found.append(
            {"topic": topic, "codes": codes, "logit": round(strength * size, 4), "odds": round(exp(strength * size), 4)}
        )
    for name in ("death", "abroad"):
        if size := getattr(concept, name):
            found.append({"hazard": name, "factor": round(exp(strength * size), 4)})
    if concept.income:
        found.append({"income": round(strength * concept.income, 4), "unit": "standard deviations of its logarithm"})
    return found


def _worth(world: World, concept: Concept, tally: Tally) -> dict | None:
    """Mean of log p(event | all states) - log p(event | all but this concept), in the events in which it held and in all."""
    if concept not in world.states:
        return None
    place = world.states.index(concept)
    sum_, inside = float(tally.worth[place]), int(tally.inside[place])
    return {
        "unit": "nats per event drawn",
        "inside": round(sum_ / max(inside, 1), 4),
        "overall": round(sum_ / tally.events, 6),
        "events_inside": inside,
    }


def _loss(tally: Tally) -> dict:
    """Births, static codes, ends and the jury are not drawn and not counted; an event is a row. `unigram`: entropy of
    the code frequencies in these lives."""
    share = tally.counts / tally.counts.sum()
    share = share[share > 0]
    return {
        "unit": "nats per event",
        "unigram": round(float(-(share * np.log(share)).sum()), 6),
        "oracle": round(tally.nats / int(tally.counts.sum()), 6),
        "n_events": int(tally.counts.sum()),
        "n_moments": tally.events,
    }
