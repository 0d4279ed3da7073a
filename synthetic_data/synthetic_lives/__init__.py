"""Synthetic lives: people who never were, concepts planted in their events, and the truth written down."""

from synthetic_lives.folder import make

__all__ = ["make"]
