import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression

from seqsae.sae.quality.shrinkage import Shrinkage


def _rows(n=900, d=6):
    generator = torch.Generator().manual_seed(0)
    base = 100 * torch.randn(1, d, generator=generator)
    t = torch.randn(n, d, generator=generator)
    return t + base, base, torch.randn(n, d, generator=generator)


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.3])
def test_a_factor_on_all_values_is_found_whatever_the_offset(factor):
    x, base, _ = _rows()
    found = Shrinkage()
    for part in x.split(70):
        found.update(part, base + factor * (part - base), base)
    assert found.gamma() == pytest.approx(factor, rel=1e-5)
    assert found.l2_ratio() == pytest.approx(factor, rel=1e-5)


def test_gamma_is_one_over_the_slope_of_regressing_what_was_asked_on_what_was_given():
    x, base, noise = _rows()
    x_hat = base + 0.6 * (x - base) + 0.3 * noise
    one, other = Shrinkage(), Shrinkage()
    one.update(x[:200], x_hat[:200], base)
    other.update(x[200:], x_hat[200:], base)
    one.merge(other)
    t, y = (x - base).double().numpy(), (x_hat - base).double().numpy()
    slope = LinearRegression(fit_intercept=False).fit(y.reshape(-1, 1), t.reshape(-1)).coef_[0]
    assert one.gamma() == pytest.approx(1 / slope, rel=1e-9)
    ratios = np.linalg.norm(y, axis=1) / np.linalg.norm(t, axis=1)
    assert one.l2_ratio() == pytest.approx(ratios.mean(), rel=1e-9)


def test_unexplained_noise_alone_is_no_shrinkage_but_lowers_the_ratio():
    """A projection is the best reconstruction of its kind: unbiased, though shorter than what it projects."""
    x, base, _ = _rows()
    kept = (x - base) * torch.tensor([1.0, 1, 1, 0, 0, 0])
    found = Shrinkage()
    found.update(x, base + kept, base)
    assert found.gamma() == pytest.approx(1, rel=1e-5) and found.l2_ratio() < 0.8


def test_nothing_to_explain_and_no_rows_give_nan():
    empty, still = Shrinkage(), Shrinkage()
    still.update(torch.ones(3, 2), torch.ones(3, 2), torch.ones(1, 2))
    for found in (empty, still):
        assert np.isnan(found.gamma()) and np.isnan(found.l2_ratio())
