"""The contract checks that plugin authors run, each with a fault that it must catch (check_model: tests/models)."""

import numpy as np
import polars as pl
import pytest
import torch
from conftest import write_events

from seqsae import plugins
from seqsae.errors import SeqsaeError
from seqsae.records.data import dataset
from seqsae.sae.base import Codes
from seqsae.sae.topk import TopK
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


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Unseeded, "same seed"),
        (Negative, "not negative"),
        (AcrossRows, "encoded for itself"),
        (Twice, "once in a row"),
        (OtherDecoder, "decode takes"),
        (LeftOut, "part of the loss"),
    ],
)
def test_a_faulty_architecture_is_caught(kind, words, monkeypatch):
    monkeypatch.setattr(plugins, "find", lambda *_: kind)
    monkeypatch.setattr("seqsae.sae.base.find", lambda *_: kind)
    with pytest.raises(SeqsaeError, match=words):
        check_sae("faulty")
