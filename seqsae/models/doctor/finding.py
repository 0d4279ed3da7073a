"""What a check found: right, wrong or not to be asked, with the figure and the remedy."""

from typing import NamedTuple

OK, WRONG, SKIPPED = "ok", "wrong", "not applicable"


class Verdict(NamedTuple):
    """A check's answer."""

    state: str
    """`ok`, `wrong` or `not applicable`."""
    line: str
    """What was found, with the number, or why it was not asked."""
    remedy: str = ""
    """What to do, where it is wrong."""


class Finding(NamedTuple):
    """A verdict with the name of its check."""

    name: str
    verdict: Verdict

    @property
    def wrong(self) -> bool:
        return self.verdict.state == WRONG

    def told(self) -> str:
        """The complaint in one line: the check, what it found, the remedy."""
        return "; ".join(part for part in (f"{self.name}: {self.verdict.line}", self.verdict.remedy) if part)


def ok(line: str) -> Verdict:
    return Verdict(OK, line)


def wrong(line: str, remedy: str) -> Verdict:
    return Verdict(WRONG, line, remedy)


def skipped(line: str) -> Verdict:
    return Verdict(SKIPPED, line)
