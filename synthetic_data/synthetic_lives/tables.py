"""The MEDS dataset and the table of subjects."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from synthetic_lives.codes import BIRTH, parent, vocabulary
from synthetic_lives.people import People
from synthetic_lives.process import MOVING, Lives

MEDS_VERSION = "0.4.1"


def write_meds(folder: Path, people: People, lives: Lives, rng: np.random.Generator, arguments: dict) -> None:
    """data/0.parquet, metadata/codes.parquet and metadata/dataset.json after MEDS v0.4."""
    (folder / "data").mkdir()
    (folder / "metadata").mkdir()
    schema = pa.schema(
        [
            pa.field("subject_id", pa.int64(), nullable=False),
            pa.field("time", pa.timestamp("us")),
            pa.field("code", pa.string(), nullable=False),
            pa.field("numeric_value", pa.float32()),
        ]
    )
    write_parquet(folder / "data" / "0.parquet", events(people, lives, rng), schema)
    write_parquet(folder / "metadata" / "codes.parquet", _codes(), _CODES)
    about = {
        "dataset_name": "synthetic-lives",
        "dataset_version": "0.1.0",
        "etl_name": "synthetic_lives",
        "etl_version": "0.1.0",
        "meds_version": MEDS_VERSION,
        "description_uri": "synthetic-lives:" + ",".join(f"{key}={arguments[key]}" for key in arguments),
    }
    (folder / "metadata" / "dataset.json").write_text(json.dumps(about, indent=1) + "\n")


def write_subjects(folder: Path, people: People) -> None:
    """subjects.parquet: subject_id, and as cluster the household, whose members share latent traits."""
    cluster = [f"household-{number:06d}" for number in people.household]
    table = pl.DataFrame({"subject_id": people.subject_id, "cluster": cluster})
    columns = [("subject_id", pa.int64()), ("cluster", pa.string())]
    schema = pa.schema([pa.field(name, kind, nullable=False) for name, kind in columns])
    write_parquet(folder / "subjects.parquet", table.sort("subject_id"), schema)


def events(people: People, lives: Lives, rng: np.random.Generator) -> pl.DataFrame:
    """One row an event, sorted by subject and time, the birth of each subject first."""
    person, event = np.nonzero(lives.code >= 0)
    words = np.array(vocabulary().codes)
    drawn = pl.DataFrame(
        {
            "subject_id": people.subject_id[person],
            "time": people.times[person, event] * 1_000_000,
            "code": words[lives.code[person, event]],
            "numeric_value": _values(lives, person, event, rng),
        }
    )
    births = pl.DataFrame(
        {
            "subject_id": people.subject_id,
            "time": people.birth * 1_000_000,
            "code": [BIRTH] * len(people.birth),
            "numeric_value": np.full(len(people.birth), np.nan),
        }
    )
    table = pl.concat([births, drawn]).sort("subject_id", "time")
    value = pl.col("numeric_value").fill_nan(None).cast(pl.Float32)
    return table.with_columns(pl.col("time").cast(pl.Datetime("us")), value)


def _values(lives: Lives, person: np.ndarray, event: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """[rows] the amount of an income, the result of a laboratory test, nan for other codes."""
    codes, noise = vocabulary().codes, rng.standard_normal(len(person))
    drawn = lives.code[person, event]
    ill = {concept.name: lives.holds[person, event, i] for i, concept in enumerate(MOVING)}
    results = {
        "LAB//HBA1C": 37.0 + 14.0 * ill["diabetes"] + 4.0 * noise,  # mmol/mol
        "LAB//GLUCOSE": 5.3 + 2.4 * ill["diabetes"] + 0.6 * noise,  # mmol/l
        "LAB//CHOLESTEROL": 5.0 + 0.7 * ill["heart_disease"] + 0.8 * noise,  # mmol/l
        "LAB//BLOODPRESSURE": 126.0 + 12.0 * ill["heart_disease"] + 11.0 * noise,  # mmHg
        **{f"INCOME//D{d}": (60_000.0 + 45_000.0 * d) * np.exp(0.05 * noise) for d in range(1, 11)},  # a year
    }
    value = np.full(len(person), np.nan)
    for code, result in results.items():
        if code in codes:
            here = drawn == codes.index(code)
            value[here] = result[here]
    return value


_CODES = pa.schema(
    [
        pa.field("code", pa.string(), nullable=False),
        pa.field("description", pa.string()),
        pa.field("parent_codes", pa.list_(pa.string())),
    ]
)


def _codes() -> pl.DataFrame:
    words = vocabulary()
    return pl.DataFrame(
        {
            "code": [BIRTH, *words.codes],
            "description": ["Birth of the subject", *words.descriptions],
            "parent_codes": [[], *([parent(code)] for code in words.codes)],
        },
        schema_overrides={"parent_codes": pl.List(pl.String)},
    )


def write_parquet(path: Path, table: pl.DataFrame, schema: pa.Schema) -> None:
    """Write `table` with exactly these column types."""
    pq.write_table(table.select(schema.names).to_arrow().cast(schema), path, compression="zstd")
