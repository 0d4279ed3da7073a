"""Tiny models of every family, saved by transformers itself, read back and compared with transformers' own loading."""

import json

import pytest
import torch
import transformers
from seqsae_protein import hf
from seqsae_protein.alphabet import read

from seqsae.errors import SeqsaeError
from seqsae.records.record import Record
from seqsae.testing import check_model, relative_l2

AMINO = "ACDEFGHIKLMNPQRSTVWY"
BERT = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *AMINO]
ESM = ["<cls>", "<pad>", "<eos>", "<unk>", *AMINO, "X", "B", ".", "-", "<null_1>", "<mask>"]
ROBERTA = ["<s>", "<pad>", "</s>", "<unk>", *AMINO, "<mask>"]
SMALL = {"hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 3, "intermediate_size": 40}
FAMILIES = {
    "BertForMaskedLM": (BERT, dict(SMALL, max_position_embeddings=40)),
    "RobertaForMaskedLM": (ROBERTA, dict(SMALL, max_position_embeddings=42, pad_token_id=1, type_vocab_size=1)),
    "EsmForMaskedLM": (
        ESM,
        dict(
            SMALL,
            max_position_embeddings=42,
            pad_token_id=1,
            mask_token_id=len(ESM) - 1,
            token_dropout=True,
            position_embedding_type="rotary",
        ),
    ),
    "GPT2LMHeadModel": (
        ["<pad>", *AMINO],
        {"n_embd": 24, "n_layer": 3, "n_head": 3, "n_positions": 40, "eos_token_id": None},
    ),
}
PROTEINS = [Record(i, f"p{i}", sequence=s) for i, s in enumerate(["ACDEFGHIKLMNPQRSTVWY" * 2, "MKV", "WWYACDERT"])]
PROTEINS[0] = Record(0, "p0", sequence=PROTEINS[0].sequence[:38])


@pytest.fixture(params=FAMILIES)
def kind(request):
    return request.param


@pytest.fixture
def folder(kind, tmp_path):
    return save(kind, tmp_path / "model")


def save(kind, path, **changes):
    vocabulary, fields = FAMILIES[kind]
    config = getattr(transformers, hf.FAMILIES[kind].config)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        fields = {"bos_token_id": None, **fields, "vocab_size": len(vocabulary), **changes}
        getattr(transformers, kind)(config(**fields)).save_pretrained(path)
    (path / "vocab.txt").write_text("\n".join(vocabulary))
    return path


def edit(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_every_family_keeps_the_contract(folder):
    check_model(hf.open(folder), PROTEINS)


def test_activations_are_those_of_transformers(folder, kind):
    model = hf.open(folder)
    batch = model.collate([model.prepare(record) for record in PROTEINS])
    rows = model.capture(batch, model.sites)
    reference = getattr(transformers, kind).from_pretrained(folder).eval()
    with torch.no_grad():
        hidden = reference(**batch.inputs, output_hidden_states=True).hidden_states
    assert len(hidden) == len(rows) + 1
    # where a norm follows the last block, transformers shows the last hidden state behind it
    compared = list(model.sites)[:-1] if kind in ("EsmForMaskedLM", "GPT2LMHeadModel") else list(model.sites)
    for index, site in enumerate(compared):
        assert relative_l2(hidden[index + 1][batch.mask], rows[site]) < 1e-6


def test_rows_are_residues_and_never_special_tokens(folder, kind):
    model = hf.open(folder)
    batch = model.collate([model.prepare(record) for record in PROTEINS])
    assert batch.mask.sum(1).tolist() == [len(record.sequence) for record in PROTEINS]
    vocabulary = FAMILIES[kind][0]
    for record, sample, mask, ids in zip(PROTEINS, batch.samples, batch.mask, batch.inputs["input_ids"], strict=True):
        assert "".join(vocabulary[i] for i in ids[mask]) == "".join(sample.token) == record.sequence
        assert sample.event.tolist() == list(range(len(record.sequence)))
        assert mask.nonzero().flatten().tolist() == sample.position.tolist()
        assert (sample.position[0], sample.length) == ((0, len(sample)) if "GPT2" in kind else (1, len(sample) + 2))


def test_no_residue_becomes_the_unknown_token(tmp_path):
    """transformers 5 reads no file given as `vocab_file`: every residue would be [UNK], without an error."""
    folder = save("BertForMaskedLM", tmp_path)
    model = hf.open(folder)
    ids = model.prepare(Record(0, "p", sequence=AMINO)).inputs.tolist()
    assert BERT.index("[UNK]") not in ids and len(set(ids)) == 22
    for letter in "XBZU*":
        with pytest.raises(SeqsaeError, match="sequence 'p': letter"):
            model.prepare(Record(0, "p", sequence=f"AC{letter}D"))


def test_letters_that_a_vocabulary_does_have_are_read(tmp_path):
    model = hf.open(save("EsmForMaskedLM", tmp_path))
    assert ESM.index("X") in model.prepare(Record(0, "p", sequence="AXB")).inputs


def test_the_longest_sequence_fits_and_the_next_is_refused_by_name(folder, kind):
    model = hf.open(folder)
    longest = 40 if "GPT2" in kind else 38  # two special tokens
    sample = model.prepare(Record(0, "p", sequence="A" * longest))
    assert model.capture(model.collate([sample]), model.sites)
    with pytest.raises(SeqsaeError, match=f"sequence 'p' has {longest + 1} residues; .* reads {longest} at most"):
        model.prepare(Record(0, "p", sequence="A" * (longest + 1)))


def test_hiding_puts_the_mask_token_there_and_nowhere_else(folder, kind):
    model = hf.open(folder)
    batch = model.collate([model.prepare(record) for record in PROTEINS])
    where = batch.mask & (torch.arange(batch.mask.shape[1]) % 3 == 0)
    if "GPT2" in kind:
        with pytest.raises(SeqsaeError, match="no masked readout"):
            model.hide(batch, where)
        return
    before = batch.inputs["input_ids"].clone()
    hidden = model.hide(batch, where).inputs["input_ids"]
    assert (hidden[where] == model.alphabet.mask).all() and torch.equal(hidden[~where], before[~where])
    assert torch.equal(batch.inputs["input_ids"], before)


def test_attention_is_told_by_family(folder, kind):
    assert hf.open(folder).attention == ("causal" if "GPT2" in kind else "bidirectional")


def test_other_sites_can_be_named(tmp_path):
    """What the MLP writes is `output.dense`; `output` has the residual added and is the block itself."""
    site = "bert.encoder.layer.1"
    model = hf.open(save("BertForMaskedLM", tmp_path), sites=[site, f"{site}.output.dense", f"{site}.output"])
    rows = model.capture(model.collate([model.prepare(PROTEINS[0])]), model.sites)
    assert torch.equal(rows[f"{site}.output"], rows[site])
    assert not torch.allclose(rows[f"{site}.output.dense"], rows[site], atol=0.1)
    assert model.sites == {site: 24, f"{site}.output.dense": 24, f"{site}.output": 24}
    with pytest.raises(SeqsaeError, match="the model has no module 'bert.encoder.layer.9'"):
        hf.open(tmp_path, sites=["bert.encoder.layer.9"])


def test_the_name_and_fingerprint_follow_folder_and_weights(tmp_path):
    first = hf.open(save("BertForMaskedLM", tmp_path / "one"))
    same = hf.open(save("BertForMaskedLM", tmp_path / "two"), name="mine")
    other = hf.open(save("BertForMaskedLM", tmp_path / "three", layer_norm_eps=1e-3))
    assert (first.name, same.name) == ("one", "mine")
    assert first.fingerprint == same.fingerprint != other.fingerprint
    assert first.vocabulary_hash == same.vocabulary_hash


def test_text_model_ids_outside_a_small_vocabulary_are_put_aside(tmp_path, caplog, monkeypatch):
    folder = save("GPT2LMHeadModel", tmp_path)
    edit(folder, bos_token_id=50256, eos_token_id=50256)
    monkeypatch.setattr(transformers.logging.get_logger("transformers"), "propagate", True)
    model = hf.open(folder)
    assert model.module.config.bos_token_id is None and "bos_token_id" not in caplog.text
    assert model.prepare(PROTEINS[1]).length == 3


def test_opening_leaves_torchs_random_state_alone(folder):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    hf.open(folder)
    assert torch.equal(torch.rand(1), expected)


def test_events_are_refused(tmp_path):
    with pytest.raises(SeqsaeError, match="subject 'p' has no sequence"):
        hf.open(save("BertForMaskedLM", tmp_path)).prepare(Record(0, "p"))


def test_wrong_folders_are_named_in_one_line(tmp_path):
    with pytest.raises(SeqsaeError, match="no path; give the folder"):
        hf.open()
    with pytest.raises(SeqsaeError, match=r"no config\.json there"):
        hf.open(tmp_path / "nowhere")
    folder = save("BertForMaskedLM", tmp_path / "model")
    edit(folder, architectures=["T5Model"])
    with pytest.raises(SeqsaeError, match="architectures: T5Model; expected one of BertForMaskedLM"):
        hf.open(folder)
    edit(folder, architectures=["BertForMaskedLM"], hidden_size=25)
    with pytest.raises(SeqsaeError, match=r"config\.json makes no BertForMaskedLM"):
        hf.open(folder)
    edit(folder, hidden_size=48)
    with pytest.raises(SeqsaeError, match="weights and config are of different models"):
        hf.open(folder)
    edit(folder, hidden_size=24, num_hidden_layers=4)
    with pytest.raises(SeqsaeError, match=r"no 'bert\.encoder\.layer\.3\..* in it"):
        hf.open(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(SeqsaeError, match="not valid JSON"):
        hf.open(folder)


def test_vocabulary_and_config_of_different_models(tmp_path):
    folder = save("RobertaForMaskedLM", tmp_path)
    (folder / "vocab.txt").write_text("\n".join(["<pad>", "<s>", "</s>", "<unk>", *AMINO, "<mask>"]))
    with pytest.raises(SeqsaeError, match=r"padding is id 1 in config\.json, 0 in the vocabulary"):
        hf.open(folder)
    (folder / "vocab.txt").write_text("\n".join([*ROBERTA, "O"]))
    with pytest.raises(SeqsaeError, match=r"26 tokens in the vocabulary but vocab_size 25"):
        hf.open(folder)


def test_a_truncated_weight_file_is_one_line(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(SeqsaeError, match=r"model\.safetensors: cannot be read as weights"):
        hf.open(folder)


def test_the_alphabet_of_a_saved_folder(folder, kind):
    assert list(read(folder).tokens) == FAMILIES[kind][0]
