"""metadata/codes.parquet and metadata/dataset.json after MEDS v0.4."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from synthetic_lives.codes import BIRTH
from synthetic_lives.world import World

MEDS_VERSION = "0.4.1"

CODES = pa.schema(
    [
        pa.field("code", pa.string(), nullable=False),
        pa.field("description", pa.string()),
        pa.field("parent_codes", pa.list_(pa.string())),
    ]
)


def write(folder: Path, world: World, arguments: dict) -> None:
    """Describe every code that may be written and the groups above them, and say how the data were made."""
    pq.write_table(pa.Table.from_pylist(codes(world), schema=CODES), folder / "codes.parquet", compression="zstd")
    about = {
        "dataset_name": "synthetic-lives",
        "dataset_version": "0.2.0",
        "etl_name": "synthetic_lives",
        "etl_version": "0.2.0",
        "meds_version": MEDS_VERSION,
        "description_uri": "synthetic-lives:" + ",".join(f"{key}={arguments[key]}" for key in arguments),
    }
    (folder / "dataset.json").write_text(json.dumps(about, indent=1) + "\n")


def codes(world: World) -> list[dict]:
    """One entry a code: its description and its parents, the nearest first; then the parents that have a description."""
    words = world.vocabulary
    said = [(BIRTH, "Birth of the subject", ())]
    said += [(code, f"{name}: {code.split('//')[1]}", ()) for name, pair in world.static.items() for code in pair]
    said += zip(words.codes, words.descriptions, words.parents, strict=True)
    said += [(code, text, ()) for code, text in words.ancestors.items()]
    return [{"code": code, "description": text, "parent_codes": list(above)} for code, text, above in said]
