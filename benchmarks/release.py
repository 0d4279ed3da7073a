"""Releases of random cohorts under attack: cells below the threshold, cells that a linear program recovers, canaries, and pairs one subject apart.

Of each cohort (1,000; --quick 60) the tables are made under one of three policies, and held against the true counts by code that takes nothing
from what makes them. Of every --files th cohort all files are written and searched for the canaries, decoded. Of every fourth the release of
the cohort less one subject is made too: the ledger's rule must forbid the pair.
"""

import json
import tempfile
import time
from collections import Counter
from pathlib import Path

from bars import Bars, parser
from released.attacks import Truth, below_threshold, canaries, largest_change, recovered
from released.cohorts import Cohort, cohort, without

from seqsae.disclosure.fingerprints import d14_too_near, fingerprint
from seqsae.disclosure.policy import NAMED, Policy
from seqsae.errors import SeqsaeError
from seqsae.exports.leaf import Leaf
from seqsae.exports.leaves import leaves
from seqsae.exports.release_files import write_files

POLICIES = (NAMED["default"], NAMED["dst"], Policy(name="own", min_subjects=12, min_clusters=6, round_to=4))
QUICK, WHOLE = 60, 1000
KEY = b"k" * 32


def main() -> None:
    options = arguments()
    found: Counter = Counter()
    start = time.process_time()
    for seed in range(options.cohorts or (QUICK if options.quick else WHOLE)):
        for name, lines in attacked(seed, files=seed % options.files == 0).items():
            found[name] += len(lines) if isinstance(lines, list) else lines
            for line in lines if isinstance(lines, list) else ():
                print(f"cohort {seed}: {name}: {line}")
    seconds = time.process_time() - start
    print(
        f"{found['cohorts']:,} cohorts released, {found['refused']:,} too small to be; {found['cells']:,} cells; {seconds:.0f} s of a core"
    )
    bars = Bars()
    bars.at_least("cohorts", found["cohorts"] + found["refused"], QUICK if options.quick else WHOLE)
    for name in ("below threshold", "recovered", "canaries", "pairs not blocked"):
        bars.at_most(name, found[name], 0)
    bars.at_most("largest change of a count by one subject, over the threshold", found["large changes"], 0)
    bars.tell(options.json)


def attacked(seed: int, files: bool = False) -> dict[str, list[str] | int]:
    """What the attackers find in the release of one cohort; lists are breaches, numbers are counts."""
    one, policy = cohort(seed), POLICIES[seed % len(POLICIES)]
    try:
        made = leaves(one.evidence, policy)
    except SeqsaeError:
        return {"refused": 1}
    found: dict[str, list[str] | int] = {
        "cohorts": 1,
        "cells": sum(len(leaf.table) for leaf in made),
        "below threshold": below_threshold(Truth(one), made, policy),
        "recovered": recovered(made, policy),
        "canaries": canaries(_texts(made, policy, files)),
    }
    return found | (_pair(one, made, policy, seed) if seed % 4 == 1 else {})


def _texts(made: list[Leaf], policy: Policy, files: bool) -> dict[str, str]:
    """Everything that would leave, as text: the files, or the tables alone."""
    if not files:
        return {leaf.id: json.dumps([dict(row) for row in leaf.table.rows], ensure_ascii=False) for leaf in made}
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder), made, policy, "title")
        return {str(path): path.read_text() for path in Path(folder).rglob("*") if path.is_file()}


def _pair(one: Cohort, made: list[Leaf], policy: Policy, seed: int) -> dict[str, list[str]]:
    """The same cohort less one subject: what its release would change, and whether the ledger's rule forbids it."""
    other = without(one, seed % len(one.evidence.people))
    prints = [fingerprint(part.subjects["subject_id"], part.subjects["cluster"], KEY) for part in (one, other)]
    found = {
        "pairs not blocked": []
        if d14_too_near(*prints, policy)
        else [f"less subject {seed % len(one.evidence.people)}"]
    }
    try:
        change = largest_change(made, leaves(other.evidence, policy))
    except SeqsaeError:
        return found
    return found | {"large changes": [f"by {change}"] if change > policy.min_subjects + policy.round_to else []}


def arguments():
    known = parser(__doc__.splitlines()[0])
    known.add_argument("--cohorts", type=int, help="number of cohorts")
    known.add_argument("--files", type=int, default=20, help="write all files of every so many cohorts")
    return known.parse_args()


if __name__ == "__main__":
    main()
