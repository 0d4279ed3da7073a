"""Which site is what in every architecture: against transformers' own hidden states, and against the sums that blocks are."""

import math

import pytest
import torch
import transformers
from seqsae_protein import families, hf
from tiny_models import ESM, FAMILIES, NORMED, PROTEINS, rows_of, save

from seqsae.errors import SeqsaeError
from seqsae.testing import check_model, relative_l2


@pytest.fixture(params=FAMILIES)
def kind(request):
    return request.param


@pytest.fixture
def folder(kind, tmp_path):
    return save(kind, tmp_path / "model")


def test_every_kind_of_site_keeps_the_contract(folder, kind):
    model = hf.open(folder, sites="all")
    assert len(model.sites) == 1 + 4 * 3 + (kind in NORMED)
    check_model(model, PROTEINS)


def test_hidden_states_of_transformers_are_these_sites(folder, kind):
    """hidden_states[0] is the embedding, [i] the stream after block i - 1, the last one behind the final norm if there is one."""
    model = hf.open(folder, sites="all")
    batch = model.collate([model.prepare(record) for record in PROTEINS])
    reference = getattr(transformers, kind).from_pretrained(folder).eval()
    with torch.no_grad():
        hidden = reference(**batch.inputs, output_hidden_states=True).hidden_states
    rows = model.capture(batch, model.sites)
    sites = families.hidden_state_sites(model.module)
    assert len(hidden) == len(sites) == 4
    for state, site in zip(hidden, sites, strict=True):
        assert relative_l2(state[batch.mask], rows[site]) < 1e-6, site
    places = families.places(model.module)
    assert sites[:-1] == [*places["embedding"], *places["residual"][:-1]]
    last = rows[places["residual"][-1]]
    assert (relative_l2(hidden[-1][batch.mask], last) > 0.01) == (kind in NORMED)
    if kind in NORMED:
        norm = model.module.get_submodule(places["final-norm"][0])
        with torch.no_grad():
            assert relative_l2(norm(last), rows[sites[-1]]) < 1e-6


def test_a_block_adds_up_what_its_attention_and_its_mlp_write(folder, kind):
    model = hf.open(folder, sites="all")
    rows, places = rows_of(model, PROTEINS), families.places(model.module)
    stream = rows[places["embedding"][0]]
    scale = math.sqrt(3 / 36) if kind == "EsmcForMaskedLM" else 1  # ESM C divides what is written
    for index, block in enumerate(places["residual"]):
        attention, mlp = (rows[places[one][index]] / scale for one in ("attention-write", "mlp-write"))
        with torch.no_grad():
            if kind in ("BertForMaskedLM", "RobertaForMaskedLM"):  # post-LN
                inner = model.module.get_submodule(block)
                after = inner.attention.output.LayerNorm(stream + attention)
                stream = inner.output.LayerNorm(after + mlp)
            else:
                stream = stream + attention + mlp
        assert relative_l2(rows[block], stream) < 1e-5, block


def test_the_hidden_neurons_are_what_the_last_matrix_of_the_mlp_reads(folder, kind):
    model = hf.open(folder, sites=["mlp-hidden", "mlp-write"])
    rows, places = rows_of(model, PROTEINS), families.places(model.module)
    paths = {"GPT2LMHeadModel": "", "EsmcForMaskedLM": "", "T5EncoderModel": ".wo"}
    for hidden, write in zip(places["mlp-hidden"], places["mlp-write"], strict=True):
        matrix = model.module.get_submodule(write + paths.get(kind, ""))
        with torch.no_grad():
            assert relative_l2(rows[write], matrix(rows[hidden])) < 1e-5
        assert rows[hidden].shape[1] == (96 if "GPT2" in kind else 40) == model.sites[hidden]


def test_kinds_and_paths_may_be_mixed_and_wrong_ones_are_refused(tmp_path):
    folder = save("BertForMaskedLM", tmp_path)
    block = "bert.encoder.layer.1"
    model = hf.open(folder, sites=["embedding", block, f"{block}.output"])
    assert model.sites == {"bert.embeddings": 24, block: 24, f"{block}.output": None}
    rows = rows_of(model, PROTEINS)
    assert torch.equal(rows[f"{block}.output"], rows[block]), (
        "in BERT `output` is the block; what is written is output.dense"
    )
    assert list(hf.open(folder, sites="mlp-write").sites) == [f"bert.encoder.layer.{i}.output.dense" for i in range(3)]
    assert list(hf.open(folder).sites) == families.places(model.module)["residual"]
    with pytest.raises(SeqsaeError, match="BertForMaskedLM has no site of kind 'final-norm'"):
        hf.open(folder, sites=["final-norm"])
    with pytest.raises(SeqsaeError, match=r"the model has no module 'bert.encoder.layer.9'"):
        hf.open(folder, sites=["bert.encoder.layer.9"])


@pytest.mark.parametrize("hidden", [0, 1, 7])
def test_esm_scales_its_embeddings_by_the_share_of_hidden_residues(tmp_path, hidden):
    """Token dropout: hidden residues enter as zero, the others times (1 - .12) / (1 - share of mask tokens in the input)."""
    model = hf.open(save("EsmForMaskedLM", tmp_path), sites=["embedding"])
    batch = model.collate([model.prepare(record) for record in PROTEINS])
    where = torch.zeros_like(batch.mask)
    where[0, 1 : 1 + hidden] = True
    rows = model.capture(model.hide(batch, where), model.sites)["esm.embeddings"]
    table = model.module.esm.embeddings.word_embeddings.weight
    length = 40  # with <cls> and <eos>
    expected = table[batch.inputs["input_ids"][0, 1:39]] * (1 - 0.12) / (1 - hidden / length)
    expected[:hidden] = 0
    assert relative_l2(expected.detach(), rows[:38]) < 1e-6
    assert relative_l2(table[batch.inputs["input_ids"][1, 1:4]].detach() * 0.88, rows[38:41]) < 1e-6, (
        "no other sequence"
    )
    plain = hf.open(save("EsmForMaskedLM", tmp_path / "plain", token_dropout=False), sites=["embedding"])
    seen = plain.capture(plain.hide(batch, where), plain.sites)["esm.embeddings"]
    assert relative_l2(table[batch.inputs["input_ids"][0, 1:39]].detach()[hidden:], seen[hidden:38]) < 1e-6
    if hidden:
        assert relative_l2(table[ESM.index("<mask>")].detach(), seen[0]) < 1e-6
