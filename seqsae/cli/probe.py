"""The command that probes covariates and concepts."""

import typer

from seqsae.cli.app import app
from seqsae.cli.studies import Config, Data, Out, study_of


@app.command()
def probe(config: Config, out: Out = None, data: Data = None) -> None:
    """Probe covariates off few or all features, neurons, tokens and sites, out of fold; absorption, losses, coverage of concepts."""
    from seqsae import besides
    from seqsae.pages import probes_text

    with study_of(config, out, data) as study:
        for made in besides.probed(study).values():
            typer.echo(probes_text.told(made))
            typer.echo(f"{len(made.table):,} probes: {made.artefact.path}")
            typer.echo(f"page: {made.page}")
