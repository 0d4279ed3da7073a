"""The model `meds`: every family under the contract, what it shows the network, what it refuses."""

import json

import numpy as np
import polars as pl
import pytest
import torch
from models import code_models
from models.code_models import CODES, KINDS, TOKENS, record, records
from transformers import LongformerConfig

import seqsae
from seqsae.errors import SeqsaeError
from seqsae.models import meds_sites
from seqsae.testing import check_model

CAUSAL = (
    "GPT2LMHeadModel",
    "LlamaForCausalLM",
    "GPTNeoXForCausalLM",
    "GPTJForCausalLM",
    "GPTNeoForCausalLM",
    "GPT2Model",
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A saved model of every kind."""
    place = tmp_path_factory.mktemp("models")
    return {kind: code_models.save(place / kind, code_models.make(kind, len(TOKENS))) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_every_family_keeps_the_contract_at_all_of_its_sites(folders, kind):
    model = seqsae.open_model("meds", path=str(folders[kind]))
    assert model.attention == ("causal" if kind in CAUSAL else "bidirectional")
    assert len(model.sites) == 1 + 2 * 4
    check_model(model, records())
    assert sorted(set(model.sites.values())) == (
        [16, 64] if "n_embd" in KINDS[kind] or "Neo" in kind and "X" not in kind else [16, 24]
    )


def test_of_other_architectures_the_blocks_are_read_or_sites_asked_for(tmp_path):
    opt = code_models.save(tmp_path / "opt", code_models.make("OPTForCausalLM", len(TOKENS)))
    model = seqsae.open_model("meds", path=str(opt))
    assert list(model.sites) == ["model.decoder.layers.0", "model.decoder.layers.1"] and model.attention == "causal"
    check_model(model, records())
    albert = code_models.save(tmp_path / "albert", code_models.make("AlbertForMaskedLM", len(TOKENS)))
    with pytest.raises(SeqsaeError, match="AlbertForMaskedLM has no list of blocks, one a layer"):
        seqsae.open_model("meds", path=str(albert))
    with pytest.raises(SeqsaeError, match="say attention = 'causal' or 'bidirectional'"):
        seqsae.open_model("meds", path=str(albert), sites=["albert.embeddings"])
    named = seqsae.open_model("meds", path=str(albert), sites=["albert.embeddings"], attention="bidirectional")
    check_model(named, records())


def test_an_architecture_that_pads_inside_is_not_known():
    assert meds_sites.attention_of(LongformerConfig()) is None  # its blocks see more positions than the mask has


@pytest.mark.parametrize("kind", ["GPT2LMHeadModel", "BertForMaskedLM", "RobertaForMaskedLM", "LlamaForCausalLM"])
def test_the_rows_are_the_library_s_own_hidden_states(folders, kind):
    """Against the network called by hand on one sequence: the same ids, no padding, no mask."""
    model = seqsae.open_model("meds", path=str(folders[kind]))
    one = record([0, 3, 3, 9], static=1)
    ids = torch.tensor([[TOKENS.index(token) for token in ["[CLS]", *one.code]]])
    with torch.no_grad():
        states = model.module(ids, output_hidden_states=True).hidden_states
    blocks = [site for site in model.sites if site.rpartition(".")[2].isdigit()]
    batch = model.collate([model.prepare(one), model.prepare(record(list(range(20))))])
    rows = model.capture(batch, list(model.sites))
    embedding = next(iter(model.sites))
    assert torch.allclose(rows[embedding][:5], states[0][0, 1:], atol=1e-5)
    assert torch.allclose(rows[blocks[0]][:5], states[1][0, 1:], atol=1e-5)


def test_attention_and_mlp_writes_add_up_to_the_residual_stream(folders):
    """In a pre-norm decoder the stream after a block is the one before it plus the two writes."""
    for kind, blocks, attention, mlp in (
        ("GPT2LMHeadModel", "transformer.h.{}", "transformer.h.1.attn.c_proj", "transformer.h.1.mlp.c_proj"),
        ("LlamaForCausalLM", "model.layers.{}", "model.layers.1.self_attn.o_proj", "model.layers.1.mlp.down_proj"),
    ):
        model = seqsae.open_model("meds", path=str(folders[kind]))
        rows = model.capture(model.collate([model.prepare(one) for one in records()]), list(model.sites))
        total = rows[blocks.format(0)] + rows[attention] + rows[mlp]
        assert torch.allclose(total, rows[blocks.format(1)], atol=1e-5), kind
        assert model.sites[f"{mlp}:in"] == (64 if kind.startswith("GPT2") else 24)


def test_rows_carry_event_token_time_and_position(folders):
    model = seqsae.open_model("meds", path=str(folders["BertForMaskedLM"]))
    one = record([0, 1, 2], static=1, codes=["CODE//1", "CODE//2", "STRANGE", "CODE//3"])
    sample = model.prepare(one)
    assert sample.event.tolist() == [0, 1, 2, 3] and sample.position.tolist() == [1, 2, 3, 4] and sample.length == 5
    assert sample.token.tolist() == one.code.tolist() and np.isnat(sample.time[0]) and sample.time[3] == one.time[3]
    ids = model.collate([sample]).inputs["input_ids"][0].tolist()
    assert ids == [TOKENS.index(token) for token in ("[CLS]", "CODE//1", "CODE//2", "[UNK]", "CODE//3")]


def test_masked_rows_are_hidden_from_the_network_and_only_they(folders):
    model = seqsae.open_model("meds", path=str(folders["BertForMaskedLM"]))
    batch = model.collate([model.prepare(one) for one in records()])
    where = batch.mask & (torch.arange(batch.mask.shape[1]) % 3 == 1)
    ids, hidden = batch.inputs["input_ids"], model.hide(batch, where).inputs["input_ids"]
    assert (hidden[where] == TOKENS.index("[MASK]")).all() and torch.equal(hidden[~where], ids[~where])
    with pytest.raises(SeqsaeError, match="True on rows only"):
        model.hide(batch, torch.ones_like(batch.mask))
    bare = seqsae.open_model(
        "meds", path=str(folders["GPT2LMHeadModel"]), vocabulary=dict(zip(CODES, range(12), strict=True))
    )
    with pytest.raises(SeqsaeError, match="no masked readout"):
        bare.hide(batch, where)


def test_what_is_lost_is_counted_and_told_once(folders):
    model = seqsae.open_model(
        "meds", path=str(folders["GPT2LMHeadModel"]), vocabulary=dict(zip(CODES, range(12), strict=True)), max_length=6
    )
    kept = model.prepare(record([0, 1, 2], codes=["STRANGE", "CODE//1", "STRANGE"]))
    assert kept.event.tolist() == [1]
    assert model.prepare(record(list(range(9)))).event.tolist() == [3, 4, 5, 6, 7, 8]
    said = "\n".join(model.account())
    assert "2 rows of 1 codes outside the vocabulary left out: STRANGE (2)" in said
    assert "1 of 2 records exceed the model: 3 of their oldest rows clipped" in said
    assert model.account() == []


def test_a_record_of_nothing_known_has_no_rows_and_harms_no_other(folders):
    for kind in ("GPT2LMHeadModel", "BertForMaskedLM"):
        ids = dict(zip(CODES, range(1, 13), strict=True))
        model = seqsae.open_model("meds", path=str(folders[kind]), vocabulary=ids)
        empty, other = model.prepare(record([0], codes=["STRANGE"])), model.prepare(record([0, 1, 2]))
        assert len(empty) == 0 and empty.length == 1
        both, alone = (model.capture(model.collate(part), model.sites) for part in ([empty, other], [other]))
        for site in model.sites:
            assert torch.isfinite(both[site]).all() and torch.allclose(both[site], alone[site], atol=1e-6)
        assert model.capture(model.collate([empty]), ["transformer.drop" if kind[0] == "G" else "bert.embeddings"])


@pytest.mark.parametrize("kind", ["GPT2LMHeadModel", "BertForMaskedLM", "LlamaForCausalLM"])
def test_ages_as_position_ids(folders, kind):
    model = seqsae.open_model("meds", path=str(folders[kind]), time_as="age-position-ids")
    days = [0, 0, 366, 366 * 5]
    one = record(days, static=1, codes=["CODE//0", "MEDS_BIRTH", "CODE//1", "CODE//2", "CODE//3"])
    sample = model.prepare(one)
    assert sample.event.tolist() == [0, 2, 3, 4], "a birth that the vocabulary lacks is no row"
    positions = model.collate([sample, model.prepare(record(list(range(8))))]).inputs["position_ids"]
    assert positions[0, :5].tolist() == [0, 0, 0, 1, 5]
    check_model(model, records())
    plain = seqsae.open_model("meds", path=str(folders[kind]))
    block = [site for site in model.sites if site.endswith(".1")][0]
    read = [each.capture(each.collate([each.prepare(one)]), [block])[block] for each in (model, plain)]
    assert not torch.equal(*read)
    assert model.identity != plain.identity and model.fingerprint == plain.fingerprint


def test_an_age_beyond_the_position_table_is_told_with_its_subject(folders):
    model = seqsae.open_model("meds", path=str(folders["GPT2LMHeadModel"]), time_as="age-position-ids")
    with pytest.raises(SeqsaeError, match="subject 0: age 43 .*32 positions"):
        model.prepare(record([0, 366 * 43]))


VOCABULARIES = {
    "a list": lambda path: (path / "v.json").write_text(json.dumps(TOKENS)),
    "an object": lambda path: (path / "v.json").write_text(json.dumps({t: i for i, t in enumerate(TOKENS)})),
    "tokens inside": lambda path: (path / "v.json").write_text(json.dumps({"tokens": TOKENS})),
}


@pytest.mark.parametrize("way", VOCABULARIES)
def test_vocabularies_in_every_form_give_the_same_model(folders, tmp_path, way):
    VOCABULARIES[way](tmp_path)
    path = str(folders["BertForMaskedLM"])
    one, other = (
        seqsae.open_model("meds", path=path, vocabulary=str(tmp_path / "v.json")),
        seqsae.open_model("meds", path=path),
    )
    assert one.words == other.words and one.vocabulary_hash == other.vocabulary_hash and one.words.start == 3


def test_the_vocabulary_of_meds_transforms_counts_from_one(folders, tmp_path):
    module = code_models.make("GPT2LMHeadModel", 13)
    folder = code_models.save(tmp_path / "m", module, tokens=None)
    rows = [(code, number + 1) for number, code in enumerate(CODES)] + [(CODES[0], 1), ("RARE", None)]
    pl.DataFrame(rows, schema={"code": pl.String, "code/vocab_index": pl.UInt8}, orient="row").write_parquet(
        folder / "codes.parquet"
    )
    model = seqsae.open_model("meds", path=str(folder))
    assert model.words.pad == 0 and model.words.unknown is None and model.words.start is None
    assert model.prepare(record([0, 1], codes=["RARE", "CODE//4"])).inputs.ids.tolist() == [5]


def test_ids_of_special_tokens_in_a_config_of_text_are_not_taken_for_codes(tmp_path):
    """LlamaConfig starts texts with id 1, which here is a code; where no code has the id, it is what it says."""
    module = code_models.make("LlamaForCausalLM", 14, bos_token_id=1, pad_token_id=12)
    folder = code_models.save(tmp_path / "m", module, tokens=CODES)
    model = seqsae.open_model("meds", path=str(folder))
    assert model.words.start is None and model.words.pad == 12
    assert model.prepare(record([0], codes=["CODE//3"])).inputs.ids.tolist() == [3]
    named = seqsae.open_model("meds", path=str(folder), start=13, end="CODE//0")
    assert named.prepare(record([0], codes=["CODE//3"])).inputs.ids.tolist() == [13, 3, 0]
    assert named.identity != model.identity


def test_static_rows_can_be_left_out_and_sites_be_named(folders):
    model = seqsae.open_model(
        "meds", path=str(folders["GPT2LMHeadModel"]), static="leave-out", sites=["transformer.ln_f"]
    )
    assert model.prepare(record([0, 1], static=3)).event.tolist() == [3, 4]
    assert list(model.sites) == ["transformer.ln_f"]
    check_model(model, records())


def test_the_fingerprint_is_of_weights_and_shape_not_of_the_folder(folders, tmp_path):
    one = seqsae.open_model("meds", path=str(folders["BertForMaskedLM"]))
    again = code_models.save(tmp_path / "elsewhere", code_models.make("BertForMaskedLM", len(TOKENS)))
    assert seqsae.open_model("meds", path=str(again)).fingerprint == one.fingerprint
    other = code_models.save(tmp_path / "other", code_models.make("BertForMaskedLM", len(TOKENS), hidden_act="relu"))
    assert seqsae.open_model("meds", path=str(other)).fingerprint != one.fingerprint


def without(name):
    return lambda folder: (folder / name).unlink()


def config(**fields):
    def change(folder):
        document = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(document | fields))

    return change


FAULTS = {
    "no config": (without("config.json"), {}, "no config.json there"),
    "config no JSON": (lambda f: (f / "config.json").write_text("{"), {}, "config.json: not a JSON document"),
    "pickled weights": (lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"), {}, "pickled weights are not read"),
    "cut weights": (lambda f: (f / "model.safetensors").write_bytes(b"\0" * 90), {}, "does not load as GPT2LMHeadModel"),
    "code of its own": (config(architectures=["MyEventModel"]), {}, "'MyEventModel' is none of the transformers library"),
    "no architecture": (config(architectures=None), {}, "architecture 'none'"),
    "not a model": (config(architectures=["GPT2Config"]), {}, "'GPT2Config' is none"),
    "more blocks": (config(n_layer=3), {}, "no weights for 'transformer.h.2"),
    "another width": (config(n_embd=32), {}, "does not load as GPT2LMHeadModel"),
    "no vocabulary": (without("vocabulary.json"), {}, "no vocabulary there"),
    "a vocabulary too large": (None, {"vocabulary": [*TOKENS, "MORE"]}, "'MORE' has id 16, but the model knows ids 0 to 15"),
    "an id below 0": (None, {"vocabulary": {"A": -1}}, "'A' has id -1"),
    "a token twice": (None, {"vocabulary": ["A", "A"]}, "'A' has two ids, 0 and 1"),
    "an empty vocabulary": (None, {"vocabulary": []}, "holds no tokens"),
    "ids as text": (None, {"vocabulary": {"A": "1"}}, "'A' -> '1'"),
    "a vocabulary nowhere": (None, {"vocabulary": "v.json"}, "'v.json': no such file"),
    "too long": (None, {"max_length": 33}, "max_length = 33, but the model has 32 positions"),
    "too short": (None, {"max_length": 2}, "give 3 positions or more"),
    "an unknown option": (None, {"maxlength": 9}, "no option 'maxlength'; it has path, vocabulary"),
    "an unknown layout": (None, {"static": "behind"}, "static = 'behind'; it is one of front, leave-out"),
    "an unknown start": (None, {"start": "[GO]"}, "start = '[GO]' is no token"),
    "no such site": (None, {"sites": ["transformer.h.9"]}, "transformer.h.9"),
    "lists without end": (lambda f: (f / "config.json").write_text("[" * 100_000), {}, "nested too deep"),
    "a vocabulary without end": (lambda f: (f / "vocabulary.json").write_text("[" * 100_000), {}, "nested too deep"),
    "numbers for architectures": (config(architectures=[5]), {}, "architectures = [5] is no list of names"),
    "an object for architectures": (config(architectures={"a": 1}), {}, "architectures = {'a': 1} is no list"),
    "a length in letters": (None, {"max_length": "a"}, "max_length = 'a'; give a whole number"),
    "a length of yes": (None, {"max_length": True}, "max_length = True; give a whole number"),
    "half a length": (None, {"max_length": 9.5}, "max_length = 9.5; give a whole number"),
    "half a start": (None, {"start": 1.5}, "start = 1.5; it is 'auto', 'none', a token or its id"),
    "a list to start": (None, {"start": [1]}, "start = [1]; it is"),
    "yes to start": (None, {"start": True}, "start = True; it is"),
    "a number for a vocabulary": (None, {"vocabulary": 5}, "vocabulary = 5: give a path"),
    "another attention": (None, {"attention": "sideways"}, "'sideways'; it is 'causal' or 'bidirectional'"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_what_does_not_fit_is_refused_in_one_line(tmp_path, fault):
    break_it, options, words = FAULTS[fault]
    folder = code_models.save(tmp_path / "m", code_models.make("GPT2LMHeadModel", len(TOKENS)))
    if break_it is not None:
        break_it(folder)
    with pytest.raises(SeqsaeError) as caught:
        seqsae.open_model("meds", path=str(folder), **options)
    assert words in str(caught.value) and "\n" not in str(caught.value), caught.value


def test_without_a_path_it_says_which(tmp_path):
    with pytest.raises(SeqsaeError, match="no path; give the folder"):
        seqsae.open_model("meds")
