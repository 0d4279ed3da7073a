"""Weights leave only signed for, cut to released features, and if the SAE remembers nobody."""

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import load_file

from seqsae.disclosure.policy import NAMED
from seqsae.errors import SeqsaeError
from seqsae.exports import weights as room
from seqsae.exports.weights import Memory, Weights, membership, pointing_at_few, signed
from seqsae.sae.base import Recipe, build

DEFAULT = NAMED["default"]


class Rows:
    """Activations of `n` subjects, five rows each, half of them for training."""

    def __init__(self, n=600, d=8, seed=0):
        rng = np.random.default_rng(seed)
        self.x = torch.from_numpy(rng.normal(size=(5 * n, d))).float()
        self.n_rows, self.sites = len(self.x), {"site": d}
        self.row_subject = np.repeat(np.arange(n), 5)
        split = np.where(np.arange(n) % 2 == 0, "train", "test")
        self.subjects = pl.DataFrame(
            {"subject": np.arange(n), "cluster": [f"h{who}" for who in range(n)], "split": split}
        )

    def read(self, site, rows):
        return self.x[rows]


def sae(d=8, width=12):
    torch.manual_seed(0)
    made = build(Recipe("topk", d, width, 3, "none", 0))
    with torch.no_grad():
        made.W_dec.copy_(torch.nn.functional.normalize(torch.randn(width, d), dim=1))
    return made.eval()


@pytest.fixture
def signoff(tmp_path):
    path = tmp_path / "signoff.toml"
    path.write_text('name = "A. Researcher"\nstatement = "of no person"\n')
    return path


def test_an_sae_that_remembers_nobody_may_go_cut_to_its_features_in_half_precision(signoff, tmp_path):
    found = room.weights(sae(), Rows(), "site", [1, 4, 7], signoff, DEFAULT)
    assert found.memory.auc_high <= 0.55 and found.memory.tpr_at_1_fpr <= 0.02
    found.write(tmp_path)
    tensors = load_file(tmp_path / room.FILE)
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    assert shapes == {"W_enc": (8, 3), "W_dec": (3, 8), "b_enc": (3,), "b_dec": (8,)}
    assert all(tensor.dtype == torch.float16 for tensor in tensors.values())
    assert found.entry()["signoff"] == {"name": "A. Researcher", "statement": "of no person"}


def test_the_attack_sees_what_is_remembered():
    rows = Rows()
    errors = np.random.default_rng(1).normal(5, 1, 600)
    fair = membership(errors, rows)
    known = membership(np.where(rows.subjects["split"] == "train", errors - 1, errors), rows)
    some = errors.copy()
    some[:60:2] = 0.0
    assert (
        fair.auc_high < 0.6 < 0.7 < known.auc_high and fair.tpr_at_1_fpr <= 0.03 < membership(some, rows).tpr_at_1_fpr
    )
    turned = membership(np.where(rows.subjects["split"] == "train", errors + 1, errors), rows)
    assert turned.auc_high > 0.7


def test_what_is_remembered_stays(signoff, monkeypatch):
    monkeypatch.setattr(room, "membership", lambda errors, store: Memory(0.6, 0.0))
    with pytest.raises(SeqsaeError, match="D18.*AUROC of up to 0.600"):
        room.weights(sae(), Rows(60), "site", [1], signoff, DEFAULT)
    monkeypatch.setattr(room, "membership", lambda errors, store: Memory(0.5, 0.0))
    rows, one = Rows(60), sae()
    rows.x[:5] = 40 * one.W_dec.detach()[4]
    with pytest.raises(SeqsaeError, match="1 directions point"):
        room.weights(one, rows, "site", [1, 4], signoff, DEFAULT)


def test_a_direction_that_enough_subjects_share_points_at_nobody():
    direction = torch.nn.functional.normalize(torch.randn(1, 16, generator=torch.Generator().manual_seed(0)), dim=1)
    assert pointing_at_few(direction, direction.repeat(9, 1), DEFAULT) == 1
    assert pointing_at_few(direction, direction.repeat(10, 1), DEFAULT) == 0
    assert pointing_at_few(direction, torch.zeros(50, 16), DEFAULT) == 0


@pytest.mark.parametrize(
    ("text", "match"),
    [("", "no 'name'"), ('name = "x"\n', "no 'statement'"), ("name = 3", "no 'name'"), ("=", "not valid TOML")],
)
def test_a_sign_off_says_who_and_what(tmp_path, text, match):
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(SeqsaeError, match=match):
        signed(tmp_path / "s.toml")
    with pytest.raises(SeqsaeError, match="give the path"):
        signed(tmp_path / "none.toml")


def test_nobody_held_out_tells_nothing():
    lone = SimpleNamespace(
        subjects=pl.DataFrame({"subject": [0, 1], "cluster": ["a", "b"], "split": ["train", "train"]})
    )
    with pytest.raises(SeqsaeError, match="nobody is held out"):
        membership(np.array([1.0, 2.0]), lone)
    assert isinstance(Weights({}, {}, Memory(0.5, 0.0)).entry(), dict)
