"""The contract checks that plugin authors run, each with a fault that it must catch (check_model: tests/models)."""

import re

import numpy as np
import polars as pl
import pytest
import torch
from conftest import write_events

from seqsae import plugins
from seqsae.errors import SeqsaeError
from seqsae.records.reading import dataset
from seqsae.sae.architectures.topk import TopK
from seqsae.sae.base import Codes
from seqsae.testing import check_sae, check_source


def test_a_good_source_passes(tmp_path):
    folder = write_events(tmp_path / "d", 30)
    assert len(check_source(lambda path: path, folder)) == 30
    assert len(check_source(lambda path: dataset(path), folder)) == 30


def test_an_unseeded_source_is_caught():
    def source():
        return dataset([{"token": np.random.default_rng().integers(0, 99, 5).tolist()} for _ in range(4)])

    with pytest.raises(SeqsaeError, match="different data"):
        check_source(source)


def test_a_source_of_broken_data_says_what_is_wrong(tmp_path):
    folder = write_events(tmp_path / "d", 30)
    pl.DataFrame({"x": [1]}).write_parquet(folder / "data" / "0.parquet")
    with pytest.raises(SeqsaeError, match="no column 'code'"):
        check_source(lambda: folder)


def test_topk_passes():
    check_sae("topk")


class Unseeded(TopK):
    def __init__(self, recipe):
        super().__init__(recipe)
        with torch.no_grad():
            self.W_dec.copy_(torch.nn.functional.normalize(torch.rand(self.W_dec.shape), dim=1))


class Negative(TopK):
    def codes(self, x):
        codes = super().codes(x)
        return Codes(codes.values - 0.5, codes.indices)


class AcrossRows(TopK):
    def codes(self, x):
        return super().codes(x - x.mean(0))


class Twice(TopK):
    def codes(self, x):
        codes = super().codes(x)
        return Codes(torch.cat([codes.values] * 2, 1), torch.cat([codes.indices] * 2, 1))


class OtherDecoder(TopK):
    def decode_normalised(self, codes):
        return super().decode_normalised(codes) * 1.1


class LeftOut(TopK):
    def loss(self, x, state):
        loss = super().loss(x, state)
        return loss._replace(auxiliary=loss.auxiliary + 1)


class FlatIndices(TopK):
    def codes(self, x):
        codes = super().codes(x)
        return Codes(codes.values, codes.indices.int())


class PastTheEnd(TopK):
    def encode(self, x):
        codes = super().encode(x)
        return Codes(codes.values, codes.indices + self.width)


class Endless(TopK):
    def codes(self, x):
        codes = super().codes(x)
        return Codes(codes.values / 0, codes.indices)


class Wide(TopK):
    def decode(self, codes, rows=None):
        return super().decode(codes, rows).repeat(1, 2)


class Square(TopK):
    def __getattr__(self, name):
        return super().__getattr__("W_dec" if name == "W_enc" and not self.training else name)


class NeedsRows(TopK):
    def encode(self, x):
        assert x[0].any()
        return super().encode(x)


class Detached(TopK):
    def codes(self, x):
        return super().codes(x.detach())


class DeafEncoder(TopK):
    def encoder_weights(self):
        W_enc, b_enc, b_dec = super().encoder_weights()
        return W_enc.detach(), b_enc, b_dec


class Numb(TopK):
    def loss(self, x, state):
        loss = super().loss(x, state)
        return loss if self.training else loss._replace(fired=loss.fired & False)


class Broken(TopK):
    def loss(self, x, state):
        raise RuntimeError("not written yet")


class Restless(TopK):
    def loss(self, x, state):
        with torch.no_grad():
            self.b_enc.add_(1e-3)
        return super().loss(x, state)


class Forgetful(TopK):
    def __init__(self, recipe):
        super().__init__(recipe)
        self.learnt = torch.zeros(self.width)  # neither a parameter nor a buffer

    def loss(self, x, state):
        self.learnt = self.learnt + 0.1 * torch.arange(self.width) if self.training else self.learnt
        return super().loss(x, state)

    def codes(self, x):
        codes = super().codes(x)
        return Codes(codes.values + self.learnt[codes.indices], codes.indices)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Broken, r"it trains \(RuntimeError: not written yet"),
        (Square, "weights are W_enc"),
        (FlatIndices, "int64 indices"),
        (PastTheEnd, "indices are latents"),
        (Negative, "not negative"),
        (Endless, "finite"),
        (Twice, "once in a row"),
        (Wide, r"decode gives \[n, d\]"),
        (OtherDecoder, "decode takes"),
        (AcrossRows, "encoded for itself"),
        (NeedsRows, r"no rows have no codes \(IndexError"),
        (Detached, "pass gradients to their rows"),
        (LeftOut, "part of the loss"),
        (DeafEncoder, "gradients to W_enc"),
        (Numb, "fired is"),
        (Restless, "changes nothing"),
        (Unseeded, "same seed"),
        (Forgetful, "a saved SAE"),
    ],
)
def test_a_faulty_architecture_is_caught(kind, words, monkeypatch):
    monkeypatch.setattr(plugins, "find", lambda *_: kind)
    monkeypatch.setattr("seqsae.sae.base.find", lambda *_: kind)
    monkeypatch.setattr("seqsae.sae.promises.find", lambda *_: kind)
    with pytest.raises(SeqsaeError, match=words):
        check_sae("faulty")


def test_every_promise_has_a_fault_that_it_catches():
    from seqsae.sae.promises import PROMISES

    faults = next(mark for mark in test_a_faulty_architecture_is_caught.pytestmark if mark.name == "parametrize").args[
        1
    ]
    for promise in PROMISES:
        assert any(re.search(words.split(r" \(")[0], promise) for _, words in faults), promise
