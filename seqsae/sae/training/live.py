"""What a person sees of a training while it runs: a table under the bar on a terminal, a short line a measurement elsewhere.

All of it goes to stderr, and nothing of it (speeds above all) into an artefact.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from seqsae.progress import below, on_terminal, say

_APART = 3  # SAEs whose numbers a plain line gives one by one; of more it gives the range
_LINES = 12  # SAEs in the table
_COLUMNS = {"fvu": "FVU", "l0": "L0", "dead": "dead in training"}


@contextmanager
def shown(names: Sequence[str]) -> Iterator[Callable[[list[dict]], None]]:
    """Context that gives what `train(..., tell=)` calls; inside it the measurements are shown as they come.

    Args:
        names: one for each SAE, in the order of the specs.
    """
    view = View(names)
    with below(view.table):
        yield view


class View:
    """The last measurement of each SAE, and the speed between the last two.

    Args:
        names: one for each SAE.
        clock: seconds.
    """

    def __init__(self, names: Sequence[str], clock: Callable[[], float] = time.monotonic):
        self._names, self._clock = list(names), clock
        self._last: dict[int, dict] = {}
        self._told: tuple[float, int] | None = None  # when, and rows read by then
        self._speed: float | None = None

    def __call__(self, rows: list[dict]) -> None:
        """Take the rows of a measurement; the first call brings those of an interrupted training's earlier part, if any."""
        self._last |= {row["sae"]: row for row in rows}
        now, read = self._clock(), rows[-1]["rows"] if rows else 0
        if self._told is not None and now > self._told[0]:
            self._speed = (read - self._told[1]) / (now - self._told[0])
        self._told = (now, read)
        if rows and not on_terminal():
            say(line([row for row in rows if row["step"] == rows[-1]["step"]], self._speed))

    def table(self):
        """The table, as `rich` prints it; worst FVU last, so that what is left out with many SAEs is the worst."""
        from rich.table import Table

        table = Table(box=None, pad_edge=False, header_style="dim")
        for title, justify in {"SAE": "left", "step": "right", "loss": "right"}.items():
            table.add_column(title, justify=justify, no_wrap=True)
        for title in (*_COLUMNS.values(), "dense"):
            table.add_column(title, justify="right", no_wrap=True)
        best = sorted(self._last.items(), key=lambda item: (_or(item[1].get("fvu"), float("inf")), item[0]))
        for index, row in best[:_LINES]:
            table.add_row(*_cells(self._names[index], row))
        left = len(best) - _LINES
        caption = [f"{self._speed:,.0f} rows/s" if self._speed else "", f"{left} more SAEs" if left > 0 else ""]
        table.caption = " · ".join(part for part in caption if part) or None
        table.caption_justify = "left"
        return table


def line(rows: list[dict], speed: float | None = None) -> str:
    """One measurement of all SAEs in a line: `step 200: FVU .14 .15 · L0 32 32 · dead 1.0% 0.0% · 41,000 rows/s`."""
    parts = [f"  step {rows[-1]['step']:,}: loss {_together([row['loss'] for row in rows], '.4g')}"]
    for name, title in _COLUMNS.items():
        values = [row[name] for row in rows if row.get(name) is not None]
        if values:
            parts.append(f"{title} {_together(values, '.1%' if name == 'dead' else '.4g')}")
    return " · ".join(parts + ([f"{speed:,.0f} rows/s"] if speed else []))


def _together(values: list[float], form: str) -> str:
    """A few numbers side by side, or the ends of many."""
    if len(values) <= _APART:
        return " ".join(format(value, form) for value in values)
    return f"{min(values):{form}} to {max(values):{form}}"


def _cells(name: str, row: dict) -> list[str]:
    numbers = [f"{row['step']:,}", f"{row['loss']:.4g}"]
    numbers += ["-" if row.get(key) is None else f"{row[key]:.4g}" for key in ("fvu", "l0")]
    return [name, *numbers, *["-" if row.get(key) is None else f"{row[key]:.1%}" for key in ("dead", "dense")]]


def _or(value: float | None, other: float) -> float:
    return other if value is None else value
