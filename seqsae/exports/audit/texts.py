"""Texts that tell who, when or where, or a number too well: every string of a release goes through here (D1, D7, D13)."""

import getpass
import re
import socket
from decimal import Decimal
from functools import cache

from seqsae.disclosure.policy import Policy
from seqsae.exports.audit.findings import Notes

MONTH = (  # English, Danish and German
    r"(?:jan(?:uary?)?|feb(?:ruary?)?|mar(?:ch|ts)?|märz|apr(?:il)?|ma[yji]|jun[ei]?|jul[yi]?|aug(?:ust)?|sep(?:t(?:ember)?)?|"
    r"o[ck]t(?:ober)?|nov(?:ember)?|de[cz](?:ember)?)"
)
YEAR = r"(?:18|19|20|21)\d\d"
TELLING = {
    "a date finer than a year": re.compile(
        rf"(?<![\d.-]){YEAR}[-/](?:0?[1-9]|1[0-2])[-/]\d{{1,2}}(?![\d%-])|"
        rf"(?<![\d.-]){YEAR}[-/](?:0[1-9]|1[0-2])(?![\d%-])|"
        rf"(?<![\d.-]){YEAR}\.(?:0[1-9]|1[0-2])\.[0-3]\d(?![\d.])|"
        rf"(?<![\d.-])[0-3]?\d[-/.][01]?\d[-/.]{YEAR}(?![\d.-])|"
        rf"(?<![\d.\w]){YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?![\d.\w])|"
        rf"\b{MONTH}\.? (?:\d{{1,2}}(?:st|nd|rd|th)?,? )?{YEAR}\b",
        re.I,
    ),
    "a time of day": re.compile(r"(?<![\d:.])(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d)?(?![\d:])"),
    "what looks like a person's number": re.compile(
        r"(?<![\d.-])(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])\d{2}-\d{4}(?![\d.-])|(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])"
    ),
    "an e-mail address": re.compile(r"[\w.+-]{1,64}@[\w-]{1,64}\.[a-z]{2,}", re.I),
    "a file path": re.compile(
        r"(?:^|(?<=[\s\"'(=:,>]))(?:~|\.{1,2})?/(?:[\w.@-]+/)+[\w.@-]*|(?<!\w)[A-Za-z]:\\[\w\\. -]+|file:/|"
        r"(?:^|(?<=[\s\"'(=]))/(?:home|Users|root|tmp|mnt|srv|var|opt|data)\b"
    ),
    "a hash or key": re.compile(r"(?<![\w-])[0-9a-f]{32,}(?!\w)|\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.I),
    "a notebook's or tracker's traces": re.compile(
        r"ipykernel|\bcell_type\b|\bwandb\b|tensorboard|Traceback \(most", re.I
    ),
}
TEN_DIGITS = re.compile(r"(?<![\w.-])(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])\d{6}(?![\w.-])")
PEOPLE = r"(?:subjects?|persons?|people|patients?|individuals?|households?|participants?|lives)"
COUNTED = re.compile(
    rf"(?<![\w.,-])(\d{{1,3}}(?:[,\u202f\u00a0 ]\d{{3}}){{1,3}}|\d+)\s+(?:[a-z-]+\s+)?{PEOPLE}\b|\bn\s*=\s*(\d[\d,]*)",
    re.I,
)
DECIMAL = re.compile(r"(?<![\w.,/])-?\d[\d,]*\.\d+(?:e[-+]?\d+)?(?!\w|\.\d)", re.I)
NAMELESS = {"admin", "ubuntu", "debian", "runner", "jenkins", "localhost", "nobody", "docker"}
LIST = re.compile(r"(?<![\w.])(?:-?\d+(?:\.\d+)?(?:e-?\d+)?[,;\s|]+){40}", re.I)


def check_text(text: str, place: str, notes: Notes, label: bool = False) -> None:
    """Nothing in it tells who, when or where (D13). A `label` of a table may be a code of ten digits."""
    if not label and TEN_DIGITS.search(text):
        notes.against("D13", place, "holds what looks like a person's number", "leave it out")
    for what, pattern in TELLING.items():
        if pattern.search(text):
            notes.against("D13", place, f"holds {what}", "leave it out; of a date only the year may stay")
    for name in _own_names():
        if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text):
            notes.against("D13", place, "holds the name of the user or of the machine", "leave it out")


def check_hidden_list(text: str, place: str, notes: Notes) -> None:
    """No list of numbers in the guise of a text."""
    if LIST.search(text):
        notes.against("M2", place, "a list of numbers in a text", "embed it as a data set that the manifest lists")


def check_prose(text: str, place: str, policy: Policy, notes: Notes) -> None:
    """Numbers in running text: counts of people as tables have them (D1), decimals of few digits (D7)."""
    if policy.public:
        return
    for found in COUNTED.finditer(text):
        count = int(re.sub(r"\D", "", found[1] or found[2]))
        if count < policy.min_subjects or count % policy.round_to:
            what = f"{' '.join(found[0].split())!r} is below {policy.min_subjects} or no multiple of {policy.round_to}"
            notes.against("D1", place, what, "round the count or leave it out")
    for found in DECIMAL.finditer(text):
        if digits_of(found[0].replace(",", "")) > policy.digits:
            notes.against("D7", place, f"{found[0]} has more than {policy.digits} digits", "round it")


def digits_of(number: float | str) -> int:
    """Significant digits of a number as it is written, trailing zeros not counted."""
    value = Decimal(str(number))
    return len(value.normalize().as_tuple().digits) if value.is_finite() else 0


@cache
def _own_names() -> tuple[str, ...]:
    """Names of this user and machine, those long enough to be no common word."""
    try:
        names = {getpass.getuser(), socket.gethostname()}
    except (OSError, KeyError):
        names = {socket.gethostname()}
    return tuple(sorted(name for name in names if len(name) >= 6 and name.lower() not in NAMELESS))
