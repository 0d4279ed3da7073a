"""The command that checks a release before it leaves."""

from pathlib import Path
from typing import Annotated

import typer

from seqsae.cli.app import app


@app.command()
def audit(
    directory: Annotated[Path, typer.Argument(help="Folder of a release, as `seqsae release` writes it.")],
    run: Annotated[
        Path | None,
        typer.Option(
            help="Run folder it was made from: its identifiers, rare codes and extreme values are looked up too."
        ),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(help="What it must keep to: default, dst, open, or a TOML file; default: what it says itself."),
    ] = None,
) -> None:
    """Check that a release tells of no single person; exit 1, with a line a violation, if it does."""
    from seqsae.exports.audit import audit as check

    found = check(directory, run, policy)
    typer.echo(found.text())
    if not found.passed:
        raise typer.Exit(1)
