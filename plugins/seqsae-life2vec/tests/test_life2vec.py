"""The model behind the contract: rows, padding, hiding, clipping, and what it says to bad input."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from seqsae_life2vec import folder, tokenizer, vocabulary
from seqsae_life2vec.model import Life2Vec
from seqsae_life2vec.model import open as open_life2vec
from seqsae_life2vec.network import Life2VecEncoder, Shape
from seqsae_life2vec.vocabulary import MASK, UNK, Vocabulary

from seqsae.errors import SeqsaeError
from seqsae.records.record import Record
from seqsae.testing import check_model

CODES = ["A", "B", "C", "SEX//F"]
BORN = np.datetime64("1980-01-01", "us")
YEAR = np.timedelta64(31_557_600, "s")  # 365.25 days


def record(codes: list[str], years: list[float | None], subject_id: int = 7) -> Record:
    """A record whose times are years since BORN, None for a static row."""
    time = [
        np.datetime64("NaT", "us") if year is None else BORN + np.timedelta64(round(year * 31_557_600_000_000), "us")
        for year in years
    ]
    return Record(
        0,
        subject_id,
        np.array(time, "datetime64[us]"),
        np.array(codes, object),
        np.full(len(codes), np.nan, np.float32),
    )


def life(n: int, subject_id: int = 7) -> Record:
    """A static row, a birth, then n events half a year apart."""
    return record(
        ["SEX//F", "MEDS_BIRTH"] + [CODES[i % 3] for i in range(n)],
        [None, 0] + [20 + i / 2 for i in range(n)],
        subject_id,
    )


def words() -> Vocabulary:
    return Vocabulary([*vocabulary.SPECIALS, *CODES])


def network(seed: int = 0, **shape) -> Life2VecEncoder:
    torch.manual_seed(seed)
    return Life2VecEncoder(Shape(n_tokens=len(words()), d_model=16, n_heads=2, d_hidden=32, **shape))


def model(max_length: int = 64) -> Life2Vec:
    return Life2Vec(network(), words(), max_length)


def test_an_untrained_model_keeps_the_contract():
    checked = model()
    check_model(checked, [life(4), life(9), life(1)])
    assert set(checked.sites) == {"embedding"} | {
        f"blocks.{i}{part}" for i in (0, 1) for part in ("", ".attention", ".mlp", ".mlp.hidden")
    }
    assert checked.sites["blocks.1.mlp.hidden"] == 32


def test_residual_writes_add_up_to_the_stream():
    written = model()
    batch = written.collate([written.prepare(life(6))])
    rows = written.capture(batch, written.sites)
    total = rows["embedding"] + sum(rows[f"blocks.{i}.{part}"] for i in (0, 1) for part in ("attention", "mlp"))
    torch.testing.assert_close(rows["blocks.1"], total)


def test_logits_of_a_real_row_do_not_depend_on_its_neighbours_in_the_batch():
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
    assert sample.inputs.age[1:].tolist() == pytest.approx([18, 19.5], abs=1e-4)


def test_static_rows_come_first_and_have_neither_age_nor_time():
    sample = model().prepare(life(2))
    assert sample.token.tolist() == ["SEX//F", "A", "B"]
    assert sample.event.tolist() == [0, 2, 3]
    assert np.isnat(sample.time).tolist() == [True, False, False]
    assert sample.inputs.age[:2].tolist() == [tokenizer.UNKNOWN_AGE] * 2
    assert sample.inputs.segment[:2].tolist() == [tokenizer.UNDATED] * 2


def test_without_a_birth_the_age_is_unknown_and_time_still_counts():
    coded = tokenizer.encode(record(["A", "B"], [20, 21]), words(), 64)
    assert (coded.age == tokenizer.UNKNOWN_AGE).all()
    assert coded.time[1:].tolist() == pytest.approx([0, 1], abs=0.01)  # years since 2000


def test_events_of_one_moment_share_a_segment_and_moments_cycle():
    coded = tokenizer.encode(record(["A", "B", "C", "A", "B"], [20, 20, 21, 22, 23]), words(), 64)
    segment = coded.segment[1:].tolist()
    assert segment[0] == segment[1]
    assert sorted(segment[1:4]) == [1, 2, 3]
    assert segment[4] == segment[1]


def test_a_long_record_keeps_its_background_and_its_latest_events():
    whole, clipped = model(64).prepare(life(30)), model(10).prepare(life(30))
    assert clipped.length == 10
    assert clipped.event.tolist() == [0, *range(24, 32)]
    assert clipped.inputs.segment[2:].tolist() == whole.inputs.segment[-8:].tolist()
    assert clipped.inputs.age[2:].tolist() == whole.inputs.age[-8:].tolist()


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
    assert batch.inputs["token"][0, 3] != MASK
    changed = hidden.inputs["token"] != batch.inputs["token"]
    assert torch.equal(changed, where)
    for channel in ("age", "time", "segment", "real"):
        assert torch.equal(hidden.inputs[channel], batch.inputs[channel])
    other = tested.prepare(replace(life(5), code=np.array(["SEX//F", "MEDS_BIRTH", "A", "A", "A", "A", "B"], object)))
    again = tested.hide(tested.collate([other]), where[:1, : other.length])
    assert again.inputs["token"][0].tolist() != hidden.inputs["token"][0].tolist()  # the others still show


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
    tested = model()
    batch = tested.collate([tested.prepare(life(2))])
    with pytest.raises(SeqsaeError, match="rows only"):
        tested.hide(batch, torch.ones_like(batch.mask))


def test_a_code_outside_the_vocabulary_is_unknown_to_the_model_but_keeps_its_name():
    sample = model().prepare(record(["A", "NEW", "[MASK]"], [20, 21, 22]))
    assert sample.inputs.token.tolist()[2:] == [UNK, UNK]
    assert sample.token.tolist() == ["A", "NEW", "[MASK]"]


def test_rare_codes_are_left_out_and_counted():
    lives = [
        record(["MEDS_BIRTH", "A", "A", "RARE", "RARE"], [0, 20, 21, 22, 23]),
        record(["A", "B"], [20, 21]),
        record(["B"], [1]),
    ]
    learnt = vocabulary.learn(lives, min_subjects=2)
    assert learnt.tokens == [*vocabulary.SPECIALS, "A", "B"]
    assert learnt.left_out == {"codes": 1, "events": 2, "min_subjects": 2}
    with pytest.raises(SeqsaeError, match="lower min_subjects"):
        vocabulary.learn(lives, min_subjects=4)


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
    folder.save(tmp_path, network(), words(), 64, {})
    return tmp_path


def test_a_saved_model_opens_as_the_same_model(saved):
    opened, kept = open_life2vec(saved), model()
    assert (opened.fingerprint, opened.vocabulary_hash) == (kept.fingerprint, kept.vocabulary_hash)
    assert opened.max_length == 64


def _cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def _swap_tokens(path):
    document = json.loads(path.read_text())
    document["tokens"][-2:] = document["tokens"][:-3:-1]
    path.write_text(json.dumps(document))


def _other_shape(path):
    config = json.loads(path.read_text())
    config["shape"]["d_hidden"] = 33
    path.write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("name", "spoil", "says"),
    [
        ("model.safetensors", _cut, "model.safetensors: cut"),
        ("model.safetensors", lambda path: path.unlink(), "model.safetensors: no such file"),
        ("vocabulary.json", _swap_tokens, "not those the weights"),
        ("vocabulary.json", lambda path: path.write_text("{"), "not valid JSON"),
        ("config.json", _other_shape, "tensors are not those"),
        ("config.json", lambda path: path.write_text("{}"), "does not describe"),
        ("config.json", lambda path: path.unlink(), "config.json: no such file"),
    ],
)
def test_a_spoilt_folder_is_refused_in_one_line(saved, name, spoil, says):
    spoil(saved / name)
    with pytest.raises(SeqsaeError, match=says) as refused:
        open_life2vec(saved)
    assert "\n" not in str(refused.value)


def test_open_without_a_folder_says_what_to_give(tmp_path):
    with pytest.raises(SeqsaeError, match="give the folder"):
        open_life2vec()
    with pytest.raises(SeqsaeError, match="no such folder"):
        open_life2vec(tmp_path / "none")
