"""Random survival data with every kind of tie, and slow references that follow the definitions unit by unit."""

import numpy as np
from scipy import sparse

from seqsae.associations.survival.times import Times


def random_times(rng, n, delayed=True, tied=True):
    """Times of n units, on a coarse grid if `tied`; at least one event."""
    entry = rng.exponential(0.5, n) * delayed
    follow = rng.exponential(1, n) + 0.01
    if tied:
        entry, follow = np.floor(entry * 4) / 4, np.ceil(follow * 4) / 4
    event = rng.random(n) < 0.6
    event[rng.integers(n)] = True
    return Times(entry, entry + follow, event)


def random_features(rng, n, n_features=6):
    """[n, F] sparse, with ties, some never and some always active."""
    fires = rng.random((n, n_features)) < np.linspace(0, 1, n_features)
    return sparse.csc_array(np.ceil(rng.exponential(3, fires.shape)) * fires)


def at_risk(times, t):
    return (times.entry < t) & (t <= times.time)


def event_terms(times, X, theta, ties):
    """For each tied event: (unit, weights [n] of the risk set it sees, its mean of X)."""
    for t in np.unique(times.time[times.event]):
        dying = np.flatnonzero(times.event & (times.time == t))
        for number, unit in enumerate(dying):
            weights = theta * at_risk(times, t)
            if ties == "efron":
                weights[dying] *= 1 - number / len(dying)
            yield unit, dying, weights, weights @ X / weights.sum()


def likelihood(times, X, beta, ties):
    """(log-likelihood, score [q], information [q, q])."""
    theta = np.exp(X @ beta)
    value, score, information = 0.0, np.zeros(X.shape[1]), np.zeros((X.shape[1],) * 2)
    for unit, _, weights, mean in event_terms(times, X, theta, ties):
        value += X[unit] @ beta - np.log(weights.sum())
        score += X[unit] - mean
        information += (X - mean).T @ ((X - mean) * (weights / weights.sum())[:, None])
    return value, score, information


def residuals(times, X, beta, ties):
    """[n, q] score residuals: each unit's part in the score, and in the expectation taken off it."""
    theta, out = np.exp(X @ beta), np.zeros(X.shape)
    for _, dying, weights, mean in event_terms(times, X, theta, ties):
        out[dying] += (X[dying] - mean) / len(dying)
        out -= (weights / weights.sum())[:, None] * (X - mean)
    return out


def cluster_squares(values, cluster):
    """[q, q] sum over clusters of the outer product of their sums."""
    sums = np.array([values[cluster == c].sum(axis=0) for c in np.unique(cluster)])
    return sums.T @ sums


def pairs(x, times, weights):
    """(concordant, all) weight over all pairs of an event and a unit that outlives it."""
    won = total = 0.0
    for i in np.flatnonzero(times.event):
        for j in range(len(x)):
            later = times.time[j] > times.time[i] or (times.time[j] == times.time[i] and not times.event[j])
            if later and times.entry[j] < times.time[i]:
                won += weights[i] * ((x[i] > x[j]) + (x[i] == x[j]) / 2)
                total += weights[i]
    return won, total
