"""The command that scores concepts against single units."""

import typer

from seqsae.cli.app import app
from seqsae.cli.studies import Beside, Config, Data, Out, study_of
from seqsae.errors import SeqsaeError


@app.command()
def concepts(
    config: Config,
    out: Out = None,
    data: Data = None,
    beside: Beside = None,
) -> None:
    """Score annotated and planted concepts: which single unit finds each, beside neurons, PCA and chance."""
    from seqsae.associations.beside import opened
    from seqsae.pages import concept_text, text

    with study_of(config, out, data) as study:
        if study.data.truth is None and study.data.annotations is None:
            raise SeqsaeError(
                f"{config}: the data has neither annotations (annotations.parquet) nor planted truth (`seqsae synth make`)"
            )
        for made in study.concepts(opened(beside)).values():
            typer.echo(concept_text.told(made))
            typer.echo(str(made.artefact.path))
        for made in study.associated.values() if study.data.truth is not None else ():
            typer.echo(text.concepts(made))
            typer.echo(str(made.artefact.path / "concepts.parquet"))
