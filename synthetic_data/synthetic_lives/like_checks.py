"""What a profile must fulfil beyond its JSON Schema, so that a stand-in can be drawn from it and read as real data are."""

from collections.abc import Iterator, Sequence

Fault = tuple[str, str]
"""Where in the profile, and what is wrong there."""

RESERVED = ("subject_id", "subject")
"""Names that columns of covariates cannot have."""
FULL = "full"
"""The view of whole records, whose name no label table can have."""
LONGEST_NAME = 240
"""Bytes of the name of a label table: with `.parquet` it is the name of a file."""
GROUPED = ("binary", "categorical")
ENDS = ("MEDS_BIRTH", "MEDS_DEATH")


def faults(known: dict) -> Iterator[Fault]:
    """Every fault, in the order of the document.

    Args:
        known: a profile that fulfils the schema.
    """
    yield from _bins(known, "")
    yield from _kind(known)
    yield from _names(known)
    for number, entry in enumerate(known["covariates"]):
        place = f"covariates.{number}"
        yield from ((f"{place}: {entry['schema']['name']!r}", reason) for reason in _covariate(entry, known))
    for number, entry in enumerate(known["annotations"]):
        yield from ((f"annotations.{number}.values", reason) for reason in _annotation(entry, known))
    for number, entry in enumerate(known["labels"]):
        yield from ((f"labels.{number}", reason) for reason in _label_table(entry))


def _bins(found: dict | list, place: str) -> Iterator[Fault]:
    """Bins anywhere that do not run from low to high, open at the two ends alone."""
    pairs = found.items() if isinstance(found, dict) else enumerate(found)
    for name, value in pairs:
        here = f"{place}.{name}" if place else str(name)
        if name == "bins" and value:
            lows, highs = ([one[side] for one in value] for side in ("low", "high"))
            edges = [edge for pair in zip(lows, highs, strict=True) for edge in pair]
            inner = edges[1:-1]
            if None in inner or not _ascend([edge for edge in edges if edge is not None]):
                yield here, "its edges do not rise from bin to bin"
        elif isinstance(value, dict | list):
            yield from _bins(value, here)


def _ascend(edges: Sequence[float]) -> bool:
    return all(one <= other for one, other in zip(edges, edges[1:], strict=False))


def _kind(known: dict) -> Iterator[Fault]:
    kind, other = known["kind"], {"events": "sequences", "sequences": "events"}[known["kind"]]
    if known[kind] is None:
        yield kind, f"absent, though the profile is of {kind}"
    if known[other] is not None:
        yield other, f"present, though the profile is of {kind}"
    if kind == "sequences" and known["labels"]:
        yield "labels", "present, though sequences have no times to predict at"


def _names(known: dict) -> Iterator[Fault]:
    """Names that stand twice, or that are taken."""
    lists = {
        "covariates": [entry["schema"]["name"] for entry in known["covariates"]],
        "annotations": [entry["covariate"] for entry in known["annotations"]],
        "labels": [entry["name"] for entry in known["labels"]],
        "splits": [entry["value"] for entry in (known["splits"] or {"levels": []})["levels"]],
    }
    if known["events"]:
        lists |= {
            f"events.{part}": [one["code"] for one in known["events"][part]] for part in ("codes", "static_codes")
        }
        taken = sorted(set(ENDS) & set(lists["events.codes"]))
        if taken:
            yield "events.codes", f"{taken[0]!r} is counted apart from the codes"
    if known["sequences"]:
        lists["sequences.letters"] = [entry["letter"] for entry in known["sequences"]["letters"]]
    for place, names in lists.items():
        twice = _twice(names)
        if twice is not None:
            yield place, f"{twice!r} stands twice"


def _twice(names: Sequence) -> str | float | None:
    seen = set()
    return next((name for name in names if name in seen or seen.add(name)), None)


def columns(document: dict) -> list[str]:
    """Columns of the covariate table that an entry of the covariate schema names."""
    if document["level"] != "subject":
        return []
    if document["type"] == "survival":
        return [document[part] for part in ("time", "event", "entry", "competing") if part in document]
    return [document["name"]]


def as_text(value: str | float | bool) -> str:
    """A value of the schema as it stands in a column of text."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _covariate(entry: dict, known: dict) -> Iterator[str]:
    document, margins = entry["schema"], entry["margins"]
    own = columns(document)
    for name in own:
        if name in RESERVED:
            yield f"a column cannot be called {name!r}"
    for name in margins:
        if name not in own:
            yield f"a margin of {name!r}, which is no column of it"
    if document["level"] != "subject" and document["name"] not in [one["covariate"] for one in known["annotations"]]:
        yield f"of level {document['level']}, but in no annotation"
    yield from _within(document, known)
    if document["name"] in margins:
        yield from _margin(document, margins[document["name"]])


def _within(document: dict, known: dict) -> Iterator[str]:
    kinds = {one["schema"]["name"]: (one["schema"]["type"], one["schema"]["level"]) for one in known["covariates"]}
    for other in document.get("within", ()):
        kind, level = kinds.get(other, ("", ""))
        if document["type"] != "categorical" or kind not in GROUPED or level != "subject" or other == document["name"]:
            yield f"cannot be compared within {other!r}: only categories within another covariate of categories can"


def _margin(document: dict, margin: dict) -> Iterator[str]:
    kind, order = document["type"], document.get("order")
    if "bins" in margin:
        if kind in GROUPED or order:
            yield f"{kind}, but its margin is one of numbers"
        return
    values = [level["value"] for level in margin["levels"]]
    texts = [isinstance(value, str) for value in values]
    if kind == "continuous" or (kind == "ordinal" and "order" not in document and any(texts)):
        yield f"{kind}, but its margin is one of categories"
    if (kind in GROUPED or order) and not all(texts):
        yield f"{kind}, but a level is a number"
    if _twice(values) is not None:
        yield f"level {_twice(values)!r} stands twice"
    if kind in GROUPED:
        yield from _grouped(document, values)


def _grouped(document: dict, values: list) -> Iterator[str]:
    binary = document["type"] == "binary"
    if binary and len(values) > 2:
        yield f"binary, but has {len(values)} levels"
    shown = values if binary and len(values) == 2 else [*values, "other"]
    positive = document.get("positive")
    if positive is not None and as_text(positive) not in shown:
        yield f"positive is {positive!r}, which is no level of it"


def _annotation(entry: dict, known: dict) -> Iterator[str]:
    documents = {one["schema"]["name"]: one["schema"] for one in known["covariates"]}
    document, values = documents.get(entry["covariate"], {"type": "categorical"}), entry["values"]
    numbers = document["type"] in ("continuous", "ordinal") and "order" not in document
    if values is not None and numbers != ("bins" in values):
        yield f"{'categories' if numbers else 'numbers'}, though the covariate is {document['type']}"


def _label_table(entry: dict) -> Iterator[str]:
    name = entry["name"]
    if name == FULL:
        yield f"a label table cannot be called {name!r}, which is the view of whole records"
    if len(name.encode()) > LONGEST_NAME:
        yield f"the name {name[:20]!r}... is too long for a file"
    truths = entry["values"].get("boolean_value")
    for level in truths["levels"] if truths else ():
        if level["value"] not in ("true", "false"):
            yield f"boolean_value has a level {level['value']!r}; only true and false can be"
