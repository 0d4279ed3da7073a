"""Everything the page shows, gathered in one place."""

from dataclasses import dataclass, field

import polars as pl


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
    resplits: pl.DataFrame | None = None
    """One row for each random cut of the held-out clusters, covariate category and source; None if not asked for."""
    q: float = 0.05
    """Benjamini-Hochberg level on the select split that makes an association a discovery."""
    cards: int = 60
    """Features with a card of their own."""
    names: dict[str, str] = field(default_factory=dict)
    """Token -> what a person calls it, for the tokens of which the data say it."""
