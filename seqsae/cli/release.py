"""The command that writes what may leave."""

from pathlib import Path
from typing import Annotated

import typer

from seqsae.cli.app import app


@app.command()
def release(  # noqa: PLR0913, an option each
    run: Annotated[Path, typer.Argument(help="Run folder, finished.")],
    policy: Annotated[str, typer.Option(help="default, dst, open, or a TOML file.")] = "default",
    out: Annotated[Path | None, typer.Option(help="Folder to write; default: release in the run folder.")] = None,
    ledger: Annotated[
        Path | None,
        typer.Option(help="List of releases that studies of the same people share; default: the run's own."),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(help="Sign-off (TOML: name, statement) with which weights of the released features go too."),
    ] = None,
    vignettes: Annotated[
        Path | None,
        typer.Option(
            help="Sequences that somebody wrote (TOML: author, statement, [[vignette]]) to run through the model."
        ),
    ] = None,
) -> None:
    """Write what may leave a secure server: aggregates under a disclosure policy, audited."""
    from seqsae.exports.releasing import release as write_release

    made = write_release(run, policy, out=out, ledger=ledger, weights=weights, vignettes=vignettes)
    tell(made)


def tell(made) -> None:
    """Print what the audit said and where the release lies; exit 1 if it may not leave."""
    typer.echo(f"audit: {made.told}")
    typer.echo(f"{'release' if made.passed else 'refused, nothing may leave'}: {made.path}")
    if not made.passed:
        raise typer.Exit(1)
