import json
import pathlib

import pytest
import safetensors.torch
import torch
from seqsae_protein import weights
from torch import nn

from seqsae.errors import SeqsaeError


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(5, 3)
        self.head = nn.Linear(3, 5, bias=False)
        self.head.weight = self.embed.weight


def state():
    return {"embed.weight": torch.arange(15.0).reshape(5, 3)}


def test_every_file_format_reads_alike(tmp_path):
    tensors = {"a": torch.randn(3, 2), "b": torch.randn(4)}
    for name in ("one", "bin", "parts"):
        (tmp_path / name).mkdir()
    safetensors.torch.save_file(tensors, tmp_path / "one" / "model.safetensors")
    torch.save(tensors, tmp_path / "bin" / "pytorch_model.bin")
    for key in tensors:
        safetensors.torch.save_file({key: tensors[key]}, tmp_path / "parts" / f"{key}.safetensors")
    index = {"weight_map": {key: f"{key}.safetensors" for key in tensors}}
    (tmp_path / "parts" / "model.safetensors.index.json").write_text(json.dumps(index))
    for name in ("one", "bin", "parts"):
        found = weights.read_folder(tmp_path / name)
        assert set(found) == set(tensors) and all(torch.equal(found[key], tensors[key]) for key in tensors)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_a_truncated_file_is_named_in_one_line(tmp_path, name):
    tensors = {"a": torch.randn(300, 20)}
    safetensors.torch.save_file(tensors, tmp_path / name) if "safe" in name else torch.save(tensors, tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    for kept in (len(whole) // 2, 5, 0):
        (tmp_path / name).write_bytes(whole[:kept])
        with pytest.raises(SeqsaeError) as caught:
            weights.read_folder(tmp_path)
        assert str(caught.value).startswith(f"{tmp_path / name}: cannot be read as weights")
        assert "\n" not in str(caught.value)


class Bomb:
    """Unpickling this calls a function of its choice."""

    def __reduce__(self):
        return pathlib.Path.touch, (pathlib.Path(Bomb.target),)


def test_a_file_that_would_run_code_is_refused_and_does_not_run(tmp_path):
    Bomb.target = str(tmp_path / "ran")
    for name, zipped in (("pytorch_model.bin", True), ("old.pt", False)):
        torch.save({"a": Bomb()}, tmp_path / name, _use_new_zipfile_serialization=zipped)
        with pytest.raises(SeqsaeError, match="holds more than tensors"):
            weights.read_file(tmp_path / name)
    assert not (tmp_path / "ran").exists()


def test_no_weights_in_the_folder(tmp_path):
    with pytest.raises(SeqsaeError, match="no weights there; one of model.safetensors"):
        weights.read_folder(tmp_path)


def test_tied_weights_need_to_stand_once_and_must_not_differ():
    module = Tied()
    weights.fill(module, state(), "w")
    assert torch.equal(module.head.weight, state()["embed.weight"])
    weights.fill(module, {**state(), "head.weight": state()["embed.weight"].clone()}, "w")
    with pytest.raises(SeqsaeError, match="'embed.weight' and 'head.weight' differ, but the module ties them"):
        weights.fill(module, {**state(), "head.weight": state()["embed.weight"] + 1}, "w")


def test_old_buffers_and_spare_heads_are_dropped_and_nothing_else():
    old = {"x.position_ids": torch.arange(3), "h.0.attn.bias": torch.ones(1), "h.0.attn.masked_bias": torch.ones(1)}
    weights.fill(Tied(), {**state(), **old, "pooler.weight": torch.ones(2)}, "w", ("pooler.",))
    with pytest.raises(SeqsaeError, match=r"w: no place for 'pooler\.weight' \(1 such\)"):
        weights.fill(Tied(), {**state(), **old, "pooler.weight": torch.ones(2)}, "w")


def test_missing_and_misshapen_weights_are_named():
    with pytest.raises(SeqsaeError, match=r"w: no 'embed\.weight' in it \(2 missing\)"):
        weights.fill(Tied(), {}, "w")
    with pytest.raises(SeqsaeError, match=r"'embed\.weight' has shape \(5, 4\) where the config says \(5, 3\)"):
        weights.fill(Tied(), {"embed.weight": torch.ones(5, 4)}, "w")


def test_layer_norms_of_the_first_bert_releases():
    module = nn.ModuleDict({"LayerNorm": nn.LayerNorm(2)})
    weights.fill(module, {"LayerNorm.gamma": torch.full((2,), 3.0), "LayerNorm.beta": torch.full((2,), 4.0)}, "w")
    assert module["LayerNorm"].weight.tolist() == [3, 3] and module["LayerNorm"].bias.tolist() == [4, 4]
