"""Devices that are not here are told before anything is put on them."""

import pytest
import torch

import seqsae
from seqsae.errors import SeqsaeError
from seqsae.models.devices import memory, usable

AWAY = ["tpu", "meta", "", "cpu:-1", 5.5, *([] if torch.cuda.is_available() else ["cuda", "cuda:0"]), "cuda:99"]


def test_the_processor_is_here_and_has_memory():
    assert usable("cpu") == torch.device("cpu")
    assert memory("cpu") > 2**28


@pytest.mark.parametrize("device", AWAY)
def test_what_is_not_here_is_refused_in_one_line(device):
    with pytest.raises(SeqsaeError, match="choose cpu") as refused:
        usable(device)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("model", ["meds"])
def test_a_model_is_opened_on_no_such_device(model):
    with pytest.raises(SeqsaeError, match="device 'foo'"):
        seqsae.open_model(model, path="none", device="foo")
