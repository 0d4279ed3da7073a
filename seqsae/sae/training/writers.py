"""Where training metrics go beside the artefact's own `metrics.parquet`: JSON lines, TensorBoard, Weights & Biases.

A writer is what `train(..., tell=)` calls: it takes the rows of each measurement as they come. A resumed training tells the rows of its
earlier part again; no writer shows them twice. None of this enters an artefact or its hash.
"""

import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from itertools import groupby
from pathlib import Path
from typing import Protocol

from seqsae.errors import SeqsaeError
from seqsae.progress import say
from seqsae.sae.quality.density import EDGES

_NOT_DRAWN = ("sae", "step", "rows", "density")  # columns that are no curve


class Writer(Protocol):
    """Takes metrics rows until it is closed."""

    def __call__(self, rows: list[dict]) -> None: ...

    def close(self) -> None: ...


@contextmanager
def together(*tell: Callable[[list[dict]], None]) -> Iterator[Callable[[list[dict]], None]]:
    """Context in which one callable tells all of `tell`; those that can be closed are, at its end, whatever happens."""

    def all_of(rows: list[dict]) -> None:
        for each in tell:
            each(rows)

    with ExitStack() as stack:
        for each in tell:
            if hasattr(each, "close"):
                stack.callback(each.close)
        yield all_of


class Jsonl:
    """A line a metrics row, appended and flushed to disk as they come.

    A line cut by a kill is dropped when the file is opened again. Lines that are already there are not written again: the training that
    wrote them comes to the same rows, bit for bit.

    Args:
        names: one for each SAE, in the order of the specs; each line then says whose it is.
        replace: throw the rows of another training away, where they would be refused otherwise.
    Raises:
        SeqsaeError: the file holds something else, or the rows of another training.
    """

    def __init__(self, path: Path | str, names: Sequence[str] | None = None, replace: bool = False):
        self._path, self._names, self._replace = Path(path), names, replace
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._there = self._read()  # lines of an earlier process that no row has come to yet
        self._matched = 0  # bytes before them

    def __call__(self, rows: list[dict]) -> None:
        """Append rows."""
        lines = [self._line(row) for row in rows]
        new = lines[self._known(lines) :]
        if new:
            with self._path.open("ab") as file:
                file.write(b"".join(new))
                file.flush()
                os.fsync(file.fileno())

    def close(self) -> None:
        """Throw away what another training has left behind the last row, if that was asked for."""
        if self._there and self._replace:
            self._cut()

    def _line(self, row: dict) -> bytes:
        named = row if self._names is None else {"name": self._names[row["sae"]], **row}
        return json.dumps(named, allow_nan=False).encode() + b"\n"

    def _known(self, lines: list[bytes]) -> int:
        """How many of the lines the file holds already. Raises SeqsaeError if it goes on otherwise."""
        for place, line in enumerate(lines):
            if self._there and self._there[0] != line:
                if not self._replace:
                    raise SeqsaeError(
                        f"{self._path}: holds the metrics of another training; give another path, or delete it"
                    )
                self._cut()
            if not self._there:
                return place
            self._matched += len(self._there.pop(0))
        return len(lines)

    def _cut(self) -> None:
        os.truncate(self._path, self._matched)
        self._there = []

    def _read(self) -> list[bytes]:
        """The whole lines of the file; a last one without its end is cut off."""
        content = self._path.read_bytes() if self._path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        torn = content[len(whole) :].strip(b"\0")  # a machine that loses power may leave zeros
        lines = whole.splitlines(keepends=True)
        try:
            ours = all(isinstance(json.loads(line), dict) for line in lines) and torn[:1] in (b"", b"{")
        except ValueError:
            ours = False
        if not ours:
            raise SeqsaeError(f"{self._path}: not a file of metrics, one JSON object a line; give another path")
        if len(whole) < len(content):
            os.truncate(self._path, len(whole))
        return lines


class TensorBoard:
    """Event files under `folder`, a run of its own for each SAE, so that their curves lie over one another.

    Needs `pip install 'seqsae[tensorboard]'`. A resumed training writes its earlier rows anew and bids the reader forget those of the
    file before it.

    Args:
        names: one for each SAE, in the order of the specs.
    """

    def __init__(self, folder: Path | str, names: Sequence[str]):
        module = _module("torch.utils.tensorboard", "tensorboard")
        folders = [Path(folder) / name for name in names]
        self._writers = [
            module.SummaryWriter(str(path), purge_step=0 if any(path.glob("events.out.*")) else None)
            for path in folders
        ]

    def __call__(self, rows: list[dict]) -> None:
        """Write the curves of `rows`, and the histogram of log10 firing rates."""
        for row in rows:
            writer = self._writers[row["sae"]]
            for name, value in drawn(row).items():
                writer.add_scalar(name, value, row["step"])
            if row.get("density"):
                writer.add_histogram_raw("density", global_step=row["step"], **_buckets(row["density"]))
        for writer in self._writers:
            writer.flush()

    def close(self) -> None:
        """End the event files."""
        for writer in self._writers:
            writer.close()


class WandB:
    """One Weights & Biases run with a curve `<SAE>/<column>` for each SAE and column, over optimiser steps.

    Needs `pip install 'seqsae[wandb]'`. Offline by default: nothing leaves the machine until somebody runs `wandb sync` on the run's
    folder. (That folder also tells of the machine and its packages.) A resumed training starts a run that holds all of its rows.

    Args:
        names: one for each SAE, in the order of the specs.
        folder: where its files go.
        mode: "offline", "online" or "disabled", as `wandb.init` has it.
        options: further arguments of `wandb.init`: entity, group, config, ...
    """

    def __init__(self, project: str, names: Sequence[str], folder: Path | str = ".", mode: str = "offline", **options):
        module = _module("wandb", "wandb")
        Path(folder).mkdir(parents=True, exist_ok=True)
        self._names = list(names)
        quiet = {"silent": True, "console": "off"}  # it would print over the training's own view
        self._run = module.init(project=project, dir=str(folder), mode=mode, **{"settings": quiet, **options})
        say(f"metrics for wandb ({mode}): {Path(folder) / 'wandb'}")

    def __call__(self, rows: list[dict]) -> None:
        """Log rows, those of one step together."""
        for step, same in groupby(rows, key=lambda row: row["step"]):
            values = {f"{self._names[row['sae']]}/{name}": value for row in same for name, value in drawn(row).items()}
            self._run.log(values, step=step)

    def close(self) -> None:
        """End the run."""
        self._run.finish()


def drawn(row: dict) -> dict[str, float]:
    """The columns of a metrics row that make curves, where they have a value."""
    return {name: value for name, value in row.items() if name not in _NOT_DRAWN and value is not None}


def _buckets(counts: list[int]) -> dict:
    """Firing rates as TensorBoard wants a histogram: log10, latents that never fire a quarter decade below the lowest."""
    limits = [math.log10(EDGES[0]) - 0.25, *(math.log10(edge) for edge in EDGES)]
    total = sum(count * limit for count, limit in zip(counts, limits, strict=True))
    squares = sum(count * limit**2 for count, limit in zip(counts, limits, strict=True))
    return {
        "min": limits[0],
        "max": limits[-1],
        "num": sum(counts),
        "sum": total,
        "sum_squares": squares,
        "bucket_limits": limits,
        "bucket_counts": counts,
    }


def _module(name: str, package: str):
    """An optional module. Raises SeqsaeError if its package is not installed."""
    try:
        return import_module(name)
    except ImportError:
        raise SeqsaeError(
            f"metrics for {package}: it is not installed; pip install 'seqsae[{package}]', or train without it"
        ) from None
