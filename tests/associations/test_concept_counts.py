"""Counts of all units, concepts and thresholds at once, against loops that follow InterPLM's published formula."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics import f1_score, precision_score

from seqsae.associations import concept_counts as made
from seqsae.associations.concept_counts import count, levels
from seqsae.associations.concept_spans import Part, Placed
from seqsae.errors import SeqsaeError

THRESHOLDS = (0.0, 0.15, 0.5, 0.6, 0.8)


def instances_of(rng, n, n_concepts, n_instances, longest):
    """(concept, start, end) of random instances, overlapping ones and those of one row among them; the last concept has none."""
    start = rng.integers(0, n, n_instances)
    end = np.minimum(start + rng.integers(1, longest + 1, n_instances), n)
    found = [
        (int(c), int(a), int(b))
        for c, a, b in zip(rng.integers(0, n_concepts - 1, n_instances), start, end, strict=True)
    ]
    return [*found, found[0], (0, 3, 9), (0, 5, 6), (1, n - 1, n)]


def placed_of(instances, n_concepts):
    concept, start, end = (np.array(column) for column in zip(*instances, strict=True))
    return Placed(n_concepts, concept, np.arange(len(concept)), start, end, np.zeros(len(concept), int))


def by_loops(values, instances, n_concepts, thresholds):
    """tp, fp, tp_per_domain [C, U, T]; positives [C], domains [C]: feature by feature, concept by concept, row by row."""
    n, U = values.shape
    rows = [[set(range(a, b)) for c, a, b in instances if c == concept] for concept in range(n_concepts)]
    shape = (n_concepts, U, len(thresholds))
    tp, fp, domains = np.zeros(shape, int), np.zeros(shape, int), np.zeros(shape, int)
    for t, threshold in enumerate(thresholds):
        for u in range(U):
            on = {row for row in range(n) if values[row, u] > np.float32(threshold)}
            for c in range(n_concepts):
                held = set().union(*rows[c])
                tp[c, u, t], fp[c, u, t] = len(on & held), len(on - held)
                domains[c, u, t] = sum(bool(on & domain) for domain in rows[c])
    return tp, fp, domains, [len(set().union(*held)) for held in rows], [len(held) for held in rows]


def sparse_values(rng, n, U, share=0.2):
    """Values in 0 to 1, many of them exactly a threshold, one just above and one just below it, and a unit that is never on."""
    exact = np.array(
        [*THRESHOLDS, 0.3, 1.0, np.nextafter(np.float32(0.5), 1), np.nextafter(np.float32(0.5), 0)], np.float32
    )
    values = np.where(rng.random((n, U)) < 0.5, rng.random((n, U)), rng.choice(exact, (n, U)))
    values = (values * (rng.random((n, U)) < share)).astype(np.float32)
    values[:, U - 1] = 0
    return values


@pytest.mark.parametrize("seed", range(4))
def test_counts_are_those_of_loops(seed):
    rng = np.random.default_rng(seed)
    n, U, C = 120, 7, 5
    values, instances = sparse_values(rng, n, U), instances_of(rng, n, C, 25, (1, 9, 40, 120)[seed])
    found = counts_of(values, instances, C)
    tp, fp, domains, positives, n_domains = by_loops(values, instances, C, THRESHOLDS)
    assert (found.tp == tp).all() and (found.fp == fp).all() and (found.hits == domains).all()
    assert found.positives.tolist() == positives and found.instances.tolist() == n_domains and found.n == n
    assert positives[-1] == 0 and tp[:, -1].sum() == 0 and (tp[..., 0] > tp[..., 2]).any()


def counts_of(values, instances, C, thresholds=THRESHOLDS):
    level = levels(sp.csr_array(values), thresholds)
    return count(level, *placed_of(instances, C).matrices(0, len(values)), len(thresholds))


def test_a_value_at_the_threshold_does_not_count():
    values = np.float32([[0.15], [np.nextafter(np.float32(0.15), 1)], [0.8], [0.0], [1.0]])
    assert levels(sp.csr_array(values), THRESHOLDS).toarray().ravel().tolist() == [1, 2, 4, 0, 5]
    assert levels(sp.csr_array(values), (0.9,)).nnz == 1


def test_counts_of_blocks_of_whole_samples_add_up():
    rng = np.random.default_rng(7)
    values = sparse_values(rng, 90, 6)
    instances = [
        (int(c), 30 * s + int(a), 30 * s + int(a) + 5) for s in range(3) for c, a in rng.integers(0, (4, 25), (6, 2))
    ]
    whole, spans = counts_of(values, instances, 4), placed_of(instances, 4)
    part = Part(np.arange(3), np.arange(90), np.array([0, 30, 60, 90]), np.zeros(3, int))
    for size in (1, 30, 59, 60, 1000):
        stretches = list(part.blocks(size))
        assert stretches[0][0] == 0 and stretches[-1][1] == 90 and all(b % 30 == 0 for _, b in stretches)
        parts = [count(levels(sp.csr_array(values[a:b]), THRESHOLDS), *spans.matrices(a, b), 5) for a, b in stretches]
        total = parts[0]
        for one in parts[1:]:
            total = total + one
        assert all(np.array_equal(getattr(total, name), getattr(whole, name)) for name in vars(whole))


def test_scores_are_those_of_their_formulas():
    rng = np.random.default_rng(3)
    values, instances = sparse_values(rng, 200, 5), instances_of(rng, 200, 4, 20, 12)
    found = counts_of(values, instances, 4)
    per_domain, rows = made.f1_per_domain(found), made.f1(found)
    for c, u, t in np.ndindex(per_domain.shape):
        label = np.zeros(200, int)
        for concept, a, b in instances:
            label[a:b] |= concept == c
        called = values[:, u] > np.float32(THRESHOLDS[t])
        p = precision_score(label, called, zero_division=0)
        r = found.hits[c, u, t] / found.instances[c] if found.instances[c] else 0
        assert rows[c, u, t] == pytest.approx(f1_score(label, called, zero_division=0))
        assert per_domain[c, u, t] == pytest.approx(2 * p * r / (p + r) if p + r else 0)


def test_an_instance_as_long_as_its_sequence_keeps_its_highest_level():
    n = 5000
    values = np.zeros((n, 2), np.float32)
    values[:, 0], values[7, 1] = 0.55, 0.9  # thousands of rows at level 3; one at level 5
    found = counts_of(values, [(0, 0, n)], 2)
    assert found.hits[0].tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]
    with pytest.raises(SeqsaeError, match="too many for instances this long; give 76 at most"):
        counts_of(values, [(0, 0, n)], 2, tuple(np.linspace(0, 0.99, 90)))
