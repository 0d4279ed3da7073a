"""Everything the page shows, gathered in one place."""

from dataclasses import dataclass, field

import polars as pl


@dataclass(frozen=True)
class Used:
    """Whether the model uses what the SAE says: what the page shows of a `faithfulness` artefact."""

    recovered: pl.DataFrame
    effects: pl.DataFrame
    tokens: pl.DataFrame
    """Schema `effect_tokens`."""
    attribution: pl.DataFrame
    summary: dict
    """Schema `faithfulness`."""


@dataclass(frozen=True)
class Annotated:
    """What the page shows of a `concepts` artefact; the first three are None where nothing is annotated."""

    patterns: pl.DataFrame
    kinds: pl.DataFrame
    """pattern, `features` of it, and their medians, as `concept_summary.summary` has them."""
    matches: pl.DataFrame | None = None
    """Schema `concept_matches`."""
    pairs: pl.DataFrame | None = None
    """Schema `concept_pairs`."""
    concepts: pl.DataFrame | None = None
    """Schema `annotated_concepts`."""


@dataclass(frozen=True)
class Portrayed:
    """What the page shows of a `portraits` artefact; tables follow the schemas of their names."""

    profiles: pl.DataFrame
    """Schema `feature_profiles`."""
    tokens: pl.DataFrame
    """Schema `token_enrichment`."""
    spread: pl.DataFrame
    neighbours: pl.DataFrame
    matches: pl.DataFrame
    """Schema `seed_matches`; empty with one seed."""
    tracks: pl.DataFrame
    families: pl.DataFrame | None = None
    """How features are related, by the atlas; None if it does not say."""


@dataclass(frozen=True)
class Mapped:
    """What the page shows of an `atlas` artefact beside the map itself; tables follow the schemas of their names."""

    quality: pl.DataFrame
    """Schema `map_quality`."""
    clusters: pl.DataFrame
    enrichment: pl.DataFrame
    """Schema `cluster_enrichment`."""


@dataclass(frozen=True)
class Content:
    """What `page.render` draws. Tables follow the schemas of their names."""

    title: str
    """Heading of the page."""
    run: dict
    """The run card, in the order given. Known keys, all optional: `subjects` {split: count}; `held_out` {fvu, l0,
    dead} (measured on held-out rows); any other key is a line, or a group of lines where its value is a dict."""
    covariates: list[dict]
    """Entries of the covariate schema, plus `n` {split: count} and, where there is something to say, `status`."""
    profile: pl.DataFrame
    associations: pl.DataFrame
    baselines: pl.DataFrame
    atlas: pl.DataFrame
    examples: pl.DataFrame
    concepts: pl.DataFrame | None = None
    """Scores on planted concepts; None where the data are not synthetic."""
    metrics: pl.DataFrame | None = None
    """Training metrics of the SAE that is reported."""
    captions: pl.DataFrame | None = None
    """A rule in words for each feature; None if none were asked for."""
    resplits: pl.DataFrame | None = None
    """One row for each random cut of the held-out clusters, covariate category and source; None if not asked for."""
    used: Used | None = None
    """What the model makes of the SAE and its features; None if it was not asked."""
    annotated: Annotated | None = None
    """Annotated concepts and position patterns; None if they were not scored."""
    layers: pl.DataFrame | None = None
    """One SAE at each of several sites, in the model's order; None if there is but one."""
    controls: pl.DataFrame | None = None
    """Labels that mean nothing, and one that was planted: schema `controls`."""
    diagnostics: pl.DataFrame | None = None
    """Inflation of the tests, and what luck alone brings: schema `diagnostics`."""
    omnibus: pl.DataFrame | None = None
    """All levels of categorical covariates together: schema `omnibus`."""
    curves: pl.DataFrame | None = None
    """What became of subjects by whether a feature fires: schema `curves`; None or empty without survival covariates."""
    openings: list[dict] | None = None
    """Each different look at the test split, as the run's ledger has them; None where there is no ledger."""
    limits: tuple[str, ...] = ()
    """What this run cannot say, a sentence each."""
    smallest: float = 0.05
    """Smallest crude effect of interest."""
    smallest_adjusted: float = 0.1
    """Smallest adjusted effect of interest."""
    portraits: Portrayed | None = None
    """Where, when and on what features fire, in counts, and their kin; None if they were not portrayed."""
    mapped: Mapped | None = None
    """What the map and its clusters are worth; None if the atlas does not say."""
    q: float = 0.05
    """Benjamini-Hochberg level on the select split that makes an association a discovery."""
    cards: int = 60
    """Features with a card of their own."""
    names: dict[str, str] = field(default_factory=dict)
    """Token -> what a person calls it, for the tokens of which the data say it."""
