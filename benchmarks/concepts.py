"""Concept scores of 500 features, 60 concepts and 5 thresholds over 20,000 residues: sparse products against loops, in one run.

The loops do what InterPLM's public scoring does, written from its description: for each threshold and concept a product of all
called values with the concept's labels, then column by column the number of different instances in it, then a row of scores for
each concept, feature and threshold. Both start from the same scaled values and the same instances, and end with the same table of
counts and scores. --quick: 4,000 residues, 100 features, 12 concepts.
"""

import sys
import time

import numpy as np
import polars as pl
import scipy.sparse as sp
from bars import Bars, arguments

from seqsae.associations.concept_counts import Counts, count, domain_recall, f1, f1_per_domain, levels, precision
from seqsae.associations.concept_spans import Placed

THRESHOLDS = (0.0, 0.15, 0.5, 0.6, 0.8)
ACTIVE = 0.05  # share of values that are not zero
ROUNDS = 3


def main() -> None:
    options = arguments(__doc__)
    n, U, C = (4_000, 100, 12) if options.quick else (20_000, 500, 60)
    values, spans = planted(n, U, C)
    ids = instance_numbers(spans, n)
    ours, counts = fastest(lambda: by_products(values, spans))
    loops, theirs = fastest(lambda: by_loops(values, ids, spans))
    same = all((getattr(counts, name) == theirs[name]).all() for name in ("tp", "fp", "hits"))
    labelled = (ids > 0).sum() / n
    print(
        f"{n:,} rows, {U} features ({values.nnz:,} values above zero), {C} concepts ({labelled:.2f} a row), {len(THRESHOLDS)} thresholds"
    )
    print(f"loops {loops * 1e3:,.1f} ms, products {ours * 1e3:,.1f} ms, CPU time, the fastest of {ROUNDS}")
    bars = Bars()
    bars.at_least("times as fast as the loops", loops / ours, 40.0 if not options.quick else 10.0)
    bars.at_least("identical counts", float(same), 1.0)
    bars.tell(options.json)


def planted(n: int, U: int, C: int) -> tuple[sp.csr_array, Placed]:
    """Random sparse values in 0 to 1, and instances of 1 to 60 rows; those of one concept never overlap, as the loops need."""
    rng = np.random.default_rng(0)
    values = sp.random_array((n, U), density=ACTIVE, format="csr", dtype=np.float32, rng=rng)
    found = []
    for concept in range(C):
        length = int(rng.integers(1, 60))
        starts = rng.permutation(n // (2 * length))[: max(4, n // (100 * length))] * 2 * length
        found += [(concept, start, start + length) for start in np.sort(starts)]
    concept, start, end = (np.array(column) for column in zip(*found, strict=True))
    return values, Placed(C, concept, np.arange(len(concept)), start, end, np.zeros(len(concept), int))


def instance_numbers(spans: Placed, n: int) -> sp.csc_array:
    """[n, C] number from 1 of the instance of each concept that each row lies in."""
    table = np.zeros((n, spans.n_concepts), np.int32)
    for number, (concept, start, end) in enumerate(zip(spans.concept, spans.start, spans.end, strict=True), 1):
        table[start:end, concept] = number
    return sp.csc_array(table)


def fastest(job) -> tuple[float, object]:
    """CPU seconds of the fastest of several runs, and its result."""
    times = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        result = job()
        times.append(time.process_time() - begin)
    return min(times), result


def by_products(values: sp.csr_array, spans: Placed) -> Counts:
    found = count(levels(values, THRESHOLDS), *spans.matrices(0, values.shape[0]), len(THRESHOLDS))
    scores(found)
    return found


def scores(found: Counts) -> pl.DataFrame:
    """A row for each concept, feature and threshold."""
    C, U, T = found.tp.shape
    made = {"precision": precision(found), "recall_per_domain": domain_recall(found)}
    made |= {"f1": f1(found), "f1_per_domain": f1_per_domain(found), "tp": found.tp, "fp": found.fp, "hits": found.hits}
    index = np.indices((C, U, T)).reshape(3, -1)
    keys = dict(zip(("concept", "feature", "threshold"), index, strict=True))
    return pl.DataFrame(keys | {name: values.ravel() for name, values in made.items()})


def by_loops(values: sp.csr_array, ids: sp.csc_array, spans: Placed) -> dict[str, np.ndarray]:
    C, U, T = spans.n_concepts, values.shape[1], len(THRESHOLDS)
    tp, fp, hits = (np.zeros((C, U, T), np.int64) for _ in range(3))
    columns = values.tocsc()
    for t, threshold in enumerate(THRESHOLDS):
        called = columns > threshold if threshold else columns.astype(bool)
        called = sp.csc_array(called.astype(np.int32))
        total = called.sum(axis=0)
        for concept in range(C):
            inside = sp.csc_array(called.multiply(ids[:, [concept]]))
            tp[concept, :, t] = np.diff(inside.indptr)
            fp[concept, :, t] = total - tp[concept, :, t]
            for unit in range(U):
                mine = inside.data[inside.indptr[unit] : inside.indptr[unit + 1]]
                hits[concept, unit, t] = len(set(mine.tolist()))
    positives, instances = np.diff(ids.indptr), np.bincount(spans.concept, minlength=C)
    rows = [
        row_of(c, u, t, tp[c, u, t], fp[c, u, t], hits[c, u, t], positives[c], instances[c])
        for c in range(C)
        for u in range(U)
        for t in range(T)
    ]
    assert len(rows) == C * U * T
    return {"tp": tp, "fp": fp, "hits": hits}


def row_of(c, u, t, tp, fp, hits, positives, instances) -> dict:  # noqa: PLR0913, the loop's own
    p = tp / (tp + fp) if tp + fp else 0.0
    r, by_domain = tp / positives, hits / instances
    return {
        "concept": c,
        "feature": u,
        "threshold": t,
        "precision": p,
        "recall_per_domain": by_domain,
        "f1": 2 * p * r / (p + r) if p + r else 0.0,
        "f1_per_domain": 2 * p * by_domain / (p + by_domain) if p + by_domain else 0.0,
        "tp": tp,
        "fp": fp,
        "hits": hits,
    }


if __name__ == "__main__":
    sys.exit(main())
