"""What stands in a run's records is found wherever it turns up in a release, and is not repeated in what the audit says."""

import base64
import json

import polars as pl
import pytest
from exports.audit.made import Made, chart

from seqsae.disclosure.policy import NAMED
from seqsae.exports.audit import audit
from seqsae.exports.audit.known import known_of

N = 400
CANARY = "CANARY-7731"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run folder with one subject that no release may tell: an id, a code and a level of its own, far values."""
    folder = tmp_path_factory.mktemp("run")
    records, features = folder / "records", folder / "features" / "sae" / "full"
    records.mkdir()
    features.mkdir(parents=True)
    subjects = pl.DataFrame(
        {"subject": range(N), "subject_id": [CANARY, *(f"ID{100_000 + 7 * n}" for n in range(1, N))]}
    )
    subjects = subjects.with_columns(cluster=pl.format("household-{}", pl.col("subject") // 2))
    subjects.write_parquet(records / "subjects.parquet")
    pl.DataFrame({"subject": range(N), "split": ["train"] * 200 + ["test"] * 200}).write_parquet(
        records / "splits.parquet"
    )
    codes = ["RARE//ZZ9", "a rare code of words", *(["DIAG//F43"] * 199), *(["JOB//A"] * 199)]
    pl.DataFrame({"subject": range(N), "code": codes}).write_parquet(records / "events.parquet")
    income = pl.Series([987_654.25, *(float(100 * n) for n in range(1, N))])
    town = ["Lilliput", *(["north"] * 199), *(["south"] * 200)]
    pl.DataFrame({"subject": range(N), "income": income, "town": town}).write_parquet(records / "covariates.parquet")
    pl.DataFrame({"feature": [3, 5], "max": [41.27, 3.0]}).write_parquet(features / "profile.parquet")
    return folder


def with_note(text):
    return lambda made: made.files.update({"release_notes.txt": text.encode()})


LEAKS = {
    "an id in a note": ("D13", with_note("ID100700 is in it")),
    "an id in a page": ("D13", lambda made: made.page.update(body=f"<b>{CANARY}</b>")),
    "an id in a comment": ("D13", lambda made: made.page.update(body=f"<!--{CANARY}-->")),
    "an id in a script": ("D13", lambda made: made.page.update(head=f"<style>.{CANARY} {{}}</style>")),
    "an id escaped": ("D13", lambda made: made.page.update(body="<b>&#67;ANARY-7731</b>")),
    "an id in base64": (
        "D13",
        lambda made: made.data.update(x=base64.b64encode(f"{CANARY} {'.' * 1200}".encode()).decode()),
    ),
    "an id in other letters and digits": ("D13", with_note("\uff43anary-\uff17731")),
    "an id of a cluster": ("D13", lambda made: made.data.update(x="household-100")),
    "an id in the manifest": ("D13", lambda made: made.extra.update(levels={"what": f"without {CANARY}"})),
    "a rare code": ("D10", lambda made: made.set("tokens", 0, "token", "RARE//ZZ9")),
    "a rare code of words": ("D10", lambda made: made.set("tokens", 0, "token", "a rare code of words")),
    "a rare level": ("D10", lambda made: made.page.update(body="<p title='Lilliput'>x</p>")),
    "a largest value": ("D5", with_note("up to 987654.25")),
    "a largest value, rounded": ("D5", with_note("up to 987700")),
    "a largest activation": ("D5", lambda made: made.data.update(x="41.27")),
}


@pytest.fixture(scope="module")
def leaks(run, tmp_path_factory):
    """Name of a leak to what the audit finds."""
    found = {}
    for name, (_, spoil) in LEAKS.items():
        made = Made()
        made.data["charts"]["levels"] = chart([])
        spoil(made)
        found[name] = audit(made.write(tmp_path_factory.mktemp("leak")), run)
    return found


@pytest.mark.parametrize("name", LEAKS)
def test_a_leak_is_found_and_not_repeated(name, leaks):
    found = leaks[name]
    assert LEAKS[name][0] in {one.rule for one in found.violations}, found.text()
    assert not any(secret in found.text() for secret in (CANARY, "RARE//ZZ9", "Lilliput", "ID100700", "household-100"))


def test_the_clean_release_passes_beside_its_run(run, tmp_path):
    found = audit(Made().write(tmp_path), run)
    assert found.violations == () and any("identifiers, rare codes" in line for line in found.checked)


def test_as_many_rows_as_a_split_has_subjects_are_persons(run, tmp_path):
    made = Made()
    rows = [(f"row {number}", round(0.1 + 0.001 * number, 3)) for number in range(201)]
    made.add("scores", "item", "item:label score:statistic", rows, ["D7"])
    made.set("cohort", 0, "subjects", 700)
    assert {one.rule for one in audit(made.write(tmp_path / "alone")).violations} == set()
    assert {one.rule for one in audit(made.write(tmp_path / "beside"), run).violations} == {"D19"}


def test_secrets_are_held_as_salted_hashes(run):
    first, second = (known_of(run, NAMED["default"]) for _ in range(2))
    assert len(first) == len(second) >= N + 200
    assert not set(first.entries[0].hashes.tolist()) & set(second.entries[0].hashes.tolist())
    assert CANARY not in repr(first)


def test_of_public_data_only_identifiers_are_looked_up(run):
    assert {entry.rule for entry in known_of(run, NAMED["open"]).entries} == {"D13"}


def test_an_identifier_of_digits_is_told_from_a_count(run, tmp_path):
    """12,500 subjects are no identifier 12500; a note that says 12345 is one."""
    path = run / "records" / "subjects.parquet"
    kept = path.read_bytes()
    pl.read_parquet(path).with_columns(subject_id=pl.Series(range(12_200, 12_200 + N))).write_parquet(path)
    found = []
    for number, text in enumerate(("all 12,500 subjects", "see 12345", "<b>12345</b>")):
        made = Made()
        made.set("cohort", 0, "subjects", 12_500)
        made.page["body"] = f"<p>{text}</p>"
        found.append({one.rule for one in audit(made.write(tmp_path / str(number)), run).violations})
    path.write_bytes(kept)
    assert found == [set(), {"D13"}, {"D13"}]


def test_a_part_of_a_sequence_is_found(run, tmp_path):
    """Twelve residues in a row are somebody's; the same number of other letters are nobody's."""
    path = run / "records" / "sequences.parquet"
    pl.DataFrame({"subject": [0], "sequence": ["QVQLVQSGAEVKKPGASVKV"]}).write_parquet(path)
    rules = []
    for number, text in enumerate(("VQSGAEVKKPGA", "VQSGAEVKKPGG")):
        made = Made()
        made.page["body"] = f"<p>{text}</p>"
        rules.append({one.rule for one in audit(made.write(tmp_path / str(number)), run).violations})
    path.unlink()
    assert rules == [{"D11"}, set()]


def test_a_level_that_is_rare_here_and_common_there_is_no_secret(run, tmp_path):
    """`yes` is rare in one covariate; a parent code stands for its children."""
    records = run / "records"
    kept = {name: (records / name).read_bytes() for name in ("covariates.parquet", "events.parquet")}
    table = pl.read_parquet(records / "covariates.parquet")
    table = table.with_columns(rare=pl.Series(["supported"] * 3 + ["no"] * (N - 3)), common=pl.lit("supported"))
    table.write_parquet(records / "covariates.parquet")
    events = pl.read_parquet(records / "events.parquet")
    more = pl.DataFrame({"subject": [0], "code": ["JOB//A//1"]}, schema=events.schema)
    pl.concat([events.filter(pl.col("code") != "JOB//A"), more]).write_parquet(records / "events.parquet")
    pl.DataFrame({"code": ["JOB//A//1"], "description": ["a job"], "parent_codes": [["JOB//A"]]}).write_parquet(
        records / "code_table.parquet"
    )
    made = Made()
    passed = audit(made.write(tmp_path / "one"), run).passed
    made.page["body"] = "<td>a job</td>"
    rules = {one.rule for one in audit(made.write(tmp_path / "two"), run).violations}
    (records / "code_table.parquet").unlink()
    for name, content in kept.items():
        (records / name).write_bytes(content)
    assert passed and rules == {"D10"}


def fingerprint(subjects) -> str:
    """Two subjects a cluster; of 8 bytes each."""
    return base64.b64encode(
        b"".join(n.to_bytes(8, "little") + (n // 2).to_bytes(8, "little") for n in subjects)
    ).decode()


@pytest.mark.parametrize(
    "second, told",
    [(range(400), False), (range(397), True), (range(370), False), (range(385), True), (range(3, 400), True)],
)
def test_two_listed_releases_of_nearly_the_same_people(second, told, run, tmp_path):
    """Of 400: the same, 3 fewer, 30 fewer; 15 fewer in 8 clusters."""
    listed = [{"cohorts": {"everybody": fingerprint(range(400))}}, {"cohorts": {"everybody": fingerprint(second)}}]
    (run / "ledger.json").write_text(json.dumps({"test_opened": [], "released": listed}))
    rules = {one.rule for one in audit(Made().write(tmp_path), run).violations}
    (run / "ledger.json").unlink()
    assert rules == ({"D14"} if told else set())


@pytest.mark.parametrize(
    "text", ["", "[]", '{"released": [{}]}', '{"released": [{"cohorts": {"a": "AAAA"}}]}', '{"released": 3}']
)
def test_a_ledger_that_cannot_be_read_is_a_finding(text, run, tmp_path):
    (run / "ledger.json").write_text(text)
    rules = {one.rule for one in audit(Made().write(tmp_path), run).violations}
    (run / "ledger.json").unlink()
    assert rules == {"D14"}
