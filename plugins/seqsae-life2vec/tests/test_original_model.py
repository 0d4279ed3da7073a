"""Original checkpoints behind the contract: records, vocabulary, and what is said to files that are no such thing."""

import os
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from life2vec_cases import record
from original_cases import OPTIONS, SIZES, TOKENS, document, lightning, pooling_state, transformer_state, vocabulary
from seqsae_life2vec.vocabulary import CLS, SEP, UNK

import seqsae
from seqsae.errors import NoObjective, SeqsaeError
from seqsae.models.objective import nats, targets
from seqsae.records.record import Record
from seqsae.testing import check_model

CENTRE = "embedding.token.parametrizations.weight."

STORED = {"n_heads": 3, "n_local": 2, "local_window_size": 3, "max_length": 17}


@pytest.fixture
def files(tmp_path):
    """A pretrained .ckpt and its vocabulary."""
    return lightning(tmp_path / "x.ckpt", transformer_state(**SIZES), **STORED), vocabulary(tmp_path / "result.tsv")


def lived(n: int) -> Record:
    codes = ["SEX//F", "MEDS_BIRTH", *["DIAG//I21", "POS_2310", "NEW"][:n]]
    return record(codes, [None, 0, *[30, 31, 32][:n]])


@pytest.mark.parametrize("rows", ["events", "person"])
def test_an_original_checkpoint_opens_by_name_and_keeps_the_contract(files, rows):
    model = seqsae.open_model("life2vec", path=str(files[0]), vocabulary=str(files[1]), rows=rows)
    check_model(model, [lived(1), lived(2), lived(3)])
    if rows == "events":
        blocks = {f"blocks.{i}{part}" for i in (0, 1) for part in ("", ".attention", ".mlp", ".mlp.hidden")}
        assert set(model.sites) == {"embedding"} | blocks


def test_a_fine_tuned_checkpoint_keeps_the_contract_for_persons(tmp_path, files):
    path = lightning(tmp_path / "tuned.ckpt", transformer_state(**SIZES), pooling_state(12), **STORED)
    model = seqsae.open_model("life2vec", path=path, vocabulary=files[1], rows="person")
    check_model(model, [lived(1), lived(2), lived(3)])


def test_a_meds_record_becomes_the_originals_document(files):
    model = seqsae.open_model("life2vec", path=files[0], vocabulary=files[1])
    sample = model.prepare(lived(3))
    index = {token: i for i, token in enumerate(TOKENS)}
    wanted = [
        CLS,
        index["F"],
        index["MONTH_1"],
        index["YEAR_1980"],
        SEP,
        index["I21"],
        SEP,
        index["POS_2310"],
        SEP,
        UNK,
        SEP,
    ]
    assert sample.inputs.token.tolist() == wanted
    assert sample.token.tolist() == ["SEX//F", "MONTH_1", "YEAR_1980", "DIAG//I21", "POS_2310", "NEW"]
    assert model.lost.counts["unknown"] == 1
    batch = model.collate([sample])
    assert batch.inputs["token"].shape == (1, 17) and batch.mask.shape == (1, 17)
    assert batch.inputs["age"].dtype == torch.int64
    assert batch.inputs["age"][0, 5:11].tolist() == [30, 30, 31, 31, 32, 32]


def test_a_ready_document_is_taken_as_it_is(files):
    model = seqsae.open_model("life2vec", path=files[0], vocabulary=files[1])
    ids, mask = document(9, 17)
    ids[0, 4] = SEP
    sample = model.prepare(Record(0, 0, item={"input_ids": ids}))
    assert sample.position.tolist() == [1, 2, 3, 5, 6, 7, 8]
    assert sample.token.tolist() == [TOKENS[i] for i in ids[0, sample.position]]
    batch = model.collate([sample])
    for row, name in enumerate(("token", "time", "age", "segment")):
        assert batch.inputs[name][0].tolist() == ids[row].tolist()
    assert batch.inputs["real"][0].tolist() == mask.tolist()


@pytest.mark.parametrize(
    ("item", "says"),
    [
        ({}, "no numbers `input_ids`"),
        ({"input_ids": np.ones((4, 5)) * 1j}, "no numbers `input_ids`"),
        ({"input_ids": np.zeros((3, 5))}, r"shape \[3, 5\]"),
        ({"input_ids": np.ones((4, 18))}, "more than the 17"),
        ({"input_ids": np.zeros((4, 5))}, "gaps, none"),
        ({"input_ids": np.array([[1, 0, 9]] + [[0] * 3] * 3)}, "gaps"),
        ({"input_ids": np.array([[1, 99]] + [[0] * 2] * 3)}, "from 0 to 19"),
    ],
)
def test_a_document_that_cannot_be_read_is_named(files, item, says):
    model = seqsae.open_model("life2vec", path=files[0], vocabulary=files[1])
    with pytest.raises(SeqsaeError, match=says):
        model.prepare(Record(0, 5, item=item))


def test_hiding_shows_the_mask_token(files):
    model = seqsae.open_model("life2vec", path=files[0], vocabulary=files[1])
    batch = model.collate([model.prepare(lived(2))])
    hidden = model.hide(batch, batch.mask)
    assert (hidden.inputs["token"][batch.mask] == 3).all()
    with pytest.raises(SeqsaeError, match="rows only"):
        model.hide(batch, ~batch.mask)


def test_what_the_file_says_and_what_is_given_must_agree(tmp_path, files):
    with pytest.raises(SeqsaeError, match="window = 4 is given but the file says 3"):
        seqsae.open_model("life2vec", path=files[0], vocabulary=files[1], window=4)
    bare = tmp_path / "x.pth"
    torch.save(transformer_state(**SIZES), bare)
    with pytest.raises(SeqsaeError, match="does not say local_heads, window, max_length"):
        seqsae.open_model("life2vec", path=bare, vocabulary=files[1])
    with pytest.raises(SeqsaeError, match="heads = 4 is given but the file says 3"):
        seqsae.open_model("life2vec", path=bare, vocabulary=files[1], heads=4, **OPTIONS)
    for options, says in (
        ({"local_heads": 4}, "4 of them local"),
        ({"window": 0}, "window = 0"),
        ({"activation": "tanh"}, "known are swish"),
        ({"windows": 3}, "no option 'windows'"),
    ):
        with pytest.raises(SeqsaeError, match=says):
            seqsae.open_model("life2vec", path=bare, vocabulary=files[1], **(OPTIONS | options))
    with pytest.raises(SeqsaeError, match="give its vocabulary"):
        seqsae.open_model("life2vec", path=bare, **OPTIONS)


def test_a_dictionary_with_attributes_gives_its_hyper_parameters(tmp_path, files, monkeypatch):
    import sys
    import types

    module = types.ModuleType("pytorch_lightning.utilities.parsing")

    class AttributeDict(dict):
        pass

    AttributeDict.__module__, AttributeDict.__qualname__ = module.__name__, "AttributeDict"
    module.AttributeDict = AttributeDict
    for name in ("pytorch_lightning", "pytorch_lightning.utilities", module.__name__):
        monkeypatch.setitem(sys.modules, name, module)
    state = {f"transformer.{key}": value for key, value in transformer_state(**SIZES).items()}
    torch.save({"state_dict": state, "hyper_parameters": AttributeDict(STORED)}, tmp_path / "y.ckpt", pickle_protocol=2)
    model = seqsae.open_model("life2vec", path=tmp_path / "y.ckpt", vocabulary=files[1])
    assert model.module.hparams.window == 3


class Harmful:
    def __reduce__(self):
        return os.system, ("touch harmed",)


def _save(path, change, form="pth"):
    state = transformer_state(**SIZES)
    document = state if form == "pth" else {"state_dict": {f"transformer.{k}": v for k, v in state.items()}}
    torch.save(change(document), path, pickle_protocol=2)


def _without(key):
    return lambda state: {name: value for name, value in state.items() if name != key}


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda path: path.unlink(), "no such file"),
        (lambda path: path.write_bytes(path.read_bytes()[:-3000]), "not a whole file of torch.save"),
        (lambda path: path.write_text("weights"), "not a whole file of torch.save"),
        (lambda path: _save(path, lambda state: state | {"x": Harmful()}), "asks for .*system"),
        (lambda path: _save(path, lambda state: [1, 2]), "holds no dict"),
        (lambda path: _save(path, lambda state: {"weight": torch.ones(2)}), "no keys 'transformer"),
        (lambda path: _save(path, _without("embedding.age.w0")), "1 missing .embedding.age.w0"),
        (lambda path: _save(path, _without("encoders.1.attention_sublayer.norm.weights")), "1 missing"),
        (lambda path: _save(path, _without("embedding.token.parametrizations.weight.0.norm")), "1 missing"),
        (
            lambda path: _save(path, lambda s: s | {"encoders.0.gate.Wr.weight": torch.ones(2)}),
            "1 unknown .encoders.0.gate",
        ),
        (lambda path: _save(path, lambda s: s | {"embedding.segment.weight": torch.ones(5, 12)}), r"shape \[5, 12\]"),
        (lambda path: _save(path, lambda s: s | {"embedding.res_age.weights": torch.ones(3)}), r"takes \[1\]"),
        (lambda path: _save(path, _without("encoders.0.position_wise.hidden2ff.weight")), "no matrix"),
        (lambda path: _save(path, lambda s: s | {"encoders.999999999.x": torch.ones(2)}), "not numbered"),
        (lambda path: _save(path, lambda s: s | {5: torch.ones(2)}), "the key 5 is no name"),
        (lambda path: _save(path, lambda s: s | {("a", "b"): torch.ones(2)}), "is no name"),
        *(
            (
                lambda path, key=key, bad=bad: _save(path, lambda s: s | {key: s[key].float() * bad}),
                f"{key[:9]}.* NaN or infinite",
            )
            for key in (CENTRE + "0.ignore_index", CENTRE + "original", "encoders.1.attention_sublayer.norm.weights")
            for bad in (float("nan"), float("inf"))
        ),
        (lambda path: _save(path, lambda s: s | {CENTRE + "0.ignore_index": torch.tensor([0.5])}), "names tokens"),
        (lambda path: _save(path, lambda s: s | {CENTRE + "0.ignore_index": torch.tensor([99])}), "names tokens"),
    ],
)
def test_a_spoilt_file_is_refused_in_one_line(tmp_path, files, monkeypatch, spoil, says):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "x.pth"
    torch.save(transformer_state(**SIZES), path)
    spoil(path)
    with pytest.raises(SeqsaeError, match=says) as refused:
        seqsae.open_model("life2vec", path=path, vocabulary=files[1], **OPTIONS)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (lambda path: path.unlink(), "No such file"),
        (lambda path: path.write_text("A\tB\n1\t2\n"), "columns ID and TOKEN"),
        (lambda path: path.write_bytes(b"\xff\xfe\x00"), "columns ID and TOKEN"),
        (lambda path: vocabulary(path, TOKENS[:-1]), "19 tokens but the network has 20"),
        (lambda path: vocabulary(path, TOKENS[::-1]), "does not start with"),
        (lambda path: path.write_text(path.read_text().replace("\n7\t", "\n77\t")), "ids are not 0, 1"),
        (lambda path: vocabulary(path, [*TOKENS[:-1], "F"]), "'F' stands twice"),
    ],
)
def test_a_wrong_vocabulary_is_refused_in_one_line(files, write, says):
    write(files[1])
    with pytest.raises(SeqsaeError, match=says):
        seqsae.open_model("life2vec", path=files[0], vocabulary=files[1])


@pytest.mark.parametrize("name", ["window", "max_length", "heads"])
@pytest.mark.parametrize("value", [10**9, 0, -1, 2.5, True, "3"])
def test_impossible_sizes_are_refused_in_one_line(tmp_path, files, name, value):
    torch.save(transformer_state(**SIZES), tmp_path / "x.pth")
    with pytest.raises(SeqsaeError, match=f"{name} = "):
        seqsae.open_model("life2vec", path=tmp_path / "x.pth", vocabulary=files[1], **OPTIONS | {name: value})


def test_a_window_longer_than_the_life_sees_all_of_it(tmp_path, files):
    torch.save(transformer_state(**SIZES), tmp_path / "x.pth")
    ids = document(9, 17)[0]
    found = []
    for window in (17, 60_000):
        options = OPTIONS | {"window": window}
        model = seqsae.open_model("life2vec", path=tmp_path / "x.pth", vocabulary=files[1], **options)
        batch = model.collate([model.prepare(seqsae.dataset([{"input_ids": ids}])[0])])
        found.append(model.capture(batch, ["blocks.1"])["blocks.1"])
    assert torch.equal(*found)


@pytest.mark.parametrize("mask", [[[1], [1, 2]], [1], [1, 0] * 8 + [1], "x"], ids=str)
def test_a_wrong_padding_mask_is_refused_in_one_line(files, mask):
    model = seqsae.open_model("life2vec", path=files[0], vocabulary=files[1])
    data = seqsae.dataset([{"input_ids": document(9, 17)[0], "padding_mask": mask}])
    with pytest.raises(SeqsaeError, match="subject 0: "):
        model.prepare(data[0])


def test_an_uncentred_table_is_read_as_it_is(tmp_path, files):
    state = transformer_state(**SIZES)
    centre = "embedding.token.parametrizations.weight."
    plain = {key: value for key, value in state.items() if not key.startswith(centre)}
    plain["embedding.token.weight"] = state[centre + "original"]
    torch.save(plain, tmp_path / "x.pth")
    model = seqsae.open_model("life2vec", path=tmp_path / "x.pth", vocabulary=files[1], **OPTIONS)
    assert torch.equal(model.module.embedding.token.table(), plain["embedding.token.weight"])


def test_long_records_are_clipped_to_the_trained_length(files):
    model = seqsae.open_model("life2vec", path=files[0], vocabulary=files[1])
    long = record(["A"] * 50, list(range(50)))
    sample = model.prepare(replace(long, subject_id=9))
    assert sample.event.tolist() == list(range(43, 50))
    assert model.lost.counts["events_clipped"] == 43


def test_a_life_without_a_birth_has_no_age_and_is_counted(files):
    model = seqsae.open_model("life2vec", path=files[0], vocabulary=files[1])
    codes = ["SEX//F", *["I21"] * 6]
    unborn, born = (record([*more, *codes], [*[0] * len(more), None, *range(30, 36)]) for more in ([], ["MEDS_BIRTH"]))
    batch = model.collate([model.prepare(unborn), model.prepare(born)])
    ages = batch.inputs["age"]
    assert ages[0, 5:15].tolist() == [-1] * 10 and (ages[0, 15:] == 0).all() and (ages[1] >= 0).all()
    read = model.capture(batch, ["embedding"])["embedding"][: len(batch.samples[0])]
    module = model.module.embedding
    channels = {name: value[:1] for name, value in batch.inputs.items() if name != "real"}
    dated = (torch.arange(17) >= 5)[None]
    with torch.no_grad():  # token, date and segment alone
        wanted = module.token(channels["token"]) + module.segment_gate * module.segment(channels["segment"])
        wanted = wanted + module.time_gate * module.time(channels["time"].float()) * dated[..., None]
    torch.testing.assert_close(read, wanted[0][batch.mask[0]])
    assert "1 of 2 lives have no MEDS_BIRTH: they have no age" in model.account()


def test_another_background_than_four_tokens_is_told_and_can_be_chosen(files):
    static = ["HAIR", "SEX//F", "SEX//M", "ORIGIN//DK"]
    life = record([*static, "MEDS_BIRTH", "DIAG//I21"], [None] * 4 + [0, 30], values=[1.5, *[np.nan] * 4, 2.5])
    plain = seqsae.open_model("life2vec", path=files[0], vocabulary=files[1])
    plain.prepare(life)
    said = "\n".join(plain.account())
    assert "1 of 1 lives have a background of other than 4 tokens" in said and "2 rows have values" in said
    assert plain.account() == []
    chosen = seqsae.open_model("life2vec", path=files[0], vocabulary=files[1], background=["ORIGIN", "SEX"])
    sample = chosen.prepare(life)
    assert sample.token.tolist() == ["ORIGIN//DK", "SEX//F", "MONTH_1", "YEAR_1980", "DIAG//I21"]
    assert sample.event.tolist() == [3, 1, 4, 4, 5] and sample.position.tolist() == [1, 2, 3, 4, 6]
    assert sample.time[-1] == life.time[5] and np.isnat(sample.time[:4]).all()
    assert chosen.account() == [
        "2 background rows are none that `background` names: left out",
        "1 rows have values, which this model does not read",
    ]
    assert chosen.fingerprint != plain.fingerprint
    for bad in ("SEX", [1], [""]):
        with pytest.raises(SeqsaeError, match="give code prefixes"):
            seqsae.open_model("life2vec", path=files[0], vocabulary=files[1], background=bad)


def test_a_file_with_a_token_head_says_tokens_and_others_say_why_not(tmp_path, files):
    model = seqsae.open_model("life2vec", path=files[0], vocabulary=files[1])
    batch = model.collate([model.prepare(lived(3))])
    with torch.no_grad():
        said = model.logits(model.forward(model.hide(batch, batch.mask)))
    wanted = targets(model, batch)
    assert said.shape == (1, 17, len(TOKENS)) and (wanted >= 0).sum() == len(batch.samples[0])
    assert torch.isfinite(nats(said, wanted)).all()
    torch.save(transformer_state(**SIZES), tmp_path / "x.pth")
    bare = seqsae.open_model("life2vec", path=tmp_path / "x.pth", vocabulary=files[1], **OPTIONS)
    with pytest.raises(NoObjective, match="no token head"):
        bare.logits(bare.forward(batch))
    person = seqsae.open_model("life2vec", path=files[0], vocabulary=files[1], rows="person")
    with pytest.raises(NoObjective, match="says no tokens"):
        person.ids(batch)


@pytest.mark.parametrize(("rows", "n_rows", "role"), [("events", 8 + 5 + 3 + 10, "token"), ("person", 4, "pooled")])
def test_ready_documents_are_harvested(tmp_path, files, rows, n_rows, role):
    data = seqsae.dataset([{"input_ids": document(n, 17, seed=n)[0]} for n in (9, 6, 4, 11)])
    model = seqsae.open_model("life2vec", path=files[0], vocabulary=files[1], rows=rows)
    store = seqsae.harvest(model, data, out=tmp_path)
    table = pl.concat([pl.read_parquet(file) for file in sorted(store.path.glob("rows-*.parquet"))])
    assert len(table) == n_rows
    assert set(table["role"]) == {role} and set(table["sample"]) == {0, 1, 2, 3}
