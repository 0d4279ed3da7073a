"""Every covariate has the status that truth.json states."""

import json

import numpy as np
import polars as pl
import pytest

CAUSED = [
    ("early_exit", "manual_then_back"), ("housing", "divorce_then_move"), ("housing", "low_class"),
    ("debt_level", "unemployed"), ("self_rated_health", "depressed"), ("self_rated_health", "frail"),
    ("hospital_days", "diabetes"), ("hospital_days", "heart_disease"), ("smoker", "risk_taking"),
    ("loneliness", "depressed_while_unemployed"), ("loneliness", "divorce_then_move"),
    ("liver_registry", "rare_metabolism"),
]  # fmt: skip


@pytest.fixture(scope="module")
def table(lives) -> pl.DataFrame:
    """The covariates, every column a number, and beside them whether each concept ever held."""
    covariates = pl.read_parquet(lives / "covariates.parquet")
    fields = json.loads((lives / "covariates.schema.json").read_text())["covariates"]
    columns = [covariates["subject_id"]] + [_numbers(covariates[field["name"]], field) for field in fields]
    spans = pl.read_parquet(lives / "truth_spans.parquet")
    ever = spans.group_by("subject_id").agg(pl.col("concept").unique())
    out = pl.DataFrame(columns).join(ever, on="subject_id", how="left", maintain_order="left")
    names = spans["concept"].unique(maintain_order=True)
    had = pl.col("concept").list
    return out.with_columns(had.contains(name).fill_null(False).alias(name) for name in names)


def _numbers(column: pl.Series, field: dict) -> pl.Series:
    """0 or 1 for a binary, the rank for an ordinal; for a categorical, is it one chosen value?"""
    if field["type"] == "continuous":
        return column
    if field["type"] == "ordinal":
        rank = {value: float(i) for i, value in enumerate(field["order"])}
        return column.replace_strict(rank, default=None, return_dtype=pl.Float64)
    chosen = {"housing": "renter", "licence": "lorry", "blood_group": "A"}
    positive = field["positive"] or chosen[column.name]
    return (column == positive).cast(pl.Float64)


def z(x: np.ndarray, y: np.ndarray, strata: np.ndarray) -> float:
    """Association of x and y within strata as a standard normal number (Mantel's score test)."""
    total = variance = 0.0
    for stratum in np.unique(strata):
        a, b = x[strata == stratum], y[strata == stratum]
        if len(a) < 2:
            continue
        total += ((a - a.mean()) * (b - b.mean())).sum()
        variance += ((a - a.mean()) ** 2).sum() * ((b - b.mean()) ** 2).sum() / (len(a) - 1)
    return total / np.sqrt(variance)


def marginal(table: pl.DataFrame, covariate: str, concept: str) -> float:
    y, x = table[covariate].to_numpy(), table[concept].to_numpy().astype(float)
    return z(x, y, np.zeros(len(x)))


def concepts(lives) -> list[str]:
    return [concept["name"] for concept in json.loads((lives / "truth.json").read_text())["concepts"]]


def test_the_schema_names_every_column_and_the_truth_every_target(lives):
    covariates = pl.read_parquet(lives / "covariates.parquet")
    fields = json.loads((lives / "covariates.schema.json").read_text())["covariates"]
    truth = json.loads((lives / "truth.json").read_text())
    assert covariates.columns == ["subject_id", *(field["name"] for field in fields)]
    assert covariates["subject_id"].is_unique().all()
    told = {entry["name"]: entry["status"] for entry in truth["covariates"]}
    assert set(told) == {field["name"] for field in fields if field["role"] != "confounder"}
    null = {name for name, status in told.items() if status == "null"}
    assert null == {field["name"] for field in fields if field["role"] == "negative-control"}
    caused = [entry for entry in truth["covariates"] if entry["status"] == "caused"]
    assert set(CAUSED) == {(entry["name"], concept) for entry in caused for concept in entry["concepts"]}


@pytest.mark.parametrize(("covariate", "concept"), CAUSED)
def test_caused_covariates_go_with_their_concepts_at_equal_age_and_length(table, covariate, concept):
    strata = _bins(table["age_at_last_event"], 8) * 8 + _bins(table["n_events"], 8)
    x, y = table[concept].to_numpy().astype(float), table[covariate].to_numpy()
    assert abs(z(x, y, strata)) > 5


@pytest.mark.parametrize("covariate", ["coin", "blood_group", "lottery"])
def test_noise_goes_with_nothing_beyond_chance(lives, table, covariate):
    sizes = [abs(marginal(table, covariate, concept)) for concept in concepts(lives)]
    assert max(sizes) < 3.5  # 26 tests: one in eighty seeds would pass it by chance


@pytest.mark.parametrize(
    ("covariate", "confounder"),
    [
        ("reading_glasses", "age_at_last_event"),
        ("administrative_cost", "n_events"),
        ("licence", "age_at_last_event"),
    ],
)
def test_confounded_covariates_go_with_concepts_through_the_confounder_only(lives, table, covariate, confounder):
    strata = _bins(table[confounder], 91)
    y = table[covariate].to_numpy()
    within = [abs(z(table[name].to_numpy().astype(float), y, strata)) for name in concepts(lives)]
    raw = [abs(marginal(table, covariate, name)) for name in concepts(lives)]
    assert max(raw) > 5
    assert max(within) < 3.5


def test_readable_covariates_are_read_from_the_codes_that_the_truth_names(lives):
    told = json.loads((lives / "truth.json").read_text())["covariates"]
    truth = {entry["name"]: entry for entry in told}
    covariates = pl.read_parquet(lives / "covariates.parquet")
    events = pl.read_parquet(lives / "data" / "0.parquet")
    arm = events.filter(pl.col("code").is_in(truth["ever_fractured_arm"]["tokens"]))["subject_id"]
    stated = covariates["ever_fractured_arm"] == "yes"
    assert (covariates["subject_id"].is_in(arm.implode()) == stated).all()
    incomes = events.filter(pl.col("code").is_in(truth["last_income_decile"]["tokens"]))
    last = dict(incomes.group_by("subject_id").agg(pl.col("code").last()).iter_rows())
    expected = [last[s].removeprefix("INCOME//") if s in last else None for s in covariates["subject_id"]]
    assert covariates["last_income_decile"].to_list() == expected


def _bins(column: pl.Series, n: int) -> np.ndarray:
    """[persons] which of n bins with about equally many persons."""
    values = column.to_numpy()
    return np.searchsorted(np.quantile(values, np.linspace(0, 1, n + 1)[1:-1]), values, side="right")
