"""One release for each rule that breaks it and no other; the clean one breaks none."""

import json

import pytest
from exports.audit.made import OWN_SCRIPT, Made, chart, csp, png, safetensors

from seqsae.exports.audit import audit

SIGNED = {"signoff": {"name": "A. Steward", "statement": "These weights may leave."}}
PASSED = {"memorisation": {"auc_high": 0.53, "tpr_at_1_fpr": 0.012}}
HALVES = {"W_enc": ("F16", [4, 3]), "W_dec": ("F16", [3, 4]), "b_enc": ("F16", [3]), "b_dec": ("F16", [4])}


def small_count(made):
    made.set("cohort", 2, "subjects", 5)
    made.set("cohort", 1, "subjects", 395)


def small_rest(made):
    made.set("associations", 0, "n_positive", 195)


def one_hidden_cell(made):
    rows = [("north", "yes", 40), ("north", "no", 60), ("north", "total", 100), ("south", "yes", None), ("south", "no", 45), ("south", "total", 50),
            ("total", "yes", 45), ("total", "no", 105), ("total", "total", 150)]  # fmt: skip
    made.add("crossed", "level", "region:label smokes:label subjects:count", rows, ["D1", "D3"])


def untested_mean(made):
    made.add("income", "level", "region:label subjects:count mean_income:statistic", [("north", 100, 31000.0)])


def largest(made):
    made.add("costs", "level", "region:label subjects:count maximum:statistic", [("north", 100, 91200.0)])


def small_missing(made):
    made.set("levels", 2, "subjects", 5)
    made.set("levels", 2, "share", None)


def many_digits(made):
    made.set("associations", 0, "effect", 0.71234)


def thin_step(made):
    made.set("survival", 1, "events", 5)


def rare_feature(made):
    made.set("features", 2, "subjects_test", 15)


def rare_token(made):
    made.set("tokens", 2, "subjects", 5)


def sequences(made):
    made.add("tops", "feature", "feature:label sequence:text subjects:count", [(3, "BIRTH JOB//A DIAG//F43", 120)])


def map_of_persons(made):
    made.add("people", "person", "x:coordinate y:coordinate subjects:count", [(0.5, 1.5, 40), (1.0, 1.2, 25)])


def a_date(made):
    made.files["release_notes.txt"] += b"made after the visit of 2016-03-17\n"


def nearly_the_same(made):
    rows = [("everyone", 395), ("train", 200), ("test", 200)]
    made.add("cohort_again", "split", "split:label subjects:count", rows)


def a_loaded_chart(made):
    made.data["charts"]["levels"] = chart([]) | {"data": {"url": "tables/levels.csv"}}


def an_address(made):
    made.page["body"] += '<a href="https://example.org/more">more</a>'


def unsigned_weights(made):
    made.files["weights/sae.safetensors"] = safetensors(HALVES)


def untested_weights(made):
    made.files["weights/sae.safetensors"] = safetensors(HALVES)
    made.manifest["weights"] = SIGNED | {"memorisation": {"auc_high": 0.7, "tpr_at_1_fpr": 0.012}}


def a_row_a_person(made):
    rows = [(f"p{number}", round(0.001 * number + 0.1, 3)) for number in range(390)]
    made.add("scores", "item", "item:label score:statistic", rows, ["D7"])


def a_slice(made):
    rows = [("everyone", 395), ("train", 195), ("test", 200)]
    made.add("cohort_of_men", "split", "split:label subjects:count", rows)
    made.extra["cohort_of_men"] = {"slice": "men"}


BREAKS = {
    "D1": [small_count],
    "D2": [small_rest, lambda made: made.set("levels", 0, "share", 0.99), lambda made: made.set("levels", 0, "share", 0.531)],
    "D3": [one_hidden_cell],
    "D4": [untested_mean, lambda made: made.policy.update(dominance_share=1.0)],
    "D5": [largest, lambda made: made.set("when", 2, "high", 97), lambda made: made.data.update(run={"max_activation": 12})],
    "D6": [small_missing],
    "D7": [many_digits, lambda made: made.page.update(body="<p>The effect is 0.71234.</p>"), lambda made: made.policy.update(digits=6),
           lambda made: made.set("associations", 0, "p_test", 1e-20), lambda made: made.data.update(fvu=0.123456),
           lambda made: made.data.update(fvu="0.123456"), lambda made: made.set("features", 0, "x", 0.123456)],
    "D8": [thin_step, lambda made: made.tables["survival"]["columns"].update(events="label")],
    "D9": [rare_feature, lambda made: made.set("associations", 1, "feature", 7), lambda made: made.page.update(body='<a href="#feature-8">8</a>')],
    "D10": [rare_token],
    "D11": [sequences, lambda made: made.data.update(examples=["BIRTH", "JOB//A"]), lambda made: made.page.update(body=f"<p>{'EVQLVESGGG' * 3}</p>"),
            lambda made: made.set("ngrams", 0, "subjects", 5)],
    "D12": [map_of_persons, lambda made: made.set("persons", 1, "subjects", 5)],
    "D13": [a_date, lambda made: made.page.update(body="<!-- /home/anna/study/run.log -->"),
            lambda made: made.data.update(note="by anna@hospital.dk"), lambda made: made.page.update(head='<meta name="x" content="170316-1234">')],
    "D14": [nearly_the_same],
    "D15": [a_loaded_chart, lambda made: made.page.update(body="<svg><path d='M0 0L1 1'/></svg>"),
            lambda made: made.files.update({"map.svg": b"<svg/>"}), lambda made: made.files.update({"map.png": png(after=b"subject 17")})],
    "D16": [an_address, lambda made: made.page.update(csp=csp(OWN_SCRIPT) + "; connect-src *"), lambda made: made.page.update(csp=csp()),
            lambda made: made.page.update(csp=csp(OWN_SCRIPT).replace("'none'", "'self'", 1)), 
            lambda made: made.page.update(head="<style>@import 'x.css';</style>")],
    "D17": [unsigned_weights, lambda made: made.files.update({"sae.pt": b"weights"})],
    "D18": [untested_weights],
    "D19": [a_row_a_person, lambda made: made.tables["levels"].update(unit="person"), lambda made: made.files.update({"codes.parquet": b"PAR1"})],
    "D20": [a_slice],
}  # fmt: skip
CASES = [
    pytest.param(rule, spoil, id=f"{rule}-{number}")
    for rule, ones in BREAKS.items()
    for number, spoil in enumerate(ones)
]


def rules_of(made: Made, folder) -> set[str]:
    return {one.rule for one in audit(made.write(folder)).violations}


def test_the_clean_release_passes(tmp_path):
    found = audit(Made().write(tmp_path))
    assert found.violations == () and found.passed
    assert found.text().startswith("the audit found nothing against the release") and len(found.checked) >= 5


def test_every_rule_has_its_fixture():
    assert list(BREAKS) == [f"D{number}" for number in range(1, 21)]


@pytest.mark.parametrize("rule, spoil", CASES)
def test_a_breach_is_told_by_its_rule_alone(rule, spoil, tmp_path):
    made = Made()
    spoil(made)
    found = audit(made.write(tmp_path))
    assert {one.rule for one in found.violations} == {rule}, found.text()
    assert not found.passed
    one = found.violations[0]
    assert one.place and one.what and one.remedy and "\n" not in str(one)


def test_signed_and_tested_weights_may_go(tmp_path):
    made = Made()
    made.files["weights/sae.safetensors"] = safetensors(HALVES)
    made.manifest["weights"] = SIGNED | PASSED
    assert rules_of(made, tmp_path) == set()


@pytest.mark.parametrize(
    "content, rule",
    [
        (safetensors(HALVES | {"firing_counts": ("F16", [3])}), "D17"),
        (safetensors(HALVES | {"W_dec": ("F32", [3, 4])}), "D17"),
        (safetensors(HALVES, {"path": "here"}), "D17"),
        (safetensors(HALVES) + b"more", "D17"),
        (safetensors(HALVES | {"W_dec": ("F16", [8, 4])}), "D9"),
    ],
)
def test_weights_hold_the_released_directions_alone(content, rule, tmp_path):
    made = Made()
    made.files["weights/sae.safetensors"] = content
    made.manifest["weights"] = SIGNED | PASSED
    assert rules_of(made, tmp_path) == {rule}


def test_a_label_may_look_like_a_number(tmp_path):
    """A household of one, a diagnosis with a point, a drug of ten digits."""
    made = Made()
    for row, token in enumerate(("1 person", "250.01", "0409112345")):
        made.set("tokens", row, "token", token)
    assert rules_of(made, tmp_path) == set()


def test_public_data_may_have_small_counts(tmp_path):
    made = Made()
    made.policy |= {"name": "open", "public": True, "min_subjects": 1, "min_clusters": 1, "round_to": 1}
    made.set("cohort", 2, "subjects", 3)
    made.set("associations", 0, "effect", 0.71234)
    assert rules_of(made, tmp_path) == set()


def test_a_policy_below_the_floor_is_refused(tmp_path):
    made = Made()
    made.policy["min_subjects"] = 3
    found = audit(made.write(tmp_path))
    assert any(one.rule == "D1" and "policy.min_subjects" in one.place for one in found.violations)


def test_a_place_names_the_line_of_a_csv(tmp_path):
    made = Made()
    many_digits(made)
    [one] = audit(made.write(tmp_path)).violations
    assert one.place == "tables/associations.csv:2 effect" and json.dumps(str(one)).isascii()
