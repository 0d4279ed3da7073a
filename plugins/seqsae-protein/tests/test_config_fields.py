"""Fields of config.json and options of a model that are of no use: named in one line, before anything is built."""

import json
import math

import pytest
from seqsae_protein import antiberty, antibody, hf, sapiens
from tiny_models import ESM, FAMILIES, save

from seqsae.errors import SeqsaeError

BAD = {
    "EsmForMaskedLM": {
        "architectures": (3, [3], "EsmForMaskedLM", [["x"]], {"a": 1}, True),
        "vocab_size": ("x", None, [3], 0, True, 30.0),
        "hidden_size": ("x", -1, 24.0, 2**40),
        "num_hidden_layers": (10**9, 0, "3"),
        "num_attention_heads": (0, None),
        "max_position_embeddings": ("x", None, 0, 1),
        "hidden_act": ("zzz", None, 3),
        "position_embedding_type": ("zzz", None, 3, "relative_key"),
        "mask_token_id": (None, "x", 3, True),
        "layer_norm_eps": (math.nan, "x", -1, 0),
        "is_decoder": (True,),
        "token_dropout": ("x",),
    },
    "BertForMaskedLM": {
        "position_embedding_type": ("relative_key", None),
        "hidden_act": ("zzz",),
        "mask_token_id": (3,),
    },
    "T5EncoderModel": {"feed_forward_proj": ("zzz", "gated-zzz", 3), "d_kv": ("x",), "dense_act_fn": ("zzz",)},
    "GPT2LMHeadModel": {"n_embd": ("x",), "n_positions": (None,), "activation_function": ("zzz",), "n_inner": ("x",)},
}


def edit(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize("kind", BAD)
def test_a_field_that_is_of_no_use_is_named_with_its_file(kind, tmp_path):
    folder = save(kind, tmp_path / "model")
    good = (folder / "config.json").read_text()
    for name, values in BAD[kind].items():
        for value in values:
            edit(folder, **{name: value})
            with pytest.raises(SeqsaeError) as refused:
                hf.open(folder)
            told = str(refused.value)
            assert str(folder) in told and "config.json" in told and name in told and "fetch" in told, told
            assert "\n" not in told and len(told) < 600, told
            (folder / "config.json").write_text(good)
    assert hf.open(folder).sites


def test_what_fields_may_be(tmp_path):
    """Null where it says nothing, and what an architecture does not look at."""
    folder = save("EsmForMaskedLM", tmp_path / "esm", token_dropout=False, mask_token_id=None)
    assert hf.open(folder).alphabet.mask == len(ESM) - 1
    edit(folder, position_embedding_type="absolute")
    with pytest.raises(SeqsaeError, match="position_embeddings"):
        hf.open(folder)
    for kind in FAMILIES:
        folder = save(kind, tmp_path / kind)
        edit(folder, architectures=["Unheard", kind], is_decoder=False)
        assert hf.open(folder).attention


OPTIONS = {
    "sites": (3, [3], True, {"a": 1}, [], "", [""], [["residual"]]),
    "untrained": ("yes", 1, None),
    "name": (3, "", ["x"], True),
    "gaps": (3, ["skip"]),
    "longest": ("3", True, 0),
    "overlap": ([1], -1),
    "path": (3, ""),
}


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_of_another_type_is_named_with_what_is_wanted(option, tmp_path):
    folder = save("BertForMaskedLM", tmp_path / "model")
    for value in OPTIONS[option]:
        with pytest.raises(SeqsaeError) as refused:
            hf.open(**{"path": folder, option: value})
        told = str(refused.value)
        assert f"{option} = {value!r}" in told and ("give" in told or "one of" in told) and "\n" not in told, told


def test_sites_may_be_any_row_of_texts(tmp_path):
    folder = save("BertForMaskedLM", tmp_path / "model")
    expected = list(hf.open(folder, sites=["embedding", "residual"]).sites)
    for given in (("embedding", "residual"), iter(["embedding", "residual"]), {"embedding": 0, "residual": 1}.keys()):
        assert list(hf.open(folder, sites=given).sites) == expected
    assert list(hf.open(folder, sites="embedding").sites) == expected[:1]


def test_the_other_doors_name_their_options_too(tmp_path):
    for door, options, complaint in (
        (antiberty.open, {"untrained": "yes"}, "model antiberty: untrained = 'yes'; give true or false"),
        (sapiens.open, {"chain": ["heavy"]}, r"model sapiens: no chain \['heavy'\]"),
        (antibody.open, {"loci": 3}, "source antibody: loci = 3; give a list of one or more of IGH"),
        (antibody.open, {"loci": [["IGH"]]}, "source antibody: loci = "),
        (antibody.open, {"loci": []}, "source antibody: loci = "),
        (antibody.open, {"seed": True}, "source antibody: seed = True; give a whole number from 0 on"),
        (antibody.open, {"copies": 1.5}, "source antibody: copies = 1.5"),
    ):
        with pytest.raises(SeqsaeError, match=complaint):
            door(**options)
