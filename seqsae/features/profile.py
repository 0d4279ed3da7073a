"""What a feature is, before any covariate is looked at."""

import numpy as np
import polars as pl
import scipy.sparse as sp

from seqsae import schema
from seqsae.activations.store import Store


def profile(
    codes: sp.csr_array,
    store: Store,
    tokens: np.ndarray,
    names: list[str],
    stability: np.ndarray | None,
    norms: np.ndarray,
) -> pl.DataFrame:
    """Schema `profile`, measured on the train rows.

    Args:
        codes: [n, width] codes of the train rows.
        tokens: [n] token number of the same rows; names: its text.
        stability: [width], or None with one seed.
        norms: [width] L2 norms of the decoder rows.
    """
    rows = store.rows_in("train")
    by_feature = codes.tocsc()
    n_active = np.diff(by_feature.indptr)
    alive = n_active > 0
    total = by_feature.sum(0)
    best, share = _best_token(codes, tokens, len(names))
    table = pl.DataFrame(
        {
            "feature": np.arange(codes.shape[1], dtype=np.int32),
            "firing_rate": n_active / max(1, len(rows)),
            "n_subjects": _subjects(by_feature, store.row_subject[rows]),
            "mean_when_active": _where(alive, total / np.maximum(n_active, 1)),
            "max": _where(alive, by_feature.max(0).toarray().ravel()),
            "token_purity": _where(alive, share),
            "best_token": pl.Series(
                [names[token] if on else None for token, on in zip(best, alive, strict=True)], dtype=pl.String
            ),
            "stability": pl.Series([None] * len(alive) if stability is None else stability.tolist(), dtype=pl.Float64),
            "decoder_norm": norms.astype(np.float32),
            "dead": ~alive,
        }
    )
    return schema.check_table(table, "profile", "profile")


def _where(alive: np.ndarray, values: np.ndarray) -> pl.Series:
    return pl.Series([float(value) if on else None for value, on in zip(values, alive, strict=True)], dtype=pl.Float64)


def _subjects(by_feature: sp.csc_array, subject: np.ndarray) -> np.ndarray:
    """[width] number of different subjects in whom each feature is on."""
    counts = [
        len(np.unique(subject[by_feature.indices[a:b]]))
        for a, b in zip(by_feature.indptr, by_feature.indptr[1:], strict=False)
    ]
    return np.array(counts, dtype=np.uint32)


def _best_token(codes: sp.csr_array, tokens: np.ndarray, n_tokens: int) -> tuple[np.ndarray, np.ndarray]:
    """[width] commonest token among a feature's active rows, and its share of them."""
    on = sp.csr_array((np.ones(codes.nnz, np.float32), codes.indices, codes.indptr), shape=codes.shape)
    which = sp.csr_array(
        (np.ones(len(tokens), np.float32), tokens, np.arange(len(tokens) + 1)), shape=(len(tokens), n_tokens)
    )
    table = (on.T @ which).toarray()
    return table.argmax(1), table.max(1) / np.maximum(table.sum(1), 1)
