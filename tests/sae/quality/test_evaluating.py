import json

import jsonschema
import numpy as np
import pytest
import torch

from seqsae import schema
from seqsae.errors import SeqsaeError
from seqsae.plugins import find, offered
from seqsae.sae.base import Recipe, build
from seqsae.sae.quality.evaluating import evaluate_quality, read_quality
from seqsae.sae.quality.metrics import measure
from seqsae.sae.quality.shrinkage import base_of
from seqsae.sae.spec import Budget, Spec
from seqsae.sae.training.stream import ArrayStream
from seqsae.sae.training.train import train


@pytest.fixture(scope="module")
def trained(plant):
    torch.set_num_threads(1)
    planted = plant(d=32, directions=64, active=4, n=8_000)
    stream = ArrayStream(planted.rows[:6000], seed=0)
    sae = train(stream, "array", [Spec(96, 4, lr=3e-3)], Budget(150, 256)).saes[0]
    with torch.no_grad():
        sae.b_enc[:5] = -1e3  # dead
    return sae, planted.rows


def test_the_document_is_the_measures_of_the_held_out_rows(trained):
    sae, rows = trained
    before = {name: value.clone() for name, value in sae.state_dict().items()}
    found = evaluate_quality(sae, rows[6000:].split(300), lambda: rows[:6000].split(1000))
    known = measure(sae, [rows[6000:]])
    assert (found["rows"], found["l0"], found["dead"], found["dense"]) == (2000, known.l0, known.dead, known.dense)
    assert found["fvu"] == pytest.approx(known.fvu) and found["shrinkage"] == pytest.approx(known.shrinkage)
    assert sum(found["density"]["counts"]) == 96 and len(found["explained_by_dimension"]) == 32
    variance = rows[6000:].double().var(0).numpy()
    assert 1 - np.average(found["explained_by_dimension"], weights=variance) == pytest.approx(found["fvu"])
    dark = found["dark_matter"]
    assert dark["linear_fvu"] + dark["nonlinear_fvu"] == pytest.approx(found["fvu"])
    live = 96 - found["density"]["counts"][0]
    assert live <= 91
    assert found["decoder"]["latents"] == live == sum(found["decoder"]["nearest"]) == sum(found["decoder"]["encoder"])
    assert abs(found["privileged"]["kurtosis"] - found["privileged"]["chance"]) < 0.3  # random directions were planted
    assert all(torch.equal(value, before[name]) for name, value in sae.state_dict().items())


def test_the_document_does_not_depend_on_how_rows_are_cut_and_can_be_written(trained, tmp_path):
    sae, rows = trained
    one = evaluate_quality(sae, [rows[6000:]], [rows[:6000]])
    other = evaluate_quality(sae, rows[6000:].split(77), rows[:6000].split(513))
    for name in ("fvu", "l0", "shrinkage", "l2_ratio"):
        assert one[name] == pytest.approx(other[name], rel=1e-6)
    assert one["dark_matter"] == pytest.approx(other["dark_matter"], rel=1e-4)
    (tmp_path / "quality.json").write_text(json.dumps(one, allow_nan=False))
    assert read_quality(tmp_path) == one and read_quality(tmp_path / "none") is None
    (tmp_path / "quality.json").write_text("{")
    with pytest.raises(SeqsaeError, match="not a JSON document"):
        read_quality(tmp_path)
    (tmp_path / "quality.json").write_text(json.dumps({**one, "fvu": "good"}))
    with pytest.raises(SeqsaeError, match="fvu"):
        read_quality(tmp_path)


def test_without_rows_what_needs_them_is_null():
    sae = build(Recipe("topk", 4, 8, 2)).eval()
    found = evaluate_quality(sae, [])
    assert found["rows"] == 0
    for name in ("fvu", "l0", "dead", "dense", "shrinkage", "l2_ratio", "dark_matter", "privileged"):
        assert found[name] is None, name
    assert found["density"]["counts"] is None and found["decoder"]["latents"] == 8


def test_rows_that_do_not_vary_give_nulls_and_no_nan():
    sae = build(Recipe("topk", 9, 16, 2)).eval()
    found = evaluate_quality(sae, [torch.ones(20, 9)], [torch.ones(60, 9)])
    assert found["fvu"] is None and set(found["explained_by_dimension"]) == {None}
    assert "NaN" not in json.dumps(found)


@pytest.mark.parametrize("normalisation", ["layer-norm", "standardise", "whiten"])
def test_every_normalisation_is_measured(normalisation, planted):
    spec = Spec(48, 4, normalisation=normalisation)
    sae = train(ArrayStream(planted.rows[:2000], seed=0), "array", [spec], Budget(40, 256)).saes[0]
    found = evaluate_quality(sae, planted.rows[2000:3000].split(100), [planted.rows[:2000]])
    assert 0 < found["fvu"] < 1 and found["shrinkage"] > 0


def test_every_number_of_the_schema_is_described():
    document = schema.load("quality")
    for name, spec in document["properties"].items():
        assert spec["description"] and spec["examples"], name
        for example in spec["examples"]:
            jsonschema.validate(example, spec)


@pytest.mark.parametrize("name", sorted(offered("saes")))
def test_every_architecture_is_measured_and_its_numbers_are_the_float64_formula(name, planted):
    k = 4 if find("saes", name).default_k else None
    sae = build(Recipe(name, 32, 48, k)).eval()
    x = planted.rows[:300]
    found = evaluate_quality(sae, x.split(70), x.split(70))
    with torch.no_grad():
        x_hat, base = sae(x).double(), base_of(sae, x).double()
    x = x.double()
    assert found["fvu"] == pytest.approx(((x - x_hat).square().sum() / (x - x.mean(0)).square().sum()).item(), rel=1e-6)
    gamma = (x_hat - base).square().sum() / ((x_hat - base) * (x - base)).sum()
    assert found["shrinkage"] == (pytest.approx(gamma.item(), rel=1e-5) if gamma > 0 else None)
