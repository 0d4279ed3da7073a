"""What the doctor found, as lines of text."""

from seqsae.models.contract import SequenceModel
from seqsae.models.doctor.finding import OK, WRONG, Finding

MARKS = {OK: "ok", WRONG: "WRONG"}


def lines(model: SequenceModel, sites: list[str], findings: list[Finding]) -> list[str]:
    """A heading, a line a check with its remedy under it if it is wrong, and the sum."""
    padding = "padding is to change nothing" if model.pad_invariant else "only equal lengths share a batch"
    told = [f"model {model.name!r}: {model.attention}, {len(sites)} of its {len(model.sites)} sites, {padding}"]
    for finding in findings:
        mark = MARKS.get(finding.verdict.state, "-")
        told.append(f"{mark:6}{finding.name:16}{finding.verdict.line}")
        if finding.wrong and finding.verdict.remedy:
            told.append(f"{'':22}to mend it: {finding.verdict.remedy}")
    states = [finding.verdict.state for finding in findings]
    n_ok, n_wrong = states.count(OK), states.count(WRONG)
    return [*told, f"{n_ok} right, {n_wrong} wrong, {len(states) - n_ok - n_wrong} not applicable"]
