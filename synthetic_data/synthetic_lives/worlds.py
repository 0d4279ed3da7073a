"""The worlds and the presets."""

from dataclasses import dataclass
from functools import cache

from synthetic_lives import background, codes, concepts
from synthetic_lives.world import Background, World

TRAITS = {
    "female": ("own", "sex", 0.0, 0.5),
    "low_class": ("home", "class", 0.0, 0.4),
    "high_class": ("home", "class", 0.8, 1.0),
    "frail": ("latent", 0.5, 0.8416),  # the upper fifth of a standard normal
    "rural": ("home", "region", 0.0, 0.4),
    "migrant_origin": ("home", "origin", 0.0, 0.1),
    "risk_taking": ("latent", 0.3, 1.1503),  # the upper eighth
    "rare_metabolism": ("one in", 200),
}
"""How the person concepts are drawn, see people.py."""


@dataclass(frozen=True)
class Preset:
    """A world and how many live in it unless told otherwise."""

    world: str
    persons: int


PRESETS = {"tiny": Preset("small", 300), "small": Preset("small", 6000), "full": Preset("full", 20_000)}


@cache
def world(name: str) -> World:
    """The world `small` or `full`."""
    if name == "full":
        from synthetic_lives import full

        return full.world()
    return World(
        name="small",
        vocabulary=codes.small(),
        concepts=concepts.CONCEPTS,
        background=Background(
            background.AGE_BANDS, background.AGE_EFFECTS, background.SEX_EFFECTS, background.MONTH_EFFECTS
        ),
        traits=TRAITS,
        pace=(0.30, 0.58),
        uprooted="divorce_then_move",
    )
