"""How strict disclosure control is: named policies, or one of a site's own in a TOML file."""

from pathlib import Path

from pydantic import Field, ValidationInfo, field_validator

from seqsae.errors import SeqsaeError
from seqsae.options import Room, parse, read_toml

FLOOR = 5
"""Fewest subjects a cell of data that are not public may have, whatever a policy says."""
LOOSEST = {"round_to": (3, None), "dominance_share": (None, 0.9), "p_ratio": (0.05, None), "digits": (None, 4)}
"""Least and most of the other options, for data that are not public."""


class Policy(Room):
    """The thresholds of disclosure control. Rules bear the numbers of `seqsae.disclosure.rules`."""

    name: str = Field("own", min_length=1, max_length=100)
    """What the policy is called where it is quoted."""
    public: bool = Field(False, strict=True)
    """The data are public: thresholds below the floor are allowed, and no sum counts as dominated."""
    min_subjects: int = Field(10, ge=1)
    """Distinct subjects that a cell needs (D1); also for the subjects that it leaves out (D2)."""
    min_clusters: int = Field(10, ge=1)
    """Distinct clusters (households, families) that a cell needs; a subject without one is its own."""
    round_to: int = Field(5, ge=1, validate_default=True)
    """Base to which counts are rounded (D1); `min_subjects` is a multiple of it, so that no rounded count falls below."""
    dominance_top: int = Field(2, ge=1)
    """How many of the largest contributors are taken together in `dominance_share` (D4)."""
    dominance_share: float = Field(0.85, gt=0, le=1)
    """A sum or mean is withheld if so large a share of it comes from its largest contributors (D4)."""
    p_ratio: float = Field(0.1, ge=0)
    """A sum or mean is withheld if all but the largest contributors make up less than this share of the very largest (D4)."""
    digits: int = Field(3, ge=1, le=6)
    """Significant digits of a published mean or share (D7)."""

    @field_validator("min_subjects", "min_clusters")
    @classmethod
    def _floor(cls, value: int, info: ValidationInfo) -> int:
        if value < FLOOR and not info.data.get("public"):
            raise ValueError(f"must be {FLOOR} or more unless the policy says public = true")
        return value

    @field_validator(*LOOSEST)
    @classmethod
    def _protects(cls, value: float, info: ValidationInfo) -> float:
        least, most = LOOSEST[info.field_name]
        if not info.data.get("public") and (
            (least is not None and value < least) or (most is not None and value > most)
        ):
            bound = f"{least} or more" if most is None else f"{most} or less"
            raise ValueError(f"must be {bound} unless the policy says public = true")
        return value

    @field_validator("round_to")
    @classmethod
    def _divides(cls, value: int, info: ValidationInfo) -> int:
        if info.data.get("min_subjects", value) % value:
            raise ValueError("must divide min_subjects, or a rounded count could fall below it")
        return value


NAMED = {
    "default": Policy(name="default"),
    "dst": Policy(name="dst", min_subjects=5, min_clusters=5),
    "open": Policy(name="open", public=True, min_subjects=1, min_clusters=1, round_to=1),
}
"""`default`: 10 subjects. `dst`: 5, after guides to Statistics Denmark's rules; check them at your site. `open`: public data."""


def policy_of(given: "Policy | str | Path") -> Policy:
    """The policy of a name (default, dst, open) or of a TOML file; what the file leaves out is as in `default`.

    Raises:
        SeqsaeError: neither a name nor a file, not TOML, an unknown option, or a threshold that protects nobody.
    """
    if isinstance(given, Policy):
        return given
    if str(given) in NAMED:
        return NAMED[str(given)]
    path = Path(given)
    if path.suffix != ".toml":
        raise SeqsaeError(f"no policy named {str(given)!r}; offered: {', '.join(NAMED)}, or the path of a .toml file")
    if not path.exists():
        raise SeqsaeError(f"{path}: no such policy file; give one, or a name: {', '.join(NAMED)}")
    document = read_toml(path)
    policy = parse(Policy, {"name": path.stem, **document}, str(path))
    if policy.name in NAMED and policy != NAMED[policy.name]:
        raise SeqsaeError(
            f"{path}: the name {policy.name!r} is taken by a policy with other thresholds; choose another"
        )
    return policy
