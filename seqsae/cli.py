"""The command line: parse, call, print. No logic, and nothing heavy imported before a command runs."""

import errno
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from seqsae.errors import SeqsaeError
from seqsae.progress import shown

UsageError = typer.BadParameter.__base__  # click's own, wherever typer has it from

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

Config = Annotated[Path, typer.Argument(help="Run config (TOML); see examples/.")]
Out = Annotated[Path | None, typer.Option(help="Run folder; default: runs/<name of the config>.")]
Data = Annotated[Path | None, typer.Option(help="Data to use in place of the config's records.path.")]


def main() -> None:
    """Entry point: 0 done, 1 failed check, 2 bad input with one line that says what and how to mend it."""
    try:
        with shown():
            code = app(standalone_mode=False)
        if code == 130:  # typer's own answer to an interrupt
            raise KeyboardInterrupt
        sys.exit(code or 0)
    except SeqsaeError as error:
        _fail(str(error))
    except UsageError as error:
        if error.format_message().startswith("Usage:"):  # no command was given: the help is the answer
            typer.echo(error.format_message())
            sys.exit(2)
        _fail(f"{error.format_message()} (see seqsae --help)")
    except (typer.Abort, KeyboardInterrupt):
        typer.echo("seqsae: stopped; run the same command again to go on", err=True)
        sys.exit(130)
    except OSError as error:
        _fail(_told(error))


def _told(error: OSError) -> str:
    remedy = {
        errno.ENOSPC: "the disk is full: free space and run again, finished parts are kept",
        errno.EDQUOT: "the disk quota is used up: free space and run again, finished parts are kept",
        errno.EFBIG: "the file grows beyond the allowed size: raise the limit and run again, finished parts are kept",
        errno.EACCES: "no permission: choose another --out or change the permissions",
        errno.EROFS: "the file system is read-only: choose another --out",
    }.get(error.errno, "check the path and run again")
    return f"{error.filename or 'writing'}: {error.strerror or error}; {remedy}"


def _fail(line: str) -> None:
    typer.echo(f"seqsae: error: {' '.join(line.split())}", err=True)
    sys.exit(2)


def _version(asked: bool) -> None:
    if asked:
        from seqsae import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False) -> None:
    """Sparse autoencoders for sequence models that are not language models."""


@app.command()
def demo(out: Annotated[Path, typer.Option(help="Run folder.")] = Path("runs/demo")) -> None:
    """The whole job on synthetic lives, in about four minutes."""
    from seqsae import pipeline
    from seqsae.examples_folder import EXAMPLES
    from seqsae.pages import text

    study = pipeline.run(EXAMPLES / "synthetic_lives.toml", out=out)
    typer.echo(text.whole(study))


@app.command()
def run(config: Config, out: Out = None, data: Data = None) -> None:
    """A whole study, from records to report."""
    from seqsae import pipeline
    from seqsae.pages import text

    typer.echo(text.whole(pipeline.run(config, out=out, data=data)))


@app.command()
def harvest(config: Config, out: Out = None, data: Data = None) -> None:
    """Run the model over the views and store the activations."""
    for store in _study(config, out, data).acts.values():
        typer.echo(f"{store.n_rows:,} rows at {', '.join(store.sites)}: {store.path}")


@app.command()
def train(
    config: Config,
    out: Out = None,
    data: Data = None,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="Train several sizes and sparsities, and recommend one.")
    ] = False,
    widths: Annotated[str | None, typer.Option(help="With --sweep: numbers of latents, as in 512,1024,2048.")] = None,
    ks: Annotated[str | None, typer.Option(help="With --sweep: active latents a row, as in 8,16,32.")] = None,
    sparsities: Annotated[str | None, typer.Option(help="With --sweep: values of the option of sparsity.")] = None,
) -> None:
    """Train the SAEs (and what they need before)."""
    lists = {"widths": widths, "ks": ks, "sparsities": sparsities}
    if sweep:
        return _sweep(_study(config, out, data), lists)
    if given := [name for name, text in lists.items() if text is not None]:
        raise SeqsaeError(f"--{given[0]} is a list for a sweep; give --sweep too, or set one value in the config")
    study = _study(config, out, data)
    for sae in study.saes:
        last = sae.artefact.table("metrics.parquet").row(-1, named=True)
        typer.echo(f"held-out FVU {last['fvu']:.4f}, L0 {last['l0']:.2f}, dead {last['dead']:.2%}: {sae.artefact.path}")
    typer.echo(f"training page: {study.training}")


def _sweep(study, lists: dict[str, str | None]) -> None:
    from seqsae.pages import sweep_text

    given = {name: text.replace(" ", "").split(",") for name, text in lists.items() if text is not None}
    typer.echo(sweep_text.whole(study.swept(**given)))


@app.command()
def encode(
    config: Config,
    out: Out = None,
    data: Data = None,
    sae: Annotated[
        Path | None, typer.Option(help="Folder of another SAE to encode with, in place of the config's.")
    ] = None,
    site: Annotated[
        str | None, typer.Option(help="Where that SAE reads, if it is another tool's and does not say.")
    ] = None,
) -> None:
    """Encode every row of the views, and profile the features."""
    from seqsae.features.encoding import encode as encode_with
    from seqsae.sae.room import load_sae

    study = _study(config, out, data)
    stores = study.acts.values()
    made = (
        study.encoded.values()
        if sae is None
        else [encode_with(load_sae(sae), store, site=site, out=study.out) for store in stores]
    )
    for codes in made:
        typer.echo(f"{codes.matrix.nnz:,} codes of {len(codes.labels):,} features: {codes.path}")


@app.command()
def associate(config: Config, out: Out = None, data: Data = None) -> None:
    """Tie features to covariates."""
    from seqsae.pages import text

    study = _study(config, out, data)
    for made in study.associated.values():
        typer.echo(text.covariates(made))
        typer.echo(f"{len(made.table):,} pairs: {made.artefact.path}")


@app.command()
def concepts(config: Config, out: Out = None, data: Data = None) -> None:
    """Score planted concepts: which single unit finds each."""
    from seqsae.pages import text

    study = _study(config, out, data)
    if study.data.truth is None:
        raise SeqsaeError(f"{config}: the data has no planted truth (truth.json); make some with `seqsae synth make`")
    for made in study.associated.values():
        typer.echo(text.concepts(made))
        typer.echo(str(made.artefact.path / "concepts.parquet"))


@app.command()
def atlas(config: Config, out: Out = None, data: Data = None) -> None:
    """Lay the features out on a map."""
    typer.echo(str(_study(config, out, data).atlas.path))


@app.command()
def report(config: Config, out: Out = None, data: Data = None) -> None:
    """Write the report, one offline HTML page."""
    typer.echo(str(_study(config, out, data).report))


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
    from seqsae.records.covariates import propose as draft
    from seqsae.records.covariates import read_table

    document = draft(read_table(table))
    out = out or table.with_name("covariates.schema.json")
    if out.exists():
        raise SeqsaeError(f"{out}: already there; give another --out, it is not overwritten")
    out.write_text(json.dumps(document, indent=2) + "\n")
    typer.echo(f"{len(document['covariates'])} covariates drafted, look them over: {out}")


@synth_app.command()
def make(
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    persons: Annotated[int, typer.Option(help="Number of lives.")] = 6000,
    seed: Annotated[int, typer.Option(help="Seed.")] = 0,
    strength: Annotated[float, typer.Option(help="How strongly states shift codes; 2 is the main setting.")] = 2.0,
) -> None:
    """Make synthetic lives with planted truth."""
    from seqsae.plugins import find

    try:
        folder = find("sources", "synthetic-lives").make(out, persons=persons, seed=seed, strength=strength)
    except ValueError as cause:
        raise SeqsaeError(f"synth make: {cause}") from cause
    typer.echo(str(folder))


def _study(config: Path, out: Path | None, data: Path | None):
    from seqsae.pipeline import Study

    return Study(config, out, data)
