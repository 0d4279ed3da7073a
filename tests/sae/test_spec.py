import pytest

from seqsae.errors import SeqsaeError
from seqsae.sae.base import Recipe, build
from seqsae.sae.spec import Budget, Spec


@pytest.mark.parametrize("decay", ["linear", "cosine"])
def test_the_rate_climbs_stays_and_falls_over_the_last_fifth(decay):
    spec = Spec(8, 2, lr=0.5, warmup=0.05, decay=decay)
    rates = [spec.height(9) * spec.share(step, 1000) for step in range(1000)]
    assert rates[0] == pytest.approx(0.5 / 50) and rates[24] == pytest.approx(0.25)
    assert rates[49:801] == [0.5] * 752
    assert rates[900] == pytest.approx(0.25) and 0 < rates[999] < 0.005
    assert all(a >= b for a, b in zip(rates[801:], rates[802:], strict=False))
    assert Spec(8, 2, lr=0.5, decay="none").share(999, 1000) == 1
    assert Spec(8, 2, lr=0.5).share(0, 1) == 1  # one step is neither climb nor fall


def test_names_say_site_architecture_size_and_seed():
    assert Spec(2048, 32, seed=1).name("layer4") == "layer4-topk-2048x32-seed1"
    assert Spec(64, architecture="jumprelu").name("s") == "s-jumprelu-64-seed0"


def test_the_dead_threshold_is_scaled_to_the_corpus():
    assert Budget(1000, 1024).dead_rows(50_000) == 50_000  # an epoch
    assert Budget(1000, 1024).dead_rows(10**9) == 102_400  # a tenth of what is read
    assert Budget(10**6, 1024).dead_rows(10**9) == 10**7
    assert Budget(3, 1024).dead_rows(100) == 1024  # a batch at least
    assert Budget(3, 1024, dead_after=5).dead_rows(100) == 5


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Spec(8, 2, lr=0.0), "lr is 0.0"),
        (lambda: Spec(8, 2, lr=float("nan")), "lr is nan"),
        (lambda: Spec(8, 2, warmup=0.9), "warmup is 0.9"),
        (
            lambda: Spec(8, 2, precision="float16"),
            "unknown precision 'float16'; choose one of auto, float32, bfloat16, int8, autocast",
        ),
        (lambda: Spec(8, 2, decay="step"), "unknown decay 'step'"),
        (lambda: Spec(8, 2, clip=0.0), "clip is 0.0"),
        (lambda: Spec(8, 2, resample=0), "resample is 0"),
        (lambda: Spec(8, 2, patience=0), "patience is 0"),
        (lambda: Spec(8, 2, bias="median"), "unknown bias 'median'; choose one of mean, geometric-median, zeros"),
        (lambda: Spec(8, 2, normalisation="batch"), "unknown normalisation 'batch'"),
        (lambda: Budget(0), "steps is 0"),
        (lambda: Budget(5, batch=0), "batch is 0"),
        (lambda: Budget(5, every=0), "every is 0"),
    ],
)
def test_wrong_settings_are_refused(make, words):
    with pytest.raises(SeqsaeError, match=words):
        make()


def test_the_default_rate_turns_a_direction_as_far_whatever_its_width():
    turned = [Spec(8, 2).height(d) * d**0.5 for d in (4, 128, 1280)]
    assert turned == pytest.approx([0.11] * 3) and Spec(8, 2, lr=0.02).height(128) == 0.02


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Recipe("topk", 8, 16.0, 2), "width is 16.0; give a whole number >= 1"),
        (lambda: Recipe("topk", 8, 16, 2.5), "k is 2.5 with a width of 16; give a whole number"),
        (lambda: build(Recipe("topk", 8, 16, 2, options={"tied": "false"})), "tied is 'false'; give true or false"),
        (lambda: Recipe("topk", 8, 16, 2, seed=-1), "seed is -1; give a whole number from 0"),
        (lambda: Recipe("topk", 8, 16, 2, seed="a"), "seed is a; give a whole number from 0"),
        (lambda: Budget(10, dead_after=10**30), "give a number of rows >= 1"),
        (lambda: Budget(10, dead_after=0), "dead_after is 0; give a number of rows >= 1"),
    ],
)
def test_numbers_and_switches_are_what_they_must_be(make, words):
    with pytest.raises(SeqsaeError, match=words):
        make()
