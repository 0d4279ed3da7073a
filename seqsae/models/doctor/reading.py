"""Checks of what rows mean: a row is its own token's, a causal one sees nothing later, hidden is hidden, logits fit ids."""

from typing import NamedTuple

import torch
from torch import Tensor

from seqsae.errors import NoObjective
from seqsae.models.doctor.case import Case, Rows, parts, relative_l2, worst
from seqsae.models.doctor.edits import Edit, edits, first_half
from seqsae.models.doctor.finding import Verdict, ok, skipped, wrong
from seqsae.models.objective import ids_of

NO_EDITS = "no token of these records could be exchanged for another"


def alignment(case: Case) -> Verdict:
    """When a token is exchanged, its own row changes most: the mask is not shifted against the tokens."""
    if case.is_pooled:
        return skipped("one row a subject")
    shares = {site: [] for site in case.sites}
    for edit in edits(case):
        before, after = case.read(edit.before), case.read(edit.after)
        for site in case.sites:
            change = (before[site].double() - after[site].double()).norm(dim=1)
            if change.max() > 0:
                shares[site].append(int(change.argmax()) == edit.row)
    shares = {site: hits for site, hits in shares.items() if hits}
    if not shares:
        return skipped(NO_EDITS)
    site = max(shares, key=lambda site: sum(shares[site]) / len(shares[site]))
    found = f"in {sum(shares[site])} of {len(shares[site])} exchanges of a token its own row changes most, at {site!r}"
    if 2 * sum(shares[site]) >= len(shares[site]):
        return ok(found)
    return wrong(
        found, "is the mask shifted against the tokens? mark the positions of the tokens, not of [CLS] or [SEP]"
    )


def causal(case: Case) -> Verdict:
    """The rows of the first half of a record are the same when the model is never shown the second half."""
    if case.model.attention != "causal":
        return skipped(f"attention is declared {case.model.attention}")
    found = []
    for record, sample in zip(case.records, case.samples, strict=True):
        prefix = case.model.prepare(first_half(record, "decoder" if sample.role == "decoder" else "token"))
        if 0 < len(prefix) < len(sample):
            whole = parts(case.read(sample), [sample])[0]
            found.append(worst(case.read(prefix), {site: rows[: len(prefix)] for site, rows in whole.items()}))
    if not found:
        return skipped("no record is long enough to be cut in half")
    off, site = max(found)
    figure = f"relative L2 {off:.2g}, allowed {case.tolerance:.2g}"
    if off <= case.tolerance:
        return ok(f"{figure}, between first halves and the same rows of the whole")
    return wrong(
        f"site {site!r}: a model that calls itself causal sees later positions ({figure})",
        "mask later positions in forward, or declare attention='bidirectional'",
    )


def hide(case: Case) -> Verdict:
    """`hide` changes the rows, and then it does not matter which token was there."""
    if case.is_pooled:
        return skipped("one row a subject")
    found, moved = [], []
    for edit in edits(case):
        try:
            hidden = [_hidden(case, edit, sample) for sample in (edit.before, edit.after)]
        except NoObjective as reason:
            return skipped(str(reason))
        found.append(worst(*hidden))
        moved.append(worst(case.read(edit.before), hidden[0])[0])
    if not found:
        return skipped(NO_EDITS)
    (off, site), least = max(found), min(moved)
    figure = f"relative L2 {off:.2g}, allowed {case.tolerance:.2g}"
    if least == 0:
        return wrong("hiding a row changes nothing at any site", "put the mask token into the batch that hide returns")
    if off > case.tolerance:
        return wrong(
            f"site {site!r}: the token at a hidden row still changes rows ({figure})",
            "hide it in every input that holds it, also in those derived from it",
        )
    return ok(f"which token is hidden changes rows by {figure}")


def _hidden(case: Case, edit: Edit, sample) -> Rows:
    batch = case.model.collate([sample])
    hidden = case.model.hide(batch, _where(batch.mask, edit.row))
    return case.model.capture(hidden, case.sites)


def _where(mask: Tensor, row: int) -> Tensor:
    """[B, T] bool: True at the one position of a row."""
    where = torch.zeros_like(mask)
    position = mask.nonzero()[row]
    where[position[0], position[1]] = True
    return where


class _Spoken(NamedTuple):
    """Ids [B, T] and logits [B, T, V], on the CPU."""

    ids: Tensor
    logits: Tensor


def ids_and_logits(case: Case) -> Verdict:
    """Ids stand at their rows' positions, and the logits at a position of a causal model see its token and none behind it."""
    try:
        said = _speak(case, *case.together)
    except NoObjective as reason:
        return skipped(str(reason))
    mask = case.batch.mask.cpu()
    if said.ids.shape != mask.shape or said.logits.shape[:2] != mask.shape:
        return wrong(
            f"ids {list(said.ids.shape)} and logits {list(said.logits.shape)} for {list(mask.shape)} positions",
            "give both one entry a position of the mask",
        )
    largest, n = int(said.ids[mask].max()), said.logits.shape[2]
    if largest >= n:
        return wrong(f"an id of {largest} among logits for {n} tokens", "give the ids that the logits are about")
    complaints = [complaint for edit in edits(case) if (complaint := _misplaced(case, edit)) is not None]
    return complaints[0] if complaints else ok(f"one entry a position, largest id {largest} of {n}")


def _speak(case: Case, *samples) -> _Spoken:
    batch = case.model.collate(list(samples))
    ids = ids_of(case.model, batch)
    with torch.no_grad():
        return _Spoken(ids, case.model.logits(case.model.forward(batch)).float().cpu())


def _misplaced(case: Case, edit: Edit) -> Verdict | None:
    """What is wrong with ids or logits when one token is exchanged, None if nothing is."""
    before, after = _speak(case, edit.before), _speak(case, edit.after)
    mask = case.model.collate([edit.before]).mask.cpu()
    where = _where(mask, edit.row)
    changed = (before.ids != after.ids) & mask  # a window may show the token again where it is no row
    if not changed.any():
        return None  # two tokens of one id
    if not torch.equal(changed, where):
        places = ", ".join(str(place) for place in changed.nonzero()[:, 1].tolist()[:4])
        return wrong(
            f"exchanging the token at position {int(where.nonzero()[0, 1])} changes ids at {places}",
            "give the ids of the input, not labels, and shift nothing: seqsae pairs logits with the next id itself",
        )
    if case.model.attention != "causal":
        return None
    row, place = where.nonzero()[0].tolist()
    seen = relative_l2(before.logits[row, :place], after.logits[row, :place]) if place else 0.0
    if seen > case.tolerance:
        return wrong(
            f"logits before position {place} change by relative L2 {seen:.2g} with the token there: they see what they tell",
            "mask later positions in forward, or declare attention='bidirectional'",
        )
    if torch.equal(before.logits[row, place], after.logits[row, place]):
        return wrong(
            f"logits at position {place} do not depend on the token there: they lag by one",
            "shift nothing: the logits at a position are to tell the token behind it",
        )
    return None
