"""The reference model behind the contract: rows, padding, hiding, persons, and what it says to bad input."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from life2vec_cases import PLAIN, life, network, record, words
from safetensors.torch import load_file, save_file
from seqsae_life2vec import folder
from seqsae_life2vec.layout import Layout
from seqsae_life2vec.model import Life2Vec
from seqsae_life2vec.model import open as open_life2vec
from seqsae_life2vec.vocabulary import MASK, UNK

from seqsae.errors import SeqsaeError
from seqsae.records.record import Record
from seqsae.testing import check_model

SEPARATED = Layout(64)


def model(layout=PLAIN, rows="events", **shape) -> Life2Vec:
    return Life2Vec(network(**shape), words(), layout, rows)


@pytest.mark.parametrize("layout", [PLAIN, SEPARATED], ids=["plain", "separated"])
@pytest.mark.parametrize("shape", [{}, {"head": "plain"}, {"causal": True, "order_head": False}], ids=str)
def test_an_untrained_model_keeps_the_contract(layout, shape):
    checked = model(layout, **shape)
    check_model(checked, [life(4), life(9), life(1)])
    assert set(checked.sites) == {"embedding"} | {
        f"blocks.{i}{part}" for i in (0, 1) for part in ("", ".attention", ".mlp", ".mlp.hidden")
    }
    assert checked.sites["blocks.1.mlp.hidden"] == 32


@pytest.mark.parametrize("order_head", [True, False])
def test_a_model_read_once_a_life_keeps_the_contract(order_head):
    checked = model(SEPARATED, "person", order_head=order_head)
    check_model(checked, [life(4), life(9), life(1)])
    sample = checked.prepare(life(3))
    assert checked.sites == {"person": 16}
    assert (len(sample), sample.role, sample.token.tolist()) == (1, "pooled", ["[CLS]"])


def test_the_person_is_the_cls_state_after_the_last_block():
    whole, person = model(), model(rows="person")
    batch = whole.collate([whole.prepare(life(4)), whole.prepare(life(7))])
    with torch.no_grad():
        states = whole.module.hidden(**batch.inputs)
    read = person.capture(person.collate([person.prepare(life(4)), person.prepare(life(7))]), ["person"])["person"]
    torch.testing.assert_close(read, states[:, 0])


def test_a_causal_model_has_neither_persons_nor_a_masked_readout():
    with pytest.raises(SeqsaeError, match="sees nothing"):
        model(rows="person", causal=True)
    causal = model(causal=True)
    batch = causal.collate([causal.prepare(life(3))])
    with pytest.raises(SeqsaeError, match="no masked readout"):
        causal.hide(batch, batch.mask)


def test_residual_writes_add_up_to_the_stream():
    tested = model()
    rows = tested.capture(tested.collate([tested.prepare(life(6)), tested.prepare(life(2))]), tested.sites)
    total = rows["embedding"]
    for i in range(2):
        total = total + rows[f"blocks.{i}.attention"] + rows[f"blocks.{i}.mlp"]
        torch.testing.assert_close(total, rows[f"blocks.{i}"])


def test_padding_changes_no_real_row():
    tested = model()
    short, long = tested.prepare(life(3)), tested.prepare(life(40))
    alone = tested.forward(tested.collate([short]))
    padded = tested.forward(tested.collate([short, long]))
    torch.testing.assert_close(alone[0], padded[0, : short.length], rtol=1e-5, atol=1e-6)


def test_a_birth_is_no_row_but_counts_as_an_event():
    sample = model().prepare(record(["MEDS_BIRTH", "A", "B"], [0, 18, 19.5]))
    assert sample.event.tolist() == [1, 2]
    assert sample.position.tolist() == [1, 2]
    assert sample.token.tolist() == ["A", "B"]
    assert sample.length == 3


def test_rows_of_a_separated_document_are_its_events_and_its_background():
    sample = model(SEPARATED).prepare(life(2))  # [CLS] SEX MONTH YEAR [SEP] A [SEP] B [SEP]
    assert sample.token.tolist() == ["SEX//F", "MONTH_1", "YEAR_1980", "A", "B"]
    assert sample.position.tolist() == [1, 2, 3, 5, 7]
    assert sample.event.tolist() == [0, 1, 1, 2, 3]
    assert np.isnat(sample.time).tolist() == [True] * 3 + [False] * 2
    assert sample.length == 9


def test_a_record_of_a_birth_alone_has_no_rows():
    tested = model()
    empty = tested.prepare(record(["MEDS_BIRTH"], [0]))
    assert len(empty) == 0
    rows = tested.capture(tested.collate([empty, tested.prepare(life(3))]), ["blocks.1"])
    assert rows["blocks.1"].shape == (4, 16)


def test_hide_changes_the_token_and_nothing_else():
    tested = model()
    batch = tested.collate([tested.prepare(life(5)), tested.prepare(life(2))])
    where = torch.zeros_like(batch.mask)
    where[0, 3] = True
    hidden = tested.hide(batch, where)
    assert hidden.inputs["token"][0, 3] == MASK
    assert torch.equal(hidden.inputs["token"] != batch.inputs["token"], where)
    for channel in ("age", "time", "segment", "dated", "real"):
        assert torch.equal(hidden.inputs[channel], batch.inputs[channel])


def test_a_hidden_row_says_nothing_of_its_token():
    tested = model()
    where = torch.zeros(1, 7, dtype=torch.bool)
    where[0, 4] = True
    rows = []
    for code in ("A", "B"):
        codes = life(5).code.copy()
        codes[4] = code  # position 4: [CLS], SEX, then the third event, record index 4
        batch = tested.collate([tested.prepare(replace(life(5), code=codes))])
        rows.append(tested.capture(tested.hide(batch, where), ["blocks.1"])["blocks.1"])
    assert torch.equal(rows[0], rows[1])


def test_hide_refuses_what_is_no_row():
    tested = model(SEPARATED)
    batch = tested.collate([tested.prepare(life(2))])
    with pytest.raises(SeqsaeError, match="rows only"):
        tested.hide(batch, batch.inputs["real"])


def test_a_code_outside_the_vocabulary_is_unknown_to_the_model_but_keeps_its_name():
    tested = model()
    sample = tested.prepare(record(["A", "NEW", "[MASK]"], [20, 21, 22]))
    assert sample.inputs.token.tolist()[2:] == [UNK, UNK]
    assert sample.token.tolist() == ["A", "NEW", "[MASK]"]
    lines = tested.account()
    assert "2 rows of 2 tokens outside the vocabulary read as [UNK]: NEW (1), [MASK] (1)" in lines
    assert "1 of 1 lives have no MEDS_BIRTH: they have no age" in lines and tested.account() == []


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (record(["A", "B"], [21, 20]), "subject 7.*time order"),
        (replace(life(2), code=None), "subject 7.*no events"),
        (replace(life(2), code=life(3).code), "subject 7.*5 codes but 4 times"),
        (Record(0, 7, sequence="MKV"), "subject 7.*MEDS"),
    ],
)
def test_a_record_that_cannot_be_read_is_named(bad, says):
    with pytest.raises(SeqsaeError, match=says):
        model().prepare(bad)


@pytest.fixture
def saved(tmp_path):
    folder.save(tmp_path, network(), words(), PLAIN, {})
    return tmp_path


@pytest.mark.parametrize("shape", [{}, {"tied": False}, {"head": "plain"}], ids=str)
def test_a_saved_model_opens_as_the_same_model(tmp_path, shape):
    folder.save(tmp_path, network(**shape), words(), PLAIN, {})
    opened, kept = open_life2vec(tmp_path), model(**shape)
    assert (opened.fingerprint, opened.vocabulary_hash) == (kept.fingerprint, kept.vocabulary_hash)
    assert opened.layout == PLAIN
    batch = kept.collate([kept.prepare(life(5))])
    torch.testing.assert_close(opened.forward(batch), kept.forward(batch), rtol=0, atol=0)


def test_quantile_edges_are_part_of_the_fingerprint():
    plain = model()
    cut = Life2Vec(network(), replace(words(), edges={"A": [1.0]}), PLAIN)
    assert plain.fingerprint != cut.fingerprint


def _cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def _filled(path, value):
    state = load_file(path)
    state["head.g"] = torch.full_like(state["head.g"], value)
    save_file(state, path)


def _changed(path, change):
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("name", "spoil", "says"),
    [
        ("model.safetensors", _cut, "model.safetensors: cut"),
        ("model.safetensors", lambda path: path.unlink(), "model.safetensors: no such file"),
        ("vocabulary.json", lambda path: _changed(path, lambda d: d["tokens"].reverse()), "vocabulary: starts with"),
        ("vocabulary.json", lambda path: _changed(path, lambda d: d["tokens"].append("X")), "not those the weights"),
        ("vocabulary.json", lambda path: _changed(path, lambda d: d["edges"].update(A=[1.0])), "not those the weights"),
        ("vocabulary.json", lambda path: _changed(path, lambda d: d.pop("rolled")), "no dict `rolled`"),
        ("vocabulary.json", lambda path: path.write_text("{"), "not a JSON document"),
        ("config.json", lambda path: _changed(path, lambda d: d["shape"].update(d_hidden=33)), "tensors are not those"),
        ("config.json", lambda path: _changed(path, lambda d: d["shape"].update(d_hidden="x")), "of this version"),
        ("config.json", lambda path: _changed(path, lambda d: d["layout"].pop("reference")), "of this version"),
        ("config.json", lambda path: path.write_text("{}"), "does not describe"),
        *(
            ("config.json", lambda path, one=one: _changed(path, lambda d: d["shape"].update(one)), says)
            for one, says in (
                *(
                    ({"n_heads": 0}, "n_heads = 0"),
                    ({"d_model": -4}, "d_model = -4"),
                    ({"d_model": 10**9}, "1 to 65,536"),
                ),
                *(({"dropout": 5.0}, "dropout = 5.0"), ({"dropout": float("nan")}, "dropout = nan")),
                *(
                    ({"n_blocks": 10**7}, "1 to 1,000"),
                    ({"d_hidden": 10**12}, "d_hidden = "),
                    ({"d_model": 0}, "d_model = 0"),
                ),
                *(({"days_per_unit": 0.0}, "days_per_unit"), ({"d_model": 65_536, "n_blocks": 1000}, "GiB, cpu has")),
            )
        ),
        ("config.json", lambda path: _changed(path, lambda d: d["layout"].update(max_length=0)), "max_length = 0"),
        ("config.json", lambda path: _changed(path, lambda d: d["layout"].update(max_length=-1)), "max_length = -1"),
        ("config.json", lambda path: (path.unlink(), path.mkdir()), "Is a directory"),
        ("config.json", lambda path: path.write_text("[" * 100_000), "nested too deep"),
        ("vocabulary.json", lambda path: _changed(path, lambda d: d["tokens"].__setitem__(10, [1])), "no text"),
        ("vocabulary.json", lambda path: _changed(path, lambda d: d["edges"].update(A=5)), "no list of numbers"),
        ("model.safetensors", lambda path: (path.unlink(), path.mkdir()), "model.safetensors: no such file"),
        ("model.safetensors", lambda path: _filled(path, float("nan")), "NaN or infinite"),
        ("config.json", lambda path: path.unlink(), "config.json: no such file"),
    ],
)
def test_a_spoilt_folder_is_refused_in_one_line(saved, name, spoil, says):
    spoil(saved / name)
    with pytest.raises(SeqsaeError, match=says) as refused:
        open_life2vec(saved)
    assert "\n" not in str(refused.value)


def test_open_says_what_to_give(saved, tmp_path):
    with pytest.raises(SeqsaeError, match="give the folder"):
        open_life2vec()
    with pytest.raises(SeqsaeError, match="device 'foo'"):
        open_life2vec(saved, device="foo")
    with pytest.raises(SeqsaeError, match="no such folder"):
        open_life2vec(tmp_path / "none")
    with pytest.raises(SeqsaeError, match="'events' or 'person'"):
        open_life2vec(saved, rows="people")
    with pytest.raises(SeqsaeError, match="'window' is an option for original checkpoints"):
        open_life2vec(saved, window=4)
