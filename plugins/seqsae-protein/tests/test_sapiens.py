import argparse
import math
import shutil

import pytest
import torch
from seqsae_protein import packages, weights
from seqsae_protein import sapiens as room

from seqsae.errors import SeqsaeError
from seqsae.records.record import Record
from seqsae.testing import check_model, relative_l2


@pytest.fixture
def copy(sapiens, tmp_path):
    source = packages.shipped("sapiens", room.REQUIREMENT, room.FOLDER)
    return shutil.copytree(source, tmp_path / "v1")


def fairseq_logits(state: dict, ids: list[int], heads: int) -> torch.Tensor:
    """fairseq's RoBERTa in float64 from its definition (post-LN blocks, positions from 2), ids [T] -> [T, V]."""
    tensors = {name.removeprefix("decoder.").removeprefix("sentence_encoder."): t.double() for name, t in state.items()}

    def linear(x, name):
        return x @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]

    def norm(x, name):
        centred = x - x.mean(-1, keepdim=True)
        scale = (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
        return centred / scale * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]

    def gelu(x):
        return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))

    x = tensors["embed_tokens.weight"][ids] + tensors["embed_positions.weight"][2 : 2 + len(ids)]
    x = norm(x, "emb_layer_norm")
    for i in range(4):
        block = f"layers.{i}"
        q, k, v = (linear(x, f"{block}.self_attn.{p}_proj").unflatten(-1, (heads, -1)).transpose(0, 1) for p in "qkv")
        mixed = torch.softmax(q @ k.mT / math.sqrt(q.shape[-1]), -1) @ v  # [heads, T, d / heads]
        written = linear(mixed.transpose(0, 1).flatten(1), f"{block}.self_attn.out_proj")
        x = norm(x + written, f"{block}.self_attn_layer_norm")
        x = norm(x + linear(gelu(linear(x, f"{block}.fc1")), f"{block}.fc2"), f"{block}.final_layer_norm")
    return linear(norm(gelu(linear(x, "lm_head.dense")), "lm_head.layer_norm"), "lm_head")


@pytest.mark.parametrize(("chain", "size", "longest"), [("heavy", 568_985, 142), ("light", 566_937, 126)])
def test_it_is_the_published_size_and_context(sapiens, chain, size, longest):
    model = room.open(chain=chain)
    assert sum(parameter.numel() for parameter in model.module.parameters()) == size
    assert model.sites == {f"roberta.encoder.layer.{i}": 128 for i in range(4)}
    assert model.name == f"sapiens-{chain}"
    sample = model.prepare(Record(0, "p", sequence="A" * longest))
    assert model.capture(model.collate([sample]), model.sites)
    with pytest.raises(SeqsaeError, match=f"sequence 'p' has {longest + 1} residues; .*reads {longest} at most"):
        model.prepare(Record(0, "p", sequence="A" * (longest + 1)))


def test_it_computes_what_fairseq_defines(sapiens, human_heavy):
    path = packages.shipped("sapiens", room.REQUIREMENT, room.FOLDER) / "checkpoint_vh.pt"
    state = weights.read_file(path, allowed=(argparse.Namespace,))["model"]
    batch = sapiens.collate([sapiens.prepare(human_heavy[0])])
    with torch.no_grad():
        logits = sapiens.forward(batch).logits[0]
    expected = fairseq_logits(state, batch.inputs["input_ids"][0].tolist(), heads=8)
    assert relative_l2(expected, logits) < 1e-5


def test_it_restores_hidden_residues(sapiens, human_heavy, masked_accuracy):
    assert masked_accuracy(sapiens, human_heavy) > 0.8


def test_it_keeps_the_contract(sapiens, human_heavy):
    by_length = {len(record.sequence): record for record in human_heavy}
    check_model(sapiens, list(by_length.values())[:4])


def test_padded_rows_are_those_of_the_sequence_alone(sapiens, human_heavy):
    given = sorted(human_heavy, key=lambda record: len(record.sequence))
    samples = [sapiens.prepare(record) for record in (given[0], given[-1])]
    both = sapiens.capture(sapiens.collate(samples), sapiens.sites)
    alone = sapiens.capture(sapiens.collate(samples[:1]), sapiens.sites)
    for site, rows in alone.items():
        assert relative_l2(rows, both[site][: len(samples[0])]) < 1e-5


def test_the_dictionary_has_fairseqs_order_and_segments_add_nothing(sapiens):
    assert sapiens.vocabulary == ["<s>", "<pad>", "</s>", "<unk>", *"ACDEFGHIKLMNPQRSTVWY", "<mask>"]
    assert not sapiens.module.roberta.embeddings.token_type_embeddings.weight.any()
    assert len(sapiens.module.roberta.embeddings.position_embeddings.weight) == 146


def test_unknown_letters_are_refused(sapiens):
    with pytest.raises(SeqsaeError, match="sequence 'p': letter 'X' at residue 3"):
        sapiens.prepare(Record(0, "p", sequence="ACX"))


def test_the_checkpoint_is_read_with_no_class_but_namespace_allowed(sapiens):
    path = packages.shipped("sapiens", room.REQUIREMENT, room.FOLDER) / "checkpoint_vh.pt"
    with pytest.raises(SeqsaeError, match="cannot be read as weights"):
        weights.read_file(path)  # without the Namespace even the real file is refused: it was not read unsafely
    assert argparse.Namespace not in torch.serialization.get_safe_globals()


def test_truncated_weights_are_one_line(copy):
    path = copy / "checkpoint_vh.pt"
    whole = path.read_bytes()
    for kept in (len(whole) // 2, 100, 0):
        path.write_bytes(whole[:kept])
        with pytest.raises(SeqsaeError) as caught:
            room.open(copy)
        assert str(caught.value).startswith(f"{path}: cannot be read as weights") and "\n" not in str(caught.value)


def test_checkpoints_of_other_models_are_named(copy):
    path = copy / "checkpoint_vh.pt"
    options = argparse.Namespace(encoder_layers=4)
    torch.save({"args": options, "model": {"decoder.other.weight": torch.ones(1)}}, path)
    with pytest.raises(SeqsaeError, match=r"no place for 'decoder\.other\.weight' in a RoBERTa"):
        room.open(copy)
    torch.save({"args": options, "model": {}}, path)
    with pytest.raises(SeqsaeError, match="is it another model than sapiens==1.0.5"):
        room.open(copy)
    torch.save({"a": torch.ones(1)}, path)
    with pytest.raises(SeqsaeError, match="no fairseq checkpoint"):
        room.open(copy)


def test_wrong_folder_chain_and_missing_package(tmp_path, monkeypatch):
    with pytest.raises(SeqsaeError, match=r"no checkpoint_vh\.pt there"):
        room.open(tmp_path)
    with pytest.raises(SeqsaeError, match="no chain 'H'; it has heavy and light"):
        room.open(chain="H")
    monkeypatch.setattr(packages, "find_spec", lambda name: None)
    with pytest.raises(SeqsaeError, match=r"pip install --no-deps sapiens==1\.0\.5$"):
        room.open()
