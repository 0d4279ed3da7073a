"""A profile of a data set: aggregates under disclosure control, from which a stand-in of the same form can be made."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from seqsae import schema, shelf
from seqsae.disclosure.policy import Policy, policy_of
from seqsae.disclosure.table import base_of
from seqsae.errors import SeqsaeError
from seqsae.exports import profile_covariates as companions
from seqsae.exports import profile_records as records
from seqsae.exports.margins import Desk
from seqsae.records.data import Dataset

FORMAT = 1
"""Version of the document."""
NOTE = (
    "Aggregates under the disclosure policy below; made to draw a synthetic stand-in from. Margins only: nothing here says how any "
    "two variables go together. Not differentially private: thresholds and rounding hide single subjects within groups, but whoever knows "
    "all subjects but one, or holds two profiles of nearly the same cohort, may learn more than one profile tells."
)


def profile(data: Dataset, policy: Policy | str | Path = "default", parents: Mapping | None = None) -> dict:
    """The profile of a Dataset of events or sequences (document `data_profile`).

    What it promises, of each published number: it stands for at least `min_subjects` distinct subjects in `min_clusters`
    clusters, and so does what it leaves out of those who could have been in it; counts are multiples of `round_to`; edges of
    bins are round decimals, not quantiles; means and shares that few subjects make are null, and what fewer subjects than the
    threshold have moves no mean of an outer bin (where there are two bins or more); codes and categories with fewer
    subjects are not named; no identifier, no date finer than a year, no free text.

    What it does not promise: it is not differential privacy. Names of covariates, label tables and codes with enough
    subjects are taken to be public, so a code or category that itself names a person must not be common. Two profiles of
    cohorts that differ by few subjects can be compared with each other; keep a list of what was released. Codes are
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
        "note": NOTE,
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
    found["withheld"] = {reason: number for reason, number in sorted(desk.withheld.items()) if number}
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

    Raises:
        SeqsaeError: `out` is not free, or as `profile`.
    """
    out = Path(out)
    if out.exists():
        raise SeqsaeError(f"{out}: something stands there; a profile is never overwritten, choose another --out")
    document = profile(data, policy, parents)
    out.parent.mkdir(parents=True, exist_ok=True)
    shelf.write_json(out, document)
    return out


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
