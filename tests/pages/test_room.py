"""The report of a small study: what was asked of it is on the page, and a change of any of it makes the page anew."""

import json
import re

import polars as pl
import pytest
from pages import made_up

import seqsae
from seqsae import shelf
from seqsae.associations.concept_room import Concepts
from seqsae.errors import SeqsaeError
from seqsae.faithfulness.room import Faithful
from seqsae.pages.room import report


def shelved(folder, kind: str, tables: dict, document: dict | None = None) -> shelf.Artefact:
    """An artefact that holds the tables."""

    def write(work):
        for name, table in tables.items():
            shelf.write_table(work / f"{name}.parquet", table)
        if document is not None:
            shelf.write_json(work / "faithfulness.json", document)

    return shelf.stage(folder, kind, {"tables": sorted(tables), "n": sum(map(len, tables.values()))}, {}, write)


def faithful_of(folder, features: list[int]) -> Faithful:
    used = made_up.used()
    names = ("recovered", "tokens", "attribution")
    tables = {name: getattr(used, name) for name in names} | {"effects": made_up.effects(features)}
    return Faithful(shelved(folder, "faithfulness", tables, used.summary))


def data_of(path) -> dict:
    text = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])


@pytest.fixture
def study(config_file, tmp_path):
    return seqsae.run(config_file, out=tmp_path / "run")


def test_the_page_holds_what_it_is_given_and_follows_it(study, tmp_path):
    told, out = study.told, tmp_path / "page"
    bare = data_of(report(told, saes=study.saes, out=out))
    assert "used" not in bare and "annotated" not in bare and "layers" not in bare
    text = (out / "index.html").read_text(encoding="utf-8")
    for said in (
        "<h3>how ties are judged</h3>",
        "The test split was opened <b>once</b>",
        "What this report cannot say",
        'id="controls-table"',
    ):
        assert said in text

    scored = {"annotated": made_up.concepts(), "pairs": made_up.pairs(), "matches": made_up.matches()}
    artefact = shelved(tmp_path / "concepts", "concepts", scored | {"patterns": made_up.patterns(32)})
    asked = {
        "faithful": faithful_of(tmp_path / "faithful", [0, 2]),
        "concepts": Concepts(artefact, told.encoded, told.covariates, 0),
        "layers": made_up.layers(),
    }
    path = report(told, saes=study.saes, out=out, **asked)
    data = data_of(path)
    assert sorted(set(data["used"]["effects"]["feature"])) == [0, 2]
    assert data["annotated"]["matches"]["concepts_matched"] == [2, 0, 0, 3, 3, 1]
    assert data["layers"]["rows"]["site"] == made_up.layers()["site"].to_list()
    assert asked["faithful"].artefact.hash[:16] in path.read_text(encoding="utf-8")

    assert data["portraits"]["bars"] and data["portraits"]["seeds"]
    tables = report(told, saes=study.saes, out=out, format="csv", **asked)
    assert tables == tmp_path / "page-csv" and {"used_effects.csv", "portraits_tracks.csv"} <= {
        one.name for one in tables.iterdir()
    }

    made = path.stat().st_mtime_ns
    report(told, saes=study.saes, out=out, **asked)
    assert path.stat().st_mtime_ns == made  # kept
    other = asked | {"faithful": faithful_of(tmp_path / "other", [0, 2, 9])}
    assert sorted(set(data_of(report(told, saes=study.saes, out=out, **other))["used"]["effects"]["feature"])) == [
        0,
        2,
        9,
    ]
    fewer = asked | {"layers": made_up.layers(2)}
    assert len(data_of(report(told, saes=study.saes, out=out, **fewer))["layers"]["rows"]["site"]) == 2

    with pytest.raises(SeqsaeError, match="layers"):
        report(told, out=out, layers=pl.DataFrame({"site": ["a"]}))
