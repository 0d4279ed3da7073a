"""The command of blind rating."""

from pathlib import Path
from typing import Annotated

import typer

from seqsae.cli.app import app
from seqsae.cli.studies import Config, Data, Out, study_of


@app.command()
def rate(  # noqa: PLR0913, an option each
    config: Config,
    raters: Annotated[int, typer.Option(help="Pages to make, one a rater.")] = 2,
    features: Annotated[int, typer.Option(help="SAE features to rate, and units of each other source.")] = 20,
    score: Annotated[
        list[Path] | None, typer.Option(help="Exported ratings, a file a rater; may be repeated. Scores them.")
    ] = None,
    out: Out = None,
    data: Data = None,
) -> None:
    """Blind rating: pages on which features stand among neurons, PCA and random directions under coded names; --score sums it up."""
    from seqsae.pages import rating, rating_scores

    with study_of(config, out, data) as study:
        folder = study.out / "rating"
        if score:
            typer.echo(rating_scores.told(rating_scores.score(folder, score, seed=study.config.seed)))
            return typer.echo(f"{folder}-scores")
        made = study.told
        options = {"raters": raters, "features": features, "seed": study.config.seed}
        artefact = rating.rating(made.encoded, rating.called(made), out=folder, **options)
        for path in artefact.files("rater-"):
            typer.echo(f"page to rate: {path}")
        typer.echo(f"the key, which raters must not see: {artefact.path / 'key.parquet'}")
