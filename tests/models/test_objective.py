"""What a model's predictions are scored against, and what they cost."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

import seqsae
from seqsae.errors import NoObjective, SeqsaeError
from seqsae.models.objective import nats, targets
from seqsae.records.record import Record

PAD = 9


class Says(nn.Module):
    """Logits of an embedding; `named` puts them where transformers' models do."""

    def __init__(self, named=True):
        super().__init__()
        torch.manual_seed(0)
        self.table, self.named = nn.Embedding(10, 10), named

    def forward(self, input_ids, attention_mask=None):
        out = self.table(input_ids)
        return SimpleNamespace(logits=out) if self.named else {"states": out, "other": None}


def pad(items):
    """[start] before the tokens, which are the rows, and padding behind."""
    lists = [[8, *item["token"]] for item in items]
    longest = max(map(len, lists))
    ids = torch.tensor([ids + [PAD] * (longest - len(ids)) for ids in lists])
    return {"input_ids": ids, "attention_mask": (ids != PAD).long()}, (ids < 8)


def batch_of(attention, **options):
    model = seqsae.wrap(options.pop("module", Says()), ["table"], pad, attention=attention, **options)
    records = [Record(0, 0, item={"token": [1, 2, 3]}), Record(1, 1, item={"token": [4]})]
    return model, model.collate([model.prepare(record) for record in records])


def test_a_bidirectional_model_is_asked_for_the_row_itself():
    model, batch = batch_of("bidirectional")
    assert targets(model, batch).tolist() == [[-1, 1, 2, 3], [-1, 4, -1, -1]]


def test_a_causal_model_is_asked_for_the_row_behind_and_the_start_tells_the_first():
    model, batch = batch_of("causal")
    assert targets(model, batch).tolist() == [[1, 2, 3, -1], [4, -1, -1, -1]]


def test_the_cost_is_that_of_a_softmax_by_hand():
    model, batch = batch_of("causal")
    wanted = targets(model, batch)
    logits = model.logits(model.forward(batch))
    found = nats(logits, wanted).detach().numpy()
    table = model.module.table.weight.detach().double().numpy()
    by_hand = [np.log(np.exp(table[a]).sum()) - table[a][b] for a, b in [(8, 1), (1, 2), (2, 3), (8, 4)]]
    np.testing.assert_allclose(found[wanted.numpy() >= 0], by_hand, rtol=1e-6)
    assert not found[wanted.numpy() < 0].any()


def test_a_module_may_name_its_ids_and_logits_otherwise():
    module = Says(named=False)
    model, batch = batch_of(
        "causal", module=module, ids=lambda inputs: inputs["input_ids"], logits=lambda o: o["states"]
    )
    assert model.logits(model.forward(batch)).shape == (2, 4, 10)


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        (
            lambda given: given["input_ids"][0],
            r"ids are a tensor of int64 and shape \(4,\) for a batch of shape \(2, 4\)",
        ),
        (lambda given: given["input_ids"][:, 1:], r"shape \(2, 3\) for a batch of shape \(2, 4\); let ids give"),
        (lambda given: given["input_ids"].float(), "ids are a tensor of float32 .* whole numbers, one a position"),
        (lambda given: given["input_ids"] > 3, "ids are a tensor of bool"),
        (lambda given: given["input_ids"].tolist(), "ids are of type list"),
        (lambda given: None, "ids are of type NoneType"),
        (lambda given: given["input_ids"] - 3, "an id of -[12] at a row; count ids from 0"),
    ],
)
def test_ids_that_do_not_fit_the_batch_are_refused(ids, words):
    for attention in ("causal", "bidirectional"):
        with pytest.raises(SeqsaeError, match=words):
            targets(*batch_of(attention, ids=ids))


def test_ids_of_any_width_and_below_0_where_no_row_is_are_taken():
    def narrow(given):
        return given["input_ids"].masked_fill(given["attention_mask"] == 0, -100).to(torch.int16)

    for ids in (narrow, lambda given: given["input_ids"].to(torch.uint8)):
        found = targets(*batch_of("bidirectional", ids=ids))
        assert found.dtype == torch.int64 and found.tolist() == [[-1, 1, 2, 3], [-1, 4, -1, -1]]


def test_a_model_without_them_is_told_what_to_give():
    model, batch = batch_of("causal", module=Says(named=False))
    with pytest.raises(NoObjective, match="no logits .* in its dict; define logits, or give loss="):
        model.logits(model.forward(batch))
    with pytest.raises(NoObjective, match="no logits .* in its Tensor"):
        model.logits(torch.zeros(2, 4, 10))  # a bare tensor may be states
    batch.inputs.pop("input_ids")
    with pytest.raises(NoObjective, match="does not say which token ids its input holds"):
        targets(model, batch)
