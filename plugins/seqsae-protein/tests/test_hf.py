"""Tiny models of every family, saved by transformers itself, read back and compared with transformers' own loading."""

import json

import pytest
import safetensors.torch
import torch
import transformers
from seqsae_protein import hf
from seqsae_protein.alphabet import read
from tiny_models import AMINO, BERT, ESM, FAMILIES, PROTEINS, ROBERTA, rows_of, save

from seqsae.errors import SeqsaeError
from seqsae.records.record import Record
from seqsae.testing import relative_l2


@pytest.fixture(params=FAMILIES)
def kind(request):
    return request.param


@pytest.fixture
def folder(kind, tmp_path):
    return save(kind, tmp_path / "model")


def edit(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_padded_rows_are_those_of_the_sequence_alone(folder):
    model = hf.open(folder, sites="all")
    together = rows_of(model, PROTEINS)
    alone = [rows_of(model, [record]) for record in PROTEINS]
    for site, rows in together.items():
        assert relative_l2(rows, torch.cat([part[site] for part in alone])) < 1e-5, site


def test_rows_are_residues_and_never_special_tokens(folder, kind):
    model = hf.open(folder)
    batch = model.collate([model.prepare(record) for record in PROTEINS])
    assert batch.mask.sum(1).tolist() == [len(record.sequence) for record in PROTEINS]
    vocabulary = FAMILIES[kind][0]
    for record, sample, mask, ids in zip(PROTEINS, batch.samples, batch.mask, batch.inputs["input_ids"], strict=True):
        assert "".join(vocabulary[i] for i in ids[mask]) == "".join(sample.token) == record.sequence
        assert sample.event.tolist() == list(range(len(record.sequence)))
        assert mask.nonzero().flatten().tolist() == sample.position.tolist()
        special = {"GPT2LMHeadModel": (0, 0), "T5EncoderModel": (0, 1)}.get(kind, (1, 2))  # before, and in all
        assert (sample.position[0], sample.length - len(sample)) == special and sample.parts == 1


def test_no_residue_becomes_the_unknown_token(tmp_path):
    """transformers 5 reads no file given as `vocab_file`: every residue would be [UNK], without an error."""
    folder = save("BertForMaskedLM", tmp_path)
    model = hf.open(folder)
    ids = model.prepare(Record(0, "p", sequence=AMINO)).inputs[0].ids.tolist()
    assert BERT.index("[UNK]") not in ids and len(set(ids)) == 22
    for letter in "XBZU*":
        with pytest.raises(SeqsaeError, match="sequence 'p': letter"):
            model.prepare(Record(0, "p", sequence=f"AC{letter}D"))


def test_letters_that_a_vocabulary_does_have_are_read(tmp_path):
    model = hf.open(save("EsmForMaskedLM", tmp_path))
    assert ESM.index("X") in model.prepare(Record(0, "p", sequence="AXB")).inputs[0].ids


def test_the_longest_sequence_fits_and_the_next_is_refused_by_name(folder, kind):
    model = hf.open(folder)
    if kind == "T5EncoderModel":  # relative positions: no limit
        assert len(model.prepare(Record(0, "p", sequence="A" * 5000))) == 5000
        return
    longest = 40 if "GPT2" in kind else 38  # two special tokens
    sample = model.prepare(Record(0, "p", sequence="A" * longest))
    assert model.capture(model.collate([sample]), model.sites)
    with pytest.raises(SeqsaeError, match=f"sequence 'p' has {longest + 1} residues; .* reads {longest} at most"):
        model.prepare(Record(0, "p", sequence="A" * (longest + 1)))


def test_hiding_puts_the_mask_token_there_and_nowhere_else(folder, kind):
    model = hf.open(folder)
    batch = model.collate([model.prepare(record) for record in PROTEINS])
    where = batch.mask & (torch.arange(batch.mask.shape[1]) % 3 == 0)
    if kind in ("GPT2LMHeadModel", "T5EncoderModel"):  # the one is causal, the other has no mask token
        with pytest.raises(SeqsaeError, match="no masked readout"):
            model.hide(batch, where)
        return
    before = batch.inputs["input_ids"].clone()
    hidden = model.hide(batch, where).inputs["input_ids"]
    assert (hidden[where] == model.alphabet.mask).all() and torch.equal(hidden[~where], before[~where])
    assert torch.equal(batch.inputs["input_ids"], before)


def test_attention_is_told_by_family(folder, kind):
    assert hf.open(folder).attention == ("causal" if "GPT2" in kind else "bidirectional")


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
    edit(folder, architectures=["T5Gemma"])
    with pytest.raises(SeqsaeError, match="architectures: T5Gemma; expected one of BertForMaskedLM"):
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


def test_a_t5_with_its_decoder_is_read_as_the_encoder_and_weights_may_be_half(tmp_path):
    whole = hf.open(save("T5EncoderModel", tmp_path / "model"))
    path = tmp_path / "model" / "model.safetensors"
    state = {key: value.half() for key, value in safetensors.torch.load_file(path).items()}
    state |= {"decoder.block.0.layer.0.layer_norm.weight": torch.ones(24), "lm_head.weight": torch.ones(2, 2)}
    state["encoder.embed_tokens.weight"] = state["shared.weight"].clone()  # older files write both
    safetensors.torch.save_file(state, path)
    edit(tmp_path / "model", architectures=["T5ForConditionalGeneration"])
    half = hf.open(tmp_path / "model")
    for site, rows in rows_of(half, PROTEINS).items():
        assert rows.dtype == torch.float32
        assert 0 < relative_l2(rows_of(whole, PROTEINS)[site], rows) < 0.01
    with pytest.raises(SeqsaeError, match="has no logits|no logits"):
        half.logits(half.forward(half.collate([half.prepare(PROTEINS[1])])))


def test_prot_bert_reads_rare_letters_as_x_when_asked(tmp_path):
    folder = save("BertForMaskedLM", tmp_path, vocabulary=[*BERT, *"XUBZO"])
    record = Record(0, "p", sequence="MUKZ")
    plain, asked = hf.open(folder), hf.open(folder, rare="X")
    x = asked.alphabet.letters["X"]
    assert x not in plain.prepare(record).inputs[0].ids and plain.preparation is None
    sample = asked.prepare(record)
    assert (sample.inputs[0].ids == x).tolist() == [False, False, True, False, True, False]
    assert "".join(sample.token) == "MUKZ", "a row says what stood in the sequence"
    assert asked.account() == ["rare letters read as X: 2 in 1 sequence"] and asked.preparation != plain.preparation
    with pytest.raises(SeqsaeError, match="model hf-protein: no option 'raer'"):
        hf.open(folder, raer="X")


def test_a_causal_model_goes_on_with_a_sequence_as_if_it_had_been_given(tmp_path):
    model = hf.open(save("GPT2LMHeadModel", tmp_path / "gpt"))
    grown = model.prepare(Record(0, "p", sequence="MK"))
    for letter in "VC":
        grown = model.extend(grown, model.alphabet.letters[letter])
    given = model.prepare(Record(0, "p", sequence="MKVC"))
    for field in ("token", "event", "position"):
        assert getattr(grown, field).tolist() == getattr(given, field).tolist()
    rows = [model.capture(model.collate([one]), model.sites) for one in (grown, given)]
    assert grown.length == given.length and all(torch.equal(rows[0][site], rows[1][site]) for site in model.sites)
    with pytest.raises(SeqsaeError, match="40 residues has no room for another; it reads 40"):
        model.extend(model.prepare(Record(0, "p", sequence="A" * 40)), 3)
    bert = hf.open(save("BertForMaskedLM", tmp_path / "bert"))
    with pytest.raises(SeqsaeError, match="cannot be given further tokens"):
        bert.extend(bert.prepare(PROTEINS[1]), 3)


def test_the_untrained_control_is_the_same_each_time_and_another_model(tmp_path):
    folder = save("BertForMaskedLM", tmp_path)
    control, again, learnt = (hf.open(folder, untrained=flag) for flag in (True, True, False))
    assert control.fingerprint == again.fingerprint != learnt.fingerprint
    assert {site: rows.shape for site, rows in rows_of(control, PROTEINS).items()} == {
        site: rows.shape for site, rows in rows_of(learnt, PROTEINS).items()
    }
