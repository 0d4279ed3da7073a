"""The command that scores concepts against single units."""

from pathlib import Path
from typing import Annotated

import typer

from seqsae.cli.app import app
from seqsae.cli.studies import Config, Data, Out, study_of
from seqsae.errors import SeqsaeError


@app.command()
def concepts(
    config: Config,
    out: Out = None,
    data: Data = None,
    beside: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=FOLDER of features on the same rows to show beside, as of an SAE on a random-weight model."
        ),
    ] = None,
) -> None:
    """Score annotated and planted concepts: which single unit finds each, beside neurons, PCA and chance."""
    from seqsae.associations.concept_beside import open_beside
    from seqsae.pages import concept_text, text

    named = dict(map(_named, beside or []))
    with study_of(config, out, data) as study:
        if study.data.truth is None and study.data.annotations is None:
            raise SeqsaeError(
                f"{config}: the data has neither annotations (annotations.parquet) nor planted truth (`seqsae synth make`)"
            )
        others = {name: open_beside(folder) for name, folder in named.items()}
        for made in study.concepts(others).values():
            typer.echo(concept_text.told(made))
            typer.echo(str(made.artefact.path))
        for made in study.associated.values() if study.data.truth is not None else ():
            typer.echo(text.concepts(made))
            typer.echo(str(made.artefact.path / "concepts.parquet"))


def _named(given: str) -> tuple[str, Path]:
    name, _, folder = given.partition("=")
    if not name or not folder:
        raise SeqsaeError(f"--beside {given}: write NAME=FOLDER, as in random-model=runs/random/features/NAME/full")
    return name, Path(folder)
