"""What a sweep trains: every width with every sparsity, each as it would be configured alone."""

from itertools import product

from seqsae.config import SaeConfig, SweepConfig
from seqsae.errors import SeqsaeError
from seqsae.plugins import find
from seqsae.sae.base import SAE

_AROUND = (0.5, 1, 2)  # of the config's own sparsity, if the sweep says none
_WIDTHS = (0.25, 0.5, 1, 2)  # of its width


def grid(config: SaeConfig) -> list[SaeConfig]:
    """A config for each width and sparsity of `config.sweep`, widths first, both ascending; `seeds` is the sweep's.

    Lists left empty lie around the config's own: widths of a quarter, half, once and twice `width`; half, once and twice its
    k, or its option of sparsity where the architecture has no k.

    Raises:
        SeqsaeError: ks for an architecture without k, sparsities for one without such an option, or both at once.
    """
    sweep = config.sweep
    kind = find("saes", config.architecture)
    _check(config, kind)
    widths = sorted(set(sweep.widths)) or sorted({max(1, round(share * config.width)) for share in _WIDTHS})
    changes = _by_k(config, kind) if kind.default_k is not None else _by_option(config, kind)
    return [
        config.model_copy(update={"width": width, "seeds": sweep.seeds, "sweep": SweepConfig(), **change})
        for width, change in product(widths, changes)
    ]


def sparsity_option(config: SaeConfig) -> str | None:
    """The name of the option that a sweep over sparsities sets; None for an architecture that has k."""
    kind = find("saes", config.architecture)
    if kind.default_k is not None:
        return None
    target = {**kind.OPTIONS, **config.options}.get("penalty") == "target"
    return next((name for name in (("target_l0",) if target else ("sparsity",)) if name in kind.OPTIONS), None)


def _check(config: SaeConfig, kind: type[SAE]) -> None:
    sweep, name = config.sweep, config.architecture
    if sweep.ks and kind.default_k is None:
        raise SeqsaeError(f"sweep: architecture {name!r} has no k; give sparsities (of its option) in place of ks")
    if sweep.sparsities and kind.default_k is not None:
        raise SeqsaeError(
            f"sweep: architecture {name!r} has a k and no option of sparsity; give ks in place of sparsities"
        )
    if sweep.sparsities and sparsity_option(config) is None:
        raise SeqsaeError(f"sweep: architecture {name!r} has no option of sparsity; sweep its widths alone")


def _by_k(config: SaeConfig, kind: type[SAE]) -> list[dict]:
    k = kind.default_k if config.k is None else config.k
    return [{"k": k} for k in sorted(set(config.sweep.ks) or {max(1, round(share * k)) for share in _AROUND})]


def _by_option(config: SaeConfig, kind: type[SAE]) -> list[dict]:
    name = sparsity_option(config)
    if name is None:
        return [{}]
    own = {**kind.OPTIONS, **config.options}[name]
    if own is None and not config.sweep.sparsities:
        raise SeqsaeError(f"sweep: option {name!r} of {config.architecture!r} has no default; give sparsities")
    values = sorted(set(config.sweep.sparsities) or {share * own for share in _AROUND})
    return [{"options": {**config.options, name: value}} for value in values]
