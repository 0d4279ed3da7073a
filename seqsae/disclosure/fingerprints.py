"""Who was in a release, kept as keyed hashes inside, so that the next one can be held against it (D14).

Two tables of nearly the same people tell, by their difference, of the few in whom they differ.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable

import numpy as np

from seqsae.disclosure.policy import Policy
from seqsae.disclosure.rules import d1_reason

BYTES = 8


def fingerprint(subjects: Iterable, clusters: Iterable, key: bytes) -> str:
    """Base64 of [n, 2] hashes of subjects and their clusters, sorted by subject. Tells nothing without the key."""
    pairs = zip(_hashes(subjects, b"subject", key), _hashes(clusters, b"cluster", key), strict=True)
    table = np.array(sorted(set(pairs)), dtype="<u8").reshape(-1, 2)
    return base64.b64encode(table.tobytes()).decode("ascii")


def _hashes(values: Iterable, what: bytes, key: bytes) -> list[int]:
    known: dict[str, int] = {}
    found = []
    for value in values:
        text = str(value)
        if text not in known:
            made = hashlib.blake2b(text.encode(), key=key, person=what, digest_size=BYTES)
            known[text] = int.from_bytes(made.digest(), "little")
        found.append(known[text])
    return found


def difference(one: str, other: str) -> tuple[int, int]:
    """Subjects who are in one of two cohorts alone, and the number of their clusters.

    Raises:
        ValueError: a fingerprint that is none.
    """
    left, right = _read(one), _read(other)
    alone = np.concatenate([left[~np.isin(left[:, 0], right[:, 0])], right[~np.isin(right[:, 0], left[:, 0])]])
    return len(alone), len(np.unique(alone[:, 1]))


def _read(text: str) -> np.ndarray:
    try:
        return np.frombuffer(base64.b64decode(text, validate=True), dtype="<u8").reshape(-1, 2)
    except (binascii.Error, ValueError) as cause:
        raise ValueError(f"not a fingerprint: {cause}") from None


def d14_too_near(one: str, other: str, policy: Policy) -> bool:
    """Whether two cohorts differ, and by too few subjects or clusters."""
    subjects, clusters = difference(one, other)
    return not policy.public and subjects > 0 and d1_reason(subjects, clusters, policy) is not None
