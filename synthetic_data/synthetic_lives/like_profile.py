"""Reading a data profile: what `seqsae synth profile` wrote inside a secure server, and maybe somebody's editor after it."""

import json
from functools import cache
from importlib.resources import files
from pathlib import Path

from synthetic_lives import like_checks

FORMAT = 1
"""Version of the document that is understood here."""
REMEDY = "the profile was cut or edited, make it anew"
SHOWN = 160
"""Characters of a reason that an error repeats."""


def read(profile: dict | Path | str) -> dict:
    """A profile, from its file or as it is, held to the JSON Schema `data_profile` and to what a schema cannot say.

    Raises ValueError, one line that names the file and the field, if it is no profile, was cut, is of another version, or
    holds what no data set has.
    """
    where = "profile" if isinstance(profile, dict) else str(profile)
    document = _plain(profile, where) if isinstance(profile, dict) else _document(Path(profile))
    if not isinstance(document, dict) or "format" not in document:
        raise ValueError(f"{where}: no data profile; make one with `seqsae synth profile`")
    if document["format"] != FORMAT:
        found = repr(document["format"])[:SHOWN]
        raise ValueError(f"{where}: a profile of format {found}, this version reads {FORMAT}; make the profile anew")
    fault = _misfit(document) or next(like_checks.faults(document), None)
    if fault:
        place, reason = fault
        raise ValueError(f"{where}: {place[:SHOWN]}: {reason}; {REMEDY}")
    return document


def _plain(profile: dict, where: str) -> dict:
    """A copy as it would come out of a file. Raises ValueError for what no file could hold."""
    try:
        return _parsed(json.dumps(profile))
    except (TypeError, ValueError, RecursionError) as cause:
        raise ValueError(f"{where}: not a JSON document ({_reason(cause)}); {REMEDY}") from None


def _document(path: Path) -> dict:
    if not path.is_file():
        raise ValueError(f"{path}: no such profile; make one with `seqsae synth profile`")
    try:
        return _parsed(path.read_text(encoding="utf-8"))
    except OSError as cause:
        raise ValueError(f"{path}: cannot be read ({cause.strerror}); check the file and its permissions") from None
    except (ValueError, RecursionError) as cause:
        raise ValueError(f"{path}: not valid JSON ({_reason(cause)}); was the profile cut?") from None


def _parsed(text: str) -> dict:
    """Raises ValueError or RecursionError for what is not JSON, numbers that are not finite and broken Unicode among them."""
    document = json.loads(text, parse_constant=_refused)
    json.dumps(document, ensure_ascii=False).encode()
    return document


def _refused(word: str) -> None:
    raise ValueError(f"{word} is no number")


def _reason(cause: Exception) -> str:
    return "nested too deep" if isinstance(cause, RecursionError) else " ".join(str(cause).split())[:SHOWN]


@cache
def _validator():
    from jsonschema import Draft202012Validator  # not for those who have no profile

    text = (files("synthetic_lives") / "data_profile.schema.json").read_text(encoding="utf-8")
    return Draft202012Validator(json.loads(text))


def _misfit(document: dict) -> tuple[str, str] | None:
    """Field and reason of the plainest conflict with the schema."""
    from jsonschema.exceptions import best_match

    problem = best_match(_validator().iter_errors(document))
    if problem is None:
        return None
    message = " ".join(problem.message.split())
    if problem.validator == "pattern":  # which says less to a person than the field's description
        message = f"{problem.instance!r} does not fit ({problem.schema['description'].rstrip('.')})"
    short = message if len(message) <= SHOWN else f"{message[: SHOWN // 2]} ... {message[-SHOWN // 2 :]}"
    return ".".join(str(part) for part in problem.absolute_path) or "the document", short
