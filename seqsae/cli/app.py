"""The commands' root, which the files of commands hang themselves on."""

from typing import Annotated

import typer

app = typer.Typer(
    help="Sparse autoencoders for sequence models that are not language models.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
covariates_app = typer.Typer(help="Covariate tables and their schema.", no_args_is_help=True)
synth_app = typer.Typer(help="Synthetic lives with planted truth.", no_args_is_help=True)
app.add_typer(covariates_app, name="covariates")
app.add_typer(synth_app, name="synth")


def _version(asked: bool) -> None:
    if asked:
        from seqsae import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False) -> None:
    """Sparse autoencoders for sequence models that are not language models."""
