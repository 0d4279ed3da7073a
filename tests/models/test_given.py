"""What `wrap` is given, looked at at once; and what its collate gives, when that is no mask."""

import numpy as np
import pytest
import torch
from models import own_models
from models.own_models import ids_and_mask, records
from torch import nn

import seqsae
from seqsae.errors import SeqsaeError
from seqsae.models.given import described

WANTED = r"a torch tensor \[batch, positions\] of bool, True where a position is a real row"


def wrapped(**given):
    return seqsae.wrap(
        **{"module": nn.Sequential(nn.Embedding(24, 4)), "sites": ["0"], "collate": ids_and_mask, **given}
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"sites": None}, "wrap: sites = None; give a list of places to read"),
        ({"sites": 3}, "wrap: sites = 3; give a list"),
        ({"sites": "0"}, "wrap: sites = '0'; give a list"),
        ({"sites": [3]}, "site 3 is int; spell it as text"),
        ({"sites": [None]}, "site None is NoneType"),
        ({"sites": [""]}, "site '': name a module"),
        ({"collate": None}, "wrap: collate = None cannot be called; give a function$"),
        ({"collate": 3}, "wrap: collate = 3 cannot be called; give a function$"),
        ({"hide": 3}, "wrap: hide = 3 cannot be called; give a function, or leave it out"),
        ({"ids": 3}, "wrap: ids = 3 cannot be called; give a function, or leave it out"),
        ({"logits": "logits"}, "wrap: logits = 'logits' cannot be called"),
    ],
)
def test_what_cannot_be_used_is_told_at_once(given, words):
    with pytest.raises(SeqsaeError, match=words) as caught:
        wrapped(**given)
    assert "\n" not in str(caught.value)


def test_sites_in_any_order_of_things_will_do():
    for sites in (["0"], ("0",), {"0": 4}, iter(["0"])):
        assert list(wrapped(sites=sites).sites) == ["0"]


def with_mask(change):
    return lambda items: (ids_and_mask(items)[0], change(ids_and_mask(items)[1]))


def with_index(change):
    return lambda items: (*ids_and_mask(items), change(ids_and_mask(items)[0]))


def named(**inputs):
    return lambda items: {"input": ids_and_mask(items)[0], **{k: f(ids_and_mask(items)[1]) for k, f in inputs.items()}}


MASKS = {
    "float": (with_mask(torch.Tensor.float), rf"the mask, is a tensor of float32 and shape \(1, 5\); give {WANTED}"),
    "complex": (with_mask(lambda mask: mask.to(torch.complex64)), "the mask, is a tensor of complex64"),
    "one axis": (with_mask(lambda mask: mask[0]), rf"the mask, is a tensor of bool and shape \(5,\); give {WANTED}"),
    "three axes": (with_mask(lambda mask: mask[..., None]), r"the mask, is a tensor of bool and shape \(1, 5, 1\)"),
    "numpy": (with_mask(torch.Tensor.numpy), rf"the mask, is a numpy array of bool and shape \(1, 5\); give {WANTED}"),
    "list": (with_mask(torch.Tensor.tolist), "the mask, is of type list; give"),
    "none": (with_mask(lambda mask: None), "the mask, is of type NoneType; give"),
    "index": (
        with_index(torch.Tensor.float),
        r"the index, is a tensor of float32 and shape \(1, 5\); give .* whole numbers",
    ),
    "flat index": (with_index(lambda ids: ids[0]), r"the index, is a tensor of int64 and shape \(5,\)"),
    "named numpy": (named(attention_mask=torch.Tensor.numpy), "its attention_mask is a numpy array of bool"),
    "named flat": (
        named(src_key_padding_mask=lambda mask: mask[0]),
        r"its src_key_padding_mask is a tensor of bool and shape",
    ),
    "none named": (named(), f"gave dict without a mask; return .inputs, mask., the mask {WANTED}"),
    "ids alone": (lambda items: ids_and_mask(items)[0], "gave Tensor without a mask"),
    "in a list": (lambda items: [*ids_and_mask(items)], "gave list without a mask"),
}


@pytest.mark.parametrize("kind", MASKS)
def test_what_came_in_place_of_a_mask_is_said_and_what_is_wanted(kind):
    collate, words = MASKS[kind]
    with pytest.raises(SeqsaeError, match=words) as caught:
        wrapped(collate=collate, name="mine").prepare(records((5,))[0])
    assert str(caught.value).startswith("collate of model 'mine'") and "\n" not in str(caught.value)


def test_a_mask_of_whole_numbers_is_a_mask():
    model = wrapped(collate=with_mask(torch.Tensor.long))
    assert len(model.prepare(records((5,))[0])) == 5
    assert model.collate([model.prepare(one) for one in records()]).mask.dtype == torch.bool


def test_things_by_their_kind():
    assert described(torch.ones(2, 3, dtype=torch.bfloat16)) == "a tensor of bfloat16 and shape (2, 3)"
    assert described(np.ones(4, bool)) == "a numpy array of bool and shape (4,)"
    assert described(own_models.PAD) == "of type int"
