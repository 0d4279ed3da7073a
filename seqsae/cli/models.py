"""The command that looks a model over."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from seqsae.cli.app import app
from seqsae.cli.studies import Out, study_of
from seqsae.errors import SeqsaeError


@app.command()
def doctor(  # noqa: PLR0913, an option each
    config: Annotated[Path | None, typer.Argument(help="Run config whose model, data and sites to take.")] = None,
    model: Annotated[str | None, typer.Option(help="Without a config: name of a model (`seqsae plugins`).")] = None,
    path: Annotated[Path | None, typer.Option(help="With --model: folder of its weights.")] = None,
    options: Annotated[
        list[str] | None, typer.Option(help="With --model: NAME=VALUE, an option of the plugin; may be repeated.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Data to take records from; default: the config's, or else invented ones.")
    ] = None,
    out: Out = None,
) -> None:
    """Say what is right and wrong with a model: rows, masks, padding, replacement, gradients, causality. 1 if something is."""
    if (config is None) == (model is None):
        raise SeqsaeError("doctor: give either a run config or --model NAME")
    if config is not None and (path is not None or options):
        raise SeqsaeError("doctor: --path and --options go with --model; a config has them in [model]")
    if config is None:
        return _by_name(model, {} if path is None else {"path": path}, options or [], data)
    from seqsae.models.doctor.records import chosen
    from seqsae.pipeline import limited_threads

    with study_of(config, out, data) as study, limited_threads(study.config.threads):
        _tell(study.model, chosen(study.data), study.config.harvest.sites)


def _by_name(name: str, given: dict[str, Any], options: list[str], data: Path | None) -> None:
    from seqsae.models.doctor.records import chosen, invented
    from seqsae.models.opening import open_model
    from seqsae.records.reading import local, read_source

    asked = dict(map(_option, options))
    if twice := sorted(asked.keys() & given.keys()):
        raise SeqsaeError(f"--options {twice[0]}= and --{twice[0]} say the same; give one")
    model = open_model(name, **given, **asked)
    _tell(model, invented(model) if data is None else chosen(read_source(local(data))))


def _tell(model, records, sites=None) -> None:
    """Print every check. Raises typer.Exit with code 1 if one is wrong."""
    from seqsae.models.doctor.examining import examine
    from seqsae.models.doctor.telling import lines

    findings = examine(model, records, sites)
    typer.echo("\n".join(lines(model, list(sites or model.sites), findings)))
    if any(finding.wrong for finding in findings):
        raise typer.Exit(1)


def _option(given: str) -> tuple[str, Any]:
    """NAME=VALUE, the value as JSON where it is that, else as text."""
    name, _, value = given.partition("=")
    if not name or not value:
        raise SeqsaeError(f"--options {given}: write NAME=VALUE, as in --options width=32")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
