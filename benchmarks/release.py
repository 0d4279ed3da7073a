"""Releases of random cohorts under attack: cells below the threshold, cells that a linear program recovers, canaries, and pairs one subject apart.

Of each cohort (1,000; --quick 60) all files are written under one of three policies. The tables are held against the true counts by code that
takes nothing from what makes them, every file is searched for the canaries, decoded, and the audit must pass. Of every fifth the release of
the cohort less one subject is made too: the ledger must forbid the pair. Of every eight cohorts one has a row a subject, one is of few people,
one of a huge household, and one has empty covariates and features of a few or of all but a few.
"""

import tempfile
import time
from collections import Counter
from pathlib import Path

from bars import Bars, parser
from released.attacks import Truth, below_threshold, canaries, largest_change, recovered
from released.cohorts import Cohort, without
from released.shapes import shaped

from seqsae.disclosure.policy import NAMED, Policy
from seqsae.errors import SeqsaeError
from seqsae.exports import released_before as before
from seqsae.exports.audit import audit
from seqsae.exports.leaf import Leaf
from seqsae.exports.leaves import leaves
from seqsae.exports.opened import Opened
from seqsae.exports.questions import asked
from seqsae.exports.release_files import write_files

POLICIES = (NAMED["default"], NAMED["dst"], Policy(name="own", min_subjects=12, min_clusters=6, round_to=4))
QUICK, WHOLE = 60, 1000
PAIRS = 5
"""Of every so many cohorts one is released again less a subject."""


def main() -> None:
    options = arguments()
    found: Counter = Counter()
    start = time.process_time()
    for seed in range(options.cohorts or (QUICK if options.quick else WHOLE)):
        for name, lines in attacked(seed).items():
            found[name] += len(lines) if isinstance(lines, list) else lines
            for line in lines if isinstance(lines, list) else ():
                print(f"cohort {seed}: {name}: {line}")
    seconds = time.process_time() - start
    print(
        f"{found['cohorts']:,} cohorts released, {found['refused']:,} too small to be; {found['cells']:,} cells; {seconds:.0f} s of a core"
    )
    bars = Bars()
    bars.at_least("cohorts", found["cohorts"] + found["refused"], QUICK if options.quick else WHOLE)
    for name in ("below threshold", "recovered", "canaries", "audits not passed", "pairs not blocked"):
        bars.at_most(name, found[name], 0)
    bars.at_most("largest change of a count by one subject, over the threshold", found["large changes"], 0)
    bars.tell(options.json)


def attacked(seed: int) -> dict[str, list[str] | int]:
    """What the attackers find in the release of one cohort; lists are breaches, numbers are counts."""
    one, policy = shaped(seed), POLICIES[seed % len(POLICIES)]
    try:
        made = leaves(one.evidence, policy)
    except SeqsaeError:
        return {"refused": 1}
    found: dict[str, list[str] | int] = {
        "cohorts": 1,
        "cells": sum(len(leaf.table) for leaf in made),
        "below threshold": below_threshold(Truth(one), made, policy),
        "recovered": recovered(made, policy),
    }
    return found | _files(made, policy) | (_pair(one, made, policy, seed) if seed % PAIRS == 1 else {})


def _files(made: list[Leaf], policy: Policy) -> dict[str, list[str]]:
    """Canaries in the files that would leave, and what the audit says against them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_files(folder, made, policy, "title")
        texts = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
        found = audit(folder)
    return {"canaries": canaries(texts), "audits not passed": [] if found.passed else [found.text()]}


def _pair(one: Cohort, made: list[Leaf], policy: Policy, seed: int) -> dict[str, list[str]]:
    """The same cohort less one subject: what its release would change, and whether the ledger forbids it."""
    less = seed % len(one.evidence.people)
    other = without(one, less)
    found = {"pairs not blocked": [] if _blocked(one, other, policy) else [f"less subject {less}"]}
    try:
        change = largest_change(made, leaves(other.evidence, policy))
    except SeqsaeError:
        return found
    return found | {"large changes": [f"by {change}"] if change > policy.min_subjects + policy.round_to else []}


def _blocked(one: Cohort, other: Cohort, policy: Policy) -> bool:
    """Whether the ledger that lists the one's release refuses the other's."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.json"
        before.note(path, *before.check(path, _people(one, policy), policy))
        try:
            before.check(path, _people(other, policy), policy)
        except SeqsaeError as cause:
            return str(cause).startswith("D14")
    return False


def _people(one: Cohort, policy: Policy) -> dict:
    """Whose data the tables of a cohort's release are of; all of them alone, if its test split is too small to be told of."""
    try:
        questions = asked(one.evidence, policy)
    except SeqsaeError:
        questions = []
    return before.cohorts(Opened(None, None, None, None, one.evidence, one.subjects), questions)


def arguments():
    known = parser(__doc__.splitlines()[0])
    known.add_argument("--cohorts", type=int, help="number of cohorts")
    return known.parse_args()


if __name__ == "__main__":
    main()
