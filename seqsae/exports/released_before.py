"""The list of releases: what left already, held against what is to leave (D14). It stays inside, as its key does."""

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from seqsae import shelf
from seqsae.disclosure.fingerprints import d14_too_near, fingerprint
from seqsae.disclosure.policy import Policy
from seqsae.errors import SeqsaeError
from seqsae.exports.opened import Opened
from seqsae.exports.questions import MISSING, Asked
from seqsae.progress import say

REMEDY = "put back a whole copy of it: it says what left already"
EVERYBODY = "everybody"


def ledgers(run: Path, given: Path | str | None) -> list[Path]:
    """Where releases are listed: the run's own ledger, and the one that studies share: `given`, or ledger.json in the parent folder."""
    shared = Path(given) if given is not None else run.resolve().parent / "ledger.json"
    if given is None and not shared.is_file():
        say(
            f"release: no list that studies of the same people share (--ledger FILE, or {shared}): only releases of this run are held against it"
        )
        return [run / "ledger.json"]
    return [run / "ledger.json", shared]


def cohorts(opened: Opened, questions: list[Asked]) -> dict[str, tuple[list, list]]:
    """Whose data the tables are of: everybody, each split, and those of the test split of whom a covariate is known."""
    subjects = opened.subjects
    splits = subjects["split"].to_numpy()
    parts = {EVERYBODY: subjects} | {
        f"split {name}": subjects.filter(splits == name) for name in sorted(set(splits) - {None})
    }
    for one in questions:
        known = one.people.filter(one.people["value"] != MISSING)["subject"]
        if len(known) < len(one.people):
            parts[f"known {one.covariate}"] = subjects.filter(
                subjects["subject"].cast(known.dtype).is_in(known.implode())
            )
    return {name: (part["subject_id"].to_list(), part["cluster"].to_list()) for name, part in parts.items()}


def check(path: Path, found: Mapping[str, tuple[list, list]], policy: Policy) -> tuple[str, dict]:
    """The key of this ledger, and its entry of a release of these cohorts.

    Raises:
        SeqsaeError: D14: an earlier release was of nearly the same people, or of the same rounded to another base.
    """
    document = read(path)
    key = bytes.fromhex(document["key"])
    mine = {name: fingerprint(*part, key) for name, part in found.items()}
    entry = {"policy": policy.name, "round_to": policy.round_to, "min_subjects": policy.min_subjects,
             "min_clusters": policy.min_clusters, "cohorts": mine}  # fmt: skip
    for number, earlier in enumerate(document["released"]):
        _hold(path, number, earlier, entry, policy)
    return document["key"], entry


def _hold(path: Path, number: int, earlier: dict, entry: dict, policy: Policy) -> None:
    """Raises SeqsaeError if two releases together would tell what neither does."""
    where = f"{path}: release {number + 1}"
    strict = policy.model_copy(update={
        name: max(getattr(policy, name), earlier.get(name, 0)) for name in ("min_subjects", "min_clusters")
    })  # fmt: skip
    for name, cohort in entry["cohorts"].items():
        other = earlier.get("cohorts", {}).get(name)
        try:
            near = other is not None and d14_too_near(cohort, other, strict)
        except ValueError as cause:
            raise SeqsaeError(f"{where}: {name}: {cause}; {REMEDY}") from None
        if near:
            raise SeqsaeError(
                f"D14: {where} was of nearly the same people ({name}): the few in whom the two differ could be told by subtraction; "
                "release the same people again or a cohort that differs by more (if that release never left, take it out of the ledger)"
            )
        if other == cohort and earlier.get("round_to") != entry["round_to"] and not policy.public:
            raise SeqsaeError(
                f"D14: {where} had the same people's counts rounded to {earlier.get('round_to')}: two roundings together tell more "
                "than one; use a policy with the same round_to"
            )


def listed(paths: list[Path], found: Mapping[str, tuple[list, list]], policy: Policy, run: Path) -> None:
    """Put a release on every list, looked at anew: another study may have released since. The run itself is locked already.

    Raises:
        SeqsaeError: as `check`.
    """
    for path in reversed(paths):  # the shared one first: where it refuses, the run's own list has nothing of it
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(path.parent, mine=run):
            note(path, *check(path, found, policy))


@contextmanager
def _alone(folder: Path, mine: Path) -> Iterator[None]:
    """Context that one process at a time is in; the others wait. Nothing is done for the folder that this one has locked."""
    try:
        import fcntl
    except ImportError:  # not on Windows
        yield
        return
    if folder.resolve() == mine.resolve():
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def note(path: Path, key: str, entry: dict) -> None:
    """Put a release on the list, once; `key`: under which its hashes were made."""
    document = read(path) | {"key": key}
    if entry not in document["released"]:
        document["released"].append(entry)
    path.parent.mkdir(parents=True, exist_ok=True)
    shelf.write_json(path, document)
    path.chmod(0o600)


def read(path: Path) -> dict:
    """A ledger with its `key` and list `released`; a new one where there is none.

    Raises:
        SeqsaeError: it cannot be read: what left must not be forgotten.
    """
    document = shelf.read_json(path, REMEDY) if path.exists() else {}
    if not isinstance(document, dict) or not isinstance(document.setdefault("released", []), list):
        raise SeqsaeError(f"{path}: has no list released; {REMEDY}")
    if document["released"] and "key" not in document:
        raise SeqsaeError(f"{path}: lists releases and has no key, without which they cannot be known again; {REMEDY}")
    key = document.setdefault("key", secrets.token_hex(32))
    if not isinstance(key, str) or len(key) != 64 or set(key) - set("0123456789abcdef"):
        raise SeqsaeError(f"{path}: its key is not 64 hexadecimal digits; {REMEDY}")
    if not all(map(_is_entry, document["released"])):
        raise SeqsaeError(f"{path}: released holds something that is no release; {REMEDY}")
    return document


def _is_entry(one: object) -> bool:
    """Whether it is what `check` writes: cohorts by name, and whole numbers."""
    if not isinstance(one, dict) or not isinstance(one.get("cohorts"), dict):
        return False
    numbers = [one.get(name, 0) for name in ("round_to", "min_subjects", "min_clusters")]
    return all(type(number) is int for number in numbers) and all(
        isinstance(text, str) for text in one["cohorts"].values()
    )
