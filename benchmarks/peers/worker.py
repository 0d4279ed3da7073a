"""A worker: one library, one training run, by turns. Run as `python -m peers.worker`; the job comes by stdin.

A job: peer (a module of this package), architecture, precision, d, width, k, batch, steps, lr, warmup and decay (shares of
the steps), dead_steps (steps without firing that make a latent dead), seed, threads, data (folder), every (steps between
points of the curve, 0 for none), judge (whether to measure quality), environment.

An adapter is a module with `train(job, feed, watch)`. It calls `watch(read)` before training if the curve can be read off
the SAE as it stands, trains on the feed, and gives `read` and a function that gives the decoder [m, d].
"""

import importlib
import os
from pathlib import Path

import torch

from peers.data import Truth, read_truth
from peers.quality import judged, unexplained
from peers.turns import Feed, Turns


def main() -> None:
    turns = Turns()
    job = turns.job
    torch.set_num_threads(job["threads"])
    torch.optim.Adam([torch.zeros(1, requires_grad=True)])  # imports much at its first use
    peer = importlib.import_module(f"peers.{job['peer']}")
    folder = Path(job["data"])
    truth = read_truth(folder, job["d"]) if job["judge"] else None
    before = _forget_peak()
    turns.tell({})
    feed = Feed(folder / "rows.f32", turns)
    torch.manual_seed(job["seed"])
    watch = Watch(feed, truth)
    read, decoder = peer.train(job, feed, watch)
    feed.pause()
    result = {"peak_mb": _status("VmHWM") - before}
    if truth is not None and read is not None:
        result |= judged(read, decoder(), truth)
        if not feed.curve or feed.curve[-1][0] < len(feed.spent):
            feed.note(unexplained(read, watch.heldout))
    feed.finish(result)


CURVE_ROWS = 4096  # held-out rows that a point of the curve is measured on


class Watch:
    """Has the curve measured as training goes."""

    def __init__(self, feed: Feed, truth: Truth | None):
        self._feed = feed
        self.heldout = None if truth is None else torch.from_numpy(truth.heldout[:CURVE_ROWS])

    def __call__(self, read) -> None:
        """From here on, measure `read` now and then."""
        if self.heldout is not None:
            self._feed.watch = lambda: unexplained(read, self.heldout)


def _forget_peak() -> float:
    """Start the peak anew; megabytes held now."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _status(field: str) -> float:
    """Megabytes, of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field + ":")) / 1024


if __name__ == "__main__":
    main()
    os._exit(0)  # some libraries leave threads behind
