"""The release of a finished run, from its artefacts on the shelf, by the command line."""

import json
import shutil

import polars as pl
import pytest
from tests_support import edit_json, edit_table


@pytest.fixture
def run(cli, config_file, tmp_path):
    code, _, err = cli("run", config_file, "--out", tmp_path / "run")
    assert code == 0, err
    return tmp_path / "run"


def test_a_run_is_released_and_what_is_missing_is_told_in_a_line(cli, run, tmp_path):
    code, out, err = cli("release", run, "--policy", "dst")
    assert code == 0, out + err
    assert out.strip().splitlines()[-1] == f"release: {run / 'release'}"
    manifest = json.loads((run / "release" / "manifest.json").read_text())
    assert manifest["policy"]["name"] == "dst" and {"features", "tokens", "covariates"} <= {
        one["id"] for one in manifest["datasets"]
    }
    assert cli("audit", run / "release", "--run", run)[0] == 0
    ledger = json.loads((run / "ledger.json").read_text())
    assert len(ledger["released"]) == 1 and ledger["test_opened"]
    first = {path: path.read_bytes() for path in (run / "release").rglob("*.*")}
    assert cli("release", run, "--policy", "dst")[0] == 0
    assert first == {path: path.read_bytes() for path in (run / "release").rglob("*.*")}
    _shows_vignettes(cli, run, tmp_path / "vignettes.toml")
    code, _, err = cli("release", run, "--policy", "strict")
    assert code == 2 and "no policy named" in err and len(err.strip().splitlines()) == 1
    assert _without(cli, run, "maps") and _without(cli, run, "records") and _without(cli, run, "associations")
    assert cli("release", tmp_path / "nowhere")[0] == 2 and not (tmp_path / "nowhere").exists()
    _of_another_run(cli, run, next((run / "features").rglob("manifest.json")), "associations")
    _of_another_run(cli, run, next((run / "activations").rglob("manifest.json")), "features")
    path = next((run / "associations").rglob("associations.parquet"))
    edit_table(path, lambda table: table.head(3))
    code, _, err = cli("release", run)
    assert code == 2 and "associations.parquet" in err


def _shows_vignettes(cli, run, path):
    who = 'author = "A. Researcher"\nstatement = "of no record"\n'
    path.write_text(who + '[[vignette]]\nname = "Threes"\ntokens = ["CODE//3", "CODE//3", "CODE//1"]\n')
    code, out, err = cli("release", run, "--policy", "dst", "--vignettes", path)
    assert code == 0, out + err
    assert "Threes" in (run / "release" / "tables" / "vignettes.csv").read_text()
    (entry, *_) = [
        one
        for one in json.loads((run / "release" / "manifest.json").read_text())["datasets"]
        if one["id"] == "vignettes"
    ]
    assert entry["authored"] == {"author": "A. Researcher", "statement": "of no record"}
    events = pl.read_parquet(run / "records" / "events.parquet").filter(pl.col("subject") == 0)
    path.write_text(path.read_text().replace('["CODE//3", "CODE//3", "CODE//1"]', json.dumps(events["code"].to_list())))
    code, _, err = cli("release", run, "--vignettes", path)
    assert code == 2 and "D11" in err
    path.write_text('author = "A"\n[[vignette]]\nname = "x"\ntokens = ["a"]\n')
    code, _, err = cli("release", run, "--vignettes", path)
    assert code == 2 and "statement" in err


def _of_another_run(cli, run, manifest, told):
    """An artefact that is whole and not the one that the next was made from is named in one line."""
    text = manifest.read_text()
    edit_json(manifest, lambda document: document["versions"].update(seqsae="0.0.0"))
    code, _, err = cli("release", run)
    assert code == 2 and told in err and "was not made from" in err and len(err.strip().splitlines()) == 1, err
    manifest.write_text(text)


def _without(cli, run, name):
    """Whether the release of a run that lacks an artefact is refused in one line that says what to do."""
    shutil.move(run / name, run / f"{name}.away")
    code, _, err = cli("release", run)
    shutil.move(run / f"{name}.away", run / name)
    return code == 2 and name in err and len(err.strip().splitlines()) == 1
