"""The full world's registers: a job with its industry and sector, an income, a municipality, and the ward of a contact.

An event is a sentence, by its topic:

    health   DIAG, PATTYPE, INDM
    job      POS, IND, ENT (all new), INCOME, TIME, ATP, RMUN, SOC, SOM
    work     the same with the job as it was, SOC new
    idle     INCOME, TIME, ATP, RMUN, SOC, SOM
    move     RMUN, new

What is drawn: SOC, POS, RMUN and DIAG as the codes of their topics; IND from weights that depend on the job's major group;
ENT on whether the industry is public; TIME and ATP on whether the person works; PATTYPE and INDM; INCOME as in incomes.py.
What is repeated or follows from the topic (SOM) costs no nats. Work needs a job; starting one is likelier without.
"""

import numpy as np

from synthetic_lives.incomes import Incomes
from synthetic_lives.lists import JOBS
from synthetic_lives.people import People
from synthetic_lives.registers import Sentence
from synthetic_lives.softmax import draw, effects, grained
from synthetic_lives.world import World

FIELDS = ("POS", "IND", "ENT", "INCOME", "TIME", "ATP", "RMUN", "SOC", "SOM", "DIAG", "PATTYPE", "INDM")
"""In the order in which the codes of a sentence are written."""

HEALTH, JOB, AT_WORK, IDLE, MOVE = range(5)

IDLES = ("unemployed", "sick", "leave", "student", "early", "pension", "cash")
LOSING = ("unemployed", "student", "early", "pension", "cash")
"""After these a person has no job."""

MATCH = (
    "work_other",
    "work_top",
    "work_high",
    "work_mid",
    "work_basic",
    "work_basic",
    "work_self",
    "work_basic",
    "work_basic",
    "work_other",
)
"""The status that goes with each major group of jobs."""

SECTIONS = ("O", "CGHJ", "CFJKMOPQ", "CGJMOQ", "GHKNO", "GINQ", "A", "CF", "CHE", "ACFGHIN")
"""Industry sections in which each major group of jobs is commonest, eight times as common as elsewhere; public ones employ three times as many."""

PUBLIC = "OPQ"
TIME_LOGITS = (
    (2.0, 1.4, 0.8, 0.4, 0.0, -0.4, -0.8, -1.2, -1.6, -2.0),
    (-1.6, -1.0, -0.5, 0.0, 0.3, 0.6, 0.9, 1.1, 1.2, 1.0),
)
ATP_LOGITS = ((1.0, 0.0, -1.5), (-1.0, 0.3, 1.2))
PATIENT_LOGITS, ADMISSION_LOGITS = (-0.4, 1.0, -0.2), (-0.3, 0.3)
ACUTE = ("infection", "pneumonia", "injury", "armleg", "poison", "stroke", "heartonset", "earlyloss", "symptoms")
"""Topics whose contacts are mostly urgent, and often in an emergency ward."""


class Careers:
    """What persists in n lives of a block."""

    n_fields, value_field = len(FIELDS), FIELDS.index("INCOME")

    def __init__(self, world: World, people: People, strength: float):
        words, n = world.vocabulary, len(people.birth)
        names = words.names[: words.n_topics]
        self.words, self.strength = words, strength
        self.kind = np.array([_kind(name) for name in names])
        self.losing = np.isin(names, LOSING)
        self.jobs = np.array([names.index(name) for name in JOBS])
        self.status = np.array([names.index(name) for name in MATCH])
        self.major = np.array([JOBS.index(name) if name in JOBS else -1 for name in names])
        place = {group: i for i, group in enumerate(words.topics)}
        self.main = np.array([place.get(_main(name), -1) for name in names])
        self.field = np.array([FIELDS.index(("DIAG", "POS", "SOC", "SOC", "RMUN")[kind]) for kind in self.kind])
        self.acute = np.isin(names, ACUTE).astype(int)
        self.offer = _offers(names)
        self.job, self.industry, self.sector = (np.full(n, -1) for _ in range(3))
        self.group = np.full(n, -1)
        self.town = _first_towns(world, people)
        self.incomes = Incomes(world, people, strength)
        self.known = {field: self._known(world, field) for field in ("TIME", "ATP", "PATTYPE", "INDM")}
        self.industries = _Weighted(words, "IND", [_industry_weights(words, section) for section in SECTIONS])
        self.sectors = _Weighted(words, "ENT", _sector_weights())
        self.works = _Weighted(words, "SOC", [_status_weights(words, name) for name in MATCH])

    def allowed(self, who: np.ndarray) -> np.ndarray:
        """[m, T] -inf for work without a job; jobs are likelier without one, and each job has its status."""
        return self.offer[self.group[who] + 1]

    def emit(self, who, time, topic, code, states, rng: np.random.Generator) -> Sentence:
        """The sentences of the events [m] whose topics and own codes are drawn."""
        m, kind = len(who), self.kind[topic]
        tokens = np.full((m, len(FIELDS)), -1, np.int32)
        tokens[np.arange(m), self.field[topic]] = code
        nats, worth = np.zeros(m), np.zeros(states.shape[1])
        uniform = rng.random((m, 6))
        normal = rng.standard_normal(m)
        self._start_jobs(who, topic, code, tokens, nats, uniform)
        working = (kind == JOB) | (kind == AT_WORK)
        for place, held in enumerate((self.job, self.industry, self.sector)):
            tokens[working, place] = held[who[working]]
        also = self._also(who, topic, kind)
        moved = kind == MOVE
        self.town[who[moved]] = code[moved]
        labour = working | (kind == IDLE)
        tokens[labour, FIELDS.index("RMUN")] = self.town[who[labour]]
        tokens[labour, FIELDS.index("SOM")] = self.main[topic[labour]]
        for i, (field, logits) in enumerate((("TIME", TIME_LOGITS), ("ATP", ATP_LOGITS))):
            base = grained(logits)[working[labour].astype(int)]
            self._choose(field, base, labour, states, uniform[:, 3 + i], (tokens, nats, worth))
        health = kind == HEALTH
        acute = self.acute[topic[health]][:, None] * grained([0.4, -0.8, 1.4])
        self._choose("PATTYPE", grained(PATIENT_LOGITS) + acute, health, states, uniform[:, 3], (tokens, nats, worth))
        urgent = self.acute[topic[health]][:, None] * grained([1.6, 0.0])
        self._choose("INDM", grained(ADMISSION_LOGITS) + urgent, health, states, uniform[:, 4], (tokens, nats, worth))
        value = np.full(m, np.nan)
        paid = self.incomes.draw(
            who[labour], time[labour], self.group[who[labour]], working[labour], states[labour], normal[labour]
        )
        value[labour], tokens[labour, self.value_field] = paid.amount, paid.token
        nats[labour] += paid.nats
        lost = who[self.losing[topic]]
        self.job[lost], self.group[lost] = -1, -1
        return Sentence(tokens, value, nats, also, worth + paid.worth)

    def _also(self, who: np.ndarray, topic: np.ndarray, kind: np.ndarray) -> np.ndarray:
        """[m] the topic of the job in a record of work, that of the status in a new job."""
        group = self.group[who]
        also = np.where(kind == AT_WORK, self.jobs[group], -1)
        return np.where(kind == JOB, self.status[group], also)

    def _start_jobs(self, who, topic, code, tokens, nats, uniform) -> None:
        """A new job [those of a job topic]: industry by major group, sector by industry, and the status."""
        new = self.kind[topic] == JOB
        mine, group = who[new], self.major[topic[new]]
        self.job[mine], self.group[mine] = code[new], group
        self.industry[mine], first = self.industries.draw(group, uniform[new, 0])
        public = np.isin(self.industry[mine], self.industries.public).astype(int)
        self.sector[mine], second = self.sectors.draw(public, uniform[new, 1])
        tokens[new, FIELDS.index("SOC")], third = self.works.draw(group, uniform[new, 2])
        nats[new] += first + second + third

    def _choose(
        self, field: str, base: np.ndarray, where: np.ndarray, states: np.ndarray, uniform: np.ndarray, into
    ) -> None:
        """Draw a field of the events `where` by its softmax and write it down."""
        tokens, nats, worth = into
        first, known = self.known[field]
        if where.any():
            found = draw(base, states[where], known, uniform[where])
            tokens[where, FIELDS.index(field)] = first + found.option
            nats[where] += found.nats
            worth += found.worth

    def _known(self, world: World, field: str):
        """The first code of a field, and what concepts do to its codes by their groups."""
        here = [i for i, code in enumerate(world.vocabulary.codes) if code.startswith(f"{field}//")]
        groups = [world.vocabulary.topics[i] for i in here]
        sizes = [
            {i: one.effects[group] for i, group in enumerate(groups) if group in one.effects} for one in world.states
        ]
        return here[0], effects(sizes, tuple(range(len(here))), self.strength)


def _main(topic: str) -> str:
    """The group of the main income that goes with a topic: work of any kind but one's own is one."""
    return "main_" + ("work_other" if topic in JOBS or topic.startswith("work_") and topic != "work_self" else topic)


class _Weighted:
    """Codes of a field by weights that depend on a group."""

    def __init__(self, words, field: str, weights: list[np.ndarray]):
        self.first = next(i for i, code in enumerate(words.codes) if code.startswith(f"{field}//"))
        if field == "SOC":
            self.first = 0
        share = np.array(weights)
        self.share = share / share.sum(axis=1, keepdims=True)
        self.reached = np.concatenate([[0.0], (self.share.cumsum(axis=1) + np.arange(len(share))[:, None]).ravel()])
        self.public = self.first + np.flatnonzero(
            [topic[-1] in PUBLIC for topic in words.topics if topic.startswith("industry_")]
        )

    def draw(self, group: np.ndarray, uniform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A code [m] for each group, and its -log p."""
        size = self.share.shape[1]
        place = np.searchsorted(self.reached, group + uniform, side="right") - 1 - group * size
        place = place.clip(0, size - 1)
        return self.first + place, -np.log(np.maximum(self.share[group, place], 1e-300))


def _kind(topic: str) -> int:
    if topic in JOBS:
        return JOB
    if topic.startswith("work_"):
        return AT_WORK
    return IDLE if topic in IDLES else MOVE if topic.startswith("move") else HEALTH


def _offers(names: tuple[str, ...]) -> np.ndarray:
    """[11, T] what is added to the logits without a job, and with one of each major group."""
    offer = np.zeros((11, len(names)))
    for i, name in enumerate(names):
        if name.startswith("work_"):
            offer[0, i] = -np.inf
            for group, match in enumerate(MATCH):
                offer[group + 1, i] = 0.9 if name == match else -1.2
        elif name in JOBS:
            offer[0, i] = 1.6
            offer[1:, i] = -0.9
            offer[JOBS.index(name) + 1, i] = 0.6
    return grained(offer)


def _first_towns(world: World, people: People) -> np.ndarray:
    """[P] where each lives at first: a municipality of the kind of the household's region, by its number."""
    words = world.vocabulary
    towns = {kind: np.flatnonzero(words.mask([f"move{kind}"])) for kind in ("rural", "urban")}
    rural = people.traits["rural"]
    return np.where(rural, *(towns[kind][people.household % len(towns[kind])] for kind in ("rural", "urban")))


def _industry_weights(words, sections: str) -> np.ndarray:
    topics = [topic for topic in words.topics if topic.startswith("industry_")]
    return np.array(
        [(8.0 if topic[-1] in sections else 1.0) * (3.0 if topic[-1] in PUBLIC else 1.0) for topic in topics]
    )


def _sector_weights() -> list[np.ndarray]:
    """For private and for public industries: the first eight sectors are public."""
    return [np.array([1.0] * 8 + [6.0] * 12), np.array([6.0] * 8 + [1.0] * 12)]


def _status_weights(words, topic: str) -> np.ndarray:
    """[up to the last code of work] weight of each code of one topic of work, 0 elsewhere."""
    return np.where(words.mask([topic]), words.weights, 0.0)
