import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from seqsae import schema
from seqsae.errors import SeqsaeError
from seqsae.sae.base import Recipe, build
from seqsae.sae.checkpoint import check_identity, load, save
from seqsae.sae.normalise import KINDS, fit

READS = {"model": "lives", "fingerprint": "1234567890ab", "site": "layers.2"}
IDENTITY = {"inputs": READS, "targets": READS, "vocabulary_hash": "ab", "training_data": "cd"}


@pytest.fixture
def sae():
    made = build(Recipe("topk", 6, 12, 3, seed=5, options={"aux_k": 2}))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for value in made.state_dict().values():
            value.add_(torch.rand(value.shape, generator=generator))
    return made


@pytest.fixture
def folder(sae, tmp_path):
    save(sae, tmp_path / "sae", IDENTITY)
    return tmp_path / "sae"


def test_a_loaded_sae_is_the_saved_one(sae, folder):
    found = load(folder)
    for name, value in sae.state_dict().items():
        assert torch.equal(value, found.state_dict()[name]), name
    x = torch.randn(20, 6, generator=torch.Generator().manual_seed(1))
    assert torch.equal(sae.encode(x).values, found.encode(x).values)
    assert found.W_enc.T.is_contiguous() and not found.training
    assert (found.config.seed, found.k, found.options) == (5, 3, sae.options)
    assert {name: found.identity[name] for name in IDENTITY} == IDENTITY
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "sae.safetensors"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_sae_of_any_normaliser_is_loaded_as_it_was_saved(kind, tmp_path):
    x = torch.randn(200, 6, generator=torch.Generator().manual_seed(2)) * torch.arange(1, 7) + 3
    sae = build(Recipe("topk", 6, 12, 3, kind))
    sae.set_normaliser(fit([x], kind, "s"))
    save(sae, tmp_path)
    found = load(tmp_path)
    assert found.config.normalisation == kind
    assert torch.equal(sae(x), found(x))


def test_saving_again_gives_the_same_bytes(folder, tmp_path):
    save(load(folder), tmp_path / "again")
    for name in ("config.json", "sae.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


def test_the_schema_names_every_field_and_describes_it(folder):
    spec = schema.load("sae")
    assert set(json.loads((folder / "config.json").read_text())) == set(spec["properties"]) == set(spec["required"])
    fields = [*spec["properties"].values(), *spec["$defs"]["place"]["properties"].values()]
    assert all(field["description"] for field in fields)


def test_an_sae_without_identity_can_be_saved_and_says_so(sae, tmp_path):
    save(sae, tmp_path)
    assert load(tmp_path).identity["inputs"] == {"model": None, "fingerprint": None, "site": None}
    with pytest.raises(SeqsaeError, match="does not say which model it reads"):
        check_identity(load(tmp_path), **READS)


def test_an_identity_the_schema_does_not_know_is_refused(sae, tmp_path):
    with pytest.raises(SeqsaeError, match="favourite_colour"):
        save(sae, tmp_path, {**IDENTITY, "favourite_colour": "blue"})
    assert not (tmp_path / "sae.safetensors").exists()


def test_activations_of_another_model_layer_or_site_are_refused_naming_both(folder):
    found = load(folder)
    check_identity(found, **READS)
    with pytest.raises(SeqsaeError) as caught:
        check_identity(found, model="B", fingerprint="feedfacecafe", site="layers.1")
    for part in ("layers.2 of lives (fingerprint 12345678…)", "layers.1 of B (fingerprint feedface…)"):
        assert part in str(caught.value)
    for change in ({"site": "layers.1"}, {"fingerprint": "0"}, {"model": "other"}):
        with pytest.raises(SeqsaeError, match="these activations are"):
            check_identity(found, **{**READS, **change})


def _edit_config(folder, **changes):
    path = folder / "config.json"
    document = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({name: value for name, value in document.items() if value != "absent"}))


def _edit_tensors(folder, **changes):
    tensors = load_file(folder / "sae.safetensors")
    tensors.update(changes)
    save_file({name: value for name, value in tensors.items() if value is not None}, folder / "sae.safetensors")


BROKEN = {
    "no config": (lambda f: (f / "config.json").unlink(), "config.json: no such file"),
    "no weights": (lambda f: (f / "sae.safetensors").unlink(), "sae.safetensors: no such file"),
    "half a config": (lambda f: (f / "config.json").write_text('{"k": 3'), "config.json: not a JSON document"),
    "a field is missing": (lambda f: _edit_config(f, width="absent"), "config.json.*'width' is a required property"),
    "an unknown field": (lambda f: _edit_config(f, dtype="f4"), "config.json.*'dtype' was unexpected"),
    "a wrong type": (lambda f: _edit_config(f, k="3"), "config.json: k: '3'"),
    "k above width": (lambda f: _edit_config(f, k=13), "k is 13 with a width of 12"),
    "unknown architecture": (
        lambda f: _edit_config(f, architecture="gatted"),
        "no sae named 'gatted'; did you mean 'gated'",
    ),
    "other width": (lambda f: _edit_config(f, width=14), r"W_dec is \[12, 6\], config.json asks for \[14, 6\]"),
    "transposed": (
        lambda f: _edit_tensors(f, W_enc=torch.zeros(12, 6)),
        r"sae.safetensors: W_enc is \[12, 6\] float32, config.json asks for \[6, 12\]",
    ),
    "other format": (lambda f: _edit_tensors(f, b_dec=torch.zeros(6).half()), "b_dec is .* float16"),
    "missing tensor": (lambda f: _edit_tensors(f, scale=None), "tensor 'scale' is missing"),
    "extra tensor": (lambda f: _edit_tensors(f, threshold=torch.zeros(12)), "'threshold' does not belong there"),
    "NaN": (lambda f: _edit_tensors(f, b_enc=torch.full((12,), torch.nan)), "b_enc holds NaN"),
    "an unknown normaliser": (lambda f: _edit_config(f, normalisation="max"), "config.json: normalisation: 'max'"),
    "zero scale": (lambda f: _edit_tensors(f, scale=torch.zeros(())), "scale is 0.0, not above 0"),
    "cut": (
        lambda f: (f / "sae.safetensors").write_bytes((f / "sae.safetensors").read_bytes()[:-9]),
        "sae.safetensors: not a whole safetensors file",
    ),
    "pickle": (lambda f: torch.save({"W": torch.ones(2)}, f / "sae.safetensors"), "not a whole safetensors file"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_checkpoint_is_refused_naming_the_file(folder, case):
    breaks, words = BROKEN[case]
    breaks(folder)
    with pytest.raises(SeqsaeError, match=words) as caught:
        load(folder)
    assert "\n" not in str(caught.value)


def test_an_sae_in_another_format_is_saved_in_float32_and_a_broken_one_is_not(tmp_path):
    sae = build(Recipe("topk", 6, 12, 2))
    save(build(Recipe("topk", 6, 12, 2)).bfloat16(), tmp_path / "half")
    torch.testing.assert_close(load(tmp_path / "half").W_dec, sae.W_dec.bfloat16().float())
    with torch.no_grad():
        sae.b_enc[3] = torch.nan
    with pytest.raises(SeqsaeError, match="this SAE's b_enc holds NaN or infinite values"):
        save(sae, tmp_path / "broken")
    assert not (tmp_path / "broken").exists()


def test_a_size_that_the_file_does_not_have_is_refused_before_it_is_made(tmp_path):
    save(build(Recipe("topk", 6, 12, 2)), tmp_path)
    document = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(document | {"width": 10**13}))
    with pytest.raises(SeqsaeError, match=r"W_dec is \[12, 6\], config.json asks for \[10000000000000, 6\]"):
        load(tmp_path)


@pytest.mark.parametrize("seed", [-1, 10**30])
def test_a_seed_that_cannot_be_is_refused(tmp_path, seed):
    save(build(Recipe("topk", 6, 12, 2)), tmp_path)
    document = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(document | {"seed": seed}))
    with pytest.raises(SeqsaeError, match="seed is .*; give a whole number from 0"):
        load(tmp_path)
