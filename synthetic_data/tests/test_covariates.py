"""Every covariate has the status that truth.json states."""

import json

import numpy as np
import polars as pl
import pytest

TIMES = ("time", "event", "entry", "competing")

CAUSED = [
    ("early_exit", "manual_then_back"), ("housing", "divorce_then_move"), ("housing", "low_class"),
    ("debt_level", "unemployed"), ("self_rated_health", "depressed"), ("self_rated_health", "frail"),
    ("hospital_days", "diabetes"), ("hospital_days", "heart_disease"), ("smoker", "risk_taking"),
    ("loneliness", "depressed_while_unemployed"), ("loneliness", "divorce_then_move"),
    ("liver_registry", "rare_metabolism"), ("nursing_home", "heart_disease"), ("nursing_home", "diabetes"), ("nursing_home", "frail"),
]  # fmt: skip


@pytest.fixture(scope="module")
def table(lives) -> pl.DataFrame:
    """The covariates, every column a number, and beside them whether each concept ever held."""
    covariates = pl.read_parquet(lives / "covariates.parquet")
    fields = json.loads((lives / "covariates.schema.json").read_text())["covariates"]
    columns = [covariates["subject_id"]] + [_numbers(covariates, field) for field in fields]
    spans = pl.read_parquet(lives / "truth_spans.parquet")
    ever = spans.group_by("subject_id").agg(pl.col("concept").unique())
    out = pl.DataFrame(columns).join(ever, on="subject_id", how="left", maintain_order="left")
    names = spans["concept"].unique(maintain_order=True)
    had = pl.col("concept").list
    return out.with_columns(had.contains(name).fill_null(False).alias(name) for name in names)


def _numbers(table: pl.DataFrame, field: dict) -> pl.Series:
    """0 or 1 for a binary, the rank for an ordinal; for a categorical, is it one chosen value? For a survival, was the event seen?"""
    if field["type"] == "survival":
        return table[field["event"]].cast(pl.Float64).alias(field["name"])
    column = table[field["name"]]
    if field["type"] == "continuous":
        return column
    if field["type"] == "ordinal":
        rank = {value: float(i) for i, value in enumerate(field["order"])}
        return column.replace_strict(rank, default=None, return_dtype=pl.Float64)
    chosen = {"housing": "renter", "licence": "lorry", "blood_group": "A"}
    positive = field["positive"] or chosen[column.name]
    return (column == positive).cast(pl.Float64)


def z(x: np.ndarray, y: np.ndarray, strata: np.ndarray) -> float:
    """Association of x and y within strata as a standard normal number (Mantel's score test), where y is known."""
    known = np.isfinite(y)
    x, y, strata = x[known], y[known], strata[known]
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
    named = [[field[key] for key in TIMES] if field["type"] == "survival" else [field["name"]] for field in fields]
    assert covariates.columns == ["subject_id", *(name for names in named for name in names)]
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
    strata = _bins(table[confounder], 181)
    y = table[covariate].to_numpy()
    within = [abs(z(table[name].to_numpy().astype(float), y, strata)) for name in concepts(lives)]
    raw = [abs(marginal(table, covariate, name)) for name in concepts(lives)]
    assert max(raw) > 5
    assert max(within) < 4.0  # 26 tests each: one seed in six hundred would pass it by chance


def test_readable_covariates_are_read_from_the_codes_that_the_truth_names(lives):
    told = json.loads((lives / "truth.json").read_text())["covariates"]
    truth = {entry["name"]: entry for entry in told}
    covariates = pl.read_parquet(lives / "covariates.parquet")
    events = pl.read_parquet(lives / "data" / "*.parquet")
    arm = events.filter(pl.col("code").is_in(truth["ever_fractured_arm"]["tokens"]))["subject_id"]
    stated = covariates["ever_fractured_arm"] == "yes"
    assert (covariates["subject_id"].is_in(arm.implode()) == stated).all()
    incomes = events.filter(pl.col("code").is_in(truth["last_income_decile"]["tokens"]))
    last = dict(incomes.group_by("subject_id", maintain_order=True).agg(pl.col("code").last()).iter_rows())
    expected = [last[s].removeprefix("INCOME//") if s in last else None for s in covariates["subject_id"]]
    assert covariates["last_income_decile"].to_list() == expected


def _bins(column: pl.Series, n: int) -> np.ndarray:
    """[persons] which of n bins with about equally many persons."""
    values = column.to_numpy()
    return np.searchsorted(np.quantile(values, np.linspace(0, 1, n + 1)[1:-1]), values, side="right")


def test_a_survival_has_entry_before_time_and_one_cause_at_most(lives):
    covariates = pl.read_parquet(lives / "covariates.parquet")
    time, event, entry, rival = (covariates[f"nursing_home_{key}"] for key in TIMES)
    assert (entry < time).all() and not (event & rival).any()
    closed = [
        column.is_null().to_list()
        for column in (time, event, entry, rival, covariates["hospital_days"], covariates["loneliness"])
    ]
    codes = pl.read_parquet(lives / "data" / "*.parquet").filter(
        pl.col("code").is_in(["MEDS_DEATH", "EMIGRATION//ABROAD"])
    )
    gone = covariates["subject_id"].is_in(codes["subject_id"].implode()).to_list()
    assert all(nulls == gone for nulls in closed) and 0 < sum(gone) < len(gone) / 2
    assert 0.1 < event.mean() < 0.9 and 0.05 < rival.mean() < 0.9 and not (event | rival).all()


def test_relatives_pay_alike_for_heating_and_nothing_else_goes_with_it(lives, table):
    told = pl.read_parquet(lives / "covariates.parquet").join(
        pl.read_parquet(lives / "subjects.parquet"), on="subject_id"
    )
    within = told.filter(pl.len().over("cluster") > 1).select(
        (pl.col("heating_bill") - pl.col("heating_bill").mean().over("cluster")).std()
    )
    assert within.item() < 0.6 * told["heating_bill"].std()
    assert {
        entry["name"]
        for entry in json.loads((lives / "truth.json").read_text())["covariates"]
        if entry["status"] == "household"
    } == {"heating_bill"}


def test_shoes_go_with_sex_alone(lives, table):
    y, sex = table["shoe_size"].to_numpy(), table["female"].to_numpy()
    others = [name for name in concepts(lives) if name not in ("female", "pregnancy_care")]
    assert max(abs(z(table[name].to_numpy().astype(float), y, sex)) for name in others) < 3.5
    assert abs(z(sex.astype(float), y, np.zeros(len(y)))) > 50


def test_nothing_before_2016_goes_with_the_leaking_covariate(lives):
    covariates = pl.read_parquet(lives / "covariates.parquet").drop_nulls("called_for_jury")
    early = pl.read_parquet(lives / "data" / "*.parquet").filter(pl.col("time").dt.year() < 2016)
    counts = early.filter(pl.col("subject_id").is_in(covariates["subject_id"].implode())).pivot(
        "code", index="subject_id", values="time", aggregate_function="len"
    )
    both = covariates.join(counts, on="subject_id", how="left").fill_null(0)
    y = (both["called_for_jury"] == "yes").to_numpy().astype(float)
    common = [code for code in counts.columns if "//" in code and both[code].sum() > 60]
    sizes = [abs(z(both[code].to_numpy().astype(float), y, np.zeros(len(y)))) for code in common]
    assert len(sizes) > 200 and max(sizes) < 4.5
