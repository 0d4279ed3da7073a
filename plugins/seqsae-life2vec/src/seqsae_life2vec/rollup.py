"""Rare tokens to their nearest frequent ancestor."""

from collections.abc import Callable, Iterable, Mapping

Levels = list[list[str]]


class Holders:
    """Which subjects hold a token, for as long as they are fewer than `least`: frequent tokens cost one name each."""

    def __init__(self, least: int):
        self.least = least
        self.rare: dict[str, set[int]] = {}
        self.frequent: set[str] = set()

    def add(self, tokens: Iterable[str], subject: int) -> None:
        """Note that `subject` holds each of the tokens."""
        for token in tokens:
            if token in self.frequent:
                continue
            held = self.rare.setdefault(token, set())
            held.add(subject)
            if len(held) >= self.least:
                self.frequent.add(token)
                del self.rare[token]


def ancestors(token: str, parents: Mapping[str, list[str]]) -> Levels:
    """The token itself, its parents, their parents, ...: one list a level, none named twice, cycles ended."""
    levels, seen = [[token]], {token}
    while levels[-1]:
        above = sorted({str(parent) for node in levels[-1] for parent in parents.get(node, ())} - seen)
        seen.update(above)
        levels.append(above)
    return levels[:-1]


def roll_up(holders: Holders, levels: Callable[[str], Levels]) -> dict[str, str]:
    """Each rare token that has a frequent ancestor, with the nearest of them (of equals the alphabetically first).

    An ancestor is frequent if the subjects of the tokens that end at it, its own included, reach `least`; it need be no
    event's token itself. Whatever would end at an ancestor with fewer subjects looks further up, until none is left so.
    """
    above = {token: levels(token) for token in holders.rare}
    usable = set(holders.frequent).union(*(level for found in above.values() for level in found))
    while True:
        ends = {token: _nearest(found, usable) for token, found in above.items()}
        held: dict[str, set[int]] = {}
        for token, end in ends.items():
            if end is not None and end not in holders.frequent:
                held.setdefault(end, set()).update(holders.rare[token])
        poor = {end for end, subjects in held.items() if len(subjects) < holders.least}
        if not poor:
            return {token: end for token, end in ends.items() if end is not None}
        usable -= poor


def _nearest(levels: Levels, usable: set[str]) -> str | None:
    return next((node for level in levels for node in level if node in usable), None)
