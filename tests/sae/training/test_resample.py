import torch

from seqsae.sae.base import Recipe, build
from seqsae.sae.normalise import fit
from seqsae.sae.quality.metrics import measure
from seqsae.sae.spec import Budget, Spec
from seqsae.sae.training.learner import Learner
from seqsae.sae.training.resample import resample
from seqsae.sae.training.stream import ArrayStream


def _killed(rows, share=0.5):
    sae = build(Recipe("topk", rows.shape[1], 40, 3, "none"))
    with torch.no_grad():
        sae.b_enc[: int(40 * share)] = -1e3
    return sae, torch.arange(40) < int(40 * share)


def test_dead_latents_start_at_residuals_and_the_living_are_left_alone(planted):
    x = planted.rows[:500] - planted.rows[:500].mean(0)
    sae, dead = _killed(x)
    before = {name: value.clone() for name, value in sae.state_dict().items()}
    error = x - sae.decode_normalised(sae.codes(x))
    latents = resample(sae, x, dead, (0, 10))
    assert torch.equal(latents, dead.nonzero().squeeze(1))
    directions = torch.nn.functional.normalize(error, dim=1)
    cosine = sae.W_dec[dead] @ directions.T
    assert (cosine.max(1).values > 1 - 1e-5).all() and len(set(cosine.argmax(1).tolist())) == len(latents)
    torch.testing.assert_close(sae.W_enc[:, dead].norm(dim=0), torch.ones(20))
    assert sae.b_enc[dead].abs().max() == 0
    for name in ("W_dec", "b_enc"):
        assert torch.equal(sae.state_dict()[name][~dead], before[name][~dead])


def test_rows_of_high_loss_are_taken_and_the_draw_follows_the_seed(planted):
    x = planted.rows[:500] - planted.rows[:500].mean(0)
    x = torch.cat([x * 1e-3, x[:30] * 10])
    taken = []
    for seed in ((0, 10), (0, 10), (0, 11)):
        sae, dead = _killed(x)
        sae.b_enc.data[~dead] = -1e3
        resample(sae, x, dead, seed)
        taken.append(sae.W_dec[dead].clone())
    assert torch.equal(taken[0], taken[1]) and not torch.equal(taken[0], taken[2])
    cosine = taken[0] @ torch.nn.functional.normalize(x[500:], dim=1).T
    assert (cosine.max(1).values > 0.999).all()


def test_no_dead_latents_or_no_loss_is_no_resampling(planted):
    x = planted.rows[:50]
    sae, dead = _killed(x)
    assert not len(resample(sae, x, torch.zeros_like(dead), (0, 1)))
    assert not len(resample(sae, torch.zeros(5, 32), dead, (0, 1)))


def test_training_with_resampling_brings_killed_latents_back(planted):
    budget = Budget(600, 256, every=600, dead_after=2_000)
    rows = planted.rows[10_000:]
    found = {}
    for every in (None, 50):
        spec = Spec(80, 4, lr=0.01, resample=every, options={"aux_weight": 0.0})  # no other way back
        sae = build(spec.recipe(32))
        sae.set_normaliser(fit([planted.rows[:10_000]], "center-scale", "s"))
        with torch.no_grad():
            sae.b_enc[:60] = -1e3
        learner, stream = Learner(sae.train(), spec, budget, budget.dead_after), ArrayStream(planted.rows[:10_000])
        for step in range(600):
            learner.learn(stream.next(256)["array"], step)
        found[every] = measure(sae, [rows])
    assert found[None].dead >= 60 / 80 and found[50].dead < 0.2
    assert found[50].fvu < 0.4 * found[None].fvu
