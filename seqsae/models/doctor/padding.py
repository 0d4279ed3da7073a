"""Checks that padding changes nothing, and that the mask which says what is padding reaches the model."""

import torch

from seqsae.models import masks
from seqsae.models.contract import Batch
from seqsae.models.doctor.case import Case, worst
from seqsae.models.doctor.finding import Verdict, ok, skipped, wrong


def mask(case: Case) -> Verdict:
    """A mask that hides no padding changes the rows of a padded batch, unless padding does nothing anyway."""
    if not case.model.pad_invariant:
        return skipped("the model declares that padding changes rows: no batch holds any")
    key = masks.key_of(case.batch.inputs)
    if key is None:
        return skipped(f"no {', '.join((*masks.REAL_KEYS, *masks.PAD_KEYS))} among the inputs")
    batch = case.batch
    open_ = _opened(batch)
    off, site = worst(case.rows, case.model.capture(open_, case.sites))
    if off > case.tolerance:
        return ok(f"without {key}, rows change by relative L2 {off:.2g}: it reaches the model")
    padded = _padding(case)[0]
    if padded <= case.tolerance:
        return ok(f"{key} changes nothing (relative L2 {off:.2g}), and neither does padding")
    return wrong(
        f"site {site!r}: {key} is ignored by the model: with and without it the same rows (relative L2 {off:.2g}), though "
        f"padding changes them by {padded:.2g}",
        "use the mask in forward, or declare pad_invariant=False",
    )


def padding(case: Case) -> Verdict:
    """A sample has the same rows in a padded batch as alone."""
    if not case.model.pad_invariant:
        return _absent(case)
    off, site = _padding(case)
    figure = f"relative L2 {off:.2g}, allowed {case.tolerance:.2g}"
    if off <= case.tolerance:
        return ok(f"{figure}, between a padded batch and each sample alone")
    return wrong(
        f"site {site!r}: padding changes real rows ({figure}): does the attention mask reach the model?",
        "pass it on, pad behind the rows and not before them, or declare pad_invariant=False",
    )


def _padding(case: Case) -> tuple[float, str]:
    alone = [case.read(sample) for sample in case.samples]
    return worst(case.rows, {site: torch.cat([one[site] for one in alone]) for site in case.rows})


def _absent(case: Case) -> Verdict:
    """What padding would do to a model that declares to mind it."""
    try:
        together = case.read(*case.samples)
    except (Exception, SystemExit) as cause:  # such a model need not be able to pad
        return skipped(f"pad_invariant=False: only equal lengths share a batch (others: {type(cause).__name__})")
    alone = [case.read(sample) for sample in case.samples]
    off, _ = worst(together, {site: torch.cat([one[site] for one in alone]) for site in together})
    less = "" if off > case.tolerance else "; it changes nothing here: pad_invariant=True would do, with larger batches"
    return skipped(f"pad_invariant=False: padding changes rows by relative L2 {off:.2g}{less}")


def _opened(batch: Batch) -> Batch:
    """The batch with a mask that calls everything real."""
    changed = object.__new__(type(batch))
    changed.__dict__.update({**vars(batch), "inputs": masks.all_real(batch.inputs)})
    return changed
