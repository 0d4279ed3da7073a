import io
import re
import sys

import pytest

from seqsae import progress
from seqsae.sae.training import live


def _row(sae, step, fvu=0.25, **changes):
    row = {"sae": sae, "step": step, "rows": 100 * step, "loss": 0.5 + sae, "auxiliary": 0.0, "dead": 0.125, "fvu": fvu}
    return {**row, "l0": 32.0, "lr": 1e-3, "dense": 0.02, "density": [1, 2]} | changes


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def _printed(view, width=100):
    from rich.console import Console

    console = Console(file=io.StringIO(), width=width)
    console.print(view.table())
    return console.file.getvalue()


@pytest.fixture
def watched(monkeypatch):
    """A function that puts something in the place of stderr and gives it: a terminal, or not."""

    class Stream(io.StringIO):
        terminal = False

        def isatty(self):
            return self.terminal

    def put(terminal=False):
        stream = Stream()
        stream.terminal = terminal
        monkeypatch.setattr(sys, "stderr", stream)
        return stream

    return put


def test_elsewhere_a_measurement_is_one_short_line_and_nothing_is_on_stdout(watched, capsys):
    stderr = watched()
    clock = Clock()
    with progress.shown():
        view = live.View(["a", "b"], clock)
        view([])
        clock.now = 2.0
        view([_row(0, 200), _row(1, 200, fvu=0.1234567)])
    lines = stderr.getvalue().splitlines()
    assert lines == [
        "  step 200: loss 0.5 1.5 · FVU 0.25 0.1235 · L0 32 32 · dead in training 12.5% 12.5% · 10,000 rows/s"
    ]
    assert capsys.readouterr().out == ""


def test_many_saes_are_a_range_and_what_is_not_measured_is_left_out():
    rows = [_row(i, 5, fvu=None, l0=None) for i in range(5)]
    assert live.line(rows) == "  step 5: loss 0.5 to 4.5 · dead in training 12.5% to 12.5%"


def test_a_resumed_training_shows_its_last_measurement_and_no_speed_from_before(watched):
    stderr = watched()
    clock = Clock()
    with progress.shown():
        view = live.View(["a"], clock)
        view([_row(0, 100), _row(0, 200)])
        clock.now = 4.0
        view([_row(0, 300)])
    first, second = stderr.getvalue().splitlines()
    assert first.startswith("  step 200") and "rows/s" not in first
    assert "2,500 rows/s" in second


def test_the_table_holds_the_last_row_of_each_sae_best_first_and_says_what_it_leaves_out():
    names = [f"topk-{i}" for i in range(14)]
    view = live.View(names, Clock())
    view([])
    view([_row(i, 10, fvu=0.9) for i in range(14)])
    view([_row(i, 20, fvu=0.5 - i / 100) for i in range(13)])  # the last one has stopped early
    text = _printed(view)
    assert re.findall(r"topk-\d+", text) == [f"topk-{i}" for i in range(12, 0, -1)]
    assert "2 more SAEs" in text and "FVU" in text and "2.0%" in text
    assert max(len(line) for line in _printed(view, 80).splitlines()) <= 80


def test_on_a_terminal_the_table_stands_under_the_bar_and_no_lines_are_written(watched, monkeypatch):
    stderr = watched(terminal=True)
    monkeypatch.setenv("TERM", "xterm")
    with progress.shown(), live.shown(["only"]) as tell:
        tell([])
        for step in progress.track(range(3), "training", 3):
            tell([_row(0, step + 1)])
    text = stderr.getvalue()
    assert "training" in text and "only" in text and "FVU" in text and "step 1" not in text
    assert progress._state["below"] is None


def test_silent_unless_turned_on(watched):
    stderr = watched()
    with live.shown(["a"]) as tell:
        tell([])
        tell([_row(0, 1)])
    assert stderr.getvalue() == ""
