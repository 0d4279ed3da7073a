"""Tables over known concepts: absorption, losses of the best single units, coverage and reconstruction."""

from collections.abc import Iterator

import numpy as np
import polars as pl
import scipy.sparse as sp
import torch
from scipy import stats

from seqsae import schema
from seqsae.activations.store import Store
from seqsae.associations.f1 import score
from seqsae.associations.probing.absorption import absorbed, dense_probes, main_latents
from seqsae.associations.probing.bases import Basis, Finite
from seqsae.associations.probing.choosing import basis_of, strongest, ties
from seqsae.associations.probing.coverage import covered
from seqsae.associations.probing.known import Known
from seqsae.associations.probing.single import entropy, losses, regress
from seqsae.associations.ranks import Matrix
from seqsae.associations.targets import Target
from seqsae.associations.units import Units
from seqsae.features.encoding import Encoded
from seqsae.progress import track

SHORTLIST = 5  # units of a dense basis that are fitted one by one: those most tied to the concept
LEAST_F1 = 0.3  # of a dense probe that may say where a concept is
SHOWN = 3  # absorbing latents that are named

Pair = tuple[Known, Known]  # select and test


def absorption_table(encoded: Encoded, sets: list[Pair], seed: int) -> pl.DataFrame:
    """Schema `absorption`: chosen and fitted on select, measured on test."""
    rows = [row for pair in track(sets, "absorption") for row in _absorptions(encoded, *pair, seed)]
    return _table(rows, "absorption")


def _absorptions(encoded: Encoded, select: Known, test: Known, seed: int) -> Iterator[dict]:
    x, x_test = (_centred(encoded, one.rows) for one in (select, test))
    codes, codes_test = (Finite(encoded).values(one.rows) for one in (select, test))
    decoder = encoded.sae.W_dec.detach().double().numpy()
    probes = dense_probes(x, select.y, select.cluster, seed)
    for c, (name, probe) in enumerate(zip(select.names, probes, strict=True)):
        known, there = np.isfinite(select.y[:, c]), test.y[:, c] == 1
        main, f1_main = main_latents(codes if known.all() else codes[np.flatnonzero(known)], select.y[known, c])
        known_test = np.isfinite(test.y[:, c])
        margin = x_test @ probe.weights
        f1_dense = score(margin[known_test], probe.threshold, test.y[known_test, c]).f1
        fires = np.flatnonzero(there & (margin >= probe.threshold))
        found = {"concept": name, "origin": select.origin, "n_main": len(main), "f1_dense": f1_dense}
        found |= {"main": ", ".join(map(str, main)) or None, "f1_main": f1_main if len(main) else None}
        why = _why_not(f1_dense, len(main), len(fires))
        size = {"n": len(fires), "n_clusters": len(np.unique(test.cluster[fires])), "note": why}
        yield (
            found
            | size
            | (
                dict.fromkeys(("absorption", "ci_low", "ci_high", "full", "absorbers"))
                if why
                else _measured(codes_test[fires], x_test[fires], decoder, probe.weights, main, test.cluster[fires])
            )
        )


def _why_not(f1_dense: float, n_main: int, n: int) -> str | None:
    """Why absorption cannot be told."""
    if f1_dense < LEAST_F1 or not n:
        return f"the dense probe itself hardly finds it (F1 below {LEAST_F1})"
    return None if n_main else "no latent raises F1 by the step"


def _measured(
    codes: sp.csr_array, x: np.ndarray, decoder: np.ndarray, weights: np.ndarray, main: np.ndarray, cluster: np.ndarray
) -> dict:
    """The part of a row of schema `absorption` that the rows where the probe fires decide."""
    found = absorbed(codes, x, decoder, weights, main)
    low, high = _mean_interval(found.fraction, cluster)
    latents, times = np.unique(found.top[found.top >= 0], return_counts=True)
    first = np.argsort(-times, kind="stable")[:SHOWN]
    return {
        "absorption": float(found.fraction.mean()),
        "ci_low": low,
        "ci_high": high,
        "full": float(found.full.mean()),
        "absorbers": ", ".join(f"{latents[i]} ({times[i]})" for i in first) or None,
    }


def _mean_interval(values: np.ndarray, cluster: np.ndarray) -> tuple[float | None, float | None]:
    """95% interval of a mean over rows whose clusters may depend on each other within; None of a single cluster."""
    sums = np.bincount(np.unique(cluster, return_inverse=True)[1], values - values.mean())
    if len(sums) < 2:
        return None, None
    half = stats.norm.isf(0.025) * np.sqrt(len(sums) / (len(sums) - 1) * (sums**2).sum()) / len(values)
    return float(max(values.mean() - half, 0)), float(min(values.mean() + half, 1))


def _centred(encoded: Encoded, rows: np.ndarray) -> np.ndarray:
    """[n, d] rows of the site in the SAE's own units, its decoder's bias taken off: what its latents add up to."""
    sae = encoded.sae
    with torch.no_grad():
        return (sae.normalise(encoded.store.read(encoded.site, rows)) - sae.b_dec).double().numpy()


def loss_table(bases: list[Basis], sets: list[Pair], aims: list[Target], store: Store) -> pl.DataFrame:
    """Schema `probe_losses`, of concepts row by row and of the binary targets of level subject."""
    rows: list[dict] = []
    binary = [aim for aim in aims if aim.unit == "subject" and aim.is_binary]
    for basis in track([one for one in bases if one.sparse_too], "losses"):
        for select, test in sets:
            x, x_test = (_by_columns(basis.source.values(one.rows)) for one in (select, test))
            for c, (name, units) in enumerate(zip(select.names, _shortlist(x, select.y), strict=True)):
                row = _loss(basis, (x, x_test), (select.y[:, c], test.y[:, c]), units)
                rows.append({"concept": name, "origin": select.origin, "unit": "token", **row})
        if binary:
            rows += _of_subjects(basis, binary, store)
    return _table(rows, "probe_losses")


def _of_subjects(basis: Basis, aims: list[Target], store: Store) -> Iterator[dict]:
    """The same of binary covariates, from the mean of each unit over a subject's rows."""
    select, test = (Units(store, "subject", split) for split in ("select", "test"))
    x, x_test = (_by_columns(one.pooled(basis.source, ("mean",)).make("mean")) for one in (select, test))
    y, y_test = (np.column_stack([aim.y[one.chosen] for aim in aims]) for one in (select, test))
    for c, (aim, units) in enumerate(zip(aims, _shortlist(x, y), strict=True)):
        row = _loss(basis, (x, x_test), (y[:, c], y_test[:, c]), units)
        yield {"concept": f"{aim.covariate} = {aim.category}", "origin": "covariate", "unit": "subject", **row}


def _shortlist(x: Matrix, y: np.ndarray) -> list[np.ndarray]:
    """For each concept of y [n, C] the units to fit: all sparse ones, and of dense ones those most tied to it."""
    if sp.issparse(x):
        return [np.arange(x.shape[1])] * y.shape[1]
    tie = ties(x, np.where(np.isfinite(y), y, np.nanmean(y, axis=0)), basis_of(None, len(y)))
    return [strongest(column, SHORTLIST) for column in tie.T]


def _loss(basis: Basis, x: tuple[Matrix, Matrix], y: tuple[np.ndarray, np.ndarray], units: np.ndarray) -> dict:
    """Of some units the one of the least loss on the first rows, and its loss on the others."""
    known = [np.flatnonzero(np.isfinite(one)) for one in y]
    x, x_test = (one if len(some) == one.shape[0] else one[some] for one, some in zip(x, known, strict=True))
    y, y_test = (one[some] for one, some in zip(y, known, strict=True))
    if len(units) < x.shape[1]:
        x, x_test = x[:, units], x_test[:, units]
    out = {
        "source": basis.name,
        "entropy": entropy(y.mean(), y_test),
        "n": len(y_test),
        "n_positive": int(y_test.sum()),
    }
    if not len(units):
        return out | {"best_unit": None, "loss_select": None, "loss": None}
    fitted = regress(x, y)
    best = int(fitted.loss.argmin())
    one = type(fitted)(*[part[[best]] for part in fitted])
    told = float(losses(one, x_test[:, [best]], y_test)[0])
    return out | {"best_unit": basis.source.labels[units[best]], "loss_select": float(fitted.loss[best]), "loss": told}


def _by_columns(x: Matrix) -> Matrix:
    return sp.csc_array(x) if sp.issparse(x) else x


def coverage_table(bases: list[Basis], sets: list[Pair]) -> pl.DataFrame:
    """Schema `probe_coverage`, on the rows at which all concepts of a set are known."""
    rows = []
    for basis in track([one for one in bases if one.sparse_too], "coverage"):
        for select, test in sets:
            if not len(select.whole) or not len(test.whole):
                continue
            x, x_test = (basis.source.values(one.rows[one.whole]) for one in (select, test))
            found = covered(x, select.y[select.whole], x_test, test.y[test.whole])
            row = {"origin": select.origin, "source": basis.name, "n_concepts": len(select.names), "n": len(test.whole)}
            rows.append(row | found._asdict())
    return _table(rows, "probe_coverage")


def _table(rows: list[dict], name: str) -> pl.DataFrame:
    table = pl.DataFrame(rows, schema=schema.columns(name), infer_schema_length=None)
    return schema.check_table(table, name, name)
