"""What every architecture promises, whatever it computes."""

import pytest
import torch

from seqsae import plugins
from seqsae.sae.base import TrainingState, build
from seqsae.sae.normalise import fit
from seqsae.sae.quality.dictionaries import best_match
from seqsae.sae.quality.metrics import measure
from seqsae.sae.spec import PRECISIONS, Budget, Spec
from seqsae.sae.training.learner import Learner
from seqsae.sae.training.stream import ArrayStream
from seqsae.sae.training.train import train
from seqsae.testing import check_sae

# options that suit 64 directions in 32 dimensions, 4 active a row; and the share of them found after 900 steps
OPTIONS = {
    "relu": {"sparsity": 0.1},
    "gated": {"sparsity": 0.4},
    "jumprelu": {"penalty": "target", "target_l0": 4.0},
    "switch": {"experts": 2},
    "matryoshka": {},
}
ALL = sorted(name for name, point in plugins.offered("saes").items() if point.value.startswith("seqsae."))


def spec(name, width=64, **settings):
    has_k = plugins.find("saes", name).default_k is not None
    return Spec(
        width, 4 if has_k else None, name, options=OPTIONS.get(name, {}) | settings.pop("options", {}), **settings
    )


@pytest.mark.parametrize("name", ALL)
def test_the_contract_holds(name):
    check_sae(name, 32, spec(name).k, **OPTIONS.get(name, {}))


CHOOSING = {"batchtopk", "matryoshka"}  # over the batch in training, by a threshold after


@pytest.mark.parametrize("name", [name for name in ALL if name not in CHOOSING])
def test_what_encode_gives_is_what_the_loss_reconstructs_with(planted, name):
    trained = train(ArrayStream(planted.rows[:6000]), "array", [spec(name)], Budget(60, 256, every=60)).saes[0]
    x = trained.normalise(planted.rows[:200])
    loss = trained.loss(x, TrainingState(60, 60, torch.zeros(64, dtype=torch.bool)))
    error = (trained.decode_normalised(trained.codes(x)) - x).square().mean()
    assert loss.reconstruction.item() == pytest.approx(error.item(), rel=1e-4)


@pytest.mark.parametrize("name", ALL)
def test_an_interrupted_training_goes_on_to_the_same_bits(planted, tmp_path, name):
    class Breaking(ArrayStream):
        left = 10**9

        def next(self, n):
            if n == 128:
                self.left -= 1
                if self.left < 0:
                    raise KeyboardInterrupt
            return super().next(n)

    budget = Budget(30, 128, every=10, dead_after=256)
    specs = [spec(name, resample=8), Spec(48, 3, seed=1)]
    whole = train(ArrayStream(planted.rows[:2000]), "array", specs, budget, [planted.rows[3000:3300]])
    broken = Breaking(planted.rows[:2000])
    broken.left = 17
    with pytest.raises(KeyboardInterrupt):
        train(broken, "array", specs, budget, [planted.rows[3000:3300]], tmp_path)
    again = train(ArrayStream(planted.rows[:2000]), "array", specs, budget, [planted.rows[3000:3300]], tmp_path)
    alone = train(ArrayStream(planted.rows[:2000]), "array", specs[:1], budget)
    assert whole.metrics.equals(again.metrics)
    for key, value in whole.saes[0].state_dict().items():
        assert torch.equal(value, again.saes[0].state_dict()[key]), key
        assert torch.equal(value, alone.saes[0].state_dict()[key]), key


@pytest.mark.parametrize("name", ALL)
def test_every_precision_and_option_trains_to_nearly_the_same_quality(planted, name):
    budget, held = Budget(150, 256, every=150), [planted.rows[10_000:]]
    variants = [spec(name, precision=precision) for precision in PRECISIONS]
    variants.append(spec(name, options={"subtract_b_dec": False}))
    if name != "codebook":
        variants.append(spec(name, options={"tied": True}))
    done = train(ArrayStream(planted.rows[:10_000]), "array", variants, budget, held)
    fvu = done.metrics["fvu"].to_list()
    plain = fvu[PRECISIONS.index("float32")]
    assert all(value == pytest.approx(plain, rel=0.25) for value in fvu[: len(PRECISIONS)]), fvu
    assert all(value < 1 for value in fvu), fvu


def silence(sae) -> None:
    """The encoder's products of half of the latents are far below 0."""
    sae.shift_encoder(torch.where(torch.arange(64) < 32, -3.0, 0.0))


def shrink(sae) -> None:
    """Half of the codes point away from all rows: all but one of equal ones are lost."""
    sae.W_dec[:32] = -1e-3 * torch.nn.functional.normalize(torch.ones(32), dim=0)


def weaken(sae) -> None:
    """Half of the magnitudes are far below 0; the gates are not."""
    sae.b_mag[:32] = -5.0


def raise_thresholds(sae) -> None:
    sae.log_threshold[:32] = 4.0


KILLED = [(name, shrink if name == "codebook" else silence) for name in ALL]
KILLED += [("gated", weaken), ("jumprelu", raise_thresholds)]


@pytest.mark.parametrize(("name", "kill"), KILLED, ids=[f"{name} {kill.__name__}" for name, kill in KILLED])
def test_killed_latents_come_back_by_the_auxiliary_loss_alone(planted, name, kill):
    one = spec(name)
    steps = {raise_thresholds: 1200, weaken: 800}.get(kill, 500)  # high thresholds fall slowly
    budget = Budget(steps, 256, every=steps, dead_after=2_000)
    sae = build(one.recipe(32))
    sae.set_normaliser(fit([planted.rows[:10_000]], "center-scale", "s"))
    with torch.no_grad():
        kill(sae)
    learner, stream = Learner(sae.train(), one, budget, budget.dead_after), ArrayStream(planted.rows[:10_000])
    for step in range(steps):
        learner.learn(stream.next(256)["array"], step)
    back = measure(sae.eval(), [planted.rows[10_000:]]).density[:32] > 0
    assert back.double().mean() >= 0.4


# share of the 64 planted directions that a latent has a cosine above .9 with
FOUND = {
    "relu": 0.9,
    "gated": 0.9,
    "jumprelu": 0.9,
    "topk": 0.9,
    "batchtopk": 0.85,
    "matryoshka": 0.6,
    "switch": 0.7,
    "codebook": 0.9,
}


@pytest.mark.parametrize("name", ALL)
def test_planted_directions_are_found(planted, name):
    one = spec(name, 96)
    sae = train(ArrayStream(planted.rows[:10_000]), "array", [one], Budget(900, 256, every=900)).saes[0]
    cosine = best_match(planted.directions, torch.nn.functional.normalize(sae.W_dec.detach(), dim=1)).cosine
    assert (cosine > 0.9).double().mean() >= FOUND[name]
