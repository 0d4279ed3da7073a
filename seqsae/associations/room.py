"""The associations room: every feature against every target, chosen on the select split, scored on the test split."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from seqsae import schema, shelf
from seqsae.associations.baselines import baseline_table, sources_of
from seqsae.associations.concept_scores import concept_table
from seqsae.associations.effects import Effect, auroc, spearman
from seqsae.associations.fdr import benjamini_hochberg, holm
from seqsae.associations.ranks import rank_excess
from seqsae.associations.resplitting import resplit_table
from seqsae.associations.screen import screen
from seqsae.associations.targets import Target, supported, targets
from seqsae.associations.units import Units
from seqsae.config import AssociateConfig
from seqsae.errors import SeqsaeError
from seqsae.features.encoding import Encoded
from seqsae.progress import say, track
from seqsae.records.covariates import Covariates, check_schema, propose, typed
from seqsae.records.data import key_by_subject

INTERVALS = 100  # selected features a target whose interval is computed, the most significant ones; the rest have null ends


@dataclass(frozen=True)
class Associated:
    """An `associations` artefact beside the features it was made from."""

    artefact: shelf.Artefact
    encoded: Encoded
    covariates: Covariates

    @cached_property
    def table(self) -> pl.DataFrame:
        """Schema `associations`."""
        return self._table("associations")

    @cached_property
    def baselines(self) -> pl.DataFrame:
        """Schema `baselines`."""
        return self._table("baselines")

    @cached_property
    def resplits(self) -> pl.DataFrame | None:
        """Schema `resplits`, None if none were asked for."""
        return self._table("resplits") if self.artefact.has("resplits.parquet") else None

    @cached_property
    def concepts(self) -> pl.DataFrame | None:
        """Schema `concepts`, None without planted truth."""
        return self._table("concepts") if self.artefact.has("concepts.parquet") else None

    def _table(self, name: str) -> pl.DataFrame:
        return schema.check_table(self.artefact.table(f"{name}.parquet"), name, f"{self.artefact.path / name}.parquet")


def associate(
    encoded: Encoded,
    covariates: Covariates | pl.DataFrame,
    *,
    out: Path | str | None = None,
    config: AssociateConfig | None = None,
    seed: int = 0,
) -> Associated:
    """Tie every feature to every covariate: AUROC (binary, categorical) or Spearman (ordinal, continuous).

    Pairs are chosen on the select split (Benjamini-Hochberg over all of them), effects, intervals and p-values come from
    the test split, which the choice has not seen; beside them stand the best neuron, token, ... chosen the same way.

    Args:
        encoded: from `encode`.
        covariates: `data.covariates`, or a table keyed by `subject_id` whose types are then proposed.
        out: run folder; default: that of the features.
    Raises:
        SeqsaeError: no covariates, or none with enough support in the select and test splits.
    """
    config = config or AssociateConfig()
    covariates = covariates if isinstance(covariates, Covariates) else _of_frame(covariates, encoded)
    folder = (Path(out) if out else encoded.path.parents[2]) / "associations" / encoded.path.parent.name / encoded.store.view
    inputs = {"features": encoded.artefact, "covariates": _fingerprint(covariates)}
    options = {**config.model_dump(mode="json"), "seed": seed}
    artefact = shelf.stage(folder, "associations", options, inputs, lambda work: _write(encoded, covariates, config, seed, work))
    return Associated(artefact, encoded, covariates)


def _of_frame(frame: pl.DataFrame, encoded: Encoded) -> Covariates:
    keyed = frame if "subject" in frame.columns else key_by_subject(frame, encoded.store.subjects, "covariates")
    document = check_schema(propose(keyed.drop("subject")), "covariates")
    say("covariates: types proposed from the columns; give `data.covariates` with a schema to decide them yourself")
    return Covariates(typed(keyed, document, "covariates"), document)


def _fingerprint(covariates: Covariates) -> str:
    tables = {"table": covariates.table, "annotations": covariates.annotations, "truth": covariates.truth_spans, **covariates.labels}
    hashes = {name: None if frame is None else shelf.hash_table(frame) for name, frame in tables.items()}
    return shelf.digest({"schema": covariates.schema, "truth": covariates.truth, "tables": hashes})


def _write(encoded: Encoded, covariates: Covariates, config: AssociateConfig, seed: int, work: Path) -> None:
    every = targets(covariates, encoded.store)
    aims = supported(every, covariates, encoded.store)
    if not aims:
        raise SeqsaeError("no covariate has enough subjects in the select and test splits to be tied to anything; see the lines above")
    screened = pl.concat([screened_table(encoded, group, config) for group in by_unit(aims)])
    table = _with_choice(screened, config)
    table = _with_verdicts(_scored(encoded, aims, table))
    sources = sources_of(encoded, config.baselines, seed)
    baselines = baseline_table(encoded, sources, aims, config)
    table = _with_readouts(table, baselines)
    table = table.select(*schema.columns("associations"))
    schema.check_table(table, "associations", "associations").write_parquet(work / "associations.parquet")
    baselines.write_parquet(work / "baselines.parquet")
    if covariates.truth is not None:
        concept_table(encoded, covariates, seed).write_parquet(work / "concepts.parquet")
    if config.resplits:
        resplit_table(encoded, sources, every, config, seed).write_parquet(work / "resplits.parquet")


def by_unit(aims: list[Target]) -> list[list[Target]]:
    """Targets grouped by what one observation is."""
    return [group for unit in ("subject", "token") if (group := [aim for aim in aims if aim.unit == unit])]


def screened_table(encoded: Encoded, aims: list[Target], config: AssociateConfig) -> pl.DataFrame:
    """One row a feature, target and pooling, with effect, n and p on the select split. All `aims` are of one unit."""
    here = Units(encoded.store, aims[0].unit, "select")
    pooled = here.pooled(encoded, config.poolings)
    y = np.column_stack([aim.y[here.chosen] for aim in aims])
    parts = []
    for pooling in pooled.poolings:
        result = screen(rank_excess(pooled.make(pooling)), y, here.cluster, config.min_support, np.array([aim.is_binary for aim in aims]))
        parts += [_screen_rows(aim, pooling, encoded.store.view, j, result) for j, aim in enumerate(aims)]
    return pl.concat(parts)


def _screen_rows(aim: Target, pooling: str | None, window: str, j: int, result) -> pl.DataFrame:
    width = len(result.effect)
    return pl.DataFrame(
        {
            "feature": np.arange(width, dtype=np.int32),
            "covariate": aim.covariate,
            "category": pl.Series([aim.category] * width, dtype=pl.String),
            "unit": aim.unit,
            "kind": aim.kind,
            "window": window,
            "pooling": pl.Series([pooling] * width, dtype=pl.String),
            "n": pl.Series([int(result.n[j])] * width, dtype=pl.UInt32),
            "n_positive": pl.Series([int(result.n_positive[j]) if aim.is_binary else None] * width, dtype=pl.UInt32),
            "effect_name": "AUROC" if aim.is_binary else "spearman",
            "effect": result.effect[:, j],
            "p_select": pl.Series(result.p[:, j]).fill_nan(None),
        }
    )


def _with_choice(table: pl.DataFrame, config: AssociateConfig) -> pl.DataFrame:
    """q_select over the whole table, and which pairs go on to the test split."""
    q = benjamini_hochberg(table["p_select"].fill_null(float("nan")).to_numpy())
    table = table.with_columns(pl.Series("q_select", q).fill_nan(None))
    return table.with_columns((pl.col("q_select") <= config.q).fill_null(False).alias("selected"), pl.col("effect").alias("effect_select"))


def _scored(encoded: Encoded, aims: list[Target], table: pl.DataFrame) -> pl.DataFrame:
    """Effect, n and p of the selected pairs on the test split, and intervals of the strongest."""
    table = table.with_row_index("at")
    scores = []
    for group in by_unit(aims):
        here = Units(encoded.store, group[0].unit, "test")
        pooled = here.pooled(encoded, tuple(name for name in table["pooling"].unique(maintain_order=True) if name))
        for pooling in pooled.poolings:
            matrix = pooled.make(pooling)
            ranks = rank_excess(matrix)
            columns = matrix.tocsc()
            for aim in track(group, f"score {pooling or 'rows'}"):
                chosen = table.filter(pl.col("selected") & _is(aim) & pl.col("pooling").eq_missing(pl.lit(pooling, pl.String)))
                if len(chosen):
                    scores.append(_score_target(ranks, columns, aim.y[here.chosen], here.cluster, chosen, aim.is_binary))
    empty = {"at": pl.UInt32, "effect": pl.Float64, "p_test": pl.Float64, "n": pl.UInt32, "n_positive": pl.UInt32, "ci_low": pl.Float64, "ci_high": pl.Float64}
    found = pl.concat(scores) if scores else pl.DataFrame(schema=empty)
    table = table.join(found, on="at", how="left", suffix="_new", maintain_order="left")
    kept = [pl.coalesce(pl.when("selected").then(f"{name}_new"), pl.col(name)).alias(name) for name in ("effect", "n", "n_positive")]
    p_holm = holm(table["p_test"].fill_null(float("nan")).to_numpy())
    return table.with_columns(*kept, pl.Series("p_test_holm", p_holm).fill_nan(None)).drop("at")


def _is(aim: Target) -> pl.Expr:
    return (pl.col("covariate") == aim.covariate) & pl.col("category").eq_missing(pl.lit(aim.category, pl.String)) & (pl.col("unit") == aim.unit)


def _score_target(ranks, columns, y: np.ndarray, cluster: np.ndarray, chosen: pl.DataFrame, binary: bool) -> pl.DataFrame:
    result = screen(ranks, y[:, None], cluster, 1, np.array([binary]))
    features = chosen["feature"].to_numpy()
    strongest = set(features[np.argsort(chosen["p_select"].to_numpy(), kind="stable")[:INTERVALS]].tolist())
    counts = np.isfinite(y)
    measure = auroc if binary else spearman

    def interval(feature: int) -> Effect | None:
        x = columns[:, [feature]].toarray().ravel()
        return measure(x[counts], y[counts], cluster[counts]) if feature in strongest else None

    effects = [interval(feature) for feature in features.tolist()]
    return pl.DataFrame(
        {
            "at": chosen["at"],
            "effect": pl.Series(result.effect[features, 0]).fill_nan(None),
            "p_test": pl.Series(result.p[features, 0]).fill_nan(None),
            "n": pl.Series([int(result.n[0])] * len(features), dtype=pl.UInt32),
            "n_positive": pl.Series([int(result.n_positive[0]) if binary else None] * len(features), dtype=pl.UInt32),
            "ci_low": pl.Series([None if one is None else one.ci_low for one in effects], dtype=pl.Float64).fill_nan(None),
            "ci_high": pl.Series([None if one is None else one.ci_high for one in effects], dtype=pl.Float64).fill_nan(None),
        }
    )


def _with_verdicts(table: pl.DataFrame) -> pl.DataFrame:
    """The verdicts that need no adjusted effect; the others stay null until it is computed."""
    nothing = pl.when(pl.col("effect_name") == "AUROC").then(0.5).otherwise(0.0)
    same_sign = (pl.col("effect") - nothing) * (pl.col("effect_select") - nothing) > 0
    repeated = same_sign & (pl.col("p_test_holm") <= 0.05)
    verdict = pl.when(~pl.col("selected")).then(pl.lit("not-selected")).when(~repeated.fill_null(False)).then(pl.lit("not-replicated"))
    later = ["effect_adjusted", "ci_low_adjusted", "ci_high_adjusted", "null_95"]
    return table.with_columns(
        verdict.otherwise(None).alias("verdict"),
        *[pl.lit(None, pl.Float64).alias(name) for name in later],
        *[pl.lit(None, pl.UInt32).alias(name) for name in ("replicated_seeds", "n_seeds")],
    ).drop("selected", "effect_select")


def _with_readouts(table: pl.DataFrame, baselines: pl.DataFrame) -> pl.DataFrame:
    """`token-readout` or `position-readout` where the best token or the position ties at least as strongly."""
    keys = ["covariate", "category", "unit"]
    for source in ("position", "token"):
        known = baselines.filter(pl.col("source") == source).select(*keys, pl.col("effect").alias("rival"))
        table = table.join(known, on=keys, how="left", nulls_equal=True, maintain_order="left")
        nothing = pl.when(pl.col("effect_name") == "AUROC").then(0.5).otherwise(0.0)
        beaten = pl.col("verdict").is_null() & ((pl.col("effect") - nothing).abs() <= (pl.col("rival") - nothing).abs())
        table = table.with_columns(pl.when(beaten).then(pl.lit(f"{source}-readout")).otherwise("verdict").alias("verdict")).drop("rival")
    return table
