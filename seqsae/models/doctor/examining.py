"""All checks of a model in their order: one list, for `seqsae doctor` and for `seqsae.testing.check_model`."""

from collections.abc import Callable, Iterable

from seqsae.errors import SeqsaeError
from seqsae.models.contract import SequenceModel
from seqsae.models.doctor import changing, ground, padding, reading, repeating
from seqsae.models.doctor.case import Case
from seqsae.models.doctor.finding import Finding, Verdict, skipped, wrong
from seqsae.records.record import Record

CHECKS: dict[str, Callable[[Case], Verdict]] = {
    "prepare": ground.prepare,
    "collate": ground.collate,
    "eval mode": ground.eval_mode,
    "forward": ground.forward,
    "sites run": ground.sites_run,
    "site shape": ground.site_shape,
    "row count": ground.row_count,
    "finite": ground.finite,
    "same twice": repeating.same_twice,
    "sample order": repeating.sample_order,
    "batch mates": repeating.batch_mates,
    "mask": padding.mask,
    "padding": padding.padding,
    "one site": repeating.one_site,
    "put back": changing.put_back,
    "put other": changing.put_other,
    "gradients": changing.gradients,
    "alignment": reading.alignment,
    "causal": reading.causal,
    "hide": reading.hide,
    "ids and logits": reading.ids_and_logits,
    "fingerprint": changing.fingerprint,
}
GROUND = ("prepare", "collate", "forward", "sites run", "site shape", "row count", "finite")
"""If one of these is wrong, those behind it that look at rows are not asked."""
WITHOUT_ROWS = ("eval mode", "fingerprint")


def examine(
    model: SequenceModel,
    records: Iterable[Record],
    sites: Iterable[str] | None = None,
    tolerance: float | None = None,
) -> list[Finding]:
    """Every check of a model on at least three records, of at least two lengths if padding is to change nothing.

    Args:
        sites: those to look at; None: all that the model names.
        tolerance: relative L2 that counts as the same; None: 1e-5, more for modules in 16 bits.
    Raises:
        SeqsaeError: the records cannot be used, or the model names no sites.
    """
    case = Case(model, records, sites, tolerance)
    findings: list[Finding] = []
    for name, check in CHECKS.items():
        broken = next((one.name for one in findings if one.wrong and one.name in GROUND), None)
        stopped = broken is not None and name not in WITHOUT_ROWS
        verdict = skipped(f"not asked, since {broken!r} is wrong") if stopped else _asked(check, case)
        findings.append(Finding(name, verdict))
        if name == "prepare" and not findings[-1].wrong:
            case.require_variety()
    return findings


def _asked(check: Callable[[Case], Verdict], case: Case) -> Verdict:
    try:
        return check(case)
    except SeqsaeError as error:
        line, _, remedy = str(error).partition("; ")
        return wrong(line, remedy)
    except (Exception, SystemExit) as error:  # a stranger's code can raise anything, or try to end the process
        said = " ".join(str(error).split())[:300]
        return wrong(f"{type(error).__name__}: {said}", "look at the module's forward and at collate")
