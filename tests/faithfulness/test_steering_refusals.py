"""Steering that cannot be: models whose ids and logits do not fit or are not finite, numbers that are none, artefacts cut short."""

import json

import numpy as np
import polars as pl
import pytest
import torch
from faithfulness.toys import Toy, V, people, sae_for

import seqsae
from seqsae.config import FaithfulnessConfig
from seqsae.errors import SeqsaeError
from seqsae.faithfulness.steering_room import Steered
from seqsae.faithfulness.words import told_steered
from seqsae.models.contract import Batch, Sample

QUICK = FaithfulnessConfig(subjects=4)
NAN, INF = float("nan"), float("inf")


class Says(Toy):
    """A Toy whose ids and logits are changed; `after` says behind how many passes logits are."""

    def __init__(self, causal=True, ids=None, logits=None, after=0):
        super().__init__(causal)
        self.change_ids, self.change_logits, self.after, self.passes = ids, logits, after, 0

    def ids(self, batch):
        return super().ids(batch) if self.change_ids is None else self.change_ids(super().ids(batch))

    def forward(self, batch):
        self.passes += 1
        output = super().forward(batch)
        return output if self.change_logits is None or self.passes <= self.after else self.change_logits(output)


def steered(model, **options):
    options = {"feature": 4, "clamp": 2.0, "where": "all", "config": QUICK, **options}
    return seqsae.steer(model, people(40), sae_for(model), **options)


def without_last(logits, value):
    return torch.cat([logits[..., :-1], torch.full_like(logits[..., -1:], value)], -1)


LOGITS = {
    "nan": lambda logits: logits * NAN,
    "one nan": lambda logits: without_last(logits, NAN),
    "inf": lambda logits: without_last(logits, INF),
    "nothing": lambda logits: logits - INF,
    "tokens that are there": lambda logits: torch.cat([logits[..., :1], logits[..., 1:] - INF], -1),
}


@pytest.mark.parametrize("causal", [True, False], ids=["causal", "masked"])
@pytest.mark.parametrize("kind", LOGITS)
def test_logits_that_are_not_finite_are_refused_before_and_after(kind, causal):
    with pytest.raises(SeqsaeError, match="model 'toy': its logits are NaN or infinite before steering; look at"):
        steered(Says(causal, logits=LOGITS[kind]))
    with pytest.raises(SeqsaeError, match=r"infinite after steering feature 4 \(clamp2\); change it by less"):
        steered(Says(causal, logits=LOGITS[kind], after=1))  # the first pass is the one with nothing changed


def test_a_token_that_is_never_said_is_no_fault_but_one_that_is_unsaid_by_steering_is():
    table = steered(Says(logits=lambda logits: without_last(logits, -INF))).table
    assert np.isfinite(table["kl"].to_numpy()).all() and table["kl"].max() > 0
    with pytest.raises(SeqsaeError, match="infinite after steering"):
        steered(Says(logits=lambda logits: without_last(logits, -INF), after=1))


def test_activations_that_overflow_are_told_as_what_steering_did():
    with pytest.raises(SeqsaeError, match=r"infinite after steering feature 4 \(clamp3e\+38\)"):
        steered(Toy(causal=True), clamp=3e38)


def test_generated_logits_are_looked_at_too():
    with pytest.raises(SeqsaeError, match="infinite before steering"):
        steered(Says(logits=LOGITS["nan"], after=2), generate=2)
    with pytest.raises(SeqsaeError, match="infinite after steering"):
        steered(Says(logits=LOGITS["nan"], after=2 + 2 + 1), generate=2)  # each step asks twice: as it was, and changed


def test_a_temperature_near_0_takes_the_likeliest():
    model = Toy(causal=True)
    greedy, cold = (steered(model, generate=3, temperature=one).generated for one in (0.0, 1e-320))
    assert greedy.equals(cold)


@pytest.mark.parametrize("causal", [True, False], ids=["causal", "masked"])
@pytest.mark.parametrize(
    ("ids", "words"),
    [
        (lambda ids: ids + 50, f"an id of 5. among logits for {V + 1} tokens; let ids give those"),
        (lambda ids: ids - 50, "an id of -[0-9]+ at a row; count ids from 0"),
        (lambda ids: ids[0], r"ids are a tensor of int64 and shape \(.*,\) for a batch of shape"),
        (lambda ids: ids[:, 1:], "ids are a tensor of int64 and shape"),
        (lambda ids: ids.float(), "ids are a tensor of float32"),
        (lambda ids: None, "ids are of type NoneType"),
    ],
)
def test_ids_that_do_not_fit_are_refused(ids, words, causal, tmp_path):
    for ask in (steered, judged):
        with pytest.raises(SeqsaeError, match=words) as caught:
            ask(Says(causal, ids=ids), out=tmp_path)
        assert "model 'toy'" in str(caught.value) and "\n" not in str(caught.value)


def judged(model, out):
    return seqsae.evaluate(
        model, people(40), sae_for(model), config=FaithfulnessConfig(features=0, bootstrap=100), out=out
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda logits: logits[..., :1], "an id of . among logits for 1 tokens"),
        (lambda logits: logits[:, 1:], r"logits of shape \(.*\) for a batch of"),
        (lambda logits: logits[:, 0], r"logits of shape \(.*\) for a batch of"),
        (lambda logits: logits.long(), "its logits are a tensor of int64"),
        (lambda logits: logits.detach().numpy(), "its logits are a numpy array of float32"),
        (lambda logits: None, "its logits are of type NoneType"),
    ],
)
def test_logits_that_do_not_fit_are_refused(change, words):
    with pytest.raises(SeqsaeError, match=words):
        steered(Says(logits=change))


def test_logits_of_a_stranger_that_raise_are_one_line():
    class Broken(Toy):
        def logits(self, output):
            return output["x"]

    with pytest.raises(SeqsaeError, match="model 'toy' fails: .*; seqsae.testing.check_model shows where"):
        steered(Broken(causal=True))


class Alone(Toy):
    """One row a record, and no start token before it."""

    def prepare(self, record):
        whole = super().prepare(record)
        return Sample(whole.inputs[:1], whole.token[:1], whole.event[:1], np.zeros(1, int), 1)

    def collate(self, samples):
        ids = torch.tensor([sample.inputs for sample in samples])
        return Batch({"ids": ids, "real": torch.ones_like(ids)}, torch.ones(len(ids), 1, dtype=torch.bool), samples)


def test_nothing_predicted_is_no_empty_table():
    with pytest.raises(SeqsaeError, match="none of the tokens shown is one it predicts; give longer records"):
        steered(Alone(causal=True))
    assert len(steered(Alone()).table) > 0  # masked, a row alone is asked for itself


def test_words_for_an_empty_table():
    table = steered(Toy(causal=True)).table
    assert told_steered(Steered(table.clear(), None, None)) == "0 predictions"
    assert told_steered(Steered(table, None, None)).startswith(f"{len(table)} predictions, mean KL ")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"clamp": 1e39}, r"clamp by 1e\+39: give a finite number that float32 holds"),
        ({"where": [99999]}, "where = 99999: none of the .* records shown has such an event; .* numbered 0 to "),
        ({"where": [1, 10**25]}, "where = 10000000000000000000000000: none of the"),
        ({"where": [-1]}, "or a list of event numbers, counted from 0"),
        ({"where": [1.5]}, r"where = \[1.5\]: it is fires, all"),
        ({"where": [True]}, r"where = \[True\]"),
        ({"where": []}, r"where = \[\]"),
        ({"where": None}, "where = None"),
        ({"where": ["fires"]}, r"where = \['fires'\]"),
        ({"temperature": -1}, "temperature = -1: give a finite number, 0 or more"),
        ({"temperature": NAN}, "temperature = nan"),
        ({"temperature": INF, "generate": 2}, "temperature = inf"),
        ({"temperature": "1"}, "temperature = '1'"),
        ({"generate": -1}, "generate = -1: give a whole number of tokens"),
        ({"generate": 1.5}, "generate = 1.5"),
        ({"generate": True}, "generate = True"),
    ],
)
def test_numbers_that_are_none_are_refused_before_anything_is_written(options, words, tmp_path):
    with pytest.raises(SeqsaeError, match=words) as caught:
        steered(Toy(causal=True), out=tmp_path / "run", **options)
    assert "\n" not in str(caught.value) and not (tmp_path / "run").exists()


def test_whole_numbers_of_numpy_are_events_too():
    model = Toy(causal=True)
    given = [[1, 3], np.array([1, 3]), pl.Series([1, 3]), (3, 1)]
    first, *others = (steered(model, where=where).table for where in given)
    assert all(first.equals(one) for one in others)
    one = steered(model, where=2).table
    assert one.equals(steered(model, where=[2]).table)


@pytest.mark.parametrize("lost", ["steered.parquet", "generated.parquet"])
def test_an_artefact_whose_manifest_names_less_than_was_asked_for(lost, tmp_path):
    ask = {"generate": 2, "out": tmp_path}
    folder = steered(Toy(causal=True), **ask).artefact.path
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["files"][lost]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(SeqsaeError, match=f"names no file '{lost}', it has .*; delete .* and run"):
        steered(Toy(causal=True), **ask)


def test_a_table_that_is_gone_is_made_again(tmp_path):
    folder = steered(Toy(causal=True), out=tmp_path).artefact.path
    (folder / "steered.parquet").unlink()
    assert len(steered(Toy(causal=True), out=tmp_path).table) == len(pl.read_parquet(folder / "steered.parquet"))
