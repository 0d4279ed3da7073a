"""Synthetic lives: people who never were, concepts planted in their events, and the truth written down."""

from synthetic_lives.folder import make
from synthetic_lives.like import make_like

__all__ = ["make", "make_like"]
