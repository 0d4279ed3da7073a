"""Checks without which no other can be asked: the module runs, its sites give rows, and these are the rows described."""

import torch
from torch import nn

from seqsae.models import hooks
from seqsae.models.doctor.case import Case
from seqsae.models.doctor.finding import Verdict, ok, wrong
from seqsae.models.parts import tensors_in
from seqsae.models.sites import parse

DROPOUT = (nn.modules.dropout._DropoutNd,)


def eval_mode(case: Case) -> Verdict:
    """No module is in training mode, where dropout would be left on."""
    modules = dict(case.model.module.named_modules())
    training = [name for name, part in modules.items() if part.training]
    if not training:
        return ok(f"all {len(modules)} modules in eval mode")
    dropout = [name for name in training if isinstance(modules[name], DROPOUT)]
    which = (dropout or training)[0]
    named = repr(which) if which else "the module itself"
    return wrong(
        f"{len(training)} of {len(modules)} modules are in training mode, {named} among them: dropout left on",
        "call .eval() on the module, and let no code set it back",
    )


def prepare(case: Case) -> Verdict:
    """Every record can be read, and every row of it is described in full."""
    for index, sample in enumerate(case.samples):
        lengths = {"token": len(sample.token), "event": len(sample.event), "position": len(sample.position)}
        lengths |= {} if sample.time is None else {"time": len(sample.time)}
        if len(set(lengths.values())) > 1:
            return wrong(f"sample {index}: {lengths} entries", "describe each row once in each array")
    lengths = [sample.length for sample in case.samples]
    n = sum(len(sample) for sample in case.samples)
    return ok(f"{len(lengths)} records of {min(lengths)} to {max(lengths)} positions, {n} rows")


def collate(case: Case) -> Verdict:
    """`collate` gives a bool mask with a True for each row that `prepare` describes."""
    mask = case.batch.mask
    if mask.dtype != torch.bool:
        return wrong(f"the mask is {mask.dtype}", "give a bool mask")
    return ok(f"{len(case.together)} samples, {list(mask.shape)} positions, {case.batch.n_rows} of them rows")


def forward(case: Case) -> Verdict:
    """The whole forward pass runs and gives numbers."""
    try:
        with torch.no_grad():
            output = case.model.forward(case.batch)
    except Exception as cause:  # a stranger's code can raise anything
        return wrong(
            f"{type(cause).__name__}: {' '.join(str(cause).split())[:300]}",
            "give forward all that it needs, also behind the sites: replacement and loss need its output",
        )
    n = len(tensors_in(output))
    if not n:
        return wrong(f"forward gives {type(output).__name__} without floating-point tensors", "return what it computes")
    return ok(f"runs to its end and gives {type(output).__name__} with {n} tensor{'s' * (n > 1)}")


def sites_run(case: Case) -> Verdict:
    """The module of each site is called once in a forward pass, or often enough for the call that the site names."""
    calls = hooks.count(case.model.module, case.sites, lambda: case.model.forward(case.batch))
    for site, times in calls.items():
        call = parse(site).call
        if times < (call or 1):
            return wrong(f"site {site!r} did not run in the forward pass ({times} calls)", "choose a module that does")
        if call is None and times > 1:
            error = hooks.several(site, times)
            return wrong(*str(error).split("; ", 1))
    return ok(f"{len(calls)} site{'s' * (len(calls) > 1)}, each called as often as its spelling says")


def site_shape(case: Case) -> Verdict:
    """Each site gives [batch, positions, width] of the mask, in a padded batch and alone, with the width declared."""
    widths = {value.shape[1] for value in case.rows.values()}
    shortest = min(case.samples, key=lambda sample: sample.length)
    alone = case.read(shortest)  # a batch as long as it is large would hide a time-first site
    for site, value in alone.items():
        if value.shape[1] != case.rows[site].shape[1]:
            return wrong(
                f"site {site!r} is {value.shape[1]} wide for one sample, {case.rows[site].shape[1]} for more", ""
            )
    return ok(f"width {', '.join(map(str, sorted(widths)))} at {len(case.sites)} site{'s' * (len(case.sites) > 1)}")


def row_count(case: Case) -> Verdict:
    """As many rows are read as the mask marks: no padding, no special tokens."""
    marked, described = int(case.batch.mask.sum()), sum(len(sample) for sample in case.together)
    for site, value in case.rows.items():
        if not len(value) == marked == described:
            return wrong(
                f"site {site!r} gives {len(value)} rows, the mask marks {marked}, prepare describes {described}",
                "give a row for each True of the mask, in its order",
            )
    return ok(f"{marked} rows read, marked and described, of {case.batch.mask.numel()} positions")


def finite(case: Case) -> Verdict:
    """No activation is NaN or infinite."""
    for site, value in case.rows.items():
        bad = int((~torch.isfinite(value)).any(1).sum())
        if bad:
            return wrong(
                f"site {site!r} gives NaN or infinite activations in {bad} of {len(value)} rows",
                "look for missing values in the input (numeric_value is NaN where there is none) and for empty records",
            )
    largest = max(float(value.abs().max()) for value in case.rows.values())
    return ok(f"all finite, largest {largest:.3g}")
