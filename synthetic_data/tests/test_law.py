"""The documented law gives the oracle's loss: -log p of every code of some lives, in plain Python from the written files."""

import json
import math
from collections import defaultdict
from datetime import datetime
from functools import cache
from pathlib import Path

import polars as pl
import pytest
from synthetic_lives import make, worlds
from synthetic_lives.careers import ACUTE, ATP_LOGITS, MATCH, PUBLIC, SECTIONS, TIME_LOGITS
from synthetic_lives.incomes import AGE, BY_GROUP, EDGES, MIDDLE, OUT_OF_WORK, RHO, SPREAD
from synthetic_lives.lists import JOBS

OUTSIDE = ("MEDS_DEATH", "EMIGRATION//ABROAD", "JURY//SUMMONS")
YEAR = 365.25 * 86400
STRENGTH = 2.0


class Life:
    """One person's moments: time, codes, amount; and which concepts hold before each, from the rules of truth.json."""

    def __init__(self, rows: list[tuple], truth: dict, traits: set[str]):
        self.traits, self.truth = traits, truth
        moments: dict[datetime, list] = {}
        for time, code, value in rows:
            if time is not None and code != "MEDS_BIRTH":
                moments.setdefault(time, []).append((code, value))
        self.birth = next(time for time, code, _ in rows if code == "MEDS_BIRTH")
        self.moments = [
            (time, [code for code, _ in codes], [v for _, v in codes if v is not None])
            for time, codes in moments.items()
        ]

    def holding(self, place: int) -> list[str]:
        """The concepts that hold just before the moment at `place`."""
        time, before = self.moments[place][0], self.moments[:place]
        sets = [(when, frozenset(codes)) for when, codes, _ in before]
        found = [one["name"] for one in self.truth["concepts"] if one["rule"] and _holds(one["rule"], sets, time)]
        return found + sorted(self.traits)


def _holds(rule: dict, before: list[tuple[datetime, frozenset]], now: datetime) -> bool:
    """Does a rule hold at `now`, given the moments before it?"""
    places = range(len(before) - 1, -1, -1)  # the latest first: it decides
    alone = rule.get("alone", False)
    starts = (
        i for i in places if not before[i][1].isdisjoint(rule["starts"]) and (len(before[i][1]) == 1 or not alone)
    )
    if rule["rule"] == "until":
        stop = next((i for i in places if not before[i][1].isdisjoint(rule["stops"])), -1)
        return next(starts, -1) > stop
    years = math.inf if rule["years"] is None else rule["years"]
    for i in starts:
        if (now - before[i][0]).total_seconds() > years * YEAR:
            return False
        if rule["rule"] == "lasting" or _holds(rule["condition"], before[:i], before[i][0]):
            return True
    return False


def _as_sets(rule: dict | None) -> dict | None:
    """The rule with sets of codes, which are asked for quickly."""
    sets = {key: frozenset(value) if key in ("starts", "stops") else value for key, value in (rule or {}).items()}
    return sets | ({"condition": _as_sets(sets["condition"])} if "condition" in sets else {}) if rule else None


def softmax(logits: dict[str, float], chosen: str) -> float:
    """-log p of the chosen one."""
    top = max(logits.values())
    return top + math.log(sum(math.exp(size - top) for size in logits.values())) - logits[chosen]


class Law:
    """p of an event, from the README."""

    def __init__(self, name: str):
        self.world = worlds.world(name)
        words = self.world.vocabulary
        self.topic = dict(zip(words.codes, words.topics, strict=True))
        self.members = defaultdict(dict)
        for code, weight in zip(words.codes, words.weights.tolist(), strict=True):
            self.members[self.topic[code]][code] = weight
        self.codes = {
            field: [one for one in self.topic if one.startswith(f"{field}//")]
            for field in ("PATTYPE", "INDM", "TIME", "ATP")
        }
        self.topics = words.names[: words.n_topics]
        self.concepts = {concept.name: concept for concept in self.world.concepts}

    def weights(self, topic: str, traits: set[str]) -> dict[str, float]:
        return self._weights(topic, "female" in traits, "rural" in traits)

    @cache  # noqa: B019
    def _weights(self, topic: str, sex: bool, region: bool) -> dict[str, float]:
        tilt = self.world.background.tilts
        factor = {
            code: math.exp(tilt[code][0] * sex + tilt[code][1] * region) if code in tilt else 1.0
            for code in self.members[topic]
        }
        return {code: weight * factor[code] for code, weight in self.members[topic].items()}

    @cache  # noqa: B019
    def log_total(self, topic: str, sex: bool, region: bool) -> float:
        return math.log(sum(self._weights(topic, sex, region).values()))

    def effect(self, holding: list[str], name: str) -> float:
        return STRENGTH * sum(self.concepts[one].effects.get(name, 0.0) for one in holding)

    def event(self, life: Life, place: int, code: str, group: int | None) -> float:
        """-log p of the topic and of its code. `group`: the job's major group, -1 without one, None in the small world."""
        time, holding = life.moments[place][0], life.holding(place)
        back = self.world.background
        sex = int("female" in life.traits)
        age = (time - life.birth).total_seconds() / YEAR
        band = max(i for i, (low, _) in enumerate(back.age_bands) if age >= low or i == 0)
        logits = {}
        for topic in self.topics:
            if topic not in back.impossible[sex] and (offer := _offer(topic, group)) is not None:
                rest = (
                    back.by_sex[sex].get(topic, 0)
                    + back.by_age[band].get(topic, 0)
                    + back.by_month[time.month - 1].get(topic, 0)
                )
                total = self.log_total(topic, "female" in life.traits, "rural" in life.traits)
                logits[topic] = total + rest + offer + self.effect(holding, topic)
        topic, weights = self.topic[code], self.weights(self.topic[code], life.traits)
        return softmax(logits, topic) + math.log(sum(weights.values()) / weights[code])

    def field(self, holding: list[str], field: str, base: list[float], code: str) -> float:
        """-log p of a code of PATTYPE, INDM, TIME or ATP."""
        codes = self.codes[field]
        logits = {one: size + self.effect(holding, self.topic[one]) for one, size in zip(codes, base, strict=True)}
        return softmax(logits, code)


def _offer(topic: str, group: int | None) -> float | None:
    """What a job adds to the logit of a topic; None: it cannot come."""
    if group is None:
        return 0.0
    if topic.startswith("work_"):
        return None if group < 0 else 0.9 if topic == MATCH[group] else -1.2
    if topic in JOBS:
        return 1.6 if group < 0 else 0.6 if JOBS.index(topic) == group else -0.9
    return 0.0


class Career:
    """What persists in a life of the full world, and -log p of its sentences."""

    def __init__(self, law: Law):
        self.law, self.group, self.job, self.residual = law, -1, None, None

    def sentence(self, life: Life, place: int) -> float:
        time, codes, values = life.moments[place]
        law, holding = self.law, life.holding(place)
        by_field = {code.split("//")[0]: code for code in codes}
        if "DIAG" in by_field:
            nats = law.event(life, place, by_field["DIAG"], self.group)
            acute = law.topic[by_field["DIAG"]] in ACUTE
            patient = [base + more * acute for base, more in zip((-0.4, 1.0, -0.2), (0.4, -0.8, 1.4), strict=True)]
            nats += law.field(holding, "PATTYPE", patient, by_field["PATTYPE"])
            return nats + law.field(holding, "INDM", [-0.3 + 1.6 * acute, 0.3], by_field["INDM"])
        if len(codes) == 1:
            return law.event(life, place, codes[0], self.group)
        new, working = "POS" in by_field and self._is_new(by_field), "POS" in by_field
        nats = law.event(life, place, by_field["POS" if new else "SOC"], self.group)
        if new:
            self.group = JOBS.index(law.topic[by_field["POS"]])
            nats += self._job(by_field)
        self.job = tuple(by_field[field] for field in ("POS", "IND", "ENT")) if working else self.job
        nats += law.field(holding, "TIME", TIME_LOGITS[working], by_field["TIME"])
        nats += law.field(holding, "ATP", ATP_LOGITS[working], by_field["ATP"])
        nats += self._income(life, time, holding, working, values[0])
        if law.topic[by_field["SOC"]] in ("unemployed", "student", "early", "pension", "cash"):
            self.group, self.job = -1, None
        return nats

    def _is_new(self, codes: dict[str, str]) -> bool:
        return self.job != tuple(codes[field] for field in ("POS", "IND", "ENT"))

    def _job(self, codes: dict[str, str]) -> float:
        law = self.law
        size = {}
        for code, topic in law.topic.items():
            if topic.startswith("industry_"):
                size[code] = (8.0 if topic[-1] in SECTIONS[self.group] else 1.0) * (3.0 if topic[-1] in PUBLIC else 1.0)
        public = law.topic[codes["IND"]][-1] in PUBLIC
        sectors = [code for code, topic in law.topic.items() if topic == "sector"]
        share = {code: (6.0 if (i < 8) == public else 1.0) for i, code in enumerate(sectors)}
        status = law.members[MATCH[self.group]]
        pairs = ((size, "IND"), (share, "ENT"), (status, "SOC"))
        return sum(math.log(sum(weights.values()) / weights[codes[field]]) for weights, field in pairs)

    def _income(self, life: Life, time: datetime, holding: list[str], working: bool, amount: float) -> float:
        age = (time - life.birth).total_seconds() / YEAR
        mean = (
            MIDDLE
            + (BY_GROUP[self.group] if self.group >= 0 else 0.0)
            + AGE * ((age - 48) / 30) ** 2
            + (0 if working else OUT_OF_WORK)
        )
        mean += SPREAD * STRENGTH * sum(self.law.concepts[one].income for one in holding)
        middle = mean + (RHO * self.residual if self.residual is not None else 0.0)
        spread = SPREAD * (math.sqrt(1 - RHO**2) if self.residual is not None else 1.0)
        log = math.log(amount)
        self.residual = log - mean
        edges = [-math.inf, *EDGES.tolist(), math.inf]
        low, high = next((a, b) for a, b in zip(edges[:-1], edges[1:], strict=True) if a < log <= b)
        a, b = ((edge - middle) / spread / math.sqrt(2) for edge in (low, high))
        return -math.log((math.erfc(a) - math.erfc(b)) / 2 if a > 0 else (math.erfc(-b) - math.erfc(-a)) / 2)


def lives_of(folder: Path) -> tuple[dict, list[Life]]:
    truth = json.loads((folder / "truth.json").read_text())
    for one in truth["concepts"]:
        one["rule"] = _as_sets(one["rule"])
    spans = pl.read_parquet(folder / "truth_spans.parquet")
    persons = [one["name"] for one in truth["concepts"] if one["level"] == "person"]
    events = pl.read_parquet(folder / "data" / "*.parquet")
    found = []
    for (subject,), rows in events.group_by("subject_id", maintain_order=True):
        mine = spans.filter((pl.col("subject_id") == subject) & pl.col("concept").is_in(persons))["concept"]
        found.append(Life(rows.select("time", "code", "numeric_value").rows(), truth, set(mine)))
    return truth, found


@pytest.mark.parametrize("name", ["small", "full"])
def test_the_law_of_the_readme_gives_the_loss_of_the_oracle(tmp_path, name):
    truth, lives = lives_of(make(tmp_path / "lives", 50, seed=4, preset=name))
    law, nats, n = Law(name), 0.0, 0
    for life in lives:
        career = Career(law)
        for place, (_, codes, _) in enumerate(life.moments):
            if codes[0] not in OUTSIDE:
                nats += law.event(life, place, codes[0], None) if name == "small" else career.sentence(life, place)
                n += len(codes)
    assert n == truth["loss"]["n_events"]
    assert nats / n == pytest.approx(truth["loss"]["oracle"], abs=1e-4)
