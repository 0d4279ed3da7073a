"""What each covariate is (covariates.schema.json) and why it varies (its status in truth.json)."""

from synthetic_lives.codes import JURY
from synthetic_lives.world import World

HEALTH = ["poor", "fair", "good", "excellent"]
HOUSING = ["owner", "renter", "cooperative", "other"]
LICENCE = ["none", "car", "lorry"]
BLOOD = ["A", "B", "AB", "O"]
DECILES = [f"D{d}" for d in range(1, 11)]

SURVIVAL = {
    "time": "nursing_home_time", "event": "nursing_home_event", "entry": "nursing_home_entry",
    "competing": "nursing_home_competing", "unit": "years", "origin": "record_end",
}  # fmt: skip

TIMES = ("time", "event", "entry", "competing")
AFTERWARDS = {"self_rated_health", "hospital_days", "loneliness", *(SURVIVAL[key] for key in TIMES)}
"""Columns of what comes after the record: null for whom it ends by death or emigration."""
NURSING_HOME = (
    "Moved into a nursing home: event true; competing true: died first; both false: not yet when follow-up closed, after `time` years "
    "from the end of the record, of which the first `entry` years were not seen; null if the record ends by death or emigration"
)
FIELDS = ("name", "type", "role", "level", "positive", "order", "within", "description", "unit")


def _field(name: str, kind: str, description: str, role: str = "target", **more) -> dict:
    """A line of covariates.schema.json; what is not given is null, `within` is empty."""
    given = {"name": name, "type": kind, "role": role, "level": "subject", "description": description}
    entry = given | {"within": []} | more
    own = {key: more[key] for key in (*TIMES, "origin")} if "time" in more else {}
    return {field: entry.get(field) for field in FIELDS} | own


SCHEMA = [
    _field("age_at_last_event", "continuous", "Age at the last event", "confounder", unit="years"),
    _field("n_events", "continuous", "Events on record after birth", "confounder", unit="events"),
    _field("sex", "binary", "Sex", "confounder", positive="female"),
    _field("early_exit", "binary", "Left the labour market early", positive="yes"),
    _field("housing", "categorical", "How the person is housed at the end of the record"),
    _field("debt_level", "continuous", "Debt at the end of the record", unit="1,000 kroner, log"),
    _field("self_rated_health", "ordinal", "Answer in a survey at the end of the record", order=HEALTH),
    _field("hospital_days", "continuous", "Days in hospital after the record", unit="days, log"),
    _field("loneliness", "continuous", "Score in a survey at the end of the record", unit="points"),
    _field("smoker", "binary", "Smokes at the end of the record", positive="yes"),
    _field("liver_registry", "binary", "Stands in a registry of rare liver disease", positive="yes"),
    _field("reading_glasses", "binary", "Owns reading glasses", positive="yes"),
    _field("administrative_cost", "continuous", "Cost of keeping the record", unit="kroner"),
    _field("licence", "categorical", "Kind of driving licence"),
    _field("shoe_size", "continuous", "Size of shoes, European", unit="points"),
    _field("nursing_home", "survival", NURSING_HOME, **SURVIVAL),
    _field(
        "called_for_jury", "binary", "Called to a jury after 2016-01-01; null without a later event", positive="yes"
    ),
    _field("heating_bill", "continuous", "Paid for heating, much alike within a household", unit="1,000 kroner"),
    _field("ever_fractured_arm", "binary", "A forearm fracture stands in the record", positive="yes"),
    _field("last_income_decile", "ordinal", "Decile of the last income, null without one", order=DECILES),
    _field("coin", "binary", "A fair coin", "negative-control", positive="heads"),
    _field("blood_group", "categorical", "Drawn blindly for each person", "negative-control"),
    _field("lottery", "continuous", "Drawn blindly for each person", "negative-control", unit="points"),
]


def _caused(*concepts: str) -> dict:
    return {"status": "caused", "concepts": list(concepts), "confounders": []}


def _confounded(*confounders: str) -> dict:
    return {"status": "confounded-by", "concepts": [], "confounders": list(confounders)}


def _read(*codes: str) -> dict:
    return {"status": "readable-from-token", "concepts": [], "confounders": [], "tokens": list(codes)}


def _without(status: str, *tokens: str) -> dict:
    return {"status": status, "concepts": [], "confounders": []} | ({"tokens": list(tokens)} if tokens else {})


def columns() -> list[str]:
    """The columns of covariates.parquet: one a covariate, and for a survival the four that it names instead."""
    found = ["subject_id"]
    for entry in SCHEMA:
        found += [entry[key] for key in TIMES] if entry["type"] == "survival" else [entry["name"]]
    return found


def decile(code: str) -> int | None:
    """The decile that an income code states: INCOME//D1 to D10, or a quantile INCOME//1 to INCOME//98."""
    if not code.startswith("INCOME//"):
        return None
    last = code.removeprefix("INCOME//")
    return int(last[1:]) if last[0] == "D" else (int(last) - 1) * 10 // 98 + 1


def status(world: World) -> dict[str, dict]:
    """Why each target varies. Age, length and sex are not listed: they are what others are confounded by."""
    incomes = [code for code in world.vocabulary.codes if decile(code)]
    return {
        "early_exit": _caused("manual_then_back"),
        "housing": _caused(world.uprooted, "low_class"),
        "debt_level": _caused("unemployed"),
        "self_rated_health": _caused("depressed", "frail"),
        "hospital_days": _caused("diabetes", "heart_disease"),
        "loneliness": _caused("depressed_while_unemployed", world.uprooted),
        "smoker": _caused("risk_taking"),
        "liver_registry": _caused("rare_metabolism"),
        "nursing_home": _caused("heart_disease", "diabetes", "frail"),
        "reading_glasses": _confounded("age_at_last_event"),
        "administrative_cost": _confounded("n_events"),
        "licence": _confounded("age_at_last_event"),
        "shoe_size": _confounded("sex"),
        "ever_fractured_arm": _read("DIAG//S52"),
        "last_income_decile": _read(*incomes),
        "called_for_jury": _without("leaking", JURY),
        "heating_bill": _without("household"),
        "coin": _without("null"),
        "blood_group": _without("null"),
        "lottery": _without("null"),
    }
