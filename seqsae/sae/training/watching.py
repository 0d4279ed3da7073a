"""All that looks on while SAEs are trained: the terminal, a file of JSON lines, and what else was asked for."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from seqsae.sae.training import live
from seqsae.sae.training.writers import Jsonl, TensorBoard, WandB, together


@contextmanager
def watched(
    names: Sequence[str], folder: Path, tensorboard: bool = False, wandb: str | None = None
) -> Iterator[Callable[[list[dict]], None]]:
    """Context that gives what `train(..., tell=)` calls.

    Args:
        names: one for each SAE, in the order of the specs.
        folder: gets `<first name>.metrics.jsonl`, `tensorboard/<name>` and `wandb/`.
        tensorboard: write event files.
        wandb: name of a Weights & Biases project to log to, offline.
    Raises:
        SeqsaeError: TensorBoard or Weights & Biases is asked for and not installed.
    """
    writers = [Jsonl(folder / f"{names[0]}.metrics.jsonl", names, replace=True)] if names else []
    if tensorboard:
        writers.append(TensorBoard(folder / "tensorboard", names))
    if wandb is not None:
        writers.append(WandB(wandb, names, folder))
    with live.shown(names) as view, together(view, *writers) as tell:
        yield tell
