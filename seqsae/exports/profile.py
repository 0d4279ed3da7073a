"""A profile of a data set: aggregates under disclosure control, from which a stand-in of the same form can be made."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from seqsae import schema, shelf
from seqsae.disclosure.policy import Policy, policy_of
from seqsae.disclosure.table import base_of
from seqsae.errors import SeqsaeError
from seqsae.exports import profile_covariates as companions
from seqsae.exports import profile_records as records
from seqsae.exports.margins import Desk
from seqsae.progress import say
from seqsae.records.data import Dataset
from seqsae.records.room import fingerprint

FORMAT = 1
"""Version of the document."""
LEDGER = "profiles.jsonl"
"""What was made of which data, a line each, beside the profile: to stay inside."""
PUBLIC = "Made under a policy for public data: it protects nobody. "
NOTE = (
    "Aggregates under the disclosure policy below; made to draw a synthetic stand-in from. Margins only: nothing here says how any "
    "two variables go together. Not differentially private: thresholds and rounding hide single subjects within groups, but whoever knows "
    "all subjects but one, or holds two profiles of nearly the same cohort, may learn more than one profile tells."
)


def profile(data: Dataset, policy: Policy | str | Path = "default", parents: Mapping | None = None) -> dict:
    """The profile of a Dataset of events or sequences (document `data_profile`).

    What it promises, of each published number: it stands for at least `min_subjects` distinct subjects in `min_clusters`
    clusters, and so does what it leaves out of those who could have been in it; counts are multiples of `round_to`; an edge
    of a bin is a round decimal between what at least the threshold have on either side; means and shares that few subjects
    make are null, what fewer subjects than the threshold have moves no mean, and no mean tells of how many it is one; codes
    and categories with fewer subjects are not named; no identifier, no date finer than a year, no long text.

    What it does not promise: it is not differential privacy. Names of covariates and label tables, their units, and codes,
    parents and categories with enough subjects are taken to be public, so one that itself names a person must not be common:
    read its texts before it leaves. Two profiles of the same cohort under policies of other roundings, or of cohorts that
    differ by few subjects, can be compared with each other: `write_profile` notes each one made in a list to keep. Codes are
    checked against those who could have them, not against each other: if all who have one code have another, their counts
    may differ by few. A mean of a bin moves when one of its subjects does, within what rounding and the dominance rule hide.

    Args:
        policy: a Policy, the name of one (default, dst, open), or the path of a TOML file.
        parents: code to parent code (or codes, of which the first counts), along which rare codes are rolled up
            before they go to `PREFIX//OTHER` and `OTHER`; None: as the data set's code table has it.
    Raises:
        SeqsaeError: items in memory rather than events or sequences; too few subjects for the policy; no such policy.
    """
    policy = policy_of(policy)
    if data.kind not in ("events", "sequences"):
        raise SeqsaeError(f"profile: only events and sequences have a form to stand in for; this data has {data.kind}")
    cluster = pl.col("cluster").rank("dense").cast(pl.Int64)
    desk = Desk(base_of(data.subjects.select("subject", cluster), policy, "profile"), policy)
    annotated = companions.annotations(data, desk)
    numbers = data.subjects["subject_id"].dtype.is_integer()
    found = {
        "format": FORMAT,
        "note": PUBLIC + NOTE if policy.public else NOTE,
        "policy": policy.model_dump(mode="json"),
        "kind": data.kind,
        "subjects": desk.base.shown,
        "id_type": "int" if numbers else "string",
        "events": records.events(data, desk, _parents(data, parents)) if data.kind == "events" else None,
        "sequences": records.sequences(data, desk) if data.kind == "sequences" else None,
        "clusters": companions.clusters(desk),
        "splits": companions.splits(data, desk),
        "covariates": companions.covariates(data, desk, annotated),
        "annotations": annotated,
        "labels": companions.labels(data, desk),
    }
    for reason, number in sorted(desk.withheld.items()):
        if number:
            say(f"profile: {reason}: {number:,} cells, which are not in it")
    return schema.check_document(found, "data_profile", "profile")


def _parents(data: Dataset, given: Mapping | None) -> dict[str, str]:
    """Code to one parent, the first where several are given; from the data set's own code table by default."""
    if given is None and data.code_table is not None:
        given = dict(data.code_table.select("code", "parent_codes").iter_rows())
    lists = {code: [above] if isinstance(above, str) else list(above or ()) for code, above in (given or {}).items()}
    return {code: above[0] for code, above in lists.items() if above}


def write_profile(
    data: Dataset, out: Path | str, policy: Policy | str | Path = "default", parents: Mapping | None = None
) -> Path:
    """Write `profile(data, policy, parents)` to the new file `out`, whole or not at all. Returns its path.

    Beside it a line goes to `profiles.jsonl`: when, under which policy, of which data (by its hash). That list stays inside.

    Raises:
        SeqsaeError: `out` is not free, or as `profile`.
    """
    out = Path(out)
    if out.exists():
        raise SeqsaeError(f"{out}: something stands there; a profile is never overwritten, choose another --out")
    document = profile(data, policy, parents)
    out.parent.mkdir(parents=True, exist_ok=True)
    shelf.write_json(out, document)
    _note(out, data, document)
    return out


def _note(out: Path, data: Dataset, document: dict) -> None:
    import json

    line = {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "profile": out.name,
        "sha256": shelf.sha256(out),
        "data": fingerprint(data),
        "policy": document["policy"],
    }
    with (out.parent / LEDGER).open("a") as file:
        file.write(json.dumps(line) + "\n")
    if document["policy"]["public"]:
        say("profile: the policy is for public data and protects nobody; do not use it for people's records")
    if not data.subjects["cluster"].is_duplicated().any():
        say("profile: no two subjects share a household or cluster here; give clusters (subjects.parquet) if they do")
    texts = sorted(_texts(document))
    say(
        f"profile: {len(texts):,} texts of your data stand in it (codes, categories, names); read them before it leaves"
    )
    say(f"{out.parent / LEDGER}: what was made of which data; it stays inside")


def _texts(document: Any) -> set[str]:
    """Every text of a document, but the names of its own fields."""
    if isinstance(document, dict):
        return set().union(
            *(_texts(value) for name, value in document.items() if name not in ("note", "policy")), set()
        )
    if isinstance(document, list):
        return set().union(*(_texts(value) for value in document), set())
    return {document} if isinstance(document, str) else set()


def read_profile(path: Path | str) -> dict:
    """A profile from its file. Raises SeqsaeError if it is none, was cut, or is of another version."""
    import json

    path = Path(path)
    try:
        document = json.loads(path.read_text())
    except (FileNotFoundError, IsADirectoryError):
        raise SeqsaeError(f"{path}: no such file; make one with `seqsae synth profile`") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as cause:
        raise SeqsaeError(f"{path}: not valid JSON ({cause}); was it cut?") from None
    if isinstance(document, dict) and document.get("format", FORMAT) != FORMAT:
        raise SeqsaeError(
            f"{path}: a profile of format {document['format']!r}, this seqsae reads {FORMAT}; make it anew"
        )
    return schema.check_document(document, "data_profile", str(path))
