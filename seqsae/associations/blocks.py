"""The two screens over features that come in blocks, from a disk or made on the way, so that all of them are never in memory.

What the covariates need (scores, null models given the confounders) is made once and held: 8 bytes a unit and covariate for each
of scores, residuals and their variances. A block is ranked once for both screens.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from scipy import sparse

from seqsae.associations.adjusted import adjusted_tests
from seqsae.associations.ranks import Matrix, RankMatrix, rank_excess
from seqsae.associations.screen import Prepared, Screen, checked, crude_tests
from seqsae.errors import SeqsaeError

NON_ZEROS = 1 << 25
"""Numbers of a feature matrix that are ranked and tested at a time."""


class Covariates(NamedTuple):
    """What every block is tested against; as in `screen` and `screen_adjusted`."""

    y: np.ndarray
    """[n, c]."""
    z: np.ndarray | None = None
    """[n, q] confounders, finite; None: the crude screen alone."""
    cluster: np.ndarray | None = None
    """[n]."""
    binary: np.ndarray | None = None
    """[c]."""
    repeats: bool = False
    """Whether several units stand for one subject."""


def screen_blocks(blocks: Iterable[Matrix], covariates: Covariates, min_support: int = 10) -> list[Screen]:
    """`screen` and, with confounders, `screen_adjusted` of the features of all `blocks` [n, any], in their order.

    Raises:
        SeqsaeError: no block, one with other rows, confounders that do not fit; or as `rank_excess` and `screen`.
    """
    tests, found = None, []
    for block in blocks:
        ranks = rank_excess(block)
        del block  # what is not needed is given back before the tests
        tests = tests or _prepared(ranks, covariates, min_support)
        if ranks.n != len(covariates.y):
            raise SeqsaeError(
                f"a block of features has {ranks.n} rows and y {len(covariates.y)}; give one for each unit"
            )
        found.append([test.of(ranks) for test in tests])
    if not found:
        raise SeqsaeError("no block of features was given to the screen; give one matrix [units, features] at least")
    return [joined(list(parts)) for parts in zip(*found, strict=True)]


def in_blocks(values: Matrix) -> Iterator[Matrix]:
    """Features of `values` [n, F] in blocks of about NON_ZEROS numbers; one block if they are fewer."""
    held = values.nnz if sparse.issparse(values) else values.size
    if held <= NON_ZEROS:
        yield values
        return
    values = values.tocsc() if sparse.issparse(values) else values
    width = max(1, int(values.shape[1] * NON_ZEROS / held))
    for first in range(0, values.shape[1], width):
        yield values[:, first : first + width]


def joined(parts: list[Screen]) -> Screen:
    """One screen of the features of several, tested against the same covariates."""
    by_feature = [np.concatenate(part) for part in zip(*[part[:4] for part in parts], strict=True)]
    return Screen(*by_feature, *parts[0][4:])


def _prepared(ranks: RankMatrix, covariates: Covariates, min_support: int) -> list[Prepared]:
    y, cluster, binary = checked(ranks, covariates.y, covariates.cluster, covariates.binary)
    tests = [crude_tests(y, cluster, binary, min_support)]
    if (z := covariates.z) is not None:
        if z.ndim != 2 or len(z) != ranks.n or not np.isfinite(z).all():
            raise SeqsaeError(
                f"confounders have shape {z.shape} or NaN; give [{ranks.n}, confounders], finite: drop or fill"
            )
        tests.append(adjusted_tests(y, z, cluster, min_support, binary, covariates.repeats))
    return tests
