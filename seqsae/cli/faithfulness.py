"""Commands that ask whether the model uses what the SAE says."""

from typing import Annotated

import typer

from seqsae.cli.app import app
from seqsae.cli.studies import Config, Data, Out, study_of


@app.command()
def evaluate(config: Config, out: Out = None, data: Data = None) -> None:
    """Loss recovered, ablation of features and attribution: does the model use what the SAE says?"""
    from seqsae.besides import faithfulness
    from seqsae.faithfulness.words import told

    with study_of(config, out, data) as study:
        found = faithfulness(study, study.saes, study.config.faithfulness)
        typer.echo(told(found))
        typer.echo(str(found.artefact.path))


@app.command()
def steer(  # noqa: PLR0913, an option each
    config: Config,
    feature: Annotated[int, typer.Option(help="Number of the feature to change.")],
    scale: Annotated[float | None, typer.Option(help="Times this.")] = None,
    clamp: Annotated[float | None, typer.Option(help="To this value, in the SAE's units.")] = None,
    add: Annotated[float | None, typer.Option(help="Plus this, in the SAE's units.")] = None,
    ablate: Annotated[bool, typer.Option("--ablate", help="To 0.")] = False,
    where: Annotated[
        str, typer.Option(help="Rows: fires, all, hidden, observed, or numbers of events as in 3,4,5.")
    ] = "fires",
    generate: Annotated[int, typer.Option(help="Tokens to go on with behind each sequence (causal models).")] = 0,
    temperature: Annotated[float, typer.Option(help="Of their sampling; 0 takes the likeliest.")] = 0.0,
    out: Out = None,
    data: Data = None,
) -> None:
    """Change one feature and write what the model then predicts."""
    from seqsae.faithfulness.steering_room import steer as change
    from seqsae.faithfulness.words import told_steered

    numbers = where.replace(" ", "").split(",")
    places = [int(number) for number in numbers] if all(number.isdecimal() for number in numbers) else where
    with study_of(config, out, data) as study:
        view, room = study.config.harvest.views[0], study.config.faithfulness
        options = {"view": view, "config": room, "seed": study.config.seed, "out": study.out}
        moves = {"scale": scale, "clamp": clamp, "add": add, "ablate": ablate, "where": places}
        going = {"generate": generate, "temperature": temperature}
        model, people, sae = study.model, study.data, study.saes[0]
        with study.stage("steer"):
            found = change(model, people, sae, feature, **moves, **going, **options)
        typer.echo(told_steered(found))
        typer.echo(str(found.artefact.path))
