"""The release: what a run may tell outside, written whole, listed, and audited before it stands."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from seqsae import shelf
from seqsae.disclosure.policy import Policy, policy_of
from seqsae.errors import SeqsaeError
from seqsae.exports import released_before as before
from seqsae.exports import standing
from seqsae.exports.leaves import Leaf, leaves
from seqsae.exports.opened import Opened, opened
from seqsae.exports.questions import asked
from seqsae.exports.release_files import write_files
from seqsae.exports.weights import Weights
from seqsae.exports.weights import weights as tested
from seqsae.progress import say

TITLE = "SAE features"
"""Of the page: nothing of the data's own."""


class Released(NamedTuple):
    """What became of a release."""

    path: Path
    """Its folder: RUN/release, or release.refused beside it."""
    passed: bool
    """Whether the audit found nothing against it; only then may it leave."""
    told: str
    """What the audit said, line by line."""


def release(  # noqa: PLR0913, each thing that may go
    run: Path | str,
    policy: Policy | str | Path = "default",
    *,
    out: Path | str | None = None,
    ledger: Path | str | None = None,
    weights: Path | str | None = None,
    vignettes: Path | str | None = None,
) -> Released:
    """Write what may leave of a finished run: a page, tables, notes for who checks the output, and a manifest; then audit it.

    Read from the run's artefacts alone; nothing is trained and no model is run. The folder stands only if the audit passes and the
    ledger has it; a refused one lies in `<out>.refused`, with the findings, for somebody inside to look at.

    Args:
        policy: a Policy, its name (default, dst, open), or the path of a TOML file.
        out: the folder; default: RUN/release.
        ledger: a list of releases shared by studies of the same people; default: the run's own, and ledger.json in the parent folder if
            there is one.
        weights: a sign-off file (TOML: name, statement), with which the SAE's weights of the released features go too, in half precision,
            if it is found to remember no subject (D17, D18); None: no weights.
        vignettes: a file (TOML) of sequences that somebody wrote, with author and statement, which are run through the model and the SAE.
    Raises:
        SeqsaeError: an artefact is missing; too few subjects for the policy; nearly the same people were released before (D14); the SAE
            remembers its subjects (D18).
    """
    policy, run = policy_of(policy), Path(run)
    if not run.is_dir():
        raise SeqsaeError(f"{run}: no such run folder; give the one that seqsae run wrote")
    with shelf.locked(run):
        study = opened(run) if vignettes is None else _with(opened(run), vignettes)
        kept = None if weights is None else _weights(study, policy, weights)
        return released(
            study, policy, Path(out) if out is not None else run / "release", ledger, inside=run, weights=kept
        )


def _with(study: Opened, path: Path | str) -> Opened:
    """The run with authored vignettes among its evidence."""
    from seqsae.exports.vignettes import vignettes

    table, who = vignettes(path, study)
    return study._replace(evidence=replace(study.evidence, vignettes=table, authored=who))


def _weights(study: Opened, policy: Policy, signoff: Path | str) -> Weights:
    listed = study.evidence.listed(policy)
    return tested(study.sae, study.encoded.store, study.encoded.site, listed, signoff, policy)


def released(  # noqa: PLR0913, where from and where to
    study: Opened,
    policy: Policy,
    out: Path,
    ledger: Path | str | None,
    inside: Path | None,
    weights: Weights | None = None,
) -> Released:
    """The release of an opened run.

    Args:
        inside: the run folder whose identifiers, rare codes and extreme values the audit looks up; None: it reads the release alone.
    """
    made = leaves(study.evidence, policy)
    _say_withheld(made)
    found, lists = before.cohorts(study, asked(study.evidence, policy)), before.ledgers(study.run, ledger)
    for path in lists:
        before.check(path, found, policy)
    out = standing.place_of(out)
    work = standing.work_folder(out)
    write_files(work, made, policy, TITLE, weights)
    return _judged(work, out, inside, lambda: before.listed(lists, found, policy, study.run))


def _judged(work: Path, out: Path, inside: Path | None, listing: Callable[[], None]) -> Released:
    """The audit's answer; a release that passes is listed first and then put in place. One that stood there stays if it does not."""
    from seqsae.exports.audit import audit

    found = audit(work, run=inside)
    refused = standing.beside(out, "refused")
    if not found.passed:
        (work / "findings.txt").write_text(found.text() + "\n", encoding="utf-8")
        return Released(standing.put(work, refused), False, found.text())
    listing()
    if refused.exists():
        shutil.rmtree(refused)
    return Released(standing.put(work, out), True, found.text())


def _say_withheld(made: list[Leaf]) -> None:
    for leaf in made:
        for reason, number in leaf.table.withheld.items():
            say(f"release: {leaf.id}: {reason}: {number:,} cells, which are not in it")
