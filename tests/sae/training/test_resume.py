"""A saved state is what was written, or it is refused."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from seqsae.errors import SeqsaeError
from seqsae.sae.training import resume

RUN = {"steps": 9}


@pytest.fixture
def state(tmp_path):
    resume.save(tmp_path, 4, {"w": torch.arange(6.0)}, {"run": RUN, "step": 4})
    return tmp_path / "step-000000004"


def _document(change):
    def damage(state):
        path = state / "state.json"
        path.write_text(json.dumps(change(json.loads(path.read_text()))))

    return damage


def _tensors(state):
    path = state / "state.safetensors"
    save_file({**load_file(path), "w": torch.arange(6.0) + 1e-7}, path)


def _flip(state):
    path = state / "state.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")


def test_a_state_is_read_as_it_was_written(state):
    tensors, document = resume.latest(state.parent, RUN)
    assert torch.equal(tensors["w"], torch.arange(6.0)) and document["step"] == 4


@pytest.mark.parametrize(
    "damage",
    [
        _document(lambda found: {**found, "document": {**found["document"], "step": 10**6}}),
        _document(lambda found: found["document"]),
        _document(lambda found: []),
        lambda state: (state / "state.json").write_text("[" * 100_000),
        lambda state: (state / "state.json").write_text(""),
        lambda state: (state / "state.safetensors").unlink(),
        _tensors,
        _flip,
    ],
)
def test_a_state_that_was_cut_or_changed_is_refused(state, damage):
    damage(state)
    with pytest.raises(SeqsaeError, match=r"step-000000004.*; delete .* to train anew"):
        resume.latest(state.parent, RUN)
