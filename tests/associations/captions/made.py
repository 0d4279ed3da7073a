"""Small sequences with features that follow a rule, or none; and every rule tried by loops."""

from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
from features.small_stores import MODEL, Given, parts, store_of

from seqsae import shelf
from seqsae.activations.store import Store
from seqsae.records.covariates import Covariates, check_schema, typed

TOKENS = ["JOB//junior", "JOB//senior", "EARN//low", "EARN//high", "EARN//top", "DIAG//A10", "DIAG//A21", "x", "y", "z"]


def sequences(n: int = 240, seed: int = 0, empty: bool = True) -> tuple[np.ndarray, list[np.ndarray]]:
    """Rows of each sample, some of none, and tokens of each."""
    rng = np.random.default_rng(seed)
    n_rows = rng.integers(5, 30, n)
    n_rows[::31] = 0 if empty else 1
    return n_rows, [rng.choice(TOKENS, size) for size in n_rows]


def bidirectional(store: Store, folder: Path) -> Store:
    """The same store, said to be of a model that sees later rows."""
    config = {name: store.artefact.setting(name) for name in ("sites", "shard_samples")}
    config |= {"model": {**MODEL, "attention": "bidirectional"}}

    def write(work: Path) -> None:
        for path in store.path.rglob("*"):
            if path.is_file() and path.name != "manifest.json":
                (work / path.relative_to(store.path)).parent.mkdir(exist_ok=True)
                (work / path.relative_to(store.path)).write_bytes(path.read_bytes())

    return Store(shelf.stage(folder / "activations" / "full", "activations", config, {"of": store.artefact}, write))


def within(tokens: list[np.ndarray], names: set[str], window: int) -> np.ndarray:
    """[rows] bool: one of the names stood in one of the `window` rows before, in the same sample."""
    out = [any(one in names for one in sample[max(0, i - window) : i]) for sample in tokens for i in range(len(sample))]
    return np.array(out, dtype=bool)


def covariates(columns: dict[str, list], entries: list[dict], annotations: pl.DataFrame | None = None) -> Covariates:
    """Covariates of subjects 0, 1, ..."""
    n = len(next(iter(columns.values()))) if columns else 0
    document = check_schema({"covariates": entries}, "test")
    if not columns:
        return Covariates(None, document, annotations)
    table = pl.DataFrame({"subject": pl.Series(range(n), dtype=pl.UInt32), **columns})
    return Covariates(typed(table, document, "test"), document, annotations)


NONE = covariates({}, [])


def given(folder: Path, n_rows: np.ndarray, tokens: list[np.ndarray], *fires: np.ndarray, **options) -> Given:
    """A store with these tokens and a feature for each of `fires` [rows]."""
    store = store_of(folder, n_rows, tokens=np.concatenate(tokens), **options)
    return Given(store, np.column_stack(fires).astype(float))


def split_rows(n_rows: np.ndarray, split: str) -> np.ndarray:
    """[rows] bool: rows of subjects in a split of `parts`."""
    return np.repeat(np.array(parts(len(n_rows))) == split, n_rows)


def f1_of(rule, held: np.ndarray, fires: np.ndarray) -> float:
    """F1 of a rule (terms of literals) by plain loops. held: [n, m] bool."""
    said = [all(any(held[i, one] for one in term) for term in rule) for i in range(len(fires))]
    tp = sum(bool(a and b) for a, b in zip(said, fires, strict=True))
    return 2 * tp / max(sum(said) + int(fires.sum()), 1)


def brute(
    held: np.ndarray, fires: np.ndarray, clash: np.ndarray, margin: float, beam: int, union: int = 5, terms: int = 3
):
    """The greedy search in plain Python: best rule and its F1; none for what never fires."""
    if not fires.any():
        return (), 0.0

    def order(rule):
        n = sum(map(len, rule))
        return (-round(f1_of(rule, held, fires) - margin * (n - 1), 12), n, rule)

    literals = range(held.shape[1])
    singles = sorted((((one,),) for one in literals), key=lambda rule: -f1_of(rule, held, fires))
    starts = [rule for rule in singles[:beam] if f1_of(rule, held, fires) > 0]
    n_atoms = len(clash)
    grown = (max(range(n_atoms), key=lambda one: (f1_of(((one,),), held, fires), -one)),)
    while len(grown) < union:
        free = [one for one in range(n_atoms) if not any(clash[one, other] for other in grown)]
        scored = [(f1_of(((*grown, one),), held, fires), -one) for one in free]
        if not scored or max(scored)[0] <= f1_of((grown,), held, fires) + margin:
            break
        grown = (*grown, -max(scored)[1])
    if len(grown) > 1:
        starts.append((tuple(sorted(grown)),))
    found, longer = list(starts), starts
    for _ in range(terms - 1):
        made = []
        for rule in longer:
            free = [one for one in literals if not any(one in term for term in rule)]
            made.append(max(free, key=lambda one: (f1_of((*rule, (one,)), held, fires), -one)))
        joined = dict.fromkeys(tuple(sorted([*rule, (one,)])) for rule, one in zip(longer, made, strict=True))
        longer = sorted(joined, key=order)[:1]
        found += longer
    best = min(found, key=order)
    return best, f1_of(best, held, fires)


def exhaustive(held: np.ndarray, fires: np.ndarray, margin: float) -> float:
    """The highest F1 less margin over all conjunctions of three literals or fewer."""
    every = [rule for n in (1, 2, 3) for rule in combinations(range(held.shape[1]), n)]
    return max(f1_of(tuple((one,) for one in rule), held, fires) - margin * (len(rule) - 1) for rule in every)
