import torch

from seqsae.sae.base import Recipe, build
from seqsae.sae.random import random_dictionary


def test_the_baseline_has_the_same_form_and_other_directions():
    sae = build(Recipe("topk", 6, 12, 3, options={"aux_k": 2}))
    with torch.no_grad():
        sae.mean.fill_(4.0)
        sae.scale.fill_(2.0)
        sae.b_enc.fill_(1.0)
    baseline = random_dictionary(sae, seed=7)
    assert type(baseline) is type(sae) and baseline.k == 3 and baseline.options == sae.options
    assert torch.equal(baseline.mean, sae.mean) and torch.equal(baseline.scale, sae.scale)
    assert torch.equal(baseline.W_enc, baseline.W_dec.T) and baseline.b_enc.abs().max() == 0
    torch.testing.assert_close(baseline.W_dec.norm(dim=1), torch.ones(12))
    assert not torch.equal(baseline.W_dec, sae.W_dec)
    assert not any(weight.requires_grad for weight in baseline.parameters())
    assert torch.equal(random_dictionary(sae, seed=7).W_dec, baseline.W_dec)
    assert not torch.equal(random_dictionary(sae, seed=8).W_dec, baseline.W_dec)
    assert sae.b_enc[0] == 1.0 and sae.W_dec.requires_grad


def test_one_that_has_no_fixed_number_of_latents_is_given_the_saes_l0(planted):
    sae = build(Recipe("batchtopk", 32, 64, 4))
    with torch.no_grad():
        sae.mean.fill_(3.0)
        sae.threshold.fill_(0.5)
    rows = planted.rows[:2000]
    wanted = (sae.encode(rows).values > 0).sum() / len(rows)
    found = (random_dictionary(sae, 1, rows).encode(rows).values > 0).sum() / len(rows)
    assert abs(found - wanted) <= 0.02 * wanted + 0.01
    assert torch.equal(random_dictionary(sae, 1, rows).b_enc, random_dictionary(sae, 1, rows).b_enc)
