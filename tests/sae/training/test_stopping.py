import pytest
import torch

from seqsae.errors import SeqsaeError
from seqsae.sae.quality.metrics import measure
from seqsae.sae.room import train as train_room
from seqsae.sae.spec import Budget, Spec
from seqsae.sae.training.stream import ArrayStream
from seqsae.sae.training.train import train

BUDGET = Budget(steps=400, batch=64, every=5, dead_after=256)
FEW = Spec(64, 4, lr=0.02, patience=2)  # far too many latents for a hundred rows
MANY = Spec(48, 4, patience=50)


def _train(planted, specs, work=None, stream=None):
    stream = ArrayStream(planted.rows[:100], seed=4) if stream is None else stream
    return train(stream, "array", specs, BUDGET, [planted.rows[3000:4000]], work)


def test_an_sae_stops_when_the_heldout_fvu_no_longer_falls_and_keeps_its_best_weights(planted):
    done = _train(planted, [FEW])
    fvu = done.metrics["fvu"]
    assert done.metrics["step"].max() < 400
    assert fvu.arg_min() == len(fvu) - 1 - FEW.patience
    assert measure(done.saes[0], [planted.rows[3000:4000]]).fvu == pytest.approx(fvu.min(), rel=1e-12)


def test_one_that_stops_early_leaves_the_others_as_they_are_alone(planted):
    together = _train(planted, [FEW, MANY])
    for index, spec in enumerate((FEW, MANY)):
        alone = _train(planted, [spec])
        for name, value in alone.saes[0].state_dict().items():
            assert torch.equal(value, together.saes[index].state_dict()[name]), name
    steps = together.metrics["step"].filter(together.metrics["sae"] == 0).max(), together.metrics["step"].max()
    assert steps[0] < steps[1]


@pytest.mark.parametrize("at", [12, 33])
def test_early_stopping_survives_an_interruption_to_the_bit(planted, tmp_path, at):
    class Breaking(ArrayStream):
        def next(self, n):
            if n == 64:
                self.left = getattr(self, "left", at) - 1
                if self.left < 0:
                    raise KeyboardInterrupt
            return super().next(n)

    whole = _train(planted, [FEW, MANY])
    with pytest.raises(KeyboardInterrupt):
        _train(planted, [FEW, MANY], tmp_path, Breaking(planted.rows[:100], seed=4))
    again = _train(planted, [FEW, MANY], tmp_path)
    assert whole.metrics.equals(again.metrics)
    for one, other in zip(whole.saes, again.saes, strict=True):
        assert torch.equal(one.W_dec, other.W_dec) and torch.equal(one.b_enc, other.b_enc)


def test_an_array_is_parted_by_group():
    x = torch.arange(40.0).reshape(20, 2)
    groups = [row // 4 for row in range(20)]
    rest, held = ArrayStream(x, groups=groups).parted(0.4)
    assert rest.n_rows == 12 and [len(part) for part in held] == [8]
    kept = {int(row[0]) // 8 for row in rest.next(12)["array"]}
    assert kept.isdisjoint({int(row[0]) // 8 for row in held[0]}) and len(kept) == 3


def test_without_rows_to_hold_out_early_stopping_is_refused(planted):
    with pytest.raises(SeqsaeError, match="patience.*no held-out rows"):
        train(ArrayStream(planted.rows), "array", [FEW], BUDGET)
    with pytest.raises(SeqsaeError, match="at least two clusters of rows, there is 1"):
        train_room(ArrayStream(planted.rows, groups=[0] * len(planted.rows)), width=64, k=4, patience=1)
    with pytest.raises(SeqsaeError, match="groups of shape"):
        ArrayStream(planted.rows, groups=[0, 1])


@pytest.mark.parametrize("name", ["relu", "jumprelu"])
def test_where_a_penalty_sets_the_number_of_active_latents_dense_weights_are_not_kept(planted, name):
    rows, held = planted.rows[:8000], [planted.rows[8000:9000]]
    options = {"relu": {"sparsity": 0.1}, "jumprelu": {"target_l0": 4}}[name]
    budget = Budget(600, 256, every=20)
    free, patient = (
        train(
            ArrayStream(rows), "array", [Spec(64, None, name, patience=patience, options=options)], budget, held
        ).saes[0]
        for patience in (None, 8)
    )
    l0 = [measure(sae, held).l0 for sae in (free, patient)]
    assert l0[1] < 1.5 * l0[0], l0


def test_what_cannot_be_judged_is_refused(planted):
    annealed = Spec(16, None, "relu", patience=2, options={"penalty": "lp", "p_end": 0.5})
    with pytest.raises(SeqsaeError, match="cannot judge an SAE whose p is annealed"):
        train(ArrayStream(planted.rows), "array", [annealed], BUDGET, [planted.rows[:50]])
    with pytest.raises(SeqsaeError, match="patience is set and the held-out rows are all equal"):
        train(ArrayStream(planted.rows), "array", [FEW], BUDGET, [torch.ones(20, 32)])
