"""What the options of all rooms have in common: frozen, unknown names refused, a wrong one told in one line."""

import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from seqsae.errors import SeqsaeError


class Room(BaseModel):
    """Options of one room: unknown names are refused, values cannot be changed."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _no_switch_for_a_number(cls, given: Any) -> Any:
        """true is no 1."""
        for name, value in given.items() if isinstance(given, dict) else ():
            field = cls.model_fields.get(name)
            if isinstance(value, bool) and field is not None and "bool" not in str(field.annotation):
                raise ValueError(f"{name} is {str(value).lower()}, not a number or text")
        return given


def each_once(given: tuple[str, ...]) -> tuple[str, ...]:
    """For a validator: the names as given. Raises ValueError if one stands there twice."""
    if twice := sorted({name for name in given if given.count(name) > 1}):
        raise ValueError(f"{twice[0]!r} stands there twice; name each once")
    return given


def read_toml(path: Path) -> dict:
    """The document in a TOML file. Raises SeqsaeError if there is none."""
    remedy = "give a TOML file; see examples/ for one to copy"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise SeqsaeError(f"{path}: no such config file; see examples/ for one to copy") from None
    except IsADirectoryError:
        raise SeqsaeError(f"{path}: a folder, not a config file; {remedy}") from None
    except UnicodeDecodeError:
        raise SeqsaeError(f"{path}: not a text file (UTF-8); {remedy}") from None
    except OSError as cause:
        raise SeqsaeError(f"{path}: cannot be read ({cause.strerror}); {remedy}") from None
    except RecursionError:
        raise SeqsaeError(f"{path}: not valid TOML: nested too deep; {remedy}") from None
    except tomllib.TOMLDecodeError as cause:
        raise SeqsaeError(f"{path}: not valid TOML: {cause}; {remedy}") from None


def parse(kind: type[Room], document: dict, where: str):
    """`document` as a config of `kind`. Raises SeqsaeError naming the first option that is wrong."""
    try:
        return kind.model_validate(document)
    except ValidationError as cause:
        first = cause.errors()[0]
        option = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise SeqsaeError(f"{where}: unknown option {option!r}; {_nearest(kind, first['loc'])}") from None
        given = "" if first["type"] == "missing" else f" (given: {first['input']!r})"
        raise SeqsaeError(f"{where}: option {option!r}: {first['msg']}{given}") from None


def _nearest(kind: type[Room], location: tuple) -> str:
    for part in location[:-1]:
        inner = kind.model_fields[part].annotation if isinstance(part, str) and part in kind.model_fields else None
        if not (isinstance(inner, type) and issubclass(inner, Room)):
            break
        kind = inner
    return f"options here: {', '.join(kind.model_fields)}"
