"""Reading a data profile: what `seqsae synth profile` wrote inside a secure server."""

import json
from pathlib import Path

FORMAT = 1
"""Version of the document that is understood here."""

_ONCE = {"integer": bool, "bins": list, "missing": int}
_OFTEN = {"integer": bool, "bins": list, "subjects": int}
_LEVELS = {"levels": list, "other": int, "missing": int}
_EVENTS = {
    "codes": list, "static_codes": list, "birth": int, "death": int, "per_subject": _ONCE, "at_once": _OFTEN, "gap_days": _OFTEN,
    "year_first": _ONCE, "year_last": _ONCE, "age_first": _ONCE, "age_last": _ONCE,
}  # fmt: skip
_ALL = {
    "kind": str, "subjects": int, "id_type": str, "events": _EVENTS, "sequences": {"length": _ONCE, "letters": list},
    "clusters": _ONCE, "splits": _LEVELS, "covariates": list, "annotations": list, "labels": list,
}  # fmt: skip
_MAY_BE_NULL = {"events", "sequences", "clusters", "splits", "at_once", "gap_days"}
_ENTRIES = {
    "codes": {"code": str, "subjects": int},
    "static_codes": {"code": str, "subjects": int},
    "covariates": {"schema": {"name": str, "type": str, "level": str}, "margins": dict},
    "annotations": {"covariate": str, "per_subject": _ONCE},
    "labels": {"name": str, "per_subject": _ONCE, "values": dict},
    "bins": {"subjects": int},
    "levels": {"subjects": int},
    "letters": {"letter": str},
}


def read(profile: dict | Path | str) -> dict:
    """A profile, from its file or as it is, checked for all that drawing needs.

    Raises ValueError, one line, if it is no profile, was cut, or is of another version.
    """
    where = "profile" if isinstance(profile, dict) else str(profile)
    document = profile if isinstance(profile, dict) else _document(Path(profile))
    if not isinstance(document, dict) or "format" not in document:
        raise ValueError(f"{where}: no data profile; make one with `seqsae synth profile`")
    if document["format"] != FORMAT:
        raise ValueError(
            f"{where}: a profile of format {document['format']!r}, this version reads {FORMAT}; make the profile anew"
        )
    _check(document, _ALL, where)
    if document["kind"] not in ("events", "sequences"):
        raise ValueError(f"{where}: kind: {document['kind']!r} is neither events nor sequences; make the profile anew")
    if document[document["kind"]] is None:
        room = document["kind"]
        raise ValueError(f"{where}: {room}: absent, though the profile is of {room}; make the profile anew")
    for label in document["labels"]:
        if Path(label["name"]).name != label["name"] or "\\" in label["name"]:
            raise ValueError(f"{where}: labels: {label['name']!r} is no name of a file; rename the label table")
    return document


def _document(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, IsADirectoryError):
        raise ValueError(f"{path}: no such profile; make one with `seqsae synth profile`") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as cause:
        raise ValueError(f"{path}: not valid JSON ({cause}); was the profile cut?") from None


def _check(found: dict, wanted: dict, where: str) -> None:
    """Raises ValueError naming the first field that is absent or of a wrong type."""
    for name, kind in wanted.items():
        place = f"{where}: {name}"
        if name not in found:
            raise ValueError(f"{place}: absent; the profile was cut or edited, make it anew")
        value = found[name]
        if value is None and name in _MAY_BE_NULL:
            continue
        if not isinstance(value, dict if isinstance(kind, dict) else kind):
            raise ValueError(f"{place}: {type(value).__name__} where something else belongs; make the profile anew")
        if isinstance(kind, dict):
            _check(value, kind, place)
        for entry in value if isinstance(value, list) else ():
            _check(entry if isinstance(entry, dict) else {}, _ENTRIES[name], place)
