"""Every check of the doctor, with wrappings that are wrong in one way each: the check of that name must say so."""

import numpy as np
import pytest
import torch
from models import own_models
from models.own_models import N_TOKENS, PAD, ids_and_mask, make, named, records, with_ends
from torch import nn
from torch.nn import functional as F

import seqsae
from seqsae.errors import SeqsaeError
from seqsae.models.doctor.edits import first_half, with_token
from seqsae.models.doctor.examining import CHECKS
from seqsae.records.record import Record
from seqsae.testing import check_model, doctor, examine


class Encoder(nn.Module):
    """A masked language model of one layer; each fault changes one method of it."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Embedding(N_TOKENS, 16, padding_idx=PAD)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.head = nn.Linear(16, N_TOKENS)

    def forward(self, input_ids, attention_mask):
        return {"logits": self.head(self.layer(self.states(input_ids), src_key_padding_mask=attention_mask == 0))}

    def states(self, ids):
        return self.embed(ids)


class Causal(Encoder):
    def forward(self, input_ids, attention_mask):
        later = torch.ones(input_ids.shape[1], input_ids.shape[1], dtype=torch.bool).triu(1)
        return {"logits": self.head(self.layer(self.states(input_ids), src_mask=later))}


def wrapped(module=None, collate=named, sites=("embed", "layer"), **options):
    options = {"hide": own_models.mask_out, **options}
    return seqsae.wrap(module or Encoder(), list(sites), collate, **options)


def causal(**options):
    return wrapped(Causal(), attention="causal", hide=None, **options)


def test_the_models_that_faults_are_planted_in_are_right():
    for model in (wrapped(), causal()):
        wrong = [finding for finding in examine(model, records()) if finding.wrong]
        assert not wrong
    assert {one.name for one in examine(wrapped(), records()) if one.verdict.state != "ok"} == {"causal"}


# Faults: each a model that is wrong in one way.


def marks_too_few():
    return wrapped(collate=lambda items: (named(items), ids_and_mask(items)[0] > 15))


def loses_a_row():
    def pad(items):
        inputs, (_, mask) = named(items), ids_and_mask(items)
        mask[-1, 0] = len(items) == 1
        return inputs, mask

    return wrapped(collate=pad)


def left_in_training():
    model = wrapped()
    model.module.layer.dropout1.train()
    return model


class Unfinished(Encoder):
    def forward(self, input_ids, attention_mask):
        super().forward(input_ids, attention_mask)
        raise RuntimeError("labels are\nmissing")


class Twice(Encoder):
    def states(self, ids):
        return self.layer(self.embed(ids)) / 2


class TimeFirst(Encoder):
    def forward(self, input_ids, attention_mask):
        states = self.layer(self.embed(input_ids), src_key_padding_mask=attention_mask == 0)
        return {"logits": self.head(states.transpose(0, 1)).transpose(0, 1)}


def reads_padding_too():
    model = wrapped()
    inner = model.read
    model.read = lambda site, value, batch: (
        value.flatten(0, 1) if value.shape[1] != batch.samples[0].length else inner(site, value, batch)
    )
    return model


class Missing(Encoder):
    def states(self, ids):
        return self.embed(ids).masked_fill((ids == ids.max())[..., None], float("nan"))


class Dropping(Encoder):
    def states(self, ids):
        return F.dropout(self.embed(ids), 0.1)  # training=True is its default


class KnowsItsPlace(Encoder):
    def states(self, ids):
        return self.embed(ids) + torch.arange(float(len(ids)))[:, None, None]


class OverTheBatch(Encoder):
    def states(self, ids):
        states = self.embed(ids)
        return states - states[:, :1].mean(0)


class Unmasked(Encoder):
    def forward(self, input_ids, attention_mask):
        return {"logits": self.head(self.layer(self.embed(input_ids)))}


class TellsTheLength(Encoder):
    def states(self, ids):
        return self.embed(ids) + ids.shape[1] / 100


def reads_otherwise_alone():
    model = wrapped()
    inner = model.capture
    model.capture = lambda batch, sites: {site: rows * len(list(sites)) for site, rows in inner(batch, sites).items()}
    return model


def puts_elsewhere():
    model = wrapped()
    inner = model.write
    model.write = lambda site, value, batch, rows: inner(site, value, batch, rows.roll(1, 0))
    return model


class Constant(Encoder):
    def forward(self, input_ids, attention_mask):
        return {"logits": super().forward(input_ids, attention_mask)["logits"] * 0}


class NoGradient(Encoder):
    def forward(self, input_ids, attention_mask):
        return {"logits": super().forward(input_ids, attention_mask)["logits"].detach()}


class Rounded(Encoder):
    def states(self, ids):
        return (self.embed(ids) * 100).round() / 100


def shifts_the_mask():
    def pad(items):
        inputs, mask = with_ends(items)
        return inputs, mask.roll(-1, 1)

    return wrapped(collate=pad)


def claims_to_be_causal():
    return wrapped(attention="causal", hide=None)


def hides_nothing():
    return wrapped(hide=lambda inputs, where: inputs)


def hides_another():
    return wrapped(hide=lambda inputs, where: own_models.mask_out(inputs, where.roll(1, 1)))


class TokenTwice(Encoder):
    def forward(self, input_ids, attention_mask, kind):
        states = self.embed(input_ids) + kind[..., None] / N_TOKENS
        return {"logits": self.head(self.layer(states, src_key_padding_mask=attention_mask == 0))}


def hides_one_of_two():
    return wrapped(TokenTwice(), collate=lambda items: {**named(items), "kind": named(items)["input_ids"]})


def gives_one_id_a_column():
    return wrapped(ids=lambda inputs: inputs["input_ids"][0])


def counts_ids_from_below():
    return wrapped(ids=lambda inputs: inputs["input_ids"] - N_TOKENS)


def gives_labels_for_ids():
    return causal(ids=lambda inputs: F.pad(inputs["input_ids"][:, 1:], (0, 1)))


class Lagging(Causal):
    def forward(self, input_ids, attention_mask):
        return {"logits": super().forward(input_ids, attention_mask)["logits"].roll(1, 1)}


class Peeking(Causal):
    """Its states are causal, its head is not."""

    def forward(self, input_ids, attention_mask):
        logits = super().forward(input_ids, attention_mask)["logits"]
        return {"logits": logits + logits.roll(-1, 1)}


def counts_from_the_end():
    return wrapped(ids=lambda inputs: inputs["input_ids"] + N_TOKENS)


def half_the_positions():
    return wrapped(logits=lambda output: output["logits"][:, ::2])


def always_the_same():
    model = wrapped()
    model.__class__ = type("Same", (type(model),), {"fingerprint": "0123"})
    return model


def only_the_first_weight():
    model = wrapped()
    first = property(lambda self: str(float(next(self.module.parameters()).sum())))
    model.__class__ = type("First", (type(model),), {"fingerprint": first})
    return model


FAULTS = {
    "mask marks other rows than tokens": ("prepare", marks_too_few),
    "a row is lost in a batch": ("collate", loses_a_row),
    "dropout left in training": ("eval mode", left_in_training),
    "training mode": ("eval mode", lambda: _train(wrapped())),
    "forward fails behind the sites": ("forward", lambda: wrapped(Unfinished())),
    "a module that does not run": ("sites run", lambda: wrapped(_idle(), sites=["layer", "idle"])),
    "a module that runs twice": ("sites run", lambda: wrapped(Twice())),
    "time first": ("site shape", lambda: wrapped(TimeFirst(), sites=["head"])),
    "rows of padding": ("row count", reads_padding_too),
    "missing values": ("finite", lambda: wrapped(Missing())),
    "dropout called by hand": ("same twice", lambda: wrapped(Dropping())),
    "place in the batch": ("sample order", lambda: wrapped(KnowsItsPlace())),
    "normalised over the batch": ("batch mates", lambda: wrapped(OverTheBatch())),
    "attention mask ignored": ("mask", lambda: wrapped(Unmasked())),
    "length of the batch": ("padding", lambda: wrapped(TellsTheLength())),
    "read otherwise alone": ("one site", reads_otherwise_alone),
    "put elsewhere": ("put back", puts_elsewhere),
    "output that is constant": ("put other", lambda: wrapped(Constant())),
    "output detached": ("gradients", lambda: wrapped(NoGradient())),
    "rounded on the way": ("gradients", lambda: wrapped(Rounded(), sites=["embed"])),
    "mask shifted against the tokens": ("alignment", shifts_the_mask),
    "causal by name": ("causal", claims_to_be_causal),
    "hide does nothing": ("hide", hides_nothing),
    "hide another position": ("hide", hides_another),
    "token in a second channel": ("hide", hides_one_of_two),
    "one id a column": ("ids and logits", gives_one_id_a_column),
    "ids from below": ("ids and logits", counts_ids_from_below),
    "labels for ids": ("ids and logits", gives_labels_for_ids),
    "logits lag": ("ids and logits", lambda: wrapped(Lagging(), attention="causal", hide=None)),
    "logits peek": ("ids and logits", lambda: wrapped(Peeking(), attention="causal", hide=None)),
    "ids beyond the logits": ("ids and logits", counts_from_the_end),
    "logits of other positions": ("ids and logits", half_the_positions),
    "one fingerprint for all": ("fingerprint", always_the_same),
    "fingerprint of one weight": ("fingerprint", only_the_first_weight),
}


def _train(model):
    model.module.train()
    return model


def _idle():
    module = Encoder()
    module.idle = nn.Linear(2, 2)
    return module


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught_by_the_check_of_its_name(fault):
    name, make_faulty = FAULTS[fault]
    first = next((finding for finding in examine(make_faulty(), records()) if finding.wrong), None)
    assert first is not None and first.name == name, first
    assert first.verdict.remedy and "\n" not in first.told()
    with pytest.raises(SeqsaeError, match=f"check_model.*: {name}: ") as caught:
        check_model(make_faulty(), records())
    assert "\n" not in str(caught.value)


def test_every_check_has_a_fault_that_it_catches():
    assert {name for name, _ in FAULTS.values()} == set(CHECKS)


def test_a_model_that_minds_padding_is_asked_nothing_about_it():
    lengths = (5, 9, 5, 5)
    found = {one.name: one.verdict for one in examine(wrapped(Unmasked(), pad_invariant=False), records(lengths))}
    assert not [name for name, verdict in found.items() if verdict.state == "wrong"]
    assert found["mask"].state == found["padding"].state == "not applicable"
    assert "padding changes rows by relative L2 0." in found["padding"].line
    allowed = {one.name: one.verdict for one in examine(wrapped(pad_invariant=False), records(lengths))}
    assert "pad_invariant=True would do" in allowed["padding"].line


def test_what_cannot_be_asked_is_not_said_to_be_right():
    found = {one.name: one.verdict for one in examine(wrapped(TimeFirst(), sites=["head"]), records())}
    assert found["padding"] == ("not applicable", "not asked, since 'site shape' is wrong", "")
    assert found["fingerprint"].state == "ok"


def test_a_stranger_that_raises_is_told_in_one_line():
    [forward] = [one for one in examine(wrapped(Unfinished()), records()) if one.name == "forward"]
    assert forward.verdict.line == "RuntimeError: labels are missing"


class Ends(Encoder):
    """Would end the process, from the `since`-th pass on."""

    def __init__(self, cause=SystemExit, since=1):
        super().__init__()
        self.cause, self.since, self.passes = cause, since, 0

    def forward(self, input_ids, attention_mask):
        self.passes += 1
        if self.passes >= self.since:
            raise self.cause(7)
        return super().forward(input_ids, attention_mask)


def test_a_model_that_ends_the_process_fails_a_check():
    first = next(one for one in examine(wrapped(Ends()), records()) if one.wrong)
    assert first.name == "forward" and first.verdict.line == "SystemExit: 7"
    for since in (1, 2, 5, 20):
        with pytest.raises(SeqsaeError, match="SystemExit: 7; look at the module's forward"):
            check_model(wrapped(Ends(since=since)), records())

    def leaves(items):
        raise SystemExit("no more")

    with pytest.raises(SeqsaeError, match="prepare: SystemExit: no more"):
        check_model(wrapped(collate=leaves), records())


def test_an_interrupt_is_no_finding():
    with pytest.raises(KeyboardInterrupt):
        examine(wrapped(Ends(KeyboardInterrupt)), records())


@pytest.mark.parametrize(
    ("model", "given", "words"),
    [
        (True, None, "records: NoneType is no Record; give what seqsae.dataset returns"),
        (True, [{"token": [4, 5]}], "records: dict is no Record"),
        (True, "abc", "records: str is no Record"),
        (True, [], "no records to look at; give at least three of at least two lengths"),
        (False, records(), "Encoder is no SequenceModel; give what seqsae.wrap or seqsae.open_model returns"),
    ],
)
def test_what_is_no_model_or_no_records_is_one_line(model, given, words):
    for check in (check_model, doctor):
        with pytest.raises(SeqsaeError, match=words) as caught:
            check(wrapped() if model else Encoder(), given)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("tolerance", [-1.0, float("nan")])
def test_a_tolerance_that_is_none(tolerance):
    with pytest.raises(SeqsaeError, match="give a relative L2, 0 or more"):
        check_model(wrapped(), records(), tolerance)


def test_some_sites_alone():
    model = wrapped(_idle(), sites=["embed", "idle"])
    assert not [one for one in examine(model, records(), sites=["embed"]) if one.wrong]
    with pytest.raises(SeqsaeError, match="no site 'layer'; its sites: embed, idle"):
        examine(model, records(), sites=["layer"])


@pytest.mark.parametrize("lengths", [(4, 5), (5, 5, 5)])
def test_records_that_show_nothing_are_refused(lengths):
    with pytest.raises(SeqsaeError, match="at least three records of at least two lengths"):
        check_model(wrapped(), records(lengths))


def test_the_weights_are_as_they_were_afterwards():
    model = make("four channels")
    before = {key: value.clone() for key, value in model.module.state_dict().items()}
    examine(model, records())
    assert all(torch.equal(before[key], value) for key, value in model.module.state_dict().items())
    assert all(parameter.grad is None for parameter in model.module.parameters())


def test_first_half_of_every_kind_of_record():
    moments = np.arange(5).astype("datetime64[D]").astype("datetime64[us]")
    codes = np.array(list("abcde"), dtype=object)
    half = first_half(Record(0, 0, moments, codes))
    assert half.code.tolist() == ["a", "b"] and len(half.time) == 2 and half.numeric_value is None
    assert first_half(Record(0, 0, moments, codes, np.arange(5.0))).numeric_value.tolist() == [0, 1]
    assert first_half(Record(0, 0, sequence="ACDEF")).sequence == "AC"
    item = {"token": [1, 2, 3, 4], "age": torch.arange(4.0), "name": "x", "decoder_token": [1, 2, 3, 4, 5, 6]}
    half = first_half(Record(0, 0, item=item)).item
    assert half["token"] == [1, 2] and len(half["age"]) == 2 and len(half["decoder_token"]) == 6 and half["name"] == "x"
    half = first_half(Record(0, 0, item=item), "decoder").item
    assert half["token"] == [1, 2, 3, 4] and half["decoder_token"] == [1, 2, 3]


def test_one_token_is_exchanged_and_the_record_left_alone():
    record = Record(0, 0, item={"token": [1, 2, 3], "value": np.arange(3.0)})
    assert with_token(record, 0, 2).item["token"] == [3, 2, 3] and record.item["token"] == [1, 2, 3]
    assert with_token(Record(0, 0, sequence="ACD"), 1, 2).sequence == "ADD"
    codes = np.array(["a", "b"], dtype=object)
    assert with_token(Record(0, 0, code=codes), 1, 0).code.tolist() == ["a", "a"] and codes.tolist() == ["a", "b"]
    unnamed = Record(0, 0, item={"ids": torch.tensor([4, 5, 6]), "label": 1})
    assert with_token(unnamed, 0, 2, n_rows=3).item["ids"].tolist() == [6, 5, 6]
    assert with_token(unnamed, 0, 2, n_rows=9) is None and with_token(unnamed, 0, 2, "decoder", 3) is None
