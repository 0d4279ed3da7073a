"""Screens of features against covariates: how fast beside scikit-learn pair by pair, how they grow, and how much memory they take.

CPU seconds of one thread, the fastest of several rounds; each part runs in a process of its own, whose peak memory is told. --quick:
fewer features, and 100,000 subjects in the place of a million.
"""

import multiprocessing
import resource
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
from bars import Bars, arguments
from scipy import sparse, stats
from sklearn.metrics import roc_auc_score

from seqsae.associations.adjusted import screen_adjusted
from seqsae.associations.blocks import Covariates, screen_blocks
from seqsae.associations.ranks import aurocs, rank_excess
from seqsae.associations.screen import screen
from seqsae.pipeline import limited_threads

CONFOUNDERS, ROUNDS, SAMPLE, SUPPORT, GIB = 12, 3, 24, 10, 2**30
SHARE = 500 / 4096
"""Of 4,096 features that a subject of the register has."""


def main() -> None:
    quick, bars = (options := arguments(__doc__.splitlines()[0])).quick, Bars()
    beside_sklearn(bars, apart(beside, 100_000, 1024 if quick else 4096, 64))
    adjusted_bars(bars, apart(adjusted, 100_000, 1024 if quick else 4096, 16))
    growth_bars(bars, apart(growth, 20_000 if quick else 50_000, 1024))
    register_bars(bars, apart(register, 100_000 if quick else 1_000_000, 4096, 64))
    bars.tell(options.json)


def apart(part: Callable, *sizes: int) -> dict:
    """What a part of the benchmark finds, from a new process with one thread, beside its "peak" memory in GiB."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_part, (part, sizes))


def _part(part: Callable, sizes: tuple[int, ...]) -> dict:
    with limited_threads(1):
        found = part(*sizes)
    return found | {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GIB}


def features(rng: np.random.Generator, n: int, shares: np.ndarray) -> sparse.csc_array:
    """[n, F] values with ties, each feature in about its share of the subjects."""
    places = [np.flatnonzero(rng.random(n, np.float32) < share).astype(np.int32) for share in shares]
    indptr = np.cumsum([0, *map(len, places)])
    values = rng.integers(1, 200, indptr[-1], np.int16).astype(np.float32)
    return sparse.csc_array((values, np.concatenate(places), indptr.astype(np.int32)), shape=(n, len(shares)))


def shares_of(rng: np.random.Generator, n_features: int, mean: float) -> np.ndarray:
    """[F] some features frequent, most rare."""
    shares = rng.lognormal(0, 1, n_features)
    return np.minimum(shares * (mean / shares.mean()), 0.9)


def cohort(rng: np.random.Generator, n: int, c: int) -> tuple[np.ndarray, np.ndarray]:
    """(y [n, c] in {0, 1} of 1 to 50%, confounders z [n, q] that bear on it)."""
    z = rng.normal(size=(n, CONFOUNDERS))
    lean = z @ rng.normal(0, 0.3, (CONFOUNDERS, c))
    lean += np.log(np.geomspace(0.01, 0.5, c))
    return (rng.random((n, c)) < 1 / (1 + np.exp(-lean))).astype(float), z


def cpu(work: Callable[[], object]) -> tuple[float, object]:
    began = time.process_time()
    found = work()
    return time.process_time() - began, found


def fastest(work: Callable[[], object]) -> tuple[float, object]:
    """CPU seconds of the fastest of ROUNDS, and its result."""
    return min((cpu(work) for _ in range(ROUNDS)), key=lambda run: run[0])


def beside(n: int, n_features: int, c: int) -> dict:
    """All AUROCs, and the whole crude screen, beside scikit-learn on some of the pairs."""
    rng = np.random.default_rng(0)
    x, (y, _) = features(rng, n, shares_of(rng, n_features, 8e6 / 4096 / 100_000)), cohort(rng, n, c)
    ours, table = fastest(lambda: aurocs(rank_excess(x), y))
    whole, found = fastest(lambda: screen(rank_excess(x), y, min_support=SUPPORT))
    pairs = [(int(rng.integers(n_features)), int(rng.integers(c))) for _ in range(SAMPLE)]
    columns = [(x[:, [f]].toarray().ravel(), y[:, j].copy()) for f, j in pairs]
    theirs, expected = fastest(lambda: [roc_auc_score(label, value) for value, label in columns])
    off = [max(abs(table[pair] - e), abs(found.effect[pair] - e)) for pair, e in zip(pairs, expected, strict=True)]
    each = n_features * c
    return {
        "size": (n, n_features, c, x.nnz),
        "aurocs": ours / each,
        "screen": whole / each,
        "sklearn": theirs / SAMPLE,
        "off": max(off),
    }


def beside_sklearn(bars: Bars, found: dict) -> None:
    n, n_features, c, nnz = found["size"]
    print(
        f"crude: {n:,} subjects x {n_features:,} features ({nnz:,} non-zeros) x {c} binary covariates = {n_features * c:,} pairs"
    )
    print(f"  scikit-learn {found['sklearn'] * 1e3:.2f} ms a pair ({SAMPLE} pairs timed)")
    for name in ("aurocs", "screen"):
        print(f"  {name} {found[name] * 1e6:.2f} us a pair, {found[name] * n_features * c:.2f} s in all")
    print(f"  peak {found['peak']:.2f} GiB")
    bars.at_least("AUROCs, times as fast a pair as scikit-learn", found["sklearn"] / found["aurocs"], 1000)
    bars.at_least("crude screen with p-values, times as fast a pair", found["sklearn"] / found["screen"], 1000)
    bars.at_most("AUROC off scikit-learn's, in 1e-12", found["off"] / 1e-12, 1)


def adjusted(n: int, n_features: int, c: int) -> dict:
    """Beyond the confounders, of binary covariates (logistic nulls) and of numeric ones (least squares)."""
    rng = np.random.default_rng(1)
    x, (y, z) = features(rng, n, shares_of(rng, n_features, 8e6 / 4096 / 100_000)), cohort(rng, n, c)
    ranks, numeric = rank_excess(x), np.round(z @ rng.normal(0, 0.3, (CONFOUNDERS, c)) + rng.normal(size=(n, c)), 2)
    kinds = {"binary": (y, np.ones(c, bool)), "numeric": (numeric, np.zeros(c, bool))}
    runs = {kind: fastest(lambda some=some: tested(ranks, z, *some)) for kind, some in kinds.items()}
    ends = max(
        partial_off(x, numeric, z, runs["numeric"][1], rng.integers(n_features), rng.integers(c)) for _ in range(8)
    )
    return {"size": (n, n_features, c, x.nnz), "off": ends} | {kind: seconds for kind, (seconds, _) in runs.items()}


def tested(ranks, z: np.ndarray, y: np.ndarray, binary: np.ndarray):
    return screen_adjusted(ranks, y, z, np.arange(ranks.n), SUPPORT, binary, repeats=False)


def partial_off(x: sparse.csc_array, y: np.ndarray, z: np.ndarray, found, f: int, j: int) -> float:
    """Distance of a partial correlation of ranks from that of what two least squares leave."""
    both = np.column_stack([stats.rankdata(x[:, [f]].toarray().ravel()), stats.rankdata(y[:, j])])
    design = np.column_stack([np.ones(len(z)), z])
    left = both - design @ np.linalg.lstsq(design, both, rcond=None)[0]
    return abs(left[:, 0] @ left[:, 1] / np.sqrt(np.prod((left**2).sum(axis=0))) - found.effect[f, j])


def adjusted_bars(bars: Bars, found: dict) -> None:
    n, n_features, c, nnz = found["size"]
    print(f"beyond {CONFOUNDERS} confounders: {n:,} x {n_features:,} ({nnz:,} non-zeros) x {c} covariates")
    print(
        f"  binary {found['binary']:.2f} s, numeric {found['numeric']:.2f} s, features ranked before; peak {found['peak']:.2f} GiB"
    )
    bars.at_most(f"adjusted, {c} binary covariates, s", found["binary"], 60)
    bars.at_most(f"adjusted, {c} numeric covariates, s", found["numeric"], 60)
    bars.at_most("partial correlation off least squares', in 1e-9", found["off"] / 1e-9, 1)


def growth(n: int, n_features: int) -> dict:
    """CPU seconds of both screens, and of each with one size doubled; the rounds are interleaved."""
    base = {"n": n, "n_features": n_features, "c": 32, "mean": 0.04}
    runs = {"": base} | {name: base | {name: 2 * value} for name, value in base.items()}
    spent: dict[str, list] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, sizes in runs.items():
            spent[name].append(grown(**sizes))
    return {name: np.min(times, axis=0).tolist() for name, times in spent.items()}


def grown(n: int, n_features: int, c: int, mean: float) -> tuple[float, float]:
    """CPU seconds of ranks and crude screen, and of the adjusted one."""
    rng = np.random.default_rng(2)
    x, (y, z) = features(rng, n, np.full(n_features, mean)), cohort(rng, n, c)
    crude, _ = cpu(lambda: screen(rank_excess(x), y, min_support=SUPPORT))
    ranks = rank_excess(x)
    return crude, cpu(lambda: tested(ranks, z, y, np.ones(c, bool)))[0]


DOUBLED = {"n": "subjects", "n_features": "features", "c": "covariates", "mean": "non-zeros"}


def growth_bars(bars: Bars, found: dict) -> None:
    base = found[""]
    print(
        f"growth from crude {base[0]:.2f} s, adjusted {base[1]:.2f} s; doubled alone (subjects and features double the non-zeros too)"
    )
    for name, word in DOUBLED.items():
        ratios = [after / before for after, before in zip(found[name], base, strict=True)]
        print(f"  {word:10} crude x{ratios[0]:.2f}, adjusted x{ratios[1]:.2f}")
        bars.at_most(f"crude screen, {word} doubled", ratios[0], 2.6)
        bars.at_most(f"adjusted screen, {word} doubled", ratios[1], 2.6)


def register(n: int, n_features: int, c: int, width: int = 256) -> dict:
    """Both screens of a register whose features come in blocks: about 500 non-zeros a subject."""
    rng, made = np.random.default_rng(3), [0.0, 0]
    y, z = cohort(rng, n, c)
    blocks = register_blocks(rng, n, n_features, width, made)
    seconds, (crude, beyond) = cpu(lambda: screen_blocks(blocks, Covariates(y, z), SUPPORT))
    done = np.isfinite(crude.p).mean(), np.isfinite(beyond.p).mean()
    false = (crude.p < 0.05).mean(), (beyond.p < 0.05).mean()
    return {
        "size": (n, n_features, c, made[1]),
        "seconds": seconds - made[0],
        "making": made[0],
        "done": done,
        "false": false,
    }


def register_blocks(
    rng: np.random.Generator, n: int, n_features: int, width: int, made: list
) -> Iterator[sparse.csc_array]:
    """Blocks of `width` features; `made` counts CPU seconds spent on them, and non-zeros."""
    shares = shares_of(rng, n_features, SHARE)
    shares *= SHARE / shares.mean()
    for first in range(0, n_features, width):
        seconds, block = cpu(lambda first=first: features(rng, n, shares[first : first + width]))
        made[0], made[1] = made[0] + seconds, made[1] + block.nnz
        yield block


def register_bars(bars: Bars, found: dict) -> None:
    n, n_features, c, nnz = found["size"]
    print(
        f"register: {n:,} subjects x {n_features:,} features, {nnz:,} non-zeros, {nnz / n:.0f} each, x {c} binary covariates"
    )
    print(
        f"  crude and beyond {CONFOUNDERS} confounders {found['seconds']:.0f} s, and {found['making']:.0f} s to make the blocks"
    )
    print(
        f"  p below .05, of nothing planted: crude {found['false'][0]:.4f}, adjusted {found['false'][1]:.4f}; peak {found['peak']:.2f} GiB"
    )
    bars.at_most(f"peak GiB, {n:,} subjects x {n_features:,} features x {c} covariates", found["peak"], 6)
    bars.at_least(f"pairs tested of {n:,} subjects", min(found["done"]), 1)


if __name__ == "__main__":
    sys.exit(main())
