"""Commands beside a study: conversion, covariates, synthetic lives, what is installed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from seqsae.cli.app import app, covariates_app, synth_app
from seqsae.errors import SeqsaeError


@app.command()
def convert(  # noqa: PLR0913, an option each
    source: Annotated[Path, typer.Argument(help="Folder or file of an SAE, of seqsae or of another tool.")],
    path: Annotated[Path, typer.Argument(help="Where to write: a new folder, or a new file where the format is one.")],
    to: Annotated[str, typer.Option(help="Format to write: seqsae, or another tool's.")],
    from_: Annotated[
        str | None, typer.Option("--from", help="Format of SOURCE; default: what its files look like.")
    ] = None,
    k: Annotated[int | None, typer.Option(help="Active latents a row, where no file says it.")] = None,
    model: Annotated[str | None, typer.Option(help="Name of the model it reads, if you know it.")] = None,
    site: Annotated[str | None, typer.Option(help="Where in the model it reads, if you know it.")] = None,
    layer: Annotated[int | None, typer.Option(help="Which of several layers.")] = None,
    architecture: Annotated[str | None, typer.Option(help="Which, where the tensors fit several.")] = None,
    scale: Annotated[
        float | None, typer.Option(help="What activations were multiplied by, where no file says it.")
    ] = None,
    scaled: Annotated[
        bool, typer.Option("--scaled", help="Codes over their largest values, where a file has them.")
    ] = False,
) -> None:
    """An SAE of another tool as one of seqsae, or the other way round."""
    from seqsae.sae import formats

    options = {"k": k, "model": model, "site": site, "layer": layer, "architecture": architecture, "scale": scale}
    typer.echo(formats.convert(source, path, to, from_, **options, scaled=scaled).told())


@app.command()
def plugins() -> None:
    """What is installed: sources, models, SAE architectures."""
    from seqsae.plugins import BUILTIN, offered

    for kind in BUILTIN:
        for name, point in sorted(offered(kind).items()):
            typer.echo(f"{kind:8} {name:18} {point.value}")


@covariates_app.command()
def propose(
    table: Annotated[Path, typer.Argument(help="CSV or parquet keyed by subject_id.")],
    out: Annotated[
        Path | None, typer.Option(help="Where to write; default: covariates.schema.json beside the table.")
    ] = None,
) -> None:
    """Draft a covariate schema from a table, for you to decide on."""
    from seqsae.records.drafting import draft

    with _whole(out or table, "covariates propose"):
        found, written = draft(table, out)
    for one in found:
        typer.echo(one.told())
    typer.echo(f"{sum(one.kind is not None for one in found)} covariates drafted, look them over: {written}")


@synth_app.command()
def make(  # noqa: PLR0913, an option each
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    preset: Annotated[str | None, typer.Option(help="tiny, small or full; default: small.")] = None,
    persons: Annotated[
        int | None, typer.Option(help="Number of lives; default: the preset's, or the profile's.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed.")] = 0,
    strength: Annotated[
        float | None, typer.Option(help="How strongly states shift codes; default: 2, the main setting.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes; the bytes are the same for any number.")] = 1,
    documents: Annotated[bool, typer.Option("--documents", help="Also write Life2Vec documents.")] = False,
    like: Annotated[
        Path | None, typer.Option(help="Profile of a data set (`synth profile`) to make the like of.")
    ] = None,
) -> None:
    """Make synthetic lives with planted truth; or, with --like, data of the form of a profile, without any."""
    from seqsae.plugins import find

    source = find("sources", "synthetic-lives")
    common = {"persons": persons, "seed": seed, "workers": workers}
    own = {"preset": preset, "strength": strength, "documents": documents or None}
    own = {name: value for name, value in own.items() if value is not None}
    if like is not None and own:
        raise SeqsaeError(
            f"synth make: --{next(iter(own))} is not for --like, where the profile says what is made; leave it out"
        )
    with _whole(out, "synth make"):
        folder = source.make(out, **common, **own) if like is None else source.make_like(like, out, **common)
    typer.echo(str(folder))


@contextmanager
def _whole(out: Path, command: str) -> Iterator[None]:
    """One line for what cannot be made or written, in a command that keeps no part of it."""
    try:
        yield
    except ValueError as cause:
        raise SeqsaeError(f"{command}: {cause}") from cause
    except OSError as cause:
        why = cause.strerror or " ".join(str(cause).split())
        raise SeqsaeError(
            f"{command}: {cause.filename or out}: {why}; nothing of it is kept: see to room and permissions and run again"
        ) from cause


@synth_app.command()
def profile(
    data: Annotated[Path, typer.Argument(help="MEDS folder or sequences, with what lies beside them.")],
    out: Annotated[Path, typer.Option(help="JSON file to write.")],
    policy: Annotated[str, typer.Option(help="default, dst, open, or a TOML file.")] = "default",
) -> None:
    """Describe a data set by disclosure-controlled aggregates alone, so that its like can be made elsewhere."""
    from seqsae.exports.profile import write_profile
    from seqsae.records.reading import dataset

    found = dataset(data)
    with _whole(out, "synth profile"):
        write_profile(found, out, policy)
    typer.echo(str(out))
