import json

import pytest
import torch

from seqsae.errors import SeqsaeError
from seqsae.sae.spec import Budget, Spec
from seqsae.sae.training.stream import ArrayStream
from seqsae.sae.training.train import COLUMNS, train

SPECS = [
    Spec(48, 4, seed=0, lr=3e-3),
    Spec(96, 3, seed=1, lr=1e-2, normalisation="none", decay="cosine"),
    Spec(40, 4, seed=0, lr=3e-3, precision="bfloat16"),
]
BUDGET = Budget(steps=40, batch=128, every=10, dead_after=256)


class Breaking(ArrayStream):
    """A stream whose machine is switched off at its `at`-th batch of training."""

    at = 10**9

    def next(self, n):
        if n == BUDGET.batch:
            self.at -= 1
            if self.at < 0:
                raise KeyboardInterrupt
        return super().next(n)


def _rows(planted):
    return planted.rows[:3000], [planted.rows[3000:3500], planted.rows[3500:3600]]


def _same(one, other):
    assert len(one.saes) == len(other.saes)
    for a, b in zip(one.saes, other.saes, strict=True):
        for name, value in a.state_dict().items():
            assert torch.equal(value, b.state_dict()[name]), name
    assert one.metrics.equals(other.metrics)


def _train(planted, specs=SPECS, work=None, stream=None, heldout=None, budget=BUDGET):
    rows, held = _rows(planted)
    stream = ArrayStream(rows, seed=4) if stream is None else stream
    return train(stream, "array", specs, budget, held if heldout is None else heldout, work)


def test_saes_trained_together_are_those_trained_alone(planted):
    together = _train(planted)
    for index, spec in enumerate(SPECS):
        alone = _train(planted, [spec])
        for name, value in alone.saes[0].state_dict().items():
            assert torch.equal(value, together.saes[index].state_dict()[name]), name
        mine = together.metrics.filter(together.metrics["sae"] == index).drop("sae")
        assert alone.metrics.drop("sae").equals(mine)


def test_training_depends_on_the_seed_and_on_nothing_else(planted):
    torch.manual_seed(1)
    one = _train(planted, SPECS[:1])
    torch.manual_seed(2)
    _same(one, _train(planted, SPECS[:1]))
    other = _train(planted, [Spec(48, 4, seed=9, lr=3e-3)])
    assert not torch.equal(one.saes[0].W_dec, other.saes[0].W_dec)


@pytest.mark.parametrize("at", [3, 10, 27, 39])
def test_an_interrupted_training_goes_on_to_the_same_bits(planted, tmp_path, at):
    rows, _ = _rows(planted)
    whole = _train(planted)
    stream = Breaking(rows, seed=4)
    stream.at = at
    with pytest.raises(KeyboardInterrupt):
        _train(planted, work=tmp_path / "work", stream=stream)
    fresh = Breaking(rows, seed=4)
    fresh.at = BUDGET.steps - at // 10 * 10  # it may not begin at the beginning
    _same(whole, _train(planted, work=tmp_path / "work", stream=fresh))


def test_auxiliary_loss_is_at_work_in_the_resumed_runs(planted):
    assert (_train(planted).metrics["auxiliary"] > 0).any()  # else the tests above would not see its state


def test_a_finished_training_is_read_back(planted, tmp_path):
    whole = _train(planted, work=tmp_path)
    rows, _ = _rows(planted)
    stream = Breaking(rows, seed=4)
    stream.at = 0
    _same(whole, _train(planted, work=tmp_path, stream=stream))
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000040"]


def test_a_kill_while_saving_leaves_the_state_before(planted, tmp_path, monkeypatch):
    saved = []
    write = json.dumps

    def fails_late(document, *args, **options):
        if isinstance(document, dict) and document.get("document", {}).get("step") == 30:
            raise KeyboardInterrupt
        saved.append(document)
        return write(document, *args, **options)

    monkeypatch.setattr("seqsae.sae.training.resume.json.dumps", fails_late)
    with pytest.raises(KeyboardInterrupt):
        _train(planted, work=tmp_path)
    monkeypatch.undo()
    assert saved
    _same(_train(planted), _train(planted, work=tmp_path))


def test_measuring_does_not_touch_training(planted):
    rare = _train(planted, budget=Budget(40, 128, every=40, dead_after=256))
    often = _train(planted, budget=Budget(40, 128, every=1, dead_after=256))
    none = _train(planted, heldout=())
    for one, two, three in zip(rare.saes, often.saes, none.saes, strict=True):
        assert torch.equal(one.W_enc, two.W_enc) and torch.equal(one.W_enc, three.W_enc)
    assert none.metrics["fvu"].null_count() == len(none.metrics)


def test_metrics_have_a_row_for_each_sae_and_measurement(planted):
    _, held = _rows(planted)
    budget = Budget(25, 128, every=10)
    calls = []
    metrics = _train(planted, SPECS[:2], heldout=lambda: calls.append(0) or iter(held), budget=budget).metrics
    assert dict(metrics.schema) == COLUMNS
    assert metrics["step"].to_list() == [10, 10, 20, 20, 25, 25]
    assert metrics["rows"].to_list()[-1] == 25 * 128 and len(calls) == 6
    fvu = metrics.filter(metrics["sae"] == 0)["fvu"]
    assert fvu[2] < fvu[0] < 1.2


def test_weights_keep_their_layout_and_latents_their_length(planted):
    sae = _train(planted, SPECS[:1]).saes[0]
    assert sae.W_enc.T.is_contiguous() and not sae.training
    torch.testing.assert_close(sae.W_dec.norm(dim=1), torch.ones(48))


def test_a_state_of_another_training_is_refused(planted, tmp_path):
    _train(planted, SPECS[:1], work=tmp_path)
    with pytest.raises(SeqsaeError, match=r"holds the state of a training with batch 128, this one has 64"):
        _train(planted, SPECS[:1], work=tmp_path, budget=Budget(40, 64, every=10, dead_after=256))
    with pytest.raises(SeqsaeError, match="with specs"):
        _train(planted, SPECS[1:2], work=tmp_path)


@pytest.mark.parametrize("file", ["state.safetensors", "state.json"])
def test_a_cut_state_is_refused_in_one_line(planted, tmp_path, file):
    _train(planted, SPECS[:1], work=tmp_path)
    path = tmp_path / "step-000000040" / file
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(SeqsaeError, match="(was cut or changed|not a JSON document).*delete") as caught:
        _train(planted, SPECS[:1], work=tmp_path)
    assert "\n" not in str(caught.value)


def test_what_cannot_be_trained_is_refused(planted):
    rows, _ = _rows(planted)
    with pytest.raises(SeqsaeError, match="no site 'layers.9' in these activations; they hold array"):
        train(ArrayStream(rows), "layers.9", SPECS, BUDGET)
    with pytest.raises(SeqsaeError, match="no SAE to train"):
        train(ArrayStream(rows), "array", [], BUDGET)
    with pytest.raises(SeqsaeError, match="k is 50 with a width of 48"):
        train(ArrayStream(rows), "array", [Spec(48, 50)], BUDGET)
    with pytest.raises(SeqsaeError, match="site 'array': all 3000 sampled rows are equal"):
        train(ArrayStream(torch.ones(3000, 4)), "array", [Spec(8, 2)], BUDGET)


def test_rows_that_turn_bad_and_losses_that_blow_up_are_told(planted):
    class Bad(ArrayStream):
        def next(self, n):
            batch = super().next(n)
            if n == BUDGET.batch:
                batch["array"][3] = torch.nan
            return batch

    rows, _ = _rows(planted)
    with pytest.raises(SeqsaeError, match="site 'array': a training batch holds NaN"):
        train(Bad(rows), "array", SPECS, BUDGET)
    with pytest.raises(SeqsaeError, match="the loss is no number by step .*lower lr"):
        train(ArrayStream(rows), "array", [Spec(48, 4, lr=1e38)], BUDGET)


def test_a_state_of_other_data_is_not_gone_on_with(planted, tmp_path):
    stream = Breaking(planted.rows[:3000], seed=4)
    stream.at = 25
    with pytest.raises(KeyboardInterrupt):
        _train(planted, work=tmp_path, stream=stream)
    with pytest.raises(SeqsaeError, match="holds the state of a training with data"):
        _train(planted, work=tmp_path, stream=ArrayStream(planted.rows[:3000] + 1, seed=4))
