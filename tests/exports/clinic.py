"""A ragged clinical MEDS folder nobody generated for seqsae, with or without persons who must not be recognised in its profile."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

EVENTS = {"subject_id": pl.Int64, "time": pl.Datetime("us"), "code": pl.String, "numeric_value": pl.Float32}
COMMON = [f"DIAG//A{number}" for number in range(10)] + [f"MED//{number}" for number in range(6)]
COVARIATES = [
    {"name": "smoker", "type": "binary", "positive": "yes", "description": "free text CANARYTEXT of somebody"},
    {"name": "region", "type": "categorical", "role": "stratum"},
    {"name": "grade", "type": "ordinal", "order": ["low", "mid", "high", "CANARYTOP"]},
    {"name": "visits", "type": "ordinal"},
    {"name": "income", "type": "continuous", "unit": "EUR"},
    {"name": "risk", "type": "continuous", "role": "confounder"},
    {"name": "state", "type": "categorical", "level": "token"},
]
CANARIES = {
    "texts": ("CANARY", "XQZ"),
    "numbers": (987654.0, 123456.789, 31415.0, 1871.0, 7777.0),
    "first_id": 900_000_001,
}


def write(folder: Path, n: int = 260, canaries: int = 0, seed: int = 0) -> Path:
    """`n` patients, of whom the last `canaries` carry codes, values, categories, dates and identifiers of their own."""
    rng = np.random.default_rng(seed)
    odd = set(range(n - canaries, n))
    ids = [CANARIES["first_id"] + who if who in odd else 1000 + 7 * who for who in range(n)]
    rows = [row for who in range(n) for row in _patient(ids[who], who in odd, rng)]
    (folder / "data" / "deep").mkdir(parents=True)
    (folder / "metadata").mkdir()
    table = pl.DataFrame(rows, schema=EVENTS, orient="row")
    half = ids[n // 2]
    before = pl.col("subject_id").is_in(ids[: n // 2])
    assert half
    table.filter(before).write_parquet(folder / "data" / "0.parquet")
    table.filter(~before).write_parquet(folder / "data" / "deep" / "1.parquet")
    _write_beside(folder, ids, odd, table, rng)
    return folder


def _patient(name: int, odd: bool, rng: np.random.Generator) -> list[tuple]:
    """Rows of one patient: static ones, birth, and ragged visits of one to four codes; twins among the rows."""
    born = datetime(1871 if odd else int(rng.integers(1930, 1990)), 3, 1)
    rows = [(name, None, f"SEX//{'FM'[int(rng.integers(2))]}", None), (name, born, "MEDS_BIRTH", None)]
    if odd:
        rows.insert(0, (name, None, f"STATIC//CANARY{name}", None))
    when = datetime(1871 if odd else int(rng.integers(2001, 2012)), 5, 17, 13, 7)
    for _ in range(int(rng.integers(0, 14)) if not odd else 3):
        when += timedelta(hours=float(rng.gamma(1.0, 24.0 * 60)))
        for _ in range(int(rng.integers(1, 5))):
            rows.append((name, when, COMMON[int(rng.integers(len(COMMON)) * rng.random())], None))
        if rng.random() < 0.4:
            value = 987654.0 if odd else float(np.float32(rng.normal(6, 1)))
            rows.append((name, when, "LAB//CRP", value if rng.random() < 0.8 or odd else None))
        if rng.random() < 0.02:
            rows.append((name, when, f"DIAG//RARE{int(rng.integers(40))}", None))
        if odd:
            rows += [
                (name, when, "DIAG//CANARY", None),
                (name, when, f"XQZ//CANARY{name}", 31415.0),
                (name, when, "CANARYLONE", None),
            ]
    if rng.random() < 0.2 and len(rows) > 3:
        rows.append((name, when, "MEDS_DEATH", None))
    return rows


def _write_beside(folder: Path, ids: list[int], odd: set, table: pl.DataFrame, rng: np.random.Generator) -> None:
    n = len(ids)

    def column(common, canary):
        return [canary if who in odd else common[who] for who in range(n)]

    grade = rng.choice(["low", "mid", "high"], n).tolist()
    covariates = pl.DataFrame({
        "subject_id": ids,
        "smoker": [None if rng.random() < 0.15 else value for value in rng.choice(["yes", "no"], n).tolist()],
        "region": column(rng.choice(["north", "south", "east"], n, p=[0.5, 0.3, 0.2]).tolist(), "CANARYLAND"),
        "grade": column(grade, "CANARYTOP"),
        "visits": column(rng.integers(0, 5, n).tolist(), 7777),
        "income": column(np.exp(rng.normal(10, 0.3, n)).tolist(), 123456.789),
        "risk": column([None if rng.random() < 0.3 else value for value in rng.normal(0, 1, n).tolist()], 7777.0),
    })  # fmt: skip
    covariates.sample(fraction=1.0, shuffle=True, seed=1).write_parquet(folder / "covariates.parquet")
    (folder / "covariates.schema.json").write_text(json.dumps({"covariates": COVARIATES}))
    home = [f"CANARYHOME{ids[who]}" if who in odd else f"home-{who // 2 if who % 3 else who + n}" for who in range(n)]
    pl.DataFrame({"subject_id": ids, "cluster": home}).write_parquet(folder / "subjects.parquet")
    split = {name: ["train", "tuning", "held_out"][min(int(3 * rng.random()), 2)] for name in sorted(set(home))}
    pl.DataFrame({"subject_id": ids, "split": [split[name] for name in home]}).write_parquet(
        folder / "metadata/subject_splits.parquet"
    )
    _write_labels(folder, ids, odd, table, rng)
    spans = [
        (ids[who], 0, 1, "state", "CANARYSPAN" if who in odd else ["well", "ill"][who % 2]) for who in range(0, n, 1)
    ]
    kinds = {"subject_id": pl.Int64, "start": pl.Int64, "end": pl.Int64, "covariate": pl.String, "value": pl.String}
    pl.DataFrame(spans, schema=kinds, orient="row").write_parquet(folder / "annotations.parquet")


def _write_labels(folder: Path, ids: list[int], odd: set, table: pl.DataFrame, rng: np.random.Generator) -> None:
    dated = table.filter(pl.col("time").is_not_null() & (pl.col("code") != "MEDS_BIRTH"))
    first = dated.group_by("subject_id", maintain_order=True).agg(
        pl.col("time").get(pl.len() // 2).alias("prediction_time")
    )
    odd_ids = {ids[who] for who in odd}
    readmitted = first.with_columns(pl.Series("boolean_value", rng.random(len(first)) < 0.4))
    kinds = ["CANARYLABEL" if name in odd_ids else "ab"[name % 2] for name in first["subject_id"]]
    kind = first.with_columns(pl.Series("categorical_value", kinds))
    (folder / "labels").mkdir()
    for name, table in {"readmitted": readmitted, "kind": kind}.items():
        table.write_parquet(folder / "labels" / f"{name}.parquet")
