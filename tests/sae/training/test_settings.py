import pytest

from seqsae.config import SaeConfig
from seqsae.errors import SeqsaeError
from seqsae.sae.training.settings import budget_of, settled, specs_of


def test_k_steps_and_precision_are_filled_in():
    config = settled(SaeConfig(architecture="topk", epochs=2.5, batch=100, precision="auto"), 1000, "cpu")
    assert (config.k, config.steps, config.epochs) == (32, 25, None)
    assert config.precision in ("float32", "bfloat16", "int8")
    assert settled(config, 77, "cpu") == config  # once settled, the same everywhere


def test_an_architecture_without_k_is_given_none():
    assert settled(SaeConfig(architecture="relu"), 1000, "cpu").k is None
    assert settled(SaeConfig(k=5), 1000, "cpu").k == 5


def test_every_setting_reaches_spec_and_budget():
    given = {
        "width": 64,
        "k": 3,
        "lr": 0.01,
        "warmup": 0.1,
        "decay": "cosine",
        "precision": "autocast",
        "resample": 7,
        "patience": 4,
        "bias": "zeros",
        "options": {"aux_k": 9},
    }
    config = SaeConfig(**given, normalise="whiten", clip=0, seeds=2, steps=11, batch=12, check_every=13, dead_after=14)
    specs = specs_of(config)
    assert [spec.seed for spec in specs] == [0, 1]
    assert all(getattr(specs[1], name) == value for name, value in given.items())
    assert specs[0].normalisation == "whiten" and specs[0].clip is None
    budget = budget_of(config, "cpu")
    assert (budget.steps, budget.batch, budget.every, budget.dead_after) == (11, 12, 13, 14)


def test_a_device_that_is_not_here_is_refused_in_one_line():
    with pytest.raises(SeqsaeError, match="device 'nowhere': .*; choose cpu, or one that is here") as caught:
        budget_of(SaeConfig(), "nowhere")
    assert "\n" not in str(caught.value)
    for device in ("meta", 3.5):
        with pytest.raises(SeqsaeError, match="choose cpu, or one that is here"):
            budget_of(SaeConfig(), device)
