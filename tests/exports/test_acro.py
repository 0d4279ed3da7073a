"""ACRO as an oracle of threshold, dominance and p-ratio, and its results format; skipped where it cannot be imported."""

import json

import numpy as np
import pytest

from seqsae.disclosure.policy import NAMED, Policy
from seqsae.disclosure.rules import d1_reason, d4_dominated
from seqsae.errors import SeqsaeError
from seqsae.exports.acro_results import to_acro

DEFAULT = NAMED["default"]
LIKE_ACRO = Policy(name="acro", dominance_share=0.9, p_ratio=0.1)


pytestmark = pytest.mark.filterwarnings("ignore")  # what ACRO's own libraries warn of


def oracle():
    return pytest.importorskip(
        "acro", reason="ACRO pins pandas <= 2.3.3 and is not installed beside a newer one: masks were not compared"
    )


def cases():
    """Contributions of cells: even ones, dominated ones, few."""
    rng = np.random.default_rng(0)
    for n in (3, 9, 10, 11, 25, 60):
        yield rng.gamma(2.0, 1.0, n)
        yield rng.pareto(0.6, n) + 0.01
        yield np.r_[rng.random(n - 2), 40.0, 30.0]


def dominated(values):
    ordered = np.sort(values)[::-1]
    return d4_dominated(float(values.sum()), float(ordered[:2].sum()), float(ordered[0]), LIKE_ACRO)


def test_masks_agree_with_acros():
    acro = oracle()
    import pandas as pd

    table = pd.DataFrame([(f"{number:02d}", "x", one) for number, values in enumerate(cases()) for one in values])
    session = acro.ACRO()
    session.crosstab(table[0], table[1], values=table[2], aggfunc="mean")
    masks = session.results.get_index(0).sdc["cells"]
    flagged = {name: {row for row, _ in masks[name]} for name in ("MinimumThresholdCheck", "NKCheck", "PPercentCheck")}
    for number, values in enumerate(cases()):
        few = d1_reason(len(values), len(values), LIKE_ACRO) is not None
        assert few == (number in flagged["MinimumThresholdCheck"]), values
        assert dominated(values) == (number in flagged["NKCheck"] | flagged["PPercentCheck"]), values
    assert all(0 < len(rows) < number for rows in flagged.values())


def release(folder):
    (folder / "tables").mkdir(parents=True)
    (folder / "tables" / "small.csv").write_text("name,subjects\na,20\n")
    entry = {
        "id": "small",
        "file": "tables/small.csv",
        "unit": "level",
        "rules": ["D1"],
        "what": "a table",
        "min_subjects": 10,
    }
    policy = DEFAULT.model_dump(mode="json")
    (folder / "manifest.json").write_text(json.dumps({"policy": policy, "datasets": [entry]}))
    return folder


def test_a_release_becomes_an_acro_results_folder(tmp_path):
    oracle()
    found = json.loads(to_acro(release(tmp_path / "release"), tmp_path / "acro").read_text())
    (one,) = [one for one in found["results"].values() if one["comments"] == ["a table"]]
    assert one["status"] == "review"
    assert (tmp_path / "acro" / one["files"][0]["name"]).is_file()


def test_what_is_no_release_is_told_and_so_is_a_missing_acro(tmp_path, monkeypatch):
    with pytest.raises(SeqsaeError, match="seqsae release"):
        to_acro(tmp_path, tmp_path / "acro")
    (tmp_path / "there").mkdir()
    with pytest.raises(SeqsaeError, match="something stands there"):
        to_acro(release(tmp_path / "release"), tmp_path / "there")
    monkeypatch.setitem(__import__("sys").modules, "acro", None)
    with pytest.raises(SeqsaeError, match="pip install 'seqsae\\[acro\\]'"):
        to_acro(tmp_path / "release", tmp_path / "acro")
