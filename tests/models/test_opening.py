"""Models by name: the outsider's plugin, installed by pip, found by its entry point."""

from importlib.metadata import EntryPoint

import numpy as np
import pytest

import seqsae
from seqsae import plugins
from seqsae.errors import SeqsaeError
from seqsae.records.record import Record
from seqsae.testing import check_model


def records():
    codes = [np.array([f"CODE//{i % 5}" for i in range(n)], dtype=object) for n in (4, 9, 6)]
    times = [np.arange(len(code)).astype("datetime64[D]").astype("datetime64[us]") for code in codes]
    return [
        Record(i, i, time, code, np.zeros(len(code), "float32"))
        for i, (time, code) in enumerate(zip(times, codes, strict=True))
    ]


def test_the_outsiders_plugin_is_short_and_passes_the_contract(outsider):
    assert len((outsider / "outsider.py").read_text().splitlines()) < 40
    check_model(seqsae.open_model("outsider"), records())


def test_a_wrong_name_or_option_is_told(outsider):
    with pytest.raises(SeqsaeError, match="did you mean 'outsider'"):
        seqsae.open_model("outsder")
    with pytest.raises(SeqsaeError, match="depth"):
        seqsae.open_model("outsider", depth=3)


def test_two_packages_with_one_name_are_an_error_that_names_both(monkeypatch):
    twice = [EntryPoint("x", "one:open", "seqsae.models"), EntryPoint("x", "other:open", "seqsae.models")]
    monkeypatch.setattr(plugins, "entry_points", lambda group: twice)
    with pytest.raises(SeqsaeError, match="one:open and other:open"):
        plugins.offered("models")


def test_a_plugin_that_does_not_load_is_told(monkeypatch):
    monkeypatch.setattr(
        plugins, "entry_points", lambda group: [EntryPoint("x", "no_such_module:open", "seqsae.models")]
    )
    with pytest.raises(SeqsaeError, match="does not load"):
        plugins.find("models", "x")


def test_something_that_is_no_model_is_refused(monkeypatch):
    monkeypatch.setattr(plugins, "find", lambda kind, name: dict)
    with pytest.raises(SeqsaeError, match="gave dict, not a SequenceModel"):
        seqsae.open_model("x")


def test_whatever_a_plugins_factory_raises_is_one_line(monkeypatch):
    def broken(name="x", width=1):
        return 1 / width

    monkeypatch.setattr(plugins, "find", lambda kind, name: broken)
    with pytest.raises(SeqsaeError, match="cannot be opened: ZeroDivisionError"):
        seqsae.open_model("any", width=0)
    with pytest.raises(SeqsaeError, match="gave float, not a SequenceModel"):
        seqsae.open_model("any", name="a model's own option")
