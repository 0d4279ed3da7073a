"""The command `seqsae-life2vec`: parse, call, print. Nothing heavy is imported before a command runs."""

import sys
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Annotated

import typer

from seqsae.errors import SeqsaeError
from seqsae.progress import shown

UsageError = typer.BadParameter.__base__  # click's own, wherever typer has it from

app = typer.Typer(
    help="Life2Vec-style encoders of life events.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Entry point: 0 done, 2 bad input with one line that says what and how to mend it, 130 stopped."""
    try:
        with shown():
            code = app(standalone_mode=False)
        if code == 130:  # typer's own answer to an interrupt
            raise KeyboardInterrupt
        sys.exit(code or 0)
    except SeqsaeError as error:
        _fail(str(error))
    except UsageError as error:
        _fail(error.format_message())
    except (typer.Abort, KeyboardInterrupt):
        typer.echo("seqsae-life2vec: stopped; run the same command again to go on", err=True)
        sys.exit(130)
    except OSError as error:
        _fail(f"{error.filename or 'writing'}: {error.strerror or error}; check the path and run again")


def _fail(line: str) -> None:
    typer.echo(f"seqsae-life2vec: error: {' '.join(line.split())}", err=True)
    sys.exit(2)


@app.command()
def train(
    data: Annotated[
        Path, typer.Argument(help="MEDS folder; its own splits are kept, else subjects are split by hash.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the model; run again after a kill to go on.")],
    preset: Annotated[str, typer.Option(help="tiny, small, medium or published.")] = "small",
    set_: Annotated[
        list[str], typer.Option("--set", help="An option as NAME=VALUE, e.g. epochs=5; may be repeated.")
    ] = [],  # noqa: B006
    seed: Annotated[int, typer.Option(help="Another seed, another model.", min=0, max=2**63 - 1)] = 0,
    threads: Annotated[int, typer.Option(help="Threads; another number gives other roundings.", min=1, max=1024)] = 1,
) -> None:
    """Train on a MEDS folder: vocabulary and weights from the train split, losses on the select split."""
    import torch

    import seqsae
    from seqsae_life2vec import training

    given = dict(_setting(one) for one in set_)
    _apart(data, out)
    torch.set_num_threads(threads)
    records = seqsae.dataset(data)
    if records.kind != "events":
        raise SeqsaeError(f"{data}: holds {records.kind}, not events; life2vec reads MEDS folders")
    ours, theirs = records.in_split("train"), records.in_split("select")
    report = training.train(records, ours, theirs, out, seed, **({"preset": preset} | given))
    told = report["losses"]
    typer.echo(
        f"{out}: {report['n_parameters']:,} parameters after {report['n_steps']:,} steps on {report['n_train']:,} lives"
    )
    typer.echo(
        f"held-out: {told['model']:.4f} {told['unit']} (perplexity {told['perplexity']:.2f}), "
        f"{told['unigram']:.4f} by frequency alone"
    )
    if "order_accuracy" in told:
        typer.echo(
            f"held-out: the order of the moments told right {told['order_accuracy']:.3f} of the time, 0.333 by chance"
        )


def _apart(data: Path, out: Path) -> None:
    """Raises SeqsaeError if the model would be written among the data, or onto a file."""
    here, there = out.resolve(), data.resolve()
    if here == there or {there / "data", there / "metadata", there / "labels"} & {here, *here.parents}:
        raise SeqsaeError(f"--out {out}: is the data's own folder; give another one")
    if out.exists() and not out.is_dir():
        raise SeqsaeError(f"--out {out}: is a file; give a folder")


@app.command()
def presets() -> None:
    """Every option with its value in each preset."""
    from seqsae_life2vec.options import PRESETS, Options, parse

    table = {name: parse({"preset": name}) for name in PRESETS}
    typer.echo(f"{'':18}" + "".join(f"{name:>12}" for name in table))
    for field in fields(Options):
        typer.echo(f"{field.name:18}" + "".join(f"{getattr(options, field.name)!s:>12}" for options in table.values()))


def _setting(text: str) -> tuple[str, object]:
    """NAME=VALUE, the value as in TOML; a bare word is text."""
    name, mark, value = text.partition("=")
    if not mark or not name:
        raise SeqsaeError(f"--set {text}: give NAME=VALUE, e.g. --set epochs=5")
    try:
        return name, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name, value


if __name__ == "__main__":
    main()
