"""A clinical MEDS data set as other people's pipelines write them: several shards in nested folders, each with its own
types, static rows in front or behind, birth and death, code modifiers, duplicate rows, notes, labels of three kinds.

Of every patient it is known what was written, so that a test can count what is read.
"""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

BIRTH, DEATH = "MEDS_BIRTH", "MEDS_DEATH//IN_HOSPITAL"
DIABETES, METFORMIN, GLUCOSE, CREATININE = "DX//ICD10CM//E11", "MED//A10BA02", "LAB//50931//mg/dL", "LAB//50912//mg/dL"
SEPSIS, LACTATE = "DX//ICD10CM//A41", "LAB//50813//mmol/L"
WARDS = ["ADMISSION//EW EMER.", "ADMISSION//ELECTIVE", "ADMISSION//URGENT"]
OTHERS = [f"PROC//{i}" for i in range(6)]
NAMES = {
    BIRTH: "Birth",
    DIABETES: "Type 2 diabetes mellitus",
    METFORMIN: "Metformin",
    CREATININE: "Creatinine",
    SEPSIS: "Sepsis, unspecified organism",
    LACTATE: "Lactate",
}
Row = tuple[int, datetime | None, str, float | None]


def patient(who: int, rng: np.random.Generator) -> tuple[list[Row], list[dict]]:
    """The rows of one patient in MEDS order, and a label for each admission: glucose and metformin follow diabetes."""
    born = datetime(1940, 1, 1) + timedelta(days=int(rng.integers(0, 20_000)))
    rows: list[Row] = [(who, None, f"GENDER//{'FM'[who % 2]}", None), (who, None, f"RACE//{who % 3}", None)]
    rows.append((who, born, BIRTH, None))
    diabetic, labels, day = rng.random() < 0.4, [], born + timedelta(days=365 * 40)
    for visit in range(int(rng.integers(1, 5))):
        day += timedelta(days=int(rng.integers(20, 400)))
        septic = rng.random() < 0.3
        rows.append((who, day, WARDS[int(rng.integers(3))], None))
        rows += [(who, day, DIABETES, None)] * (diabetic and visit == 0) + [(who, day, SEPSIS, None)] * septic
        for hour in range(int(rng.integers(2, 8))):
            when = day + timedelta(hours=4 * hour + 4)
            rows.append((who, when, OTHERS[int(rng.integers(6))], None))
            if diabetic:
                rows += [(who, when, GLUCOSE, float(rng.normal(190, 20))), (who, when, METFORMIN, None)]
            rows.append((who, when, LACTATE if septic else CREATININE, float(rng.normal(2, 0.4))))
        stay = {"time": day + timedelta(hours=4), "dies": bool(septic and rng.random() < 0.7), "ward": WARDS[visit % 3]}
        labels.append({"subject_id": who, "days": float(rng.gamma(2, 2)), "visit": visit, **stay})
    if labels[-1]["dies"]:
        rows.append((who, rows[-1][1] + timedelta(hours=1), DEATH, None))
    return rows, labels


def build(folder: Path, n: int = 200, seed: int = 0) -> Path:
    """Write the data set into `folder`, its label tables into `folder`/../tasks; returns `folder`.

    Six patients in ten are `train`, the others `tuning` and `held_out`.
    """
    rng = np.random.default_rng(seed)
    ids = (rng.permutation(n) + 10_000_000).tolist()  # neither from 0 nor in order
    records = {who: patient(who, rng) for who in ids}
    cuts = {"train/0": ids[: int(0.3 * n)], "train/1": ids[int(0.3 * n) : int(0.5 * n)]}
    cuts |= {"tuning/0": ids[int(0.5 * n) : int(0.75 * n)], "held_out/deep/0": ids[int(0.75 * n) :]}
    for place, (name, members) in enumerate(cuts.items()):
        rows = [row for who in members for row in records[who][0]]
        _shard(folder / "data" / f"{name}.parquet", rows, place)
    _shard(folder / "data" / "train" / "2.parquet", [], 0)
    _metadata(folder / "metadata", {name.split("/")[0]: [] for name in cuts}, cuts)
    _labels(folder.parent / "tasks", [label for who in ids for label in records[who][1]])
    return folder


def _shard(path: Path, rows: list[Row], style: int) -> None:
    """A shard in one of four styles: as the schema says; dictionary codes and zoned ns times; plain and static rows last."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if style == 2:  # as pandas sorts: rows without a time behind the others
        rows = sorted(rows, key=lambda row: (row[0], row[1] is None, row[1] or datetime.min))
    who, when, code, value = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [], [])
    columns = {
        "subject_id": pa.array(who, pa.int64()),
        "time": pa.array(when, pa.timestamp("us")),
        "code": pa.array(code, pa.string()),
        "numeric_value": pa.array(value, pa.float32()),
    }
    if style == 1:
        columns["time"] = columns["time"].cast(pa.timestamp("ns")).cast(pa.timestamp("ns", "UTC"))
        columns["code"] = columns["code"].dictionary_encode()
        columns["hadm_id"] = pa.array(range(len(rows)), pa.int64())
    if style == 2:
        columns |= {"code": pa.array(code, pa.large_string()), "numeric_value": pa.array(value, pa.float64())}
        columns["text_value"] = pa.array(["a note"] * len(rows), pa.large_string())
    if style == 3:
        del columns["numeric_value"]
    pq.write_table(pa.table(columns), path)


def _metadata(folder: Path, members: dict[str, list[int]], cuts: dict[str, list[int]]) -> None:
    folder.mkdir(parents=True)
    for name, ids in cuts.items():
        members[name.split("/")[0]] += ids
    flat = [(who, split) for split, ids in members.items() for who in ids]
    splits = pl.DataFrame(flat, schema={"subject_id": pl.Int64, "split": pl.String}, orient="row")
    _write(splits, folder / "subject_splits.parquet")
    rows = [(code, name, [f"{code.split('//')[0]}//ANY"]) for code, name in NAMES.items()]
    rows += [(CREATININE, "Creatinine, serum", ["LOINC/2160-0"]), (CREATININE, "Creatinine", None)]
    rows += [(code, None, None) for code in [*OTHERS, *WARDS, DEATH, *(f"GENDER//{s}" for s in "FM")]]
    rows += [(f"RACE//{i}", None, []) for i in range(3)]  # GLUCOSE is missing from the table
    schema = {"code": pl.String, "description": pl.String, "parent_codes": pl.List(pl.String)}
    table = pl.DataFrame(rows, schema=schema, orient="row").with_columns(pl.lit(1).alias("code/n_occurrences"))
    table.write_parquet(folder / "codes.parquet")


def _labels(folder: Path, labels: list[dict]) -> None:
    """`dies` (boolean, two files), `days` (float), `ward` (text), `visit` (whole numbers): a row an admission."""
    table = pl.DataFrame(labels).rename({"time": "prediction_time"})
    for name, column in {"dies": "boolean", "days": "float", "ward": "categorical", "visit": "integer"}.items():
        task = table.select("subject_id", "prediction_time", pl.col(name).alias(f"{column}_value"))
        task = task.cast({pl.Float64: pl.Float32})
        (folder / name / "held_out").mkdir(parents=True)
        _write(task[::2], folder / name / "0.parquet")
        _write(task[1::2], folder / name / "held_out" / "0.parquet")


def _write(table: pl.DataFrame, path: Path) -> None:
    """Text as the standard's `string`, which polars would write as `large_string`."""
    arrow = table.to_arrow()
    kinds = [pa.string() if pa.types.is_large_string(kind) else kind for kind in arrow.schema.types]
    pq.write_table(arrow.cast(pa.schema(list(zip(arrow.column_names, kinds, strict=True)))), path)
