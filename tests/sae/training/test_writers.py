import json
import sys
from types import ModuleType

import pytest

from seqsae.errors import SeqsaeError
from seqsae.sae.spec import Budget, Spec
from seqsae.sae.training import writers
from seqsae.sae.training.stream import ArrayStream
from seqsae.sae.training.train import train

SPECS = [Spec(24, 2, seed=0), Spec(16, 2, seed=1)]
BUDGET = Budget(steps=20, batch=64, every=5)


def _row(sae, step, **changes):
    row = {"sae": sae, "step": step, "rows": 64 * step, "loss": 0.1 * step, "fvu": None, "density": [1, 2] + [0] * 20}
    return row | changes


def _lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


class Breaking(ArrayStream):
    """A stream whose machine is switched off at its `at`-th batch of training."""

    at = 10**9

    def next(self, n):
        if n == BUDGET.batch:
            self.at -= 1
            if self.at < 0:
                raise KeyboardInterrupt
        return super().next(n)


@pytest.mark.parametrize("at", [2, 7, 16])
@pytest.mark.parametrize("torn", ["", '{"sae": 0, "st', "\0\0\0"])
@pytest.mark.parametrize("kept", [True, False])
def test_jsonl_of_a_killed_and_resumed_training_is_that_of_an_uninterrupted_one(planted, tmp_path, at, torn, kept):
    """`kept`: whether the training's state survived; without it all is done again, and no line is written twice."""
    rows, held = planted.rows[:600], [planted.rows[600:700]]

    def run(path, work, stop=10**9):
        stream = Breaking(rows, seed=4)
        stream.at = stop
        return train(stream, "array", SPECS, BUDGET, held, work, tell=writers.Jsonl(path))

    whole = run(tmp_path / "whole.jsonl", None)
    path = tmp_path / "deep" / "m.jsonl"
    with pytest.raises(KeyboardInterrupt):
        run(path, tmp_path / "work", at)
    with path.open("a") as file:
        file.write(torn)
    run(path, tmp_path / "work" if kept else tmp_path / "other")
    assert path.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert _lines(path) == whole.metrics.to_dicts()


def test_jsonl_refuses_what_is_not_its_own_and_leaves_it_whole(tmp_path):
    path = tmp_path / "m.jsonl"
    writers.Jsonl(path)([_row(0, 5)])
    before = path.read_bytes()
    with pytest.raises(SeqsaeError, match="another training"):
        writers.Jsonl(path)([_row(0, 5, loss=9.0)])
    assert path.read_bytes() == before
    for content in (b"step,loss\n5,0.5\n", b"\xff\xfe\n", b"[1]\n", b"a note without an end"):
        path.write_bytes(content)
        with pytest.raises(SeqsaeError, match="not a file of metrics") as caught:
            writers.Jsonl(path)
        assert path.read_bytes() == content and "\n" not in str(caught.value)


def test_jsonl_replaces_another_training_where_it_may_and_keeps_what_is_the_same(tmp_path):
    path = tmp_path / "m.jsonl"
    writers.Jsonl(path)([_row(0, step) for step in (5, 10, 15, 20)])
    with writers.together(writers.Jsonl(path, replace=True)) as tell:
        tell([_row(0, 5), _row(0, 10, loss=9.0)])
    assert _lines(path) == [_row(0, 5), _row(0, 10, loss=9.0)]
    with writers.together(writers.Jsonl(path, replace=True)) as tell:  # a shorter one
        tell([_row(0, 5)])
    assert _lines(path) == [_row(0, 5)]


def test_jsonl_can_say_whose_row_it_is(tmp_path):
    writers.Jsonl(tmp_path / "m.jsonl", names=["a", "b"])([_row(1, 5)])
    assert _lines(tmp_path / "m.jsonl") == [{"name": "b", **_row(1, 5)}]


def test_jsonl_writes_as_rows_come(tmp_path):
    write = writers.Jsonl(tmp_path / "m.jsonl")
    write([])
    assert not (tmp_path / "m.jsonl").exists()
    write([_row(0, 5), _row(1, 5)])
    assert _lines(tmp_path / "m.jsonl") == [_row(0, 5), _row(1, 5)]


class FakeBoard(ModuleType):
    """Stands in for torch.utils.tensorboard."""

    def __init__(self):
        super().__init__("torch.utils.tensorboard")
        self.made = []
        board = self

        class SummaryWriter:
            def __init__(self, folder, purge_step=None):
                self.folder, self.purge_step, self.calls, self.closed = folder, purge_step, [], False
                board.made.append(self)

            def add_scalar(self, name, value, step):
                self.calls.append((name, value, step))

            def add_histogram_raw(self, name, global_step, **histogram):
                self.calls.append((name, histogram["bucket_counts"], global_step))
                assert len(histogram["bucket_limits"]) == len(histogram["bucket_counts"])

            def flush(self): ...

            def close(self):
                self.closed = True

        self.SummaryWriter = SummaryWriter


def test_tensorboard_has_a_run_for_each_sae_and_forgets_an_earlier_file(tmp_path, monkeypatch):
    fake = FakeBoard()
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", fake)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "events.out.tfevents.1").touch()
    with writers.together(writers.TensorBoard(tmp_path, ["a", "b"])) as tell:
        tell([_row(0, 5, fvu=0.5), _row(1, 5)])
    a, b = fake.made
    assert (a.folder, a.purge_step, b.purge_step) == (str(tmp_path / "a"), None, 0)
    assert a.calls == [("loss", 0.5, 5), ("fvu", 0.5, 5), ("density", _row(0, 5)["density"], 5)]
    assert [name for name, *_ in b.calls] == ["loss", "density"]
    assert a.closed and b.closed


def test_the_real_tensorboard_reads_each_point_once(tmp_path):
    reason = "tensorboard is not installed: no event file was read back"
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator", reason=reason)
    rows = [_row(0, step, fvu=1 / step) for step in (5, 10, 15)]
    writers.TensorBoard(tmp_path, ["a"])(rows[:2])  # killed here
    again = writers.TensorBoard(tmp_path, ["a"])
    again(rows)
    again.close()
    events = accumulator.EventAccumulator(str(tmp_path / "a"))
    events.Reload()
    assert [(point.step, point.value) for point in events.Scalars("fvu")] == [
        (row["step"], pytest.approx(row["fvu"])) for row in rows
    ]
    assert events.Tags()["histograms"] == ["density"]


class FakeWandB(ModuleType):
    """Stands in for wandb."""

    def __init__(self):
        super().__init__("wandb")
        self.asked, self.logged, self.finished = None, [], False

    def init(self, **asked):
        self.asked = asked
        return self

    def log(self, values, step):
        self.logged.append((step, values))

    def finish(self):
        self.finished = True


def test_wandb_is_offline_unless_asked_and_logs_each_step_once(tmp_path, monkeypatch):
    fake = FakeWandB()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    with writers.together(writers.WandB("lives", ["a", "b"], tmp_path / "w", group="g")) as tell:
        tell([])
        tell([_row(0, 5), _row(1, 5, fvu=0.2), _row(0, 10)])
    asked = {key: fake.asked[key] for key in ("project", "mode", "dir", "group")}
    assert asked == {"project": "lives", "mode": "offline", "dir": str(tmp_path / "w"), "group": "g"}
    assert fake.logged == [(5, {"a/loss": 0.5, "b/loss": 0.5, "b/fvu": 0.2}), (10, {"a/loss": 1.0})]
    assert fake.finished


@pytest.mark.parametrize(("name", "package"), [("torch.utils.tensorboard", "tensorboard"), ("wandb", "wandb")])
def test_an_absent_package_is_told_in_one_line_with_the_way_to_install_it(tmp_path, monkeypatch, name, package):
    monkeypatch.setitem(sys.modules, name, None)
    make = {"tensorboard": lambda: writers.TensorBoard(tmp_path, ["a"]), "wandb": lambda: writers.WandB("p", ["a"])}
    with pytest.raises(SeqsaeError, match=rf"pip install 'seqsae\[{package}\]'") as caught:
        make[package]()
    assert "\n" not in str(caught.value)


def test_all_writers_are_told_and_closed_even_if_training_breaks():
    class Closing:
        def __init__(self):
            self.rows, self.closed = [], False

        def __call__(self, rows):
            self.rows += rows

        def close(self):
            self.closed = True

    one, two, plain = Closing(), Closing(), []
    with pytest.raises(KeyboardInterrupt), writers.together(one, plain.extend, two) as tell:
        tell([_row(0, 5)])
        raise KeyboardInterrupt
    assert one.rows == two.rows == plain == [_row(0, 5)]
    assert one.closed and two.closed
