"""Checks that a row depends on its own record alone: not on chance, on the order of a batch, or on who else is in it."""

from seqsae.models.doctor.case import Case, parts, worst
from seqsae.models.doctor.finding import Verdict, ok, wrong


def same_twice(case: Case) -> Verdict:
    """Prepared, collated and read again, every row has the same bits."""
    again = [case.model.prepare(case.records[index]) for index in case.group]
    off, site = worst(case.rows, case.read(*again))
    if off > 0:
        return wrong(
            f"site {site!r}: a second forward pass differs (relative L2 {off:.2g})",
            "is dropout left on, or does the module or collate draw random numbers? seed them or switch them off",
        )
    return ok("the same bits in two passes")


def sample_order(case: Case) -> Verdict:
    """The samples of a batch in reverse give the same rows."""
    turned = case.together[::-1]
    back = parts(case.read(*turned), turned)[::-1]
    off, site = max(worst(one, other) for one, other in zip(parts(case.rows, case.together), back, strict=True))
    return _judged(
        case, off, site, "the order of the samples changes rows", "keep samples apart in collate and forward"
    )


def batch_mates(case: Case) -> Verdict:
    """A sample has the same rows beside other samples, at the same padding."""
    longest = max(case.together, key=lambda sample: sample.length)
    found = []
    for sample, rows in zip(case.together, parts(case.rows, case.together), strict=True):
        found.append(worst(rows, parts(case.read(sample, longest), [sample, longest])[0]))
    off, site = max(found)
    remedy = (
        "does it normalise over the batch? use running statistics (BatchNorm in eval mode) or normalise each position"
    )
    return _judged(case, off, site, "who else is in the batch changes rows", remedy)


def one_site(case: Case) -> Verdict:
    """A site read alone, the pass ending there, gives the same bits as all sites read together."""
    off, site = max(worst({site: case.rows[site]}, case.model.capture(case.batch, [site])) for site in case.sites)
    if off > 0:
        return wrong(
            f"site {site!r}: stopping early changes the activations (relative L2 {off:.2g})",
            "does forward catch exceptions, or keep state from one pass to the next? it must not",
        )
    return ok("the same bits whether one site is read or all")


def _judged(case: Case, off: float, site: str, complaint: str, remedy: str) -> Verdict:
    figure = f"relative L2 {off:.2g}, allowed {case.tolerance:.2g}"
    return ok(figure) if off <= case.tolerance else wrong(f"site {site!r}: {complaint} ({figure})", remedy)
