"""The schemas folder at run time: documents by JSON Schema, tables by column name and type.

One JSON file per artefact that crosses a door is the truth for names, types, units and nullability. A table's columns
carry `x-arrow`, its column type; `null` among a property's JSON types makes the column nullable.
"""

import json
from datetime import datetime
from functools import cache
from pathlib import Path

import polars as pl

from seqsae.errors import SeqsaeError

_INSIDE = Path(__file__).parent / "schemas"  # an installed wheel
FOLDER = _INSIDE if _INSIDE.is_dir() else Path(__file__).parents[1] / "schemas"  # a clone

TYPES = {
    "bool": pl.Boolean(),
    "int32": pl.Int32(),
    "int64": pl.Int64(),
    "uint32": pl.UInt32(),
    "float32": pl.Float32(),
    "float64": pl.Float64(),
    "string": pl.String(),
    "timestamp[us]": pl.Datetime("us"),
    "list<string>": pl.List(pl.String()),
    "list<int64>": pl.List(pl.Int64()),
    "list<float32>": pl.List(pl.Float32()),
}


@cache
def load(name: str) -> dict:
    """The schema `name` as a dict. Raises SeqsaeError if there is none."""
    path = FOLDER / f"{name}.schema.json"
    if not path.is_file():
        raise SeqsaeError(f"no schema named {name!r} in {FOLDER}; reinstall seqsae")
    return json.loads(path.read_text())


def names() -> list[str]:
    """Every schema's name."""
    return sorted(path.name.removesuffix(".schema.json") for path in FOLDER.glob("*.schema.json"))


def columns(name: str) -> dict[str, pl.DataType]:
    """Column name to polars type, in the schema's order. A column without `x-arrow` may have any type."""
    return {key: TYPES.get(spec.get("x-arrow")) for key, spec in load(name)["properties"].items()}


def check_table(table: pl.DataFrame, name: str, where: str) -> pl.DataFrame:
    """`table` with the schema's columns first, in order, cast where nothing is lost.

    Args:
        where: what to call the table in an error, usually its path.
    Raises:
        SeqsaeError: a column is missing, of a wrong type, or null where the schema says never.
    """
    spec = load(name)
    required = spec.get("required", [])
    missing = [column for column in required if column not in table.columns]
    if missing:
        raise SeqsaeError(
            f"{where}: no column {missing[0]!r}; a {name} table needs {', '.join(required)}, found {', '.join(table.columns)}"
        )
    known = [column for column in spec["properties"] if column in table.columns]
    extra = [column for column in table.columns if column not in known]
    if extra and spec.get("additionalProperties") is False:
        raise SeqsaeError(f"{where}: unknown column {extra[0]!r}; a {name} table has {', '.join(spec['properties'])}")
    checked = [_column(table[column], spec["properties"][column], where) for column in known]
    return pl.DataFrame(checked + [table[column] for column in extra])


def _column(series: pl.Series, spec: dict, where: str) -> pl.Series:
    wanted = TYPES.get(spec.get("x-arrow"))
    if wanted is not None and series.dtype != wanted:
        series = _cast(series, wanted, spec["x-arrow"], where)
    nullable = "null" in spec.get("type", []) or "type" not in spec
    if not nullable and series.null_count():
        raise SeqsaeError(
            f"{where}: column {series.name!r} has {series.null_count()} empty values; fill or drop those rows"
        )
    return series


def _cast(series: pl.Series, wanted: pl.DataType, called: str, where: str) -> pl.Series:
    """The series as `wanted`. Raises SeqsaeError if its type is of another kind, or a value would become another one."""
    try:
        cast = series.cast(wanted, strict=True) if _of_kind(series, wanted) else None
    except pl.exceptions.PolarsError:
        cast = None
    if cast is None:
        raise SeqsaeError(f"{where}: column {series.name!r} is {series.dtype}, expected {called}; convert it first")
    lost = _changed(series, cast)
    if lost.any():
        raise SeqsaeError(
            f"{where}: column {series.name!r} is {series.dtype}, expected {called}, and holds {series[lost.arg_max()]!r}; "
            "convert it first"
        )
    return cast


def _of_kind(series: pl.Series, wanted: pl.DataType) -> bool:
    """Whether values of the series' type can be values of `wanted`: no number is a moment, no list a text."""
    kind = series.dtype
    if kind == pl.Null:
        return True
    if wanted.is_temporal():
        return kind in (pl.Date, pl.Datetime) and bool((clipped(series) == series).all())
    if wanted.is_nested():
        return isinstance(kind, pl.List)
    if wanted == pl.String:
        return not kind.is_nested() and kind not in (pl.Binary, pl.Object)
    return kind.is_numeric() or kind in (pl.Boolean, pl.String)


def _changed(series: pl.Series, cast: pl.Series) -> pl.Series:
    """[n] bool: where a number became another one. Rounding between lengths of floats is none, reaching infinity is."""
    if not series.dtype.is_numeric() or not (cast.dtype.is_numeric() or cast.dtype == pl.Boolean):
        return pl.Series([False])
    if series.dtype.is_float() and cast.dtype.is_float():
        return (cast.is_infinite() & series.is_finite()).fill_null(False)
    return (cast.cast(series.dtype, strict=False) != series).fill_null(False)


def clipped(times: pl.Series) -> pl.Series:
    """Dates or datetimes with those beyond the years 1 to 9999, whose casts overflow, put at the nearest end."""
    if getattr(times.dtype, "time_unit", None) == "ns":
        return times  # from 1677 to 2262 by its nature
    ends = pl.Series([datetime(1, 1, 1), datetime(9999, 12, 31)], dtype=pl.Datetime("us"))
    ends = ends.cast(pl.Date) if times.dtype == pl.Date else ends.dt.cast_time_unit(times.dtype.time_unit)
    return times.to_physical().clip(*ends.to_physical().to_list()).cast(times.dtype)


def check_document(document: dict, name: str, where: str) -> dict:
    """`document` itself if it satisfies the JSON Schema `name`. Raises SeqsaeError naming the field."""
    import jsonschema

    validator = jsonschema.Draft202012Validator(load(name))
    problem = jsonschema.exceptions.best_match(validator.iter_errors(document))
    if problem is not None:
        field = ".".join(str(part) for part in problem.absolute_path) or "the document"
        raise SeqsaeError(f"{where}: {field}: {problem.message}; see schemas/{name}.schema.json")
    return document


def empty(name: str) -> pl.DataFrame:
    """A table of the schema `name` without rows."""
    return pl.DataFrame(schema={column: kind or pl.String() for column, kind in columns(name).items()})
