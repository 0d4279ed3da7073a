"""What makes a release unreadable, unlisted or harmful is found, wherever it hides; broken files are findings, never a crash."""

import base64
import gzip
import json
import os
import zlib

import pytest
from exports.audit.made import OWN_SCRIPT, Made, chart, chunk, csp, png
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seqsae.errors import SeqsaeError
from seqsae.exports.audit import audit, reading
from seqsae.exports.audit.findings import MOST

MICRO = [{"person_no": number, "income": 100 * number} for number in range(200)]


def found_in(made: Made, folder) -> set[str]:
    found = audit(made.write(folder))
    assert all("\n" not in str(one) for one in found.violations)
    return {one.rule for one in found.violations}


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def test_a_folder_holds_what_its_manifest_lists(tmp_path):
    folder = Made().write(tmp_path / "release")
    (folder / "more.csv").write_text("a\n1\n")
    (folder / ".hidden.txt").write_text("x")
    (folder / "link.txt").symlink_to("/etc/hostname")
    os.link(folder / "map.png", folder / "again.png")
    (folder / "release_notes.txt").write_text("changed")
    (folder / "tables" / "ngrams.csv").unlink()
    found = {(one.place, one.rule) for one in audit(folder).violations}
    told = {"more.csv", ".hidden.txt", "link.txt", "again.png", "release_notes.txt", "tables/ngrams.csv"}
    assert {(place, "M1") for place in told} <= found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "[1, 2",
        '{"files": 3}',
        "\0",
        "null",
        '{"a": 1, "a": 2}',
        '{"a": NaN}',
        '{"files": [1, {"path": "../x"}]}',
    ],
)
def test_a_manifest_of_another_form_is_a_finding(text, tmp_path):
    folder = Made().write(tmp_path)
    (folder / "manifest.json").write_text(text)
    assert {"M1"} <= {one.rule for one in audit(folder).violations}


def test_no_manifest_is_a_finding_and_no_folder_an_error(tmp_path):
    assert [one.rule for one in audit(tmp_path).violations][:1] == ["M1"]
    with pytest.raises(SeqsaeError, match="no such folder"):
        audit(tmp_path / "nothing")
    with pytest.raises(SeqsaeError, match="give the run folder"):
        audit(tmp_path, tmp_path)


def rows_of_a_table(made):
    made.tables["levels"]["rows"].append(["sex", "X", 50, 0.25])
    made.extra["levels"] = {"n_rows": 5}


def another_column(made):
    made.extra["levels"] = {"columns": {"covariate": {"type": "string", "role": "label"}}}


HIDDEN = {
    "rows": lambda made: made.data.update(people=MICRO),
    "columns": lambda made: made.data.update(people={"a": list(range(50)), "b": list(range(50))}),
    "a list": lambda made: made.data.update(people=[number * 7 for number in range(50)]),
    "a matrix": lambda made: made.data.update(people=[[1, 2, 3]] * 20),
    "words": lambda made: made.data.update(people=[{"sex": "F", "job": "JOB//A"}] * 40),
    "numbers in a text": lambda made: made.data.update(people=", ".join(str(17 * number) for number in range(60)) + ","),
    "rows in the manifest": lambda made: made.manifest.update(more=MICRO),
    "rows in the manifest's entry of a table": lambda made: made.extra.update(levels={"more": MICRO}),
    "a chart's rows": lambda made: made.data["charts"].update(more=chart(MICRO)),
    "a chart's values": lambda made: made.data["charts"].update(more={"mark": "bar", "data": {"values": MICRO}}),
    "a chart's text": lambda made: made.data["charts"].update(more={"mark": "bar", "data": {"values": "a,b\n1,2"}}),
    "a changed cell": lambda made: made.data["charts"].update(more=chart([made.records("levels")[0] | {"subjects": 110}])),
    "base64": lambda made: made.data.update(blob=encoded(json.dumps(MICRO).encode())),
    "base64 in base64, packed": lambda made: made.data.update(blob=encoded(encoded(gzip.compress(json.dumps(MICRO * 30).encode())).encode())),
    "base64 in an attribute": lambda made: made.page.update(body=f'<div data-x="{encoded(json.dumps(MICRO).encode())}"></div>'),
    "base64 in a comment": lambda made: made.page.update(body=f"<!-- {encoded(json.dumps(MICRO).encode())} -->"),
    "bytes": lambda made: made.data.update(blob=encoded(bytes(range(128, 256)) * 20)),
    "a table": lambda made: made.page.update(body="<table><tr><td>17</td><td>918</td></tr></table>"),
    "more rows than listed": rows_of_a_table,
    "other columns than listed": another_column,
    "a data set that is not there": lambda made: made.extra.update(levels={"file": "report.html"}),
}  # fmt: skip


@pytest.mark.parametrize("name", HIDDEN)
def test_a_table_that_the_manifest_does_not_list_is_found(name, tmp_path):
    made = Made()
    HIDDEN[name](made)
    assert found_in(made, tmp_path) - {"D19", "D13"} == {"M2"}


def test_a_data_set_may_lie_in_the_page_alone(tmp_path):
    made = Made()
    made.data["verdicts"] = {"verdict": ["supported", "inconclusive"], "number": [4, 7]}
    columns = {"verdict": {"type": "string", "role": "label"}, "number": {"type": "integer", "role": "statistic"}}
    listed = {
        "id": "verdicts",
        "file": "report.html",
        "unit": "verdict",
        "n_rows": 2,
        "columns": columns,
        "min_subjects": 10,
        "rules": ["D7"],
        "what": "v",
    }
    assert found_in(made, tmp_path / "without") == {"M2"}
    made.manifest["datasets"] = [*(made.dataset(name) for name in made.tables), listed]
    assert found_in(made, tmp_path / "with") == set()


@pytest.mark.parametrize(
    "cell, harmful",
    [("=CMD()", True), ("+1+2", True), ("@SUM(A1)", True), ("-2+3", True), (" =1", True), ("\t=1", True), ("'=CMD()", False), ("a=b", False),
     ("-3.5", False)],
)  # fmt: skip
def test_no_cell_is_a_formula(cell, harmful, tmp_path):
    made = Made()
    made.data["charts"]["levels"] = chart([])
    made.set("levels", 3, "level", cell)
    assert found_in(made, tmp_path) == ({"M4"} if harmful else set())


def test_nasty_names_pass_where_they_are_harmless(tmp_path):
    made = Made()
    made.set("levels", 3, "level", "</script><img src=x onerror=alert(1)>'&\u202e")
    assert found_in(made, tmp_path) == set()


PAGES = {
    "an event": ("body", '<p onclick="go()">x</p>', "D16"),
    "a frame": ("body", '<iframe srcdoc="x"></iframe>', "D16"),
    "a form": ("body", '<form action="#"></form>', "D16"),
    "a link to a script": ("body", '<a href="java&#10;script:alert(1)">x</a>', "D16"),
    "a picture from elsewhere": ("body", '<img src="//host.org/a.png">', "D16"),
    "a style": ("body", '<p style="background: url(http://host.org)">x</p>', "D16"),
    "a style in escapes": ("head", "<style>p { background: \\75 rl(//host.org) }</style>", "D16"),
    "a style with a comment in it": ("head", "<style>@\\69mport 'x';</style>", "D16"),
    "rows behind the end": ("end", "17;93;44\n18;33;22", "M3"),
    "a refresh": ("head", '<meta http-equiv="refresh" content="0;x">', "D16"),
    "a drawing": ("body", '<img src="data:image/svg+xml;base64,PHN2Zy8+">', "D15"),
    "a picture with text": (
        "body",
        f'<img src="data:image/png;base64,{encoded(png(chunk(b"tEXt", b"subject 17")))}">',
        "D15",
    ),
    "a label": ("body", '<p aria-label="seen on 17 March 2016">x</p>', "D13"),
    "a title": ("body", '<p title="C:\\Users\\anna\\run">x</p>', "D13"),
    "a count": ("body", "<p>There are 7 subjects.</p>", "D1"),
    "n": ("body", "<p>It holds (n = 1,003).</p>", "D1"),
    "markup in a comment": ("body", "<!--><script type='text/plain'>1</script><!-- -->", "M3"),
    "a hash": ("body", f"<code>{'0a' * 20}</code>", "D13"),
}


@pytest.mark.parametrize("name", PAGES)
def test_every_corner_of_a_page_is_read(name, tmp_path):
    made = Made()
    where, html, rule = PAGES[name]
    made.page[where] = html
    assert rule in found_in(made, tmp_path)


@pytest.mark.parametrize(
    "call",
    ["fetch('/x')", "new WebSocket('x')", "navigator.sendBeacon('x')", "eval('1')", "const a = 'https://host.org'"],
)
def test_a_script_calls_nobody(call, tmp_path):
    made = Made()
    made.scripts = [OWN_SCRIPT + call]
    made.page["csp"] = csp(*made.scripts)
    assert found_in(made, tmp_path) == {"D16"}


def test_broken_files_are_findings(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "LARGEST", 2**20)
    whole = Made().html().encode()
    nested = b'{"a":' * 5000 + b"1" + b"}" * 5000
    broken = {
        "cut.html": whole[: len(whole) * 2 // 3],
        "nul.txt": b"a\0b",
        "latin.txt": "Ærø".encode("latin-1"),
        "large.txt": b"x" * (2**20 + 1),
        "line.csv": b"a,b\n" + b"x" * 500_000 + b",1\n",
        "quote.csv": b'a,b\n"1,2\n',
        "rows.csv": b"a,b\n1\n",
        "deep.html": whole.replace(b'{"title"', b'{"deep": ' + nested + b', "title"'),
        "empty.html": b"",
        "empty.csv": b"",
    }
    made = Made()
    made.files |= broken
    wrong = {one.place.split(":")[0] for one in audit(made.write(tmp_path)).violations if one.rule == "M3"}
    assert wrong == set(broken)


@pytest.mark.parametrize(
    "spoilt",
    [
        png(chunk(b"bKGD", b"subject 17, 93 years" * 20)),
        png().replace(
            chunk(b"IDAT", zlib.compress(b"\0\x80")), chunk(b"IDAT", zlib.compress(b"\0\x80") + b"subject 17")
        ),
        png().replace(chunk(b"IDAT", zlib.compress(b"\0\x80")), chunk(b"IDAT", zlib.compress(b"\0\x80" * 40))),
    ],
)
def test_a_picture_packs_its_dots_alone(spoilt, tmp_path):
    made = Made()
    made.files["map.png"] = spoilt
    assert found_in(made, tmp_path) == {"D15"}


def test_a_file_of_a_hundred_megabytes_is_not_read(tmp_path):
    folder = Made().write(tmp_path)
    os.truncate(folder / "report.html", 100 * 2**20)
    found = audit(folder)
    assert ("M3", "report.html") in {(one.rule, one.place) for one in found.violations}


def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("seqsae.exports.audit.blobs.LARGEST", 2**20)
    made = Made()
    made.data["blob"] = encoded(gzip.compress(b"0" * 2**22))
    assert found_in(made, tmp_path) == {"M3"}
    made = Made()
    made.files["manifest.json"] = b"["
    (folder := made.write(tmp_path / "deep"))
    (folder / "manifest.json").write_text("[" * 200_000)
    assert "M3" in {one.rule for one in audit(folder).violations}


def test_the_notes_describe_every_file(tmp_path):
    folder = Made().write(tmp_path)
    text = (folder / "release_notes.txt").read_text().replace("map.png", "a map")
    (folder / "release_notes.txt").write_text(text)
    assert "release_notes.txt: does not say what map.png holds" in audit(folder).text()


def test_a_site_asks_for_its_own_policy(tmp_path):
    """What was released as public, or for fewer subjects, does not pass where more is asked for."""
    made = Made()
    assert audit(made.write(tmp_path / "ten"), policy="dst").passed
    made.policy |= {"name": "dst", "min_subjects": 5, "min_clusters": 5}
    made.set("tokens", 2, "subjects", 5)
    five = made.write(tmp_path / "five")
    assert audit(five).passed and {one.rule for one in audit(five, policy="default").violations} == {"D1", "D10"}
    made.policy |= {"name": "open", "public": True, "min_subjects": 1, "min_clusters": 1, "round_to": 1}
    public = audit(made.write(tmp_path / "public"))
    assert public.passed and any("said to be public" in line for line in public.checked)
    assert {one.rule for one in audit(tmp_path / "public", policy="dst").violations} == {"D1"}
    with pytest.raises(SeqsaeError, match="no policy named"):
        audit(five, policy="strict")


def test_many_violations_are_told_in_few_lines(tmp_path):
    made = Made()
    made.add("long", "level", "level:label subjects:count", [(f"level {number}", 7) for number in range(200)])
    lines = audit(made.write(tmp_path)).violations
    assert len([one for one in lines if one.place.startswith("tables/long.csv")]) == MOST + 1


ODD = [
    None,
    [],
    {},
    -1,
    "x",
    True,
    1e308,
    {"a": 1},
    [1, [2]],
    "\ud800",
    10**400,
    {"labels": [["a"]], "count": "subjects"},
    "../x",
]


def places(document, path=()):
    """Every path into a document."""
    items = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in items:
        yield *path, key
        yield from places(value, (*path, key))


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    return Made().write(tmp_path_factory.mktemp("clean"))


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 10_000), st.sampled_from(ODD))
def test_no_manifest_makes_it_stumble(clean, at, odd):
    """Any entry of the manifest in the place of any other thing."""
    path = clean / "manifest.json"
    kept = path.read_text()
    document = json.loads(kept)
    *way, last = (paths := list(places(document)))[at % len(paths)]
    inside = document
    for key in way:
        inside = inside[key]
    inside[last] = odd
    path.write_text(json.dumps(document))
    found = audit(clean)
    path.write_text(kept)
    assert "could not be checked to its end" not in found.text() or odd == 10**400


def test_what_it_stumbles_over_does_not_pass(clean, monkeypatch):
    monkeypatch.setattr("seqsae.exports.audit.auditing.match", lambda *_: 1 / 0)
    [one] = audit(clean).violations
    assert one.rule == "M3" and "ZeroDivisionError" in one.what


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(["report.html", "tables/levels.csv", "manifest.json", "map.png"]),
    st.integers(0, 10_000),
    st.binary(max_size=12),
)
def test_no_change_of_bytes_makes_it_stumble(tmp_path_factory, name, at, inserted):
    folder = Made().write(tmp_path_factory.mktemp("fuzz"))
    content = (folder / name).read_bytes()
    at %= len(content)
    (folder / name).write_bytes(content[:at] + inserted + content[at + len(inserted) // 2 :])
    if inserted and (folder / name).read_bytes() != content and name != "manifest.json":
        assert not audit(folder).passed
    else:
        audit(folder)


def test_the_command_tells_and_exits(cli, tmp_path):
    made = Made()
    assert cli("audit", made.write(tmp_path / "clean"))[0] == 0
    made.set("associations", 0, "effect", 0.71234)
    code, out, _ = cli("audit", made.write(tmp_path / "spoilt"))
    assert code == 1 and out.splitlines()[0].startswith("D7 tables/associations.csv:2 effect: ")
    code, _, err = cli("audit", tmp_path / "none")
    assert code == 2 and len(err.splitlines()) == 1
