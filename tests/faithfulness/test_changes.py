"""Delta mode against the SAE's own decoder, the measures against scipy, matching against loops."""

import numpy as np
import pytest
import torch
from scipy.special import log_softmax as log_softmax_by_scipy
from scipy.stats import entropy

from seqsae.errors import SeqsaeError
from seqsae.faithfulness.changes import Change, Writer, moved, value_of
from seqsae.faithfulness.differences import ablation_sparsity, kl, log_softmax, total_variation
from seqsae.faithfulness.matching import matched, most_active, written_when_on
from seqsae.faithfulness.standing import percentile
from seqsae.sae import normalise
from seqsae.sae.base import Codes, Recipe, build

ARCHITECTURES = {"topk": 3, "relu": None, "jumprelu": None, "gated": None, "switch": 2, "codebook": 2, "batchtopk": 3}


def sae_of(kind: str, architecture: str = "topk", d: int = 6, width: int = 16):
    sae = build(Recipe(architecture, d, width, ARCHITECTURES[architecture], kind, 1))
    rows = torch.randn(500, d, generator=torch.Generator().manual_seed(1)) * torch.arange(1.0, d + 1) + 2
    sae.set_normaliser(normalise.fit([rows], kind, "site"))
    with torch.no_grad():
        sae.W_dec.mul_(torch.rand(width, 1) + 0.5)
        sae.b_dec.add_(torch.randn(d))
    return sae.eval().requires_grad_(False), rows[:40]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("kind", normalise.KINDS)
def test_the_shift_is_what_the_decoder_gives_for_the_new_codes_less_the_old(kind, architecture):
    torch.manual_seed(0)
    sae, x = sae_of(kind, architecture)
    codes = sae.encode(x)
    features = codes.indices[torch.arange(len(x)), codes.values.argmax(1)]
    f = value_of(codes, features)
    assert torch.equal(f, codes.values.max(1).values)
    for change in (Change("ablate"), Change("scale", 3.0), Change("clamp", 1.5), Change("add", -0.5)):
        by = change.new(f) - f
        values = torch.where(codes.indices == features[:, None], codes.values + by[:, None], codes.values)
        values = torch.where((codes.indices == features[:, None]) & (codes.values == 0), 0, values)
        expected = sae.decode(Codes(values, codes.indices), x) - sae.decode(codes, x)
        found = Writer(sae).shift(x, features, by)
        on = f > 0
        assert on.any()
        assert torch.allclose(found[on], expected[on], rtol=1e-4, atol=2e-4 * float(expected.abs().max() + 1e-3))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("kind", ["center-scale", "layer-norm", "whiten"])
def test_scale_by_one_changes_no_bit(kind, dtype):
    sae, x = sae_of(kind)
    codes = sae.encode(x)
    features = codes.indices[:, 0]
    f = value_of(codes, features)
    x = x.to(dtype)
    again = moved(x, Writer(sae).shift(x, features, Change("scale", 1.0).new(f) - f))
    assert torch.equal(again, x) and again.dtype == dtype


def test_the_new_values():
    f = torch.tensor([0.0, 2.0])
    changes = [Change("ablate"), Change("scale", -2), Change("clamp", 5), Change("add", 1.5)]
    assert [change.new(f).tolist() for change in changes] == [[0, 0], [0, -4], [5, 5], [1.5, 3.5]]
    assert [change.told for change in changes] == ["ablate", "scale-2", "clamp5", "add1.5"]
    beyond = [("clamp", 1e39), ("add", -1e39), ("scale", 1e308), ("scale", float("inf")), ("clamp", 10**400)]
    for kind, amount in (("double", 1.0), ("scale", float("nan")), ("clamp", True), ("add", "3"), *beyond):
        with pytest.raises(SeqsaeError):
            Change(kind, amount)
    assert Change("clamp", 3e38).new(f).isfinite().all()


def test_kl_and_total_variation_are_those_of_scipy():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 4, (2, 30, 11))
    p, q = (log_softmax(torch.from_numpy(part)) for part in (a, b))
    exact = [np.exp(log_softmax_by_scipy(part, axis=1)) for part in (a, b)]
    assert kl(p, q).numpy() == pytest.approx(entropy(*exact, axis=1), rel=1e-10)
    assert total_variation(p, q).numpy() == pytest.approx(np.abs(exact[0] - exact[1]).sum(1) / 2, rel=1e-10)
    assert not kl(p, p).any() and not total_variation(p, p).any()
    never = torch.tensor([[0.0, 1.0, -torch.inf]])
    assert torch.isfinite(kl(log_softmax(never), log_softmax(never + torch.tensor([1.0, 0, 0])))).all()


def test_ablation_sparsity_counts_the_logits_that_move():
    before = torch.randn(4, 10, generator=torch.Generator().manual_seed(0))
    one, all_, half, none = (torch.zeros(10) for _ in range(4))
    one[3], all_[:] = 2.0, 5.0
    half[:4] = torch.tensor([1.0, -1, 1, -1])
    found = ablation_sparsity(before, before + torch.stack([one, all_, half, none]))
    assert found.tolist() == pytest.approx([1 / 10, 4 / 10], rel=1e-4)  # a shift of all alike is no change to a softmax


def test_ablation_sparsity_of_a_dense_random_change_is_not_one():
    noise = torch.randn(8, 5_000, generator=torch.Generator().manual_seed(0))
    assert ablation_sparsity(torch.ones(8, 5_000), 1 + noise).numpy() == pytest.approx(2 / np.pi, abs=0.02)


def test_the_nearest_features_by_a_loop():
    rng = np.random.default_rng(0)
    rate, norm = rng.uniform(0.001, 0.4, 60), rng.uniform(0.5, 2, 60)
    rate[[3, 17]] = 0
    found = matched(5, rate, norm, 20, 0)
    far = {j: np.hypot(np.log(rate[j] / rate[5]), np.log(norm[j] / norm[5])) for j in range(60) if j not in (3, 5, 17)}
    assert sorted(found.features.tolist()) == sorted(sorted(far, key=far.get)[:20])
    folds = np.exp(np.abs(np.log(rate[found.features] / rate[5])))
    assert found.rate_fold == pytest.approx(folds.max()) and found.written_fold >= 1
    assert len(matched(5, rate, norm, 200, 0).features) == 57
    assert len(matched(3, rate, norm, 20, 0).features) == 0


def test_with_equal_norms_the_match_follows_what_is_written():
    rate, norm = np.full(30, 0.1), np.ones(30)
    when_on = np.geomspace(0.1, 10, 30)
    written = written_when_on(rate, when_on * rate, norm)
    assert written == pytest.approx(when_on)
    found = matched(15, rate, written, 6, 0)
    assert sorted(found.features.tolist()) == [12, 13, 14, 16, 17, 18]
    assert found.written_fold == pytest.approx(when_on[18] / when_on[15])
    assert written_when_on(np.zeros(2), np.zeros(2), np.ones(2)).tolist() == [0, 0]


def test_features_that_are_equally_near_come_in_a_random_order():
    rate, norm = np.full(40, 0.1), np.ones(40)
    draws = [matched(0, rate, norm, 20, seed).features.tolist() for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2] and 0 not in draws[2]


def test_percentiles_and_the_most_active():
    assert percentile(3.0, np.array([1.0, 2, 3, 4])) == 62.5
    assert percentile(9.0, np.array([1.0, np.nan, 3])) == 100
    assert percentile(1.0, np.array([])) is None and percentile(np.nan, np.ones(3)) is None
    assert most_active(np.array([0.1, 0, 0.5, 0.2]), np.array([1.0, 9, 1, 1]), np.array([1.0, 1, 1, 3]), 3) == [3, 0, 2]
