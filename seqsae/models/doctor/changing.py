"""Checks of what faithfulness needs: rows can be put back, put otherwise, and gradients reach them; weights have a name."""

import torch
from torch import Tensor, nn

from seqsae.models.doctor.case import PUT_BACK, Case, flat, relative_l2
from seqsae.models.doctor.finding import Verdict, ok, skipped, wrong
from seqsae.models.parts import tensors_in


def put_back(case: Case) -> Verdict:
    """Putting a site's own activations back changes nothing in the output."""
    found = []
    with torch.no_grad():
        for site, rows in case.rows.items():
            back = flat(case.model.replace(case.batch, site, lambda _, rows=rows: rows))
            found.append((relative_l2(case.output, back), site))
    off, site = max(found)
    figure = f"relative L2 {off:.2g}, allowed {PUT_BACK:.2g}"
    if off <= PUT_BACK:
        return ok(figure)
    return wrong(
        f"site {site!r}: putting its own activations back changes the output ({figure})",
        "does a pass change the module's state, or a layer write into its input in place? copy there",
    )


def put_other(case: Case) -> Verdict:
    """Putting other activations there changes the output."""
    found = []
    with torch.no_grad():
        for site, rows in case.rows.items():
            other = flat(case.model.replace(case.batch, site, lambda _, rows=rows: rows.roll(1, 0) * 2 + 1))
            found.append((relative_l2(case.output, other), site))
    off, site = min(found)
    if off > 0:
        return ok(f"the output changes by relative L2 {off:.2g} or more at every site")
    return wrong(
        f"site {site!r}: putting other activations there changes nothing in the output",
        "the output does not depend on it: choose another site, or another part of it (module:out.1)",
    )


def gradients(case: Case) -> Verdict:
    """A gradient flows from the output to the rows of every site."""
    norms = []
    for site, rows in case.rows.items():
        gradient = _gradient(case, site, rows)
        if gradient is None:
            return wrong(
                f"site {site!r}: no gradient flows from the output to it",
                "take no_grad, detach, argmax and numpy out of forward",
            )
        norms.append((float(gradient.double().norm()), site))
    least, site = min(norms)
    if not (0 < least < float("inf")):
        return wrong(
            f"site {site!r}: the gradient from the output has norm {least:.2g}",
            "look for detach, rounding or a saturated activation behind it",
        )
    return ok(f"smallest norm {least:.2g}, at {site!r}")


def _gradient(case: Case, site: str, rows: Tensor) -> Tensor | None:
    """Of a fixed random sum of all outputs (their plain sum may be constant, as behind a layer norm) by the rows."""
    leaf = rows.detach().clone().requires_grad_()
    with torch.enable_grad():
        outputs = tensors_in(case.model.replace(case.batch, site, lambda _: leaf))
        draw = torch.Generator().manual_seed(0)
        sums = [
            (one.nan_to_num() * torch.randn(one.shape, generator=draw).to(one)).float().sum()
            for one in outputs
            if one.requires_grad
        ]
        return torch.autograd.grad(sum(sums), leaf, allow_unused=True)[0] if sums else None


def fingerprint(case: Case) -> Verdict:
    """The fingerprint changes with the first and the last weight, and comes back with them."""
    weights = [one for one in case.model.module.parameters() if one.numel() and one.is_floating_point()]
    if not weights:
        return skipped("the module has no weights")
    before = case.model.fingerprint
    changed = [_changed_fingerprint(case, weight) for weight in (weights[0], weights[-1])]
    if before in changed or case.model.fingerprint != before:
        return wrong(
            "the fingerprint does not follow the weights", "hash every weight, or leave `fingerprint` as it is"
        )
    return ok(f"{before[:12]}..., another with one weight changed")


def _changed_fingerprint(case: Case, weight: nn.Parameter) -> str:
    place = (0,) * weight.ndim
    with torch.no_grad():
        kept = weight[place].clone()
        weight[place] = kept + 1 if kept + 1 != kept else 0
        try:
            return case.model.fingerprint
        finally:
            weight[place] = kept
