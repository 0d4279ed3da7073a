"""What a planted concept is."""

from dataclasses import dataclass, field

from synthetic_lives.rules import Rule


@dataclass(frozen=True)
class Concept:
    """One planted concept."""

    name: str
    level: str
    """token (the code itself), spell, conjunction (events in an order), or person (a trait)."""
    description: str
    topics: tuple[str, ...] = ()
    """For a token concept: the topics, or groups of another field, that make up the class."""
    rule: Rule | None = None
    """For a spell or a conjunction: when it holds."""
    effects: dict[str, float] = field(default_factory=dict)
    """Topic (or group of another field) to effect on its logit in later events (in all events, for a person concept)."""
    death: float = 0.0
    """Effect on the log of the hazard of death."""
    abroad: float = 0.0
    """Effect on the log of the hazard of emigration."""
    income: float = 0.0
    """Effect on the mean of the logarithm of income, in standard deviations; used by worlds whose events carry incomes."""
