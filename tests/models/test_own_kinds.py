"""Encoders of every kind through `wrap`: the whole contract, padding, and the numbers of sites that are not plain."""

import numpy as np
import pytest
import torch
from models import own_models
from models.own_models import LENGTHS, MODELS, make, records
from torch import nn

import seqsae
from seqsae.errors import SeqsaeError
from seqsae.records.record import Record
from seqsae.testing import check_model, examine, relative_l2


@pytest.mark.parametrize("name", MODELS)
def test_every_kind_passes_the_contract(name):
    check_model(make(name), records())


@pytest.mark.parametrize("name", MODELS)
def test_a_padded_batch_reads_as_each_record_alone(name):
    model = make(name)
    samples = [model.prepare(record) for record in records()]
    together = model.capture(model.collate(samples), model.sites)
    alone = [model.capture(model.collate([sample]), model.sites) for sample in samples]
    for site, rows in together.items():
        assert relative_l2(rows, torch.cat([one[site] for one in alone])) < 1e-5
        assert len(rows) == sum(map(len, samples))


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("Bert", {"mask", "hide", "ids and logits", "alignment"}),
        ("GPT2", {"mask", "causal", "ids and logits"}),
        ("T5 decoder", {"mask", "causal", "ids and logits", "alignment"}),
        ("GRU", {"causal", "ids and logits"}),
        ("state space", {"causal", "ids and logits", "alignment"}),
        ("four channels", {"ids and logits", "alignment"}),
    ],
)
def test_the_checks_that_matter_to_a_kind_are_asked(name, asked):
    answered = {finding.name for finding in examine(make(name), records()) if finding.verdict.state == "ok"}
    assert asked <= answered


@pytest.mark.parametrize(
    ("name", "role", "extra"), [("T5 decoder", "decoder", 2), ("T5 encoder", "token", 0), ("GRU", "token", 0)]
)
def test_rows_say_which_side_they_are_of(name, role, extra):
    samples = [make(name).prepare(record) for record in records()]
    assert {sample.role for sample in samples} == {role}
    assert [len(sample) for sample in samples] == [n + extra for n in LENGTHS]
    wanted = records()[0].item["decoder_token" if role == "decoder" else "token"]
    assert samples[0].token.tolist() == [str(token) for token in wanted]


def test_sites_of_both_sides_are_refused():
    with pytest.raises(SeqsaeError, match="once for each side"):
        seqsae.wrap(own_models.t5(), ["encoder.block.0", "decoder.block.0"], own_models.two_sided)
    with pytest.raises(SeqsaeError, match="role = 'both'"):
        seqsae.wrap(own_models.t5(), ["encoder.block.0"], own_models.two_sided, role="both")
    net = nn.Transformer(16, 2, 1, 1, 32, batch_first=True)
    with pytest.raises(SeqsaeError, match="different sides"):
        seqsae.wrap(net, ["encoder.layers.0"], own_models.two_sided, role="decoder")


def test_sites_are_read_before_a_head_that_wants_more_but_the_doctor_says_so():
    torch.manual_seed(0)
    model = seqsae.wrap(own_models.t5(), ["encoder.block.1"], own_models.named)
    batch = model.collate([model.prepare(record) for record in records()])
    rows = model.capture(batch, model.sites)["encoder.block.1"]
    whole = make("T5 encoder")
    expected = whole.capture(whole.collate([whole.prepare(record) for record in records()]), whole.sites)
    assert torch.equal(rows, expected["encoder.block.1"])
    with pytest.raises(SeqsaeError, match="forward: ValueError: .*input_ids.*also behind the sites"):
        check_model(model, records())


def states_of(model, batch, site):
    """[B, T, d] at a module, by a hook of torch's own."""
    kept = []
    handle = model.module.get_submodule(site).register_forward_hook(lambda *given: kept.append(given[2]))
    with torch.no_grad():
        model.forward(batch)
    handle.remove()
    return kept[0]


def test_pooled_rows_are_what_they_are_called():
    model = make("GPT2 @last")
    samples = [model.prepare(record) for record in records()]
    batch = model.collate(samples)
    assert [(len(one), one.role, one.token.tolist()) for one in samples] == [(1, "pooled", ["[pooled]"])] * 4
    rows = model.capture(batch, model.sites)
    last, mean = (states_of(model, batch, site) for site in ("transformer.h.1", "transformer.h.0"))
    for i, n in enumerate(LENGTHS):
        assert torch.allclose(rows["transformer.h.1@last"][i], last[i, n - 1])
        assert torch.allclose(rows["transformer.h.0@mean"][i], mean[i, :n].mean(0), atol=1e-6)


def test_cls_is_the_first_position_and_a_pooler_stands_for_itself():
    model = make("Bert @cls")
    batch = model.collate([model.prepare(record) for record in records()])
    rows = model.capture(batch, model.sites)
    assert torch.allclose(rows["encoder.layer.0@cls"], states_of(model, batch, "encoder.layer.0")[:, 0])
    assert torch.allclose(rows["pooler@pooled"], states_of(model, batch, "pooler"))


def test_cls_stands_behind_padding_on_the_left():
    def left(items):
        inputs, mask = own_models.with_ends(items)
        for name in inputs:
            inputs[name] = torch.stack([row.roll(-len(row)).flip(0) for row in inputs[name]])
        return inputs, mask.flip(1)

    torch.manual_seed(0)
    bert = own_models.hf("BertModel", **own_models.BERT)
    model = seqsae.wrap(bert, ["encoder.layer.0@cls"], left)
    batch = model.collate([model.prepare(record) for record in records()])
    states = states_of(model, batch, "encoder.layer.0")
    n = batch.inputs["attention_mask"].sum(1)
    expected = states[torch.arange(4), states.shape[1] - n]
    assert torch.allclose(model.capture(batch, model.sites)["encoder.layer.0@cls"], expected)


def test_putting_a_mean_shifts_every_row_by_the_difference():
    model = make("four channels @mean")
    batch = model.collate([model.prepare(record) for record in records()])
    before, after = [], []
    layer = model.module.encoder.layers[1]
    wish = torch.randn(4, 16)
    for kept, change in ((before, lambda rows: rows), (after, lambda rows: wish)):
        handle = layer.register_forward_pre_hook(lambda _, given, kept=kept: kept.append(given[0]))
        with torch.no_grad():
            model.replace(batch, "encoder.layers.0@mean", change)
        handle.remove()
    for i, n in enumerate(LENGTHS):
        shift = after[0][i] - before[0][i]
        assert torch.allclose(after[0][i, :n].mean(0), wish[i], atol=1e-6)
        assert torch.allclose(shift[:n], shift[:1].expand(n, -1), atol=1e-6) and not shift[n:].any()


def test_putting_one_vector_leaves_the_other_rows_alone():
    model = make("GPT2 @last")
    batch = model.collate([model.prepare(record) for record in records()])
    with torch.no_grad():
        plain = model.forward(batch).logits
        other = model.replace(batch, "transformer.h.1@last", torch.zeros_like).logits
    for i, n in enumerate(LENGTHS):
        changed = (plain[i] != other[i]).any(1)
        assert changed.nonzero().flatten().tolist() == [n - 1]


def test_a_record_without_rows_has_no_pooled_row():
    def pad(items):
        ids = nn.utils.rnn.pad_sequence([torch.tensor([1, *item["token"]]) for item in items], batch_first=True)
        return {"input_ids": ids, "attention_mask": (ids > 0).long()}, ids > 1

    model = seqsae.wrap(own_models.hf("BertModel", **own_models.BERT), ["encoder.layer.0@mean", "pooler@pooled"], pad)
    items = [{"token": [4, 5]}, {"token": []}, {"token": [6]}]
    batch = model.collate([model.prepare(Record(i, i, item=item)) for i, item in enumerate(items)])
    rows = model.capture(batch, model.sites)
    assert {site: len(value) for site, value in rows.items()} == {"encoder.layer.0@mean": 2, "pooler@pooled": 2}
    assert torch.equal(rows["pooler@pooled"], states_of(model, batch, "pooler")[[0, 2]])


def test_pooled_sites_are_harvested_one_row_a_subject(tmp_path):
    items = [{"subject_id": i, **record.item} for i, record in enumerate(records((3, 9, 5, 12, 7)))]
    model = make("Bert @mean")
    store = seqsae.harvest(model, seqsae.dataset(items), out=tmp_path)
    assert store.n_rows == 5 and store.rows["role"].to_list() == ["pooled"] * 5
    assert store.sites == {"encoder.layer.0@mean": 16}
    other = seqsae.harvest(make("Bert without ends"), seqsae.dataset(items), out=tmp_path / "b")
    assert other.n_rows == 36 and set(other.rows["role"]) == {"token"}
    assert store.model["fingerprint"] == other.model["fingerprint"] and store.model != other.model


def test_any_model_of_a_plugin_can_be_pooled(outsider):
    model = seqsae.open_model("outsider", pool="mean", width=8)
    times = np.arange(9).astype("datetime64[D]").astype("datetime64[us]")
    events = [
        Record(i, i, times[:n], np.array([f"C{j % 4}" for j in range(n)], dtype=object))
        for i, n in enumerate((4, 9, 6))
    ]
    check_model(model, events)
    assert list(model.sites) == ["embed@mean", "gru@mean"] and model.options == {"width": 8}
    with pytest.raises(SeqsaeError, match="one of mean, cls, last"):
        seqsae.open_model("outsider", pool="max")


def test_rows_a_position_and_rows_a_subject_do_not_mix():
    with pytest.raises(SeqsaeError, match="all sites of a model an @, or none"):
        seqsae.wrap(own_models.FourChannels(), ["rest", "encoder@mean"], own_models.four)
    model = make("four channels")
    with pytest.raises(SeqsaeError, match="'mean', .*not 'max'|mean, cls, last, pooled, not 'max'"):
        seqsae.wrap(model.module, ["encoder@max"], own_models.four)


def test_a_module_that_gives_no_vector_is_told_how_to_be_pooled():
    model = seqsae.wrap(own_models.FourChannels(), ["encoder@pooled"], own_models.four)
    batch = model.collate([model.prepare(record) for record in records()])
    with pytest.raises(SeqsaeError, match="say @mean, @last or @cls"):
        model.capture(batch, model.sites)
