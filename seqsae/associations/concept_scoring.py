"""Annotated concepts against every source: the pairs that go together, and the headline of how many do, beside chance."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from seqsae import schema
from seqsae.associations.concept_counts import SCORES, Counts
from seqsae.associations.concept_matching import Choice, Tally, at, chosen, counted, unit_blocks
from seqsae.associations.concept_pairs import Closely, closely, interval
from seqsae.associations.concept_spans import Part, Placed, Spans, placed, shifted, stacked
from seqsae.associations.concept_units import Scaled
from seqsae.config import ConceptsConfig


@dataclass(frozen=True)
class Task:
    """Concepts to be scored: their instances, true and shifted, on the select and on the test split."""

    concepts: pl.DataFrame
    """covariate, value, instance_length and trivial_f1, a row a concept."""
    spans: Spans
    draws: list[Spans]
    """The same concepts with labels that chance has shifted."""
    select: Part
    test: Part
    config: ConceptsConfig
    seed: int

    @property
    def C(self) -> int:
        return len(self.concepts)

    @cached_property
    def everything(self) -> Spans:
        """The true concepts, and after them those of each draw."""
        return stacked([self.spans, *self.draws])

    def on(self, part: Part) -> Placed:
        return placed(self.everything, part)


def drawn(spans: Spans, n_rows: np.ndarray, draws: int, seed: int) -> list[Spans]:
    """Spans shifted within their samples, one draw after the other. n_rows: [samples]."""
    return [shifted(spans, n_rows, np.random.default_rng([seed, draw])) for draw in range(draws)]


def score(sources: Iterable[Scaled], task: Task) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Schemas `concept_pairs` and `concept_matches`."""
    pairs, matches = [schema.empty("concept_pairs")], []
    for source in sources:
        found, tallies = _of_source(source, task)
        pairs.append(_finished(found, source, task))
        matches += [_match_row(source, name, tally) for name, tally in tallies.items()]
    table = pl.DataFrame(matches, infer_schema_length=None) if matches else schema.empty("concept_matches")
    return pl.concat(pairs), schema.check_table(table, "concept_matches", "concept_matches")


def _of_source(source: Scaled, task: Task) -> tuple[pl.DataFrame, dict[str, Tally]]:
    """The best unit of each concept and, of the SAE, all pairs above the floor, with their counts on test; and each score's tally."""
    thresholds, draws = task.config.thresholds, len(task.draws)
    floor = task.config.floor if source.name == "sae" else np.inf
    trivial = task.concepts["trivial_f1"].to_numpy()
    tallies = {name: Tally(trivial, draws, task.config.match) for name in SCORES}
    select, test = task.on(task.select), task.on(task.test)
    kept = []
    for units in unit_blocks(len(source.labels), task.everything.n_concepts, len(thresholds)):
        on_test = counted(source, task.test, test, thresholds, units)
        for choice in chosen(counted(source, task.select, select, thresholds, units), on_test):
            tallies[choice.score].add(choice, units)
            kept.append(_kept(choice, on_test, units, task.C, floor))
    table = pl.concat(kept)
    best = pl.concat([_best(name, tally) for name, tally in tallies.items()])
    table = table.join(best, on=["score", "concept", "unit"], how="left", maintain_order="left")
    told = (pl.col("f1_select") > floor) | (pl.col("best").is_not_null() & (pl.col("f1_select") > 0))
    order = ["score", "concept", "f1_select", "unit"]
    return table.filter(told).sort(order, descending=[True, False, True, False]), tallies


def _kept(choice: Choice, test: Counts, units: np.ndarray, C: int, floor: float) -> pl.DataFrame:
    """Pairs of true concepts that may stay: above the floor on select, or best of their block of units."""
    select = choice.select[:C]
    may = select > floor
    may[np.arange(C), select.argmax(axis=1)] = True
    concept, unit = np.nonzero(may)
    t = choice.threshold[concept, unit]
    counts = {
        "tp": test.tp[concept, unit, t],
        "fp": test.called[unit, t] - test.tp[concept, unit, t],
        "n_positive": test.positives[concept],
        "hits": test.hits[concept, unit, t],
        "n_instances": test.instances[concept],
    }
    scores = {name: at(make(test), choice.threshold)[concept, unit] for name, make in SCORES.items()}
    return pl.DataFrame(
        {
            "score": [choice.score] * len(concept),
            "concept": concept,
            "unit": units[unit],
            "level": t,
            "f1_select": select[concept, unit],
            **{name: values.astype(np.int64) for name, values in counts.items()},
            **scores,
        }
    )


def _best(name: str, tally: Tally) -> pl.DataFrame:
    """The unit that is best on select for each concept, and what chance gave."""
    return pl.DataFrame(
        {
            "score": [name] * tally.n_concepts,
            "concept": np.arange(tally.n_concepts),
            "unit": tally.best_unit[0],
            "best": [True] * tally.n_concepts,
            "f1_null": pl.Series(tally.null).fill_nan(None),
        }
    )


def _finished(found: pl.DataFrame, source: Scaled, task: Task) -> pl.DataFrame:
    """The kept pairs with names, AUROC, domains on both sides and, for the best, intervals: schema `concept_pairs`."""
    units, column = np.unique(found["unit"].to_numpy(), return_inverse=True)
    lengths = task.concepts["instance_length"].to_numpy()
    close = closely(source, task.test, placed(task.spans, task.test), units, lengths)
    rows = [
        _looked_at(row, close, int(where), task) for row, where in zip(found.iter_rows(named=True), column, strict=True)
    ]
    more = pl.DataFrame(rows, infer_schema_length=None)
    names = task.concepts[found["concept"].to_numpy()].select("covariate", "value")
    table = pl.concat([found, names, more], how="horizontal").with_columns(
        pl.lit(source.name).alias("source"),
        pl.col("unit").replace_strict(dict(enumerate(source.labels)), return_dtype=pl.String).alias("unit_name"),
        pl.col("best").fill_null(False),
        (pl.col("tp") / (pl.col("tp") + pl.col("fp"))).fill_nan(0).alias("precision"),
        (pl.col("tp") / pl.col("n_positive")).fill_nan(0).alias("recall"),
        (pl.col("hits") / pl.col("n_instances")).fill_nan(0).alias("domain_recall"),
    )
    return schema.check_table(table.select(*schema.columns("concept_pairs")), "concept_pairs", "concept_pairs")


def _looked_at(row: dict, close: Closely, unit: int, task: Task) -> dict:
    concept, threshold = row["concept"], task.config.thresholds[row["level"]]
    false = close.false_domains(unit, concept, threshold)
    found, missed = row["hits"], row["n_instances"] - row["hits"]
    auroc = close.auroc[unit, concept]
    ends = (None, None)
    if row["best"]:
        ends = interval(close.by_cluster(unit, concept, threshold), row["score"], task.seed)
    return {
        "threshold": threshold,
        "false_domains": false,
        "domain_precision": found / (found + false) if found + false else 0.0,
        "domain_f1": 2 * found / (2 * found + false + missed) if found + false + missed else 0.0,
        "auroc": float(auroc) if np.isfinite(auroc) else None,
        "ci_low": ends[0],
        "ci_high": ends[1],
    }


def _match_row(source: Scaled, name: str, tally: Tally) -> dict:
    """A row of schema `concept_matches`."""
    best = (tally.best_select[0] > tally.level) & (tally.best_test[0] > tally.least)
    beyond = best & ~(tally.best_test[0] <= tally.null)
    by_draw = tally.concepts[1:].sum(axis=1)
    return {
        "source": source.name,
        "score": name,
        "units": len(source.labels),
        "units_matched": int(tally.units[0]),
        "concepts": tally.n_concepts,
        "concepts_matched": int(tally.concepts[0].sum()),
        "concepts_beyond": int(beyond.sum()),
        "null_units": float(tally.units[1:].mean()) if len(by_draw) else None,
        "null_concepts": float(by_draw.mean()) if len(by_draw) else None,
        "mean_f1": float(tally.best_test[0].mean()),
        "mean_f1_null": float(tally.best_test[1:].mean()) if len(by_draw) else None,
    }
