"""All that is said of some targets: screening, test split, baselines, other seeds, chance, and the verdicts that follow."""

from typing import NamedTuple

import polars as pl

from seqsae import schema
from seqsae.associations import conjunctions
from seqsae.associations.baselines import baseline_table
from seqsae.associations.readouts import given_tokens
from seqsae.associations.refining import refined
from seqsae.associations.replication import replicated
from seqsae.associations.screening import KEYS, Bench, by_unit, noted, scored, screened_table, with_choice
from seqsae.associations.targets import Target
from seqsae.associations.verdicts import verdicts
from seqsae.features.sources import FeatureSource, Tokens
from seqsae.sae.base import SAE

RIVALS = {"token": ("token", "token-last", "token-pair"), "position": ("position",)}
"""What a feature must beat, by the verdict that it gets if it does not."""
LOOKS_AHEAD = "may count what came after follow-up began"
NOT_ADJUSTED = "not adjusted: the confounders leave nothing to test"


class Judged(NamedTuple):
    """Tables, by the schemas of their names."""

    associations: pl.DataFrame
    baselines: pl.DataFrame
    diagnostics: pl.DataFrame


def judged(bench: Bench, aims: list[Target], sources: list[FeatureSource], siblings: list[SAE]) -> Judged:
    """Every feature against every target.

    Args:
        sources: what stands beside the features, from `sources_of`.
        siblings: the SAE's other seeds.
    """
    tables, told = zip(*[screened_table(bench, group) for group in by_unit(aims)], strict=True)
    diagnostics = pl.concat(told)
    table = refined(bench, aims, scored(bench, aims, with_choice(pl.concat(tables), bench.config)))
    table = given_tokens(bench, aims, table, _tokens(bench, sources))
    baselines = baseline_table(bench.encoded, sources, aims, bench.config)
    table = replicated(bench, aims, _beside(table, baselines), siblings)
    null = diagnostics.select(*KEYS, "pooling", "null_95")
    table = table.join(null, on=[*KEYS, "pooling"], how="left", nulls_equal=True, maintain_order="left")
    no_more = pl.col("effect_adjusted").is_null() & pl.col("p_select").is_not_null() & pl.col("note").is_null()
    table = table.with_columns(note=noted(pl.when(no_more).then(pl.lit(NOT_ADJUSTED))))
    table = _with_verdicts(bench, aims, _marked(table, aims))
    found = schema.check_table(table.select(*schema.columns("associations")), "associations", "associations")
    return Judged(found, baselines, diagnostics)


def _marked(table: pl.DataFrame, aims: list[Target]) -> pl.DataFrame:
    """With `looks_ahead`, and a note that says so."""
    ahead = pl.col("covariate").is_in([aim.covariate for aim in aims if aim.looks_ahead])
    return table.with_columns(looks_ahead=ahead, note=noted(pl.when(ahead).then(pl.lit(LOOKS_AHEAD))))


def _with_verdicts(bench: Bench, aims: list[Target], table: pl.DataFrame) -> pl.DataFrame:
    """With `verdict`: what holds in all else is fitted once more beyond products of confounders."""
    smallest = bench.config.smallest, bench.config.smallest_adjusted
    none = {**{name: pl.lit(None, pl.Float64) for name in conjunctions.COLUMNS}, "lost_in_products": pl.lit(False)}
    table = table.with_columns(verdict=verdicts(table.with_columns(**none), *smallest))
    table = conjunctions.given_products(bench, aims, table)
    return table.with_columns(verdict=verdicts(table, *smallest))


def _tokens(bench: Bench, sources: list[FeatureSource]) -> list[FeatureSource]:
    """The rivals that are tokens; single tokens among them even where a run leaves them out of its baselines."""
    rivals = [source for source in sources if source.name in RIVALS["token"]]
    return rivals if any(source.name == "token" for source in rivals) else [Tokens(bench.encoded.store), *rivals]


def _beside(table: pl.DataFrame, baselines: pl.DataFrame) -> pl.DataFrame:
    """With `rival_token` and `rival_position`: how far the best of these baselines is from no effect, in the direction chosen on select."""
    nothing = pl.when(pl.col("effect_name") == "spearman").then(0.0).otherwise(0.5)
    for name, sources in RIVALS.items():
        best = baselines.filter(pl.col("source").is_in(sources)).group_by(*KEYS, maintain_order=True)
        rivals = best.agg(pl.col("effect").max().alias(f"rival_{name}"))
        table = table.join(rivals, on=list(KEYS), how="left", nulls_equal=True, maintain_order="left")
        table = table.with_columns((pl.col(f"rival_{name}") - nothing).alias(f"rival_{name}"))
    # Of a subject the position is the length of the record, which every adjusted effect is beyond already.
    at_rows = pl.when(pl.col("unit") != "subject").then("rival_position")
    return table.with_columns(rival_position=at_rows)
