"""What chance gives: features whose firing is dealt anew among the samples of a split, captioned and scored like the others.

Each sample receives the firing of another, read round from a random place. That keeps how often a feature fires and how its rows
stand together, and cuts it from tokens, places and subjects. A shift within samples alone would keep the tie to covariates
of the subject, which are among the literals.
"""

import numpy as np
import scipy.sparse as sp

from seqsae.associations.captions.lines import place_of
from seqsae.associations.concept_spans import Part

DRAWS = 4  # deals, each of another share of the features
NEAR, FEWEST = (
    1 / 3,
    20,
)  # null features of the nearest firing rates that a feature is held against: a share of them all
LEVEL = 0.95


def dealt(firing: sp.csr_array, part: Part, features: list[np.ndarray], seed: int) -> sp.csr_array:
    """[n, nulls] bool: the columns `features[draw]` of `firing` [n, F], dealt anew in each draw. All samples have rows."""
    blocks = [
        firing[deal(part, np.random.default_rng([seed, 31, draw]))][:, chosen] for draw, chosen in enumerate(features)
    ]
    return sp.hstack(blocks, format="csr") if blocks else firing[:, :0]


def deal(part: Part, rng: np.random.Generator) -> np.ndarray:
    """[n] for each place on the part's line the place whose firing it receives."""
    length = np.diff(part.first)
    donor = rng.permutation(len(length))
    start = rng.integers(0, np.maximum(length, 1))[donor]
    sample = part.sample_of
    return part.first[donor[sample]] + (place_of(part) + start[sample]) % length[donor[sample]]


def spread(rates: np.ndarray, most: int) -> list[np.ndarray]:
    """Features of each deal, evenly over their firing rates [F]; `most` in all, at most, and each once in a deal."""
    order, per_draw = np.argsort(rates, kind="stable"), -(-most // DRAWS)
    if not len(order) or not most:
        return []
    shares = [(np.arange(per_draw) + (draw + 0.5) / DRAWS) / per_draw for draw in range(DRAWS)]
    return [np.unique(order[(share * len(order)).astype(np.int64)]) for share in shares]


def null_95(rates: np.ndarray, null_rates: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """[F] the 95th percentile of the scores of the null features nearest in firing rate (by its logarithm); NaN without any."""
    if not len(scores):
        return np.full(len(rates), np.nan)
    apart = np.abs(np.log(rates[:, None]) - np.log(np.maximum(null_rates, 1e-12))[None, :])
    near = np.argsort(apart, axis=1, kind="stable")[:, : max(FEWEST, int(NEAR * len(scores)))]
    return np.quantile(scores[near], LEVEL, axis=1)
