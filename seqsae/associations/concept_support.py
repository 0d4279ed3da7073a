"""Which annotated concepts are scored: every value of a token-level covariate that is there often enough, and why others are not."""

import numpy as np
import polars as pl

from seqsae import schema
from seqsae.activations.store import Store
from seqsae.associations.concept_spans import Part, Spans, placed, spans_of
from seqsae.config import ConceptsConfig
from seqsae.progress import say
from seqsae.records.covariates import Covariates, as_text


def named(covariates: Covariates) -> pl.DataFrame:
    """covariate and value of every annotated concept; of a binary covariate its positive value, of numbers none."""
    there = covariates.annotations.select("covariate", "value").unique().sort("covariate", "value")
    for entry in covariates.schema["covariates"]:
        mine = pl.col("covariate") == entry["name"]
        if entry["type"] in ("ordinal", "continuous"):
            there = there.filter(~mine)
        elif entry["type"] == "binary" and len(values := there.filter(mine)):
            yes = entry.get("positive")
            yes = values["value"][-1] if yes is None else as_text(yes)
            there = there.filter(~mine | (pl.col("value") == yes))
    return there


def supported(
    covariates: Covariates, store: Store, select: Part, test: Part, config: ConceptsConfig
) -> tuple[pl.DataFrame, Spans]:
    """Schema `annotated_concepts` of all concepts, and the instances of those that are kept, in the table's order."""
    concepts = named(covariates)
    spans = spans_of(covariates.annotations, concepts, store)
    table = concepts.with_columns(**_counts(spans, select, "select"), **_counts(spans, test, "test"))
    table = table.with_columns(instance_length=pl.Series(_median_lengths(spans, select, test)))
    table = table.with_columns(trivial_f1=_trivial(table["n_rows_test"].to_numpy(), len(test.rows)))
    table = table.with_columns(left_out=_why(config)).with_columns(kept=pl.col("left_out").is_null())
    table = schema.check_table(
        table.select(*schema.columns("annotated_concepts")), "annotated_concepts", "annotated_concepts"
    )
    _tell(table, config)
    return table, spans.only(np.flatnonzero(table["kept"].to_numpy()))


def _counts(spans: Spans, part: Part, split: str) -> dict[str, pl.Series]:
    here = placed(spans, part)
    labels = here.matrices(0, len(part.rows))[0]
    pairs = np.unique(np.column_stack([here.concept, part.cluster[here.place]]), axis=0)
    counts = {
        "n_rows": np.asarray(labels.sum(0)).ravel(),
        "n_instances": np.bincount(here.concept, minlength=spans.n_concepts),
        "n_clusters": np.bincount(pairs[:, 0], minlength=spans.n_concepts),
    }
    return {f"{name}_{split}": pl.Series(values.astype(np.uint32)) for name, values in counts.items()}


def _median_lengths(spans: Spans, *parts: Part) -> list[int | None]:
    """[C] median rows of an instance in the held-out splits, rounded up; None where there is none."""
    here = np.isin(spans.sample, np.concatenate([part.samples for part in parts]))
    table = pl.DataFrame({"concept": spans.concept[here], "length": spans.lengths()[here]})
    median = dict(table.group_by("concept").agg(pl.col("length").median().ceil().cast(pl.Int64)).iter_rows())
    return [median.get(concept) for concept in range(spans.n_concepts)]


def _trivial(positives: np.ndarray, n: int) -> pl.Series:
    """F1 of calling every row: rows or instances on the side of recall, both are found in full."""
    return pl.Series(2 * positives / max(1, n) / (1 + positives / max(1, n)), dtype=pl.Float64)


def _why(config: ConceptsConfig) -> pl.Expr:
    """Why a concept is left out, null where it is kept."""
    both = {name: pl.col(f"{name}_select") + pl.col(f"{name}_test") for name in ("n_rows", "n_instances")}
    rare = (both["n_instances"] < config.min_instances) & (both["n_rows"] < config.min_rows)
    few = pl.min_horizontal("n_clusters_select", "n_clusters_test") < config.min_clusters
    return pl.when(rare).then(pl.lit("rare")).when(few).then(pl.lit("few clusters")).otherwise(None)


def _tell(table: pl.DataFrame, config: ConceptsConfig) -> None:
    lost = dict(table.filter(~pl.col("kept")).group_by("left_out").len().iter_rows())
    reasons = {
        "rare": f"fewer than {config.min_instances} instances and than {config.min_rows:,} rows held out",
        "few clusters": f"fewer than {config.min_clusters} clusters in the select or the test split",
    }
    why = "".join(f"; {lost[name]} left out, {text}" for name, text in reasons.items() if name in lost)
    say(f"concepts: {table['kept'].sum()} of {len(table)} are scored{why}")
