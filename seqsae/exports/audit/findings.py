"""What an audit found: violations with rule, place and remedy, and what was looked at."""

from dataclasses import dataclass, field

from seqsae.errors import one_line

MOST = 20
"""Violations of one rule in one file that are told one by one; of the rest only their number."""


@dataclass(frozen=True)
class Violation:
    """One breach of one rule."""

    rule: str
    """D1 to D20, or M1 to M4 for what makes a release unreadable or harmful whatever it tells."""
    place: str
    """File, with line, row and column or JSON path."""
    what: str
    remedy: str

    def __str__(self) -> str:
        return one_line(f"{self.rule} {self.place}: {self.what}; {self.remedy}")


@dataclass(frozen=True)
class Findings:
    """The answer of an audit."""

    violations: tuple[Violation, ...]
    checked: tuple[str, ...]
    """What was looked at, a plain line each."""

    @property
    def passed(self) -> bool:
        return not self.violations

    def text(self) -> str:
        """Plain lines: one a violation, or what was checked."""
        if self.passed:
            return "\n".join(
                ["the audit found nothing against the release; checked:", *(f"- {c}" for c in self.checked)]
            )
        number = len(self.violations)
        head = f"the audit found {number} {'violation' if number == 1 else 'violations'}; the release may not leave"
        return "\n".join([*map(str, self.violations), head])


@dataclass
class Notes:
    """Where the checks write down what they find."""

    violations: dict[Violation, None] = field(default_factory=dict)
    checked: list[str] = field(default_factory=list)

    def against(self, rule: str, place: str, what: str, remedy: str) -> None:
        """Note a violation, once."""
        self.violations[Violation(rule, place, what, remedy)] = None

    def looked_at(self, line: str) -> None:
        """Note what was checked."""
        self.checked.append(line)

    def findings(self) -> Findings:
        """All of it, in the order of rules, long lists cut short."""
        return Findings(tuple(_shortened(sorted(self.violations, key=_order))), tuple(self.checked))


def _order(found: Violation) -> tuple:
    return found.rule[0] != "M", int(found.rule[1:])


def _shortened(found: list[Violation]) -> list[Violation]:
    """At most MOST of a rule and file, then one that counts the others."""
    groups: dict[tuple, list[Violation]] = {}
    for one in found:
        groups.setdefault((one.rule, one.place.split(":")[0]), []).append(one)
    short = []
    for (rule, file), ones in groups.items():
        short += ones[:MOST]
        if len(ones) > MOST:
            short.append(Violation(rule, file, f"{len(ones) - MOST} more of the same rule", ones[MOST].remedy))
    return short
