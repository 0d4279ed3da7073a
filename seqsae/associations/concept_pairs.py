"""What is said of a unit and a concept that go together, beyond counts: AUROC, domains on both sides, an interval."""

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import scipy.sparse as sp
from scipy.stats import rankdata

from seqsae.associations.concept_spans import Part, Placed
from seqsae.associations.concept_units import Scaled
from seqsae.associations.ranks import rank_excess

RESAMPLES = 1000


@dataclass(frozen=True)
class Closely:
    """The test rows of a few units and all concepts, to be looked at pair by pair."""

    values: sp.csc_array
    """[n, U] scaled."""
    labels: sp.csc_array
    """[n, C] of 0 and 1."""
    spans: Placed
    part: Part
    lengths: np.ndarray
    """[C] median rows of an instance."""
    signed: np.ndarray | None = None
    """[n, U] of a signed source: the values before they were cut at the train mean."""

    @cached_property
    def auroc(self) -> np.ndarray:
        """[U, C] AUROC over the rows, of a signed source by the values as they are, not cut at the train mean.

        NaN where a concept has one class only (Mann & Whitney 1947, ties by mid-ranks).
        """
        positives = np.asarray(self.labels.sum(0)).ravel().astype(float)
        pairs = positives * (self.values.shape[0] - positives)
        return np.where(pairs > 0, 0.5 + self._rank_sums(positives) / np.where(pairs > 0, pairs, 1), np.nan)

    def _rank_sums(self, positives: np.ndarray) -> np.ndarray:
        """[U, C] sums over the concept's rows of the rank's distance from the middle rank. positives: [C] rows with the concept."""
        if self.signed is not None:
            middle = (len(self.signed) + 1) / 2
            sums = [self.labels.T @ (rankdata(column) - middle) for column in self.signed.T]
            return np.array(sums).reshape(-1, len(positives))
        ranks = rank_excess(self.values)
        return (ranks.excess.T @ self.labels).toarray() - np.outer(ranks.shift, positives)

    @cached_property
    def _sample_of(self) -> np.ndarray:
        return self.part.sample_of

    def false_domains(self, unit: int, concept: int, threshold: float) -> int:
        """Domains claimed where there is none.

        Called rows outside every instance, in runs of consecutive rows of a sample. A run of m rows is as many false domains
        as instances of the median length n it could hold: m / n rounded up, so that a lone row is one; rounded down where the
        run only goes on from a called row inside an instance, so that a blurred border is none.
        """
        rows = called_rows(self.values, unit, threshold)
        if not len(rows):
            return 0
        label = self.labels.indices[self.labels.indptr[concept] : self.labels.indptr[concept + 1]]
        inside = np.isin(rows, label, assume_unique=True)
        sample = self._sample_of[rows]
        joined = (np.diff(rows) == 1) & (np.diff(sample) == 0)
        same = np.concatenate([[False], joined & (inside[1:] == inside[:-1])])
        run = np.cumsum(~same) - 1
        outside = ~inside[~same]
        length = np.bincount(run)
        first = np.flatnonzero(~same)
        after = np.concatenate([[False], joined])[first]
        before = np.concatenate([after[1:], [False]])
        blurred = after | before
        n = int(self.lengths[concept])
        return int(np.where(blurred, length // n, -(-length // n))[outside].sum())

    def by_cluster(self, unit: int, concept: int, threshold: float) -> np.ndarray:
        """[clusters, 5] called rows, those with the concept, rows with it, instances found, instances."""
        cluster = self.part.cluster
        row_cluster = cluster[self._sample_of]
        size = int(cluster.max(initial=0)) + 1
        rows = called_rows(self.values, unit, threshold)
        label = self.labels.indices[self.labels.indptr[concept] : self.labels.indptr[concept + 1]]
        on = np.zeros(self.part.first[-1] + 1, np.int64)
        on[rows + 1] = 1
        reach = np.cumsum(on)
        touched = np.bincount(
            self.spans.instance, reach[self.spans.end] - reach[self.spans.start], len(self.spans.concept)
        )
        mine = self.spans.concept == concept
        whose = cluster[self.spans.place[mine]]
        table = [
            np.bincount(row_cluster[rows], minlength=size),
            np.bincount(row_cluster[np.intersect1d(rows, label, assume_unique=True)], minlength=size),
            np.bincount(row_cluster[label], minlength=size),
            np.bincount(whose, touched[mine] > 0, size),
            np.bincount(whose, minlength=size),
        ]
        return np.column_stack(table)[np.unique(cluster)].astype(float)


def closely(source: Scaled, part: Part, spans: Placed, units: np.ndarray, lengths: np.ndarray) -> Closely:
    """The chosen units of a source on a split, read block by block."""
    labels = sp.csc_array(spans.matrices(0, int(part.first[-1]))[0])
    blocks = [part.rows[low:high] for low, high in part.blocks(source.block)]
    signed = np.concatenate([source.signed(rows, units) for rows in blocks]) if source.is_signed else None
    if signed is not None:
        values = source.scaled(sp.csr_array(np.maximum(signed, 0)), units)
    else:
        values = sp.vstack([source.values(rows, units) for rows in blocks])
    return Closely(sp.csc_array(values), labels, spans, part, np.maximum(lengths, 1), signed)


def called_rows(values: sp.csc_array, unit: int, threshold: float) -> np.ndarray:
    """Places [m], ascending, where the unit exceeds the threshold."""
    mine = slice(values.indptr[unit], values.indptr[unit + 1])
    data = values.data[mine]
    return np.sort(values.indices[mine][data > data.dtype.type(threshold)]).astype(np.int64)


def interval(by_cluster: np.ndarray, score: str, seed: int) -> tuple[float, float]:
    """95 % percentile interval of a score, clusters drawn with replacement (Efron 1979): tokens of one subject are no witnesses of their own."""
    called, tp, positives, hits, instances = (_weights(len(by_cluster), seed) @ by_cluster).T
    if score == "f1":
        part, whole = 2 * tp, called + positives
    else:  # 2 p r / (p + r) with p = tp / called and r = hits / instances
        part, whole = 2 * tp * hits, tp * instances + hits * called
    drawn = np.divide(part, whole, out=np.zeros(RESAMPLES), where=whole > 0)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)


@cache
def _weights(n: int, seed: int) -> np.ndarray:
    """[RESAMPLES, n] how often each of n clusters is drawn."""
    return np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=RESAMPLES).astype(float)
