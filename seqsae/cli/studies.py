"""Commands of a study: the whole of it, or up to one of its rooms."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from seqsae.cli.app import app
from seqsae.errors import SeqsaeError

Config = Annotated[Path, typer.Argument(help="Run config (TOML); see examples/.")]
Out = Annotated[Path | None, typer.Option(help="Run folder; default: runs/<name of the config>.")]
Data = Annotated[Path | None, typer.Option(help="Data to use in place of the config's records.path.")]
Beside = Annotated[
    list[str] | None,
    typer.Option(
        help="NAME=FOLDER of features on the same rows to show beside, as of an SAE on a random-weight model."
    ),
]


@app.command()
def demo(out: Annotated[Path, typer.Option(help="Run folder.")] = Path("runs/demo")) -> None:
    """The whole job on synthetic lives, in about six minutes: the internal report, and an audited release."""
    from seqsae import pipeline
    from seqsae.cli.release import tell
    from seqsae.examples_folder import EXAMPLES
    from seqsae.exports.releasing import release
    from seqsae.pages import text

    study = pipeline.run(EXAMPLES / "synthetic_lives.toml", out=out)
    typer.echo(text.whole(study))
    tell(release(study.out))


@app.command()
def run(config: Config, out: Out = None, data: Data = None) -> None:
    """A whole study, from records to report."""
    from seqsae import pipeline
    from seqsae.pages import text

    typer.echo(text.whole(pipeline.run(config, out=out, data=data)))


@app.command()
def harvest(config: Config, out: Out = None, data: Data = None) -> None:
    """Run the model over the views and store the activations."""
    with study_of(config, out, data) as study:
        for store in study.acts.values():
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
    sparsities: Annotated[
        str | None,
        typer.Option(help="With --sweep, for architectures without k: values of their option sparsity, or target_l0."),
    ] = None,
) -> None:
    """Train the SAEs of [sae] (and what they need before); run it again after an interruption and it goes on."""
    lists = {"widths": widths, "ks": ks, "sparsities": sparsities}
    given = [name for name, text in lists.items() if text is not None]
    if given and not sweep:
        raise SeqsaeError(f"--{given[0]} is a list for a sweep; give --sweep too, or set one value in the config")
    given = {name: lists[name].replace(" ", "").split(",") for name in given}
    with study_of(config, out, data) as study:
        if sweep:
            return _sweep(study, given)
        for sae in study.saes:
            typer.echo(f"{_last(sae.metrics.row(-1, named=True))}: {sae.artefact.path}")
        typer.echo(f"training page: {study.training}")


def _last(row: dict) -> str:
    """The last measurement in words; the held-out part is null where nobody is in the select split."""
    if row["fvu"] is None:
        return f"held-out FVU unknown (no rows in the select split), dead in training {row['dead']:.2%}"
    heldout = f"held-out FVU {row['fvu']:.4f}, L0 {row['l0']:.2f}, silent there {row['dead_heldout']:.1%}"
    return f"{heldout}, dead in training {row['dead']:.1%}"


def _sweep(study, given: dict[str, list[str]]) -> None:
    from seqsae.pages import sweep_text

    study.check_sweep(**given)
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

    with study_of(config, out, data) as study:
        stores = study.acts.values()
        made = (
            study.encoded.values()
            if sae is None
            else [encode_with(load_sae(sae), store, site=site, out=study.out) for store in stores]
        )
        for codes in made:
            typer.echo(f"{codes.matrix.nnz:,} codes of {len(codes.labels):,} features: {codes.path}")


@app.command()
def associate(config: Config, out: Out = None, data: Data = None, beside: Beside = None) -> None:
    """Tie features to covariates."""
    from seqsae.associations.beside import opened
    from seqsae.pages import text

    with study_of(config, out, data) as study:
        study.beside = opened(beside)
        for made in study.associated.values():
            typer.echo(text.covariates(made))
            typer.echo(f"{len(made.table):,} pairs: {made.artefact.path}")


@app.command()
def atlas(config: Config, out: Out = None, data: Data = None) -> None:
    """Lay the features out on a map, and say whether random directions would look the same."""
    from seqsae.maps import quality_words

    with study_of(config, out, data) as study:
        typer.echo(quality_words.said(study.atlas.table("map_quality.parquet")))
        typer.echo(str(study.atlas.path))


@app.command()
def report(
    config: Annotated[Path, typer.Argument(help="Run config (TOML), or the folder of a run.")],
    out: Out = None,
    data: Data = None,
    format: Annotated[  # noqa: A002
        str, typer.Option(help="html; parquet or csv, for its tables; png, for its charts.")
    ] = "html",
) -> None:
    """Write the report: one offline HTML page, or its tables, or its charts as pictures."""
    from seqsae.pages import formats

    formats.check(format)
    if config.is_dir():
        config, out = config / "config.toml", out or config
    with study_of(config, out, data) as study:
        typer.echo(str(study.reported(format)[study.told.encoded.store.view]))


@contextmanager
def study_of(config: Path, out: Path | None, data: Path | None) -> Iterator:
    """The study of a config, whose run folder nobody else may write to meanwhile."""
    from seqsae import shelf
    from seqsae.pipeline import Study

    study = Study(config, out, data)
    study.check_names()
    with shelf.locked(study.out):
        yield study
