"""From a config to what is trained: defaults that depend on the architecture, the data or the machine, filled in."""

import math

from seqsae.config import SaeConfig
from seqsae.errors import SeqsaeError
from seqsae.plugins import find
from seqsae.sae.base import SAE
from seqsae.sae.products.precision import resolved
from seqsae.sae.spec import SPARSITIES, Budget, Spec


def settled(config: SaeConfig, n_rows: int, device: str) -> SaeConfig:
    """The config with k, steps and precision as numbers and names that mean the same everywhere.

    Args:
        n_rows: rows in an epoch of the training stream.
    """
    steps = config.steps if config.epochs is None else max(1, math.ceil(config.epochs * n_rows / config.batch))
    usual = find("saes", config.architecture).default_k
    k = usual and min(usual, config.width) if config.k is None else config.k
    precision = resolved(config.precision, device)
    return config.model_copy(update={"k": k, "steps": steps, "epochs": None, "precision": precision})


def specs_of(config: SaeConfig) -> list[Spec]:
    """One Spec a seed."""
    same = {
        "width": config.width,
        "k": config.k,
        "architecture": config.architecture,
        "lr": config.lr,
        "normalisation": config.normalise,
        "bias": config.bias,
        "precision": config.precision,
        "warmup": config.warmup,
        "decay": config.decay,
        "clip": config.clip or None,
        "resample": config.resample,
        "patience": config.patience,
        "options": dict(config.options),
    }
    return [Spec(seed=seed, **same) for seed in range(config.seeds)]


def budget_of(config: SaeConfig, device: str) -> Budget:
    """The pass over the stream. Raises SeqsaeError if there is no such device here."""
    from seqsae.models.devices import usable

    usable(device)
    return Budget(config.steps, config.batch, every=config.check_every, device=device, dead_after=config.dead_after)


def names_of(asked: list[tuple[SaeConfig, Spec]], site: str, view: str) -> list[str]:
    """The artefacts' names. The view stands in them unless it is the full one; where SAEs would bear one name, what their configs
    differ in stands at its end, as in `layer4-topk-2048x32-seed0-lr0.01`.

    Raises:
        SeqsaeError: two SAEs are the same.
    """
    place = site.replace(":", "--") if view == "full" else f"{site.replace(':', '--')}-{view}"
    plain = [spec.name(place) for _, spec in asked]
    names = [
        name + _marks(config, [other for (other, _), same in zip(asked, plain, strict=True) if same == name])
        for name, (config, _) in zip(plain, asked, strict=True)
    ]
    for name in names:
        if names.count(name) > 1:
            raise SeqsaeError(f"train: the SAE {name} is asked for twice; give configs that differ")
    return names


def _marks(config: SaeConfig, alike: list[SaeConfig]) -> str:
    """What sets a config apart from others whose SAEs bear its name."""
    own, rest = _settings(config), [_settings(other) for other in alike]
    apart = [name for name in own if any(other.get(name) != own[name] for other in rest)]
    return "".join(f"-{name}{own[name]}".replace("/", "-").replace(" ", "") for name in apart)


def _settings(config: SaeConfig) -> dict:
    options = {name: value for name, value in config.options.items() if name not in SPARSITIES}
    found = config.model_dump(exclude={"options", "seeds", "site", "sweep", "tensorboard", "wandb"})
    kind = find("saes", config.architecture)
    return {**found, **{name: options.get(name, default) for name, default in {**SAE.COMMON, **kind.OPTIONS}.items()}}
