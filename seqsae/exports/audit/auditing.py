"""The audit as a whole: files, manifest, contents, then each data set and all of them together."""

import hashlib
from pathlib import Path
from typing import Any

from seqsae.disclosure.policy import Policy, policy_of
from seqsae.errors import SeqsaeError
from seqsae.exports.audit.attack import check_withheld
from seqsae.exports.audit.contents import Contents, read
from seqsae.exports.audit.counts import check_counts, counting
from seqsae.exports.audit.curves import check_curves, check_ends
from seqsae.exports.audit.digits import check_digits
from seqsae.exports.audit.features import check_features
from seqsae.exports.audit.findings import Findings, Notes
from seqsae.exports.audit.folder import files_of
from seqsae.exports.audit.manifest import Manifest, manifest_of
from seqsae.exports.audit.matching import match
from seqsae.exports.audit.merged import check_merged
from seqsae.exports.audit.names import check_facts, check_key, check_names, check_sequences
from seqsae.exports.audit.persons import check_persons, largest_count
from seqsae.exports.audit.policy_of_page import check_addresses
from seqsae.exports.audit.reading import bytes_of, document_of, text_of
from seqsae.exports.audit.texts import check_hidden_list, check_prose, check_text, digits_of
from seqsae.exports.audit.unions import check_unions
from seqsae.exports.audit.weights import check_memorisation

STUMBLED = "write the release again with `seqsae release`; if it says so again, report it as a fault of the audit"


def audit(directory: Path | str, run: Path | str | None = None, policy: Policy | str | Path | None = None) -> Findings:
    """Check a release folder against the rules of disclosure control.

    Args:
        directory: the folder that would leave.
        run: the run folder it was made from, inside the server: its identifiers, rare codes and extreme values are looked up.
        policy: what the release must keep to, whatever its manifest says; a name, a TOML file or a Policy. Default: the manifest's own.
    Raises:
        SeqsaeError: there is no such folder, no such policy, or the run has no records.
    """
    wanted = None if policy is None else policy_of(policy)
    folder = Path(directory)
    if not folder.is_dir():
        raise SeqsaeError(f"{folder}: no such folder; give the folder of a release, which holds manifest.json")
    if run is not None and not (Path(run) / "records" / "subjects.parquet").is_file():
        raise SeqsaeError(f"{run}: has no records/subjects.parquet; give the run folder that the release was made from")
    notes = Notes()
    try:
        _checks(folder, Path(run) if run is not None else None, wanted, notes)
    except SeqsaeError:
        raise
    except Exception as cause:  # what an audit stumbles over may not leave
        notes.against(
            "M3", "manifest.json", f"the release could not be checked to its end ({type(cause).__name__})", STUMBLED
        )
    return notes.findings()


def _checks(folder: Path, run: Path | None, wanted: Policy | None, notes: Notes) -> None:
    """Everything that is looked at, in order."""
    names = files_of(folder, notes)
    document = _document(folder, names, notes)
    manifest = manifest_of(document, notes)
    _held_to(manifest, wanted, notes)
    _listed(folder, names, manifest, notes)
    found = read(folder, names, manifest, document, notes)
    match(found, notes)
    _described(found, names, notes)
    sizes = _sizes(found, run, notes)
    _datasets(manifest, sizes, notes)
    _texts(found, notes)
    check_features(found, notes)
    check_memorisation(manifest, notes)


def _held_to(manifest: Manifest, wanted: Policy | None, notes: Notes) -> None:
    """Take the policy that is asked for in place of the release's own, which may not be looser; say which is applied."""
    own = manifest.policy
    if wanted is not None:
        if (
            own.public > wanted.public
            or own.min_subjects < wanted.min_subjects
            or own.min_clusters < wanted.min_clusters
        ):
            what = f"the release was made under {own.name!r}, which is looser than {wanted.name!r}"
            notes.against("D1", "manifest.json: policy", what, "release it under the policy of your site")
        manifest.policy = wanted
    policy = manifest.policy
    told = (
        "the data are said to be public, thresholds are not applied"
        if policy.public
        else f"{policy.min_subjects} subjects"
    )
    notes.looked_at(f"policy {policy.name}{' (as asked for)' if wanted else ''}: {told}")


def _document(folder: Path, names: list[str], notes: Notes) -> Any:
    """The manifest as a document; an empty one after a finding."""
    if "manifest.json" not in names:
        notes.against("M1", "manifest.json", "is missing", "write the release with `seqsae release`")
        return {}
    content = bytes_of(folder / "manifest.json", "manifest.json", notes)
    text = None if content is None else text_of(content, "manifest.json", notes)
    document = None if text is None else document_of(text, "manifest.json", notes)
    return {} if document is None else document


def _listed(folder: Path, names: list[str], manifest: Manifest, notes: Notes) -> None:
    """Each file is on the manifest's list, with its hash and size, and each on the list is there."""
    again = (
        "write the release again with `seqsae release`; a file changed by hand is no longer the one that was checked"
    )
    for name in names:
        if name != "manifest.json" and name not in manifest.files:
            notes.against("M1", name, "is not in the manifest", "remove it, or release it")
    for name, entry in manifest.files.items():
        if name not in names:
            notes.against("M1", name[:200], "is in the manifest and not in the folder", again)
            continue
        content = bytes_of(folder / name, name, notes)
        told = entry.get("sha256"), entry.get("bytes")
        if content is not None and told != (hashlib.sha256(content).hexdigest(), len(content)):
            notes.against("M1", name, "is not the file whose hash and size stand in the manifest", again)
    if "release_notes.txt" not in names:
        notes.against("M1", "release_notes.txt", "is missing: whoever checks the output reads it first", again)
    notes.looked_at(f"hashes and sizes of {len(manifest.files)} files against the manifest")


def _described(found: Contents, names: list[str], notes: Notes) -> None:
    """The notes for whoever checks the output name every file."""
    told = " ".join(said.text for said in found.said if said.kind == "note")
    for name in names:
        if told and name not in ("release_notes.txt", "manifest.json") and name not in told:
            notes.against("M1", "release_notes.txt", f"does not say what {name} holds", "describe every file there")


def _sizes(found: Contents, run: Path | None, notes: Notes) -> set[int]:
    """Numbers of subjects that rows could stand for; the run's records are looked up on the way."""
    sizes = largest_count(found.manifest.datasets)
    if run is not None:
        from seqsae.exports.audit.known import known_of
        from seqsae.exports.audit.ledger import check_ledgers
        from seqsae.exports.audit.records import check_records

        known = known_of(run, found.manifest.policy)
        check_records(found, known, notes)
        check_ledgers(run, found.manifest.policy, notes)
        sizes |= known.sizes
    return sizes


def _datasets(manifest: Manifest, sizes: set[int], notes: Notes) -> None:
    attacked = 0
    for dataset in manifest.datasets:
        check_names(dataset, manifest.policy, notes)
        check_counts(dataset, manifest.policy, notes)
        check_digits(dataset, manifest.policy, notes)
        check_curves(dataset, manifest.policy, notes)
        check_facts(dataset, lambda key, value, place: _number(key, value, place, manifest.policy, notes), notes)
        attacked += check_withheld(dataset, manifest.policy, notes)
        if not manifest.policy.public:
            check_persons(dataset, sizes, notes)
    attacked += check_merged(manifest.datasets, manifest.policy, notes)
    check_unions(manifest.datasets, manifest.policy, notes)
    check_ends(manifest.datasets, manifest.policy, notes)
    rows = sum(len(dataset.rows or ()) for dataset in manifest.datasets)
    policy = manifest.policy
    notes.looked_at(
        f"{rows:,} rows: counts of {policy.min_subjects} or more in steps of {policy.round_to}, what they leave out, shares, digits, "
        "ends of ranges, names of columns, curves"
    )
    bare = sorted({one.id for one in manifest.datasets if one.of_role("interval") and not one.of_role("count")})
    if bare and not policy.public:
        notes.looked_at(f"not checked: how many are behind the effects of {', '.join(bare)}, which show no counts")
    notes.looked_at(
        f"{attacked} withheld or merged cells beside their margins, attacked; all tables against each other"
    )


def _labels(manifest: Manifest) -> set[str]:
    """Names of levels and codes: `1 person` is a household there and no count, `250.01` a diagnosis and no measurement."""
    return {str(row[name]) for one in manifest.datasets for row in one.rows or () for name in one.of_role("label")}


def _texts(found: Contents, notes: Notes) -> None:
    """Every text, and every value outside tables."""
    policy = found.manifest.policy
    labels = _labels(found.manifest)
    for said in found.said:
        if said.kind in ("style", "script", "json", "spec", "attribute", "comment", "note", "visible"):
            check_hidden_list(said.text, said.place, notes)
        if said.kind in ("style", "script", "raw"):
            continue
        label = said.text in labels
        check_text(said.text, said.place, notes, label)
        check_addresses(said.text, said.place, notes)
        if not label and said.kind in ("visible", "note", "attribute", "comment", "json", "cell"):
            check_prose(said.text, said.place, policy, notes)
    if not policy.public:
        check_sequences(found.said, found.manifest.datasets, notes)
    for place, leaf in found.leaves:
        if not leaf.drawing and not isinstance(leaf.value, str):
            check_key(leaf.key, leaf.value, place, notes)
            _number(leaf.key, leaf.value, place, policy, notes)
    notes.looked_at(f"{len(found.said):,} texts: dates, paths, identifiers, addresses, counts, encoded blocks")


def _number(key: str, value: Any, place: str, policy: Policy, notes: Notes) -> None:
    """A number outside tables: a count as tables have it, else of few digits."""
    if policy.public or isinstance(value, bool) or not isinstance(value, int | float):
        return
    if counting(key) and (value < policy.min_subjects or value % policy.round_to):
        notes.against(
            "D1", place, f"{value:g} is below {policy.min_subjects} or no multiple of {policy.round_to}", "round it"
        )
    if isinstance(value, float) and digits_of(value) > policy.digits:
        notes.against("D7", place, f"{value!r} has more than {policy.digits} digits", "round it")
