"""The classifications of the full world, read from lists/: diseases, occupations, industries, status, municipalities.

Codes and hierarchies follow ICD-10 (three characters), ISCO-08 and NACE Rev. 2 (four digits); the short names are this
project's own, and so are the municipalities and the codes of status. A line is `= chapter`, `- group`, or its codes.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

POS_CODES = 472
"""Occupations: the 436 unit groups of ISCO-08, and the largest minor groups again for those whose unit is unknown."""


@dataclass(frozen=True)
class Entry:
    """A code of a list."""

    code: str
    topic: str
    weight: float
    description: str
    parents: tuple[str, ...] = ()


@cache
def _lines(name: str) -> tuple[str, ...]:
    return tuple((files("synthetic_lives") / "lists" / f"{name}.txt").read_text(encoding="utf-8").splitlines())


def _walk(name: str) -> Iterator[tuple[tuple[str, str], tuple[str, str], str]]:
    """(chapter, its name), (group, its name) and the line, for every line of codes."""
    chapter = group = ("", "")
    for line in _lines(name):
        head, _, rest = line.partition(" ")
        if head == "=":
            chapter = tuple(rest.split(" ", 1))
        elif head == "-":
            group = tuple(rest.split(" ", 1))
        else:
            yield chapter, group, line


def _items(text: str) -> list[tuple[str, str]]:
    return [tuple(item.strip().split(" ", 1)) for item in text.split(";")]


def diseases() -> list[Entry]:
    """748 three-character categories of ICD-10, each with its topic; DIAG//I21 lies in DIAG//I20-I25 in DIAG//IX."""
    found = []
    for (chapter, _), (group, _), line in _walk("health"):
        topic, weight, items = line.split(" ", 2)
        above = (f"DIAG//{group}", f"DIAG//{chapter}")
        found += [Entry(f"DIAG//{code}", topic, float(weight), text, above) for code, text in _items(items)]
    return found


JOBS = (
    "job_army", "job_manager", "job_professional", "job_technician", "job_clerk", "job_service", "job_farm", "job_craft",
    "job_machine", "job_elementary",
)  # fmt: skip
"""The topic of each major group of ISCO-08, 0 to 9."""


def occupations() -> list[Entry]:
    """472 occupations; POS//2221 lies in POS//222 in POS//22 in POS//2."""
    units = [item for _, _, line in _walk("occupations") for item in _items(line)]
    sizes = Counter(code[:3] for code, _ in units)
    taken = {code for code, _ in units}
    vague = [minor for minor, _ in sorted(sizes.items(), key=lambda one: (-one[1], one[0])) if f"{minor}0" not in taken]
    units += [
        (f"{minor}0", f"Occupation in group {minor}, not further known") for minor in vague[: POS_CODES - len(units)]
    ]
    share = Counter(code[0] for code, _ in units)
    return [
        Entry(
            f"POS//{code}", JOBS[int(code[0])], 1 / share[code[0]], text, tuple(f"POS//{code[:k]}" for k in (3, 2, 1))
        )
        for code, text in sorted(units)
    ]


def industries() -> list[Entry]:
    """426 classes of NACE Rev. 2; IND//8610 lies in IND//861 in IND//86 in IND//Q. The topic tells the section."""
    found = []
    for (section, _), (division, _), line in _walk("industries"):
        for code, text in _items(line):
            above = (f"IND//{code[:3]}", f"IND//{division}", f"IND//{section}")
            found.append(Entry(f"IND//{code}", f"industry_{section}", 1.0, text, above))
    return found


def statuses() -> list[Entry]:
    """82 codes of socio-economic status; SOC//110 lies in SOC//11 in SOC//1. The weights of a topic add up to the given one."""
    found = []
    for line in _lines("status"):
        head, _, names = line.partition(": ")
        topic, group, weight = head.split()
        names = [name.strip() for name in names.split(";")]
        for i, name in enumerate(names):
            code = f"{group}{i}"
            found.append(
                Entry(f"SOC//{code}", topic, float(weight) / len(names), name, (f"SOC//{group}", f"SOC//{group[0]}"))
            )
    return found


def municipalities() -> list[Entry]:
    """98 municipalities, rural ones first; their names are invented."""
    found, code = [], 101
    for line in _lines("municipalities"):
        topic, _, names = line.partition(": ")
        for name in names.split("; "):
            above = f"RMUN//{topic.removeprefix('move').upper()}"
            found.append(Entry(f"RMUN//{code}", topic, 0.16 / (1 + code % 7), name, (above,)))
            code += 1
    return found


def ancestors() -> dict[str, str]:
    """Description of every parent that is no code of an event itself."""
    found = {}
    for name, prefix in (("health", "DIAG"), ("occupations", "POS"), ("industries", "IND")):
        for (chapter, title), (group, text), line in _walk(name):
            found[f"{prefix}//{chapter}"], found[f"{prefix}//{group}"] = title, text
            for code, _ in _items(line) if name != "health" else ():
                found[f"{prefix}//{code[:3]}"] = f"Group {code[:3]} of {group} {text}"
    for line in _lines("status"):
        topic, group, _ = line.partition(":")[0].split()
        found[f"SOC//{group}"] = f"Status: {topic.replace('_', ', ')}"
    found |= {"SOC//1": "At work", "SOC//2": "Out of work for a time", "SOC//3": "Out of the labour market"}
    return found | {"RMUN//RURAL": "Municipality in the country", "RMUN//URBAN": "Municipality of a town"}
