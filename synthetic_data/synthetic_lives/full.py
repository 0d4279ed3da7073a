"""The full world: a Life2Vec vocabulary of 2,043 tokens, events of several codes, careers that persist."""

import tomllib
from importlib.resources import files

import numpy as np

from synthetic_lives import lists
from synthetic_lives.careers import Careers
from synthetic_lives.codes import OUTSIDE, Vocabulary
from synthetic_lives.concept import Concept
from synthetic_lives.lists import JOBS, Entry
from synthetic_lives.rules import Following, Lasting, Rule, Until
from synthetic_lives.world import Background, World

WORK = ("work_self", "work_top", "work_high", "work_mid", "work_basic", "work_other")
WIDE = {"JOB": JOBS, "WORK": WORK}
JOB_WEIGHTS = (0.4, 2.5, 11, 7, 5, 10, 1.2, 5, 4, 6)
"""How common it is to start a job of each major group of ISCO-08."""

SECTORS = (
    "State", "Region", "Municipality", "Social fund", "Public company", "Public bank", "Public school", "Public hospital",
    "Private company", "Listed company", "Partnership", "Own account", "Cooperative", "Foundation", "Association", "Private bank",
    "Pension fund", "Insurance company", "Household", "Foreign company",
)  # fmt: skip

TRAITS = {
    "female": ("own", "sex", 0.0, 0.5),
    "low_class": ("home", "class", 0.0, 0.4),
    "high_class": ("home", "class", 0.8, 1.0),
    "frail": ("latent", 0.5, 0.8416),
    "rural": ("home", "region", 0.0, 0.4),
    "migrant_origin": ("home", "origin", 0.0, 0.1),
    "risk_taking": ("latent", 0.3, 1.1503),
    "sporty": ("latent", 0.2, 0.4307),  # the upper third
    "night_worker": ("own", "night", 0.0, 0.0625),
    "cancer_family": ("home", "cancer", 0.0, 0.0333),
    "rare_metabolism": ("one in", 200),
    "rare_immunity": ("one in", 1000),
}


def vocabulary() -> Vocabulary:
    """2,043 tokens less 72 for padding, background, months and years: 1,971 event codes, and OUTSIDE."""
    drawn = [*lists.diseases(), *_jobs(), *lists.statuses(), *lists.municipalities()]
    order = {topic: i for i, topic in enumerate(dict.fromkeys(entry.topic for entry in drawn))}
    drawn.sort(key=lambda entry: order[entry.topic])
    entries = [*drawn, *_fields(), *(Entry(code, code, 0.0, text) for code, text in OUTSIDE)]
    return Vocabulary(
        codes=tuple(entry.code for entry in entries),
        topics=tuple(entry.topic for entry in entries),
        weights=np.array([entry.weight if i < len(drawn) else 0.0 for i, entry in enumerate(entries)]),
        descriptions=tuple(entry.description for entry in entries),
        parents=tuple(entry.parents for entry in entries),
        ancestors=lists.ancestors() | {kind: kind.capitalize() for kind in ("ENT", "TIME", "ATP", "SOM", "INCOME")},
        n_topics=len(order),
        alone=("moverural", "moveurban"),
    )


def _jobs() -> list[Entry]:
    scale = dict(zip(JOBS, JOB_WEIGHTS, strict=True))
    return [Entry(e.code, e.topic, e.weight * scale[e.topic], e.description, e.parents) for e in lists.occupations()]


def _fields() -> list[Entry]:
    """The codes of the other fields; here a topic is a group that concepts may raise."""
    thirds = ("low",) * 3 + ("mid",) * 4 + ("high",) * 3
    status = dict.fromkeys(entry.topic for entry in lists.statuses())
    mains = [topic for topic in status if topic not in WORK[1:-1]]
    return [
        *lists.industries(),
        *(Entry(f"ENT//{i + 11}", "sector", 1.0, name, ("ENT",)) for i, name in enumerate(SECTORS)),
        *(
            Entry(f"INCOME//{q}", _income_group(q), 1.0, f"Income in quantile {q} of 98", ("INCOME",))
            for q in range(1, 99)
        ),
        *(
            Entry(f"TIME//{i + 1}", f"time{third}", 1.0, f"Hours worked, tenth {i + 1}", ("TIME",))
            for i, third in enumerate(thirds)
        ),
        *(
            Entry(f"ATP//{i}", f"atp{size}", 1.0, f"Pension paid in, {size}", ("ATP",))
            for i, size in enumerate(("low", "mid", "high"), 1)
        ),
        *(
            Entry(f"SOM//{i}", f"main_{topic}", 1.0, f"Main income: {topic}", ("SOM",))
            for i, topic in enumerate(mains, 1)
        ),
        *(Entry(f"PATTYPE//{code}", name, 1.0, f"Treated as {name}") for code, name in PATIENTS),
        *(Entry(f"INDM//{code}", name, 1.0, f"Admitted {name}") for code, name in ADMISSIONS),
    ]


PATIENTS = (("INPAT", "inpatient"), ("OUTPAT", "outpatient"), ("EMERGENCY", "emergency"))
ADMISSIONS = (("URGENT", "urgent"), ("NON_URGENT", "planned"))


def _income_group(quantile: int) -> str:
    return "lowincome" if quantile <= 29 else "highincome" if quantile > 69 else "midincome"


def concepts(words: Vocabulary) -> tuple[Concept, ...]:
    """The concepts of lists/concepts.toml, tokens first. Raises KeyError if an effect is on no topic and no group."""
    table = tomllib.loads((files("synthetic_lives") / "lists" / "concepts.toml").read_text(encoding="utf-8"))
    tokens = [Concept(name, "token", text, tuple(topics)) for name, (text, topics) in table.pop("tokens").items()]
    rules: dict[str, Rule] = {}
    found = []
    for name, entry in table.items():
        if "rule" in entry:
            rules[name] = _rule(entry["rule"], rules)
        if unknown := set(entry["effects"]) - set(words.topics):
            raise KeyError(f"{name}: no such topic or group: {sorted(unknown)}")
        hazards = {key: entry.get(key, 0.0) for key in ("death", "abroad", "income")}
        found.append(
            Concept(name, entry["level"], entry["text"], rule=rules.get(name), effects=entry["effects"], **hazards)
        )
    return (*tokens, *found)


def _rule(words: list | str, named: dict[str, Rule]) -> Rule:
    if isinstance(words, str):
        return named[words]
    kind, starts, *more = words
    if kind == "until":
        return Until(_topics(starts), _topics(more[0]))
    years = more[-1] or float("inf")
    if kind == "lasting":
        return Lasting(_topics(starts), years)
    return Following(_topics(starts), _rule(more[0], named), years)


def _topics(names: list[str]) -> tuple[str, ...]:
    return tuple(topic for name in names for topic in WIDE.get(name, (name,)))


def background() -> Background:
    """lists/background.toml: age, sex, month, what is impossible, and tilts of single codes."""
    table = tomllib.loads((files("synthetic_lives") / "lists" / "background.toml").read_text(encoding="utf-8"))
    ages = sorted(table["age"], key=int)
    upper = [*(int(age) for age in ages[1:]), 200]
    wide = [
        {topic: size for name, size in table["age"][age].items() for topic in WIDE.get(name, (name,))} for age in ages
    ]
    return Background(
        age_bands=tuple((int(age), end) for age, end in zip(ages, upper, strict=True)),
        by_age=tuple(wide),
        by_sex=(table["men"], table["women"]),
        by_month=tuple(table["month"].get(str(month), {}) for month in range(1, 13)),
        impossible=(tuple(table["never"]["men"]), tuple(table["never"]["women"])),
        tilts={code: tuple(tilt) for code, tilt in table["tilt"].items()},
    )


def world() -> World:
    """Put it together."""
    words = vocabulary()
    return World(
        name="full",
        vocabulary=words,
        concepts=concepts(words),
        background=background(),
        traits=TRAITS,
        pace=(0.45, 0.95),
        uprooted="move_while_unemployed",
        registers=Careers,
        static={"female": ("GENDER//M", "GENDER//F"), "migrant_origin": ("ORIGIN//DK", "ORIGIN//NON_DK")},
    )
