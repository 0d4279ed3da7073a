"""From a config to what is trained: defaults that depend on the architecture, the data or the machine, filled in."""

import math

from seqsae.config import SaeConfig
from seqsae.errors import SeqsaeError
from seqsae.plugins import find
from seqsae.sae.products.precision import resolved
from seqsae.sae.spec import Budget, Spec


def settled(config: SaeConfig, n_rows: int, device: str) -> SaeConfig:
    """The config with k, steps and precision as numbers and names that mean the same everywhere.

    Args:
        n_rows: rows in an epoch of the training stream.
    """
    steps = config.steps if config.epochs is None else max(1, math.ceil(config.epochs * n_rows / config.batch))
    k = find("saes", config.architecture).default_k if config.k is None else config.k
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
    import torch

    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as cause:
        raise SeqsaeError(f"device {device!r}: {str(cause).splitlines()[0]}; choose cpu, or one that is here") from None
    return Budget(config.steps, config.batch, every=config.check_every, device=device, dead_after=config.dead_after)


def name_of(spec: Spec, site: str, view: str) -> str:
    """The artefact's name; the view stands in it unless it is the full one."""
    return spec.name(site.replace(":", "--") if view == "full" else f"{site.replace(':', '--')}-{view}")
