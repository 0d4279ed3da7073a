"""seqsae, through its own training loop."""

import torch

from seqsae.sae.products.kernels import compiled_loops
from seqsae.sae.spec import Budget, Spec
from seqsae.sae.training.train import train as fit

compiled_loops()  # an import that would else fall into the first step


class Stream:
    """The feed as a Stream. The normaliser's sample, drawn between `state` and `restore`, is on no clock."""

    n_rows = 1 << 40  # endless

    def __init__(self, feed):
        self.sites = {"site": feed.d}
        self._feed = feed
        self._sampling = False

    def next(self, n: int) -> dict:
        return {"site": self._feed.rows(n) if self._sampling else self._feed.step()}

    def state(self) -> dict:
        self._sampling = True
        return {}

    def restore(self, state: dict) -> None:
        self._sampling = False
        self._feed.rewind()


class Heldout:
    """Held-out rows for the loop's own measurements, with the clock stopped; notes when each one happened."""

    def __init__(self, feed, rows: torch.Tensor | None):
        self._feed, self._rows = feed, rows
        self.times: list[tuple[int, float]] = []

    def __call__(self):
        self._feed.pause()
        self.times.append((len(self._feed.spent), sum(self._feed.spent) / 1e3))
        if self._rows is not None:
            yield from self._rows.split(2048)
        self._feed.go_on()


def train(job: dict, feed, watch):
    """See `peers.worker`. The curve is the loop's own, at `Budget.every`."""
    spec = Spec(job["width"], seed=job["seed"], lr=job["lr"], precision=job["precision"], **_own(job))
    every = job["every"] or job["steps"]
    budget = Budget(job["steps"], job["batch"], every=every, dead_after=job["dead_steps"] * job["batch"])
    heldout = Heldout(feed, watch.heldout)
    saes, metrics = fit(Stream(feed), "site", [spec], budget, heldout)
    sae, fvu = saes[0], metrics["fvu"].to_list()
    feed.curve = [(*time, value) for time, value in zip(heldout.times, fvu, strict=True)]

    def read(x):
        codes = sae.encode(x)
        dense = codes.values.new_zeros(len(x), sae.width)
        return sae.decode(codes), dense.scatter_add_(1, codes.indices, codes.values)

    return read, lambda: sae.W_dec.detach()


def _own(job: dict) -> dict:
    """Settings of each kind. JumpReLU aims at k active latents; Matryoshka's prefixes double."""
    kind = {"architecture": job["architecture"]}
    if job["architecture"] == "jumprelu":
        return kind | {"options": {"penalty": "target", "target_l0": job["k"]}}
    if job["architecture"] == "matryoshka":
        kind["options"] = {"groups": [job["width"] >> halvings for halvings in (4, 4, 3, 2, 1)]}
    return kind | {"k": job["k"]}
