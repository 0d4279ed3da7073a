import pytest

from seqsae.config import SaeConfig, SweepConfig
from seqsae.errors import SeqsaeError
from seqsae.sae.choosing.grid import grid, sparsity_option


def _grid(config=None, **sweep):
    return grid((config or SaeConfig()).model_copy(update={"sweep": SweepConfig(**sweep)}))


def test_every_width_with_every_k():
    found = _grid(widths=(1024, 512, 512), ks=(32, 8), seeds=3)
    assert [(one.width, one.k) for one in found] == [(512, 8), (512, 32), (1024, 8), (1024, 32)]
    assert all(one.seeds == 3 and one.sweep == SweepConfig() for one in found)


def test_lists_left_empty_lie_around_the_configs_own():
    found = _grid(SaeConfig(width=400, k=10))
    assert [one.width for one in found[::3]] == [100, 200, 400, 800]
    assert [one.k for one in found[:3]] == [5, 10, 20]
    assert [one.k for one in _grid(widths=(64,))] == [16, 32, 64]  # k's own default is 32
    assert [(one.width, one.k) for one in _grid(SaeConfig(width=1, k=1), ks=(1,))] == [(1, 1), (2, 1)]


def test_an_option_of_sparsity_is_swept_where_there_is_no_k():
    config = SaeConfig(architecture="relu", options={"p": 0.5})
    found = _grid(config, widths=(64,), sparsities=(0.2, 0.1))
    assert [one.options for one in found] == [{"p": 0.5, "sparsity": 0.1}, {"p": 0.5, "sparsity": 0.2}]
    assert [one.k for one in found] == [None, None] and sparsity_option(config) == "sparsity"
    own = _grid(SaeConfig(architecture="relu", options={"sparsity": 4.0}), widths=(64,))
    assert [one.options["sparsity"] for one in own] == [2.0, 4.0, 8.0]
    assert sparsity_option(SaeConfig()) is None


def test_what_the_architecture_does_not_have_is_refused():
    with pytest.raises(SeqsaeError, match="'relu' has no k; give sparsities"):
        _grid(SaeConfig(architecture="relu"), ks=(8,))
    with pytest.raises(SeqsaeError, match="'topk' has a k and no option of sparsity; give ks"):
        _grid(sparsities=(0.1,))


def test_a_target_is_swept_where_the_penalty_is_one():
    config = SaeConfig(architecture="jumprelu", options={"penalty": "target"})
    found = _grid(config, widths=(64,), sparsities=(8, 16))
    assert [one.options for one in found] == [{"penalty": "target", "target_l0": value} for value in (8.0, 16.0)]
    assert sparsity_option(SaeConfig(architecture="jumprelu")) == "sparsity"
    assert sparsity_option(SaeConfig(architecture="jumprelu", options={"target_l0": 4})) == "target_l0"
    with pytest.raises(SeqsaeError, match="target_l0 is None; give a number from 0.1 to 2048"):
        _grid(config, widths=(64,))


@pytest.mark.parametrize(("name", "usual"), [("relu", 0.08), ("gated", 0.16), ("jumprelu", 0.003)])
def test_sparsities_left_out_lie_around_the_architectures_own(name, usual):
    found = _grid(SaeConfig(architecture=name), widths=(64,))
    assert [one.options["sparsity"] for one in found] == pytest.approx([usual / 2, usual, 2 * usual])
