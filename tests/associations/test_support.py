"""Design effects of clusters: against loops over pairs of units, and where clusters differ in how much they agree."""

import numpy as np
import pytest
from scipy import sparse, stats

from seqsae.associations.adjusted import screen_adjusted
from seqsae.associations.ranks import rank_excess
from seqsae.associations.screen import screen
from seqsae.associations.support import active_in, clusters_of, design_effect, spread_of


def families(rng, n_families, n_columns, share):
    """(family [n], values [n, columns]): families of eight, in half of which all members are of one piece."""
    family = np.repeat(np.arange(n_families), 8)
    alike = np.repeat(rng.random(n_families) < 0.5, 8)[:, None]

    def draw(k):
        return np.where(alike, (rng.random((n_families, k)) < share)[family], rng.random((len(family), k)) < share)

    return family, draw(n_columns), draw


@pytest.mark.parametrize("dense", [False, True])
def test_it_is_the_sum_over_pairs_of_each_cluster(dense):
    rng = np.random.default_rng(0)
    cluster = np.sort(rng.integers(0, 25, 90))
    taste = rng.random(25)[cluster][:, None]
    x = ((taste + rng.random((90, 3)) > 1) * rng.integers(1, 4, (90, 3))).astype(float)
    r = (taste + rng.random((90, 2)) > 1.1).astype(float)
    r -= r.mean(axis=0)
    ranks, clusters = rank_excess(x if dense else sparse.csc_array(x)), clusters_of(cluster)
    active = active_in(ranks, clusters)
    for away, heard in (([25, 25], True), ([0, 0], False)):
        found = design_effect(ranks, spread_of(r, clusters, np.array(away)), clusters, active)
        for f in range(3):
            u = stats.rankdata(x[:, f]) - 45.5
            for j in range(2):
                pairs = [np.flatnonzero(cluster == c) for c in range(25)]
                products = [
                    (np.outer(v[i], v[i]).sum() - (v[i] ** 2).sum(), len(i) * (len(i) - 1))
                    for v in (u, r[:, j])
                    for i in pairs
                ]
                (a, m), (b, _) = (np.array(part).T for part in (products[:25], products[25:]))
                scale = (u @ u) * (r[:, j] @ r[:, j]) / 90
                alike, apiece = a.sum() / m.sum() * b.sum() / scale, (a * b / np.maximum(m, 1)).sum() / scale
                wanted = 1 + max(0, alike, apiece if heard else 0)
                assert found[f, j] == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("share", [0.2, 0.5])
@pytest.mark.parametrize("adjusted", [False, True])
def test_families_of_one_piece_beside_strangers_do_not_cry_wolf(adjusted, share):
    p = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        family, x, draw = families(rng, 300, 60, share)
        ranks, y = rank_excess(sparse.csc_array(x * rng.random(x.shape))), draw(3).astype(float)
        kind, z = np.full(3, True), rng.normal(size=(len(y), 2))
        found = screen_adjusted(ranks, y, z, family, 10, kind, False) if adjusted else screen(ranks, y, family)
        p.append(found.p.ravel())
    p = np.concatenate(p)
    assert np.isfinite(p).all() and 0.03 <= (p <= 0.05).mean() <= 0.07
    assert (p <= 0.001).mean() <= 0.003
