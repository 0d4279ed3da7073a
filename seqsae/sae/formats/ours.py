"""Between `Parts` and our own SAEs."""

from collections.abc import Callable

import torch
from torch import Tensor

from seqsae.errors import SeqsaeError
from seqsae.sae.base import SAE, Recipe, build
from seqsae.sae.fold import folded
from seqsae.sae.formats.parts import KINDS, Input, Parts, unit_rows

_WITH_K = ("topk", "batchtopk", "matryoshka")


@torch.no_grad()
def sae_of(parts: Parts) -> SAE:
    """An SAE of our own that gives the codes and reconstructions of the parts; on the CPU, in eval mode."""
    options = {"subtract_b_dec": parts.subtract, "tied": False, "unit_decoder": unit_rows(parts)}
    if parts.kind == "matryoshka":
        options["groups"] = list(parts.groups)
    d, width = parts.W_enc.shape
    k = parts.k if parts.kind in _WITH_K else None
    sae = build(Recipe(parts.kind, d, width, k, parts.input.kind, 0, options))
    held = sae.state_dict()
    values = {name: getattr(parts, name) for name in ("W_enc", "b_enc", "W_dec", "b_dec")}
    values |= {name: write(getattr(parts, field)) for name, (field, write, _) in _OWN.get(parts.kind, {}).items()}
    if "threshold_weight" in held:  # a full running mean, should training go on
        values["threshold_weight"] = torch.ones(())
    values |= _normaliser(parts.input)
    for name, value in values.items():
        held[name].copy_(value)
    return sae.eval()


@torch.no_grad()
def parts_of(sae: SAE, inputs: tuple[str, ...]) -> Parts:
    """The parts of one of our SAEs, its normaliser worked into the weights unless the format has it.

    Args:
        inputs: kinds of normaliser that the format has.
    Raises:
        SeqsaeError: an architecture that no format holds, or a normaliser that neither the format nor weights can hold.
    """
    kind = sae.config.architecture
    if kind not in KINDS:
        raise SeqsaeError(f"no other tool's format holds a {kind!r} SAE; it can be kept as seqsae alone")
    sae = sae if sae.config.normalisation in inputs else folded(sae)
    own = {field: read(sae.state_dict()[name]) for name, (field, _, read) in _OWN.get(kind, {}).items()}
    return Parts(
        kind,
        *(getattr(sae, name).detach().float().cpu() for name in ("W_enc", "b_enc", "W_dec", "b_dec")),
        subtract=sae.options["subtract_b_dec"],
        k=sae.k,
        **{field: value.float().cpu() for field, value in own.items()},
        **_groups(sae),
        input=_input(sae),
    )


def _input(sae: SAE) -> Input:
    if sae.mean.any() or not (sae.scale == 1).all():  # possible by hand alone
        raise SeqsaeError(
            "this SAE centres or scales rows after normalising each by itself, which no other tool's format holds"
        )
    return Input(sae.config.normalisation)


def _normaliser(given: Input) -> dict[str, Tensor]:
    """Our buffers for how rows are prepared, those that are not as they begin."""
    if given.kind != "whiten":
        return {}
    return {"mean": given.mean, "whiten": given.whiten, "unwhiten": given.unwhiten}


def _groups(sae: SAE) -> dict[str, tuple[int, ...]]:
    """Sizes of a matryoshka's groups, by the name of the part."""
    return {"groups": tuple(sae.group_sizes)} if sae.config.architecture == "matryoshka" else {}


def _same(value: Tensor) -> Tensor:
    return value


def _positive(threshold: Tensor) -> Tensor:
    """Codes are positive whatever the threshold, so that one below 0 does what 0 does."""
    return threshold.clamp_min(0)


def _log(threshold: Tensor) -> Tensor:
    """A threshold of 0 or below lets every positive code through, and so does the smallest positive number."""
    return threshold.clamp_min(torch.finfo(torch.float32).tiny).log()


_OWN: dict[str, dict[str, tuple[str, Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]]] = {
    "gated": {"r_mag": ("r_mag", _same, _same), "b_mag": ("b_mag", _same, _same)},
    "jumprelu": {"log_threshold": ("threshold", _log, torch.exp)},
    "batchtopk": {"threshold": ("threshold", _positive, _same)},
    "matryoshka": {"threshold": ("threshold", _positive, _same)},
}
"""What an architecture has beyond the common weights: our tensor's name, the part's name, the way to it and back."""
