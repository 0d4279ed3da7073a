"""What a sweep trains: every width with every sparsity, each as it would be configured alone."""

from itertools import product

from seqsae.config import SaeConfig, SweepConfig
from seqsae.errors import SeqsaeError
from seqsae.plugins import find
from seqsae.sae.base import SAE, Recipe, build

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
    derived = not (sweep.widths and sweep.ks)  # of which what cannot be is left out
    return [
        config.model_copy(update={"width": width, "seeds": sweep.seeds, "sweep": SweepConfig(), **change})
        for width, change in product(widths, changes)
        if not (derived and change.get("k", 0) > width)
    ]


def sparsity_option(config: SaeConfig) -> str | None:
    """The name of the option that a sweep over sparsities sets; None for an architecture that has k."""
    kind = find("saes", config.architecture)
    if kind.default_k is not None:
        return None
    options = {**kind.OPTIONS, **config.options}
    aimed = options.get("penalty") == "target" or options.get("target_l0") is not None
    name = "target_l0" if aimed else "sparsity"
    return name if name in kind.OPTIONS else None


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
    values = sorted(set(config.sweep.sparsities) or {share * _own(config, name) for share in _AROUND})
    return [{"options": {**config.options, name: value}} for value in values]


def _own(config: SaeConfig, name: str) -> float:
    """An option of the SAE that the config alone describes; defaults may depend on other options."""
    return build(Recipe(config.architecture, 1, config.width, options=dict(config.options))).options[name]
