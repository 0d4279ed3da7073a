"""Whether what is asked for can be trained here, told before anything is read or written."""

from contextlib import suppress
from dataclasses import replace

from seqsae.config import SaeConfig
from seqsae.errors import SeqsaeError
from seqsae.models.devices import memory
from seqsae.sae.base import Recipe, build
from seqsae.sae.spec import Spec
from seqsae.sae.training.settings import budget_of, settled, specs_of

_COPIES = 4  # of the weights: themselves, their gradients, and two means that Adam keeps


def checked(specs: list[Spec], d_model: int, device: str) -> list[Spec]:
    """The specs themselves.

    Raises:
        SeqsaeError: wrong widths, k or options; or weights and Adam's means of all of them need more memory than this
            machine has.
    """
    recipes = [spec.recipe(d_model) for spec in specs]
    needed = sum(_COPIES * 4 * 2 * recipe.width * d_model for recipe in recipes)
    there = memory(device)
    if there is not None and needed > there:
        raise SeqsaeError(
            f"SAE training: {len(specs)} SAEs of up to {max(spec.width for spec in specs):,} latents at d_model {d_model:,} need "
            f"{needed / 2**30:,.0f} GiB, this machine has {there / 2**30:,.0f}; train fewer or narrower ones"
        )
    for recipe in {repr((recipe.architecture, recipe.width, recipe.options)): recipe for recipe in recipes}.values():
        _check_options(recipe)
    return specs


def feasible(config: SaeConfig, device: str) -> None:
    """Raises SeqsaeError if the config cannot be trained, as far as it can be told before there are activations."""
    checked(specs_of(settled(config, 1, device)), 2, device)
    budget_of(settled(config, 1, device), device)


def _check_options(recipe: Recipe) -> None:
    """Raises SeqsaeError if the architecture refuses its options: one of its width is made, of rows of one number."""
    with suppress(RuntimeError, ValueError, TypeError, IndexError):  # what only fails at that size is left to training
        build(replace(recipe, d_model=1, normalisation="none"))
