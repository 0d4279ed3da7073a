"""Absorption on planted dictionaries, where it is known, and against its definition by a loop."""

import numpy as np
import pytest
import scipy.sparse as sp

from seqsae.associations.probing.absorption import absorbed, dense_probes, main_latents

D, N = 16, 1200


def planted(absorbs: bool, seed: int = 0):
    """A parent concept at axis 0, in half of its rows a child at axis 1; the child's latent takes the parent's place or not.

    Latents: 0 the parent, 1 the child, 2 to 5 noise. With absorption latent 0 is silent in the child's rows.
    """
    rng = np.random.default_rng(seed)
    parent = rng.random(N) < 0.4
    child = parent & (rng.random(N) < 0.5)
    size = rng.uniform(1, 2, N)
    x = rng.normal(0, 0.05, (N, D))
    x[:, 0] += size * parent
    x[:, 1] += 0.5 * size * child
    noise = rng.random((N, 4)) * (rng.random((N, 4)) < 0.2)
    x[:, 2:6] += noise
    decoder = np.eye(6, D)
    codes = np.zeros((N, 6))
    codes[:, 2:] = noise
    codes[:, 0] = size * (parent & ~child if absorbs else parent)
    codes[:, 1] = 0.5 * size * child
    if absorbs:  # the child's latent carries both axes
        decoder[1] = np.r_[2, 1, np.zeros(D - 2)] / 5**0.5
        codes[:, 1] = 5**0.5 * 0.5 * size * child
    return parent.astype(float), child, x, sp.csr_array(codes), decoder


@pytest.mark.parametrize("absorbs", [True, False])
def test_planted_absorption_is_found_and_none_where_there_is_none(absorbs):
    y, child, x, codes, decoder = planted(absorbs)
    half = np.arange(N) < N // 2
    gap = np.where(np.arange(N // 2) < 60, np.nan, y[half])
    probe, other = dense_probes(x[half], np.column_stack([y[half], gap]), np.arange(N // 2) // 2, 0)
    assert np.corrcoef(probe.weights, other.weights)[0, 1] > 0.98
    fires = ~half & (y == 1) & (x @ probe.weights >= probe.threshold)
    assert fires.sum() >= 0.98 * (~half & (y == 1)).sum()
    main = np.array([0])
    found = absorbed(codes[fires], x[fires], decoder, probe.weights, main)
    wanted = child[fires] & absorbs
    np.testing.assert_array_equal(found.full, wanted)
    np.testing.assert_allclose(found.fraction, wanted.astype(float), atol=1e-9)
    np.testing.assert_array_equal(found.top, np.where(wanted, 1, -1))


def test_the_main_latents_are_those_that_each_add_to_f1():
    y, _, _, codes, _ = planted(False)
    latents, f1 = main_latents(codes, y)
    assert latents.tolist() == [0] and f1 == 1
    rng = np.random.default_rng(3)
    halves = np.column_stack([y * (rng.random(N) < 0.5), np.zeros(N), rng.random((N, 2))])
    halves[:, 1] = y * (halves[:, 0] == 0)
    latents, f1 = main_latents(sp.csr_array(halves), y)
    assert sorted(latents) == [0, 1] and f1 == 1
    assert main_latents(sp.csr_array((N, 4)), y)[0].size == 0


def test_every_row_follows_the_definition():
    rng = np.random.default_rng(5)
    codes = np.round(rng.exponential(size=(300, 12)) * (rng.random((300, 12)) < 0.3), 2)
    decoder, direction = rng.normal(size=(12, D)), rng.normal(size=D)
    decoder[:6] += direction * rng.uniform(0, 1, (6, 1))
    x = codes @ decoder + rng.normal(0, 0.5, (300, D))
    main = np.array([1, 4])
    found = absorbed(sp.csr_array(codes), x, decoder, direction, main)
    unit = direction / np.linalg.norm(direction)
    cosine = decoder @ unit / np.linalg.norm(decoder, axis=1)
    for i in range(300):
        parts, whole = codes[i] * (decoder @ unit), x[i] @ unit
        own = parts[main].sum()
        others = sorted(
            (parts[f] for f in range(12) if f not in main and cosine[f] >= 0.1 and parts[f] > 0), reverse=True
        )
        three = sum(others[:3])
        if whole <= 0 or own >= whole or three / whole < 0.4:
            fraction = 0.0
        else:
            fraction = 1.0 if own <= 0 else min(three, whole - own) / (min(three, whole - own) + own)
        best = int(parts.argmax())
        full = whole > 0 and not codes[i, main].any() and parts[best] / whole >= 0.4 and cosine[best] >= 0.025
        assert found.fraction[i] == pytest.approx(fraction, abs=1e-9) and found.full[i] == full
    assert 0 < (found.fraction > 0).sum() < 300 and found.full.any()
