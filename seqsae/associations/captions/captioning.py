"""A caption for every feature: a short rule in words, its score on held-out subjects, and what chance and simpler rules give."""

from functools import cached_property

import numpy as np
import polars as pl
import scipy.sparse as sp

from seqsae import schema
from seqsae.associations.captions.chance import dealt, null_95, spread
from seqsae.associations.captions.lines import cluster_of, drawn, with_rows
from seqsae.associations.captions.literals import Vocabulary, vocabulary
from seqsae.associations.captions.rules import kind, size, words
from seqsae.associations.captions.scoring import (
    Counts,
    balanced_accuracy,
    balanced_accuracy_interval,
    count,
    f1,
    f1_interval,
    precision,
    recall,
)
from seqsae.associations.captions.search import Best, Ground, search
from seqsae.associations.concept_spans import Part, part_of
from seqsae.caption_options import CaptionConfig
from seqsae.features.encoding import Encoded
from seqsae.records.covariates import Covariates

NOTHING = "no short rule found"
RARE = "fires too rarely for a rule"


def captions(
    encoded: Encoded, covariates: Covariates, config: CaptionConfig | None = None, seed: int = 0
) -> pl.DataFrame:
    """Schema `captions`: a row a feature.

    Rules are found on the select split and scored on the test split, row by row: does the feature fire here? Planted truth is
    not read. A rule is no caption where the interval of its F1 reaches down to what chance gives (`null_95`), where calling
    every row is as good, or where its balanced accuracy may be 1/2; its figures stand all the same.

    Args:
        encoded: from `encode`.
        covariates: `data.covariates`; covariates of subjects and annotations may be named in rules.
    """
    return _Captions(encoded, covariates, config or CaptionConfig(), seed).table()


class _Captions:
    """The features of one view, and what their rules are found on."""

    def __init__(self, encoded: Encoded, covariates: Covariates, config: CaptionConfig, seed: int):
        self.encoded, self.config, self.seed = encoded, config, seed
        self.n_features = len(encoded.labels)
        store = encoded.store
        self.subject = store.samples["subject"].to_numpy()
        self.select = drawn(with_rows(part_of(store, "select")), config.rows, seed)
        self.test = with_rows(part_of(store, "test"))
        self.known: Vocabulary = vocabulary(covariates, store, self.select, config)

    @cached_property
    def often(self) -> np.ndarray:
        """Features that fire in enough clusters of the rows of the search, and not on all of these rows."""
        firing = self.firing(self.select, np.arange(self.n_features)).tocsc()
        cluster = cluster_of(self.select)
        column = np.repeat(np.arange(self.n_features), np.diff(firing.indptr))
        pairs = np.unique(np.column_stack([column, cluster[firing.indices]]), axis=0)
        clusters = np.bincount(pairs[:, 0], minlength=self.n_features)
        return np.flatnonzero((clusters >= self.config.min_clusters) & (np.diff(firing.indptr) < firing.shape[0]))

    def firing(self, part: Part, features: np.ndarray) -> sp.csr_array:
        """[n, features] bool: where each fires."""
        values = self.encoded.values(part.rows)
        return (sp.csr_array(values)[:, features] > 0).tocsr()

    def table(self) -> pl.DataFrame:
        on_select = self.firing(self.select, self.often)
        rates = _rates(on_select)
        shares = spread(rates, self.config.nulls)
        on_select = sp.hstack([on_select, dealt(on_select, self.select, shares, self.seed)], format="csr")
        atoms = self.known.atoms
        ground = Ground(self.known.matrix(self.select), atoms.n_tokens, atoms.clash, self.config)
        best, n = search(ground, on_select), len(self.often)
        real = Best(best.rules[:n], best.f1[:n], best.tokens[:n])
        counts = self._counts(real, best.rules[n:], shares)
        own, token, null = (counts.only(one) for one in (slice(0, n), slice(n, 2 * n), slice(2 * n, None)))
        columns = self._words(real) | _figures(own, real) | _token_figures(token, real, self.known)
        columns["null_95"] = null_95(rates, _rates(on_select)[n:], np.nan_to_num(f1(null.total)))
        found = pl.DataFrame({"feature": self.often, **columns}).with_columns(pl.selectors.float().fill_nan(None))
        return schema.check_table(_judged(found, self.n_features), "captions", "captions")

    def _counts(self, real: Best, null_rules: list, shares: list[np.ndarray]) -> Counts:
        """On the test split: of the rules, of the best tokens, and of the rules of the null features, in one pass."""
        on_test = self.firing(self.test, self.often)
        every = sp.hstack([on_test, on_test, dealt(on_test, self.test, shares, self.seed)], format="csr")
        place = np.full(self.encoded.store.n_rows, -1)
        place[self.test.rows] = np.arange(len(self.test.rows))
        rules = [*real.rules, *real.tokens, *null_rules]
        return count(self.test, self.subject, self.known.matrix, lambda part: every[place[part.rows]], rules)

    def _words(self, best: Best) -> dict:
        told = [words(rule, self.known) for rule in best.rules]
        return {
            "rule": pl.Series([" and ".join(one) or None for one in told], dtype=pl.String),
            "rule_kind": pl.Series([kind(rule, self.known.literals) for rule in best.rules], dtype=pl.String),
            "n_literals": np.array([size(rule) for rule in best.rules], dtype=np.int64),
        }


def _rates(firing: sp.csr_array) -> np.ndarray:
    """[F] share of the rows on which each fires."""
    return np.asarray(firing.sum(axis=0, dtype=np.float64)).ravel() / max(firing.shape[0], 1)


def _figures(counts: Counts, best: Best) -> dict:
    """Of the rule, on the test split, but for `f1_select`."""
    accuracy, score, subjects = balanced_accuracy_interval(counts), f1_interval(counts), counts.subjects
    positive, rows = counts.total[:, 2], counts.total[:, 3]
    return {
        "n_rows": rows.astype(np.int64),
        "n_fired": positive.astype(np.int64),
        "n_subjects": subjects[:, 3].astype(np.int64),
        "n_fired_subjects": subjects[:, 2].astype(np.int64),
        "balanced_accuracy": accuracy.value,
        "ci_low": accuracy.low,
        "ci_high": accuracy.high,
        "precision": precision(counts.total),
        "recall": recall(counts.total),
        "f1": score.value,
        "f1_ci_low": score.low,
        "f1_ci_high": score.high,
        "f1_select": best.f1,
        "f1_always": np.where(positive > 0, 2 * positive / np.maximum(positive + rows, 1), np.nan),
        "subject_balanced_accuracy": balanced_accuracy(subjects),
        "subject_precision": precision(subjects),
        "subject_recall": recall(subjects),
        "subject_f1": f1(subjects),
    }


def _token_figures(counts: Counts, best: Best, known: Vocabulary) -> dict:
    """The same of the best single token."""
    names = [known.atoms.names[rule[0][0]] if rule else None for rule in best.tokens]
    there = np.array([name is not None for name in names], dtype=bool)
    figures = {
        "balanced_accuracy_token": balanced_accuracy(counts.total),
        "precision_token": precision(counts.total),
        "recall_token": recall(counts.total),
        "f1_token": f1(counts.total),
    }
    return {"token": pl.Series(names, dtype=pl.String)} | {
        name: np.where(there, values, np.nan) for name, values in figures.items()
    }


def _judged(found: pl.DataFrame, n_features: int) -> pl.DataFrame:
    """A row a feature, with `caption` and `kind`: the rule's own where it is better than chance and than always."""
    every = pl.DataFrame({"feature": np.arange(n_features)})
    table = every.join(found, on="feature", how="left", maintain_order="left")
    beyond = pl.coalesce("f1_ci_low", "f1") > pl.col("null_95").fill_null(0.0)
    better = (pl.col("f1") > pl.col("f1_always")) & (pl.coalesce("ci_low", "balanced_accuracy") > 0.5)
    holds = (beyond & better & pl.col("rule").is_not_null()).fill_null(False)
    rare = ~pl.col("feature").is_in(found["feature"].implode())
    return table.with_columns(
        caption=pl.when(holds).then("rule").when(rare).then(pl.lit(RARE)).otherwise(pl.lit(NOTHING)),
        kind=pl.when(holds).then("rule_kind").otherwise(pl.lit("none")),
        n_literals=pl.col("n_literals").fill_null(0),
    ).drop("rule_kind")
