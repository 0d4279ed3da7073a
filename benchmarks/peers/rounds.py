"""Runs jobs side by side: each in its own process, a few steps each in turn. Finished rounds are kept in a file."""

import json
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path

from peers.turns import Worker

WARM = 3  # first steps left out of the median: caches, kernels and pages are cold


@dataclass(frozen=True)
class Run:
    """What came of one job."""

    job: dict
    cpu_ms: list[float]
    """Of each step, in order."""
    peak_mb: float
    """Largest resident memory in training, over that after the imports."""
    curve: list[list[float]]
    """Steps done, CPU seconds spent on them, FVU on held-out rows."""
    quality: dict[str, float]
    """See `peers.quality.judged`; empty if it was not asked for."""

    @property
    def step_ms(self) -> float:
        """Median CPU milliseconds of a step."""
        return statistics.median(self.cpu_ms[WARM:] or self.cpu_ms)


class Rounds:
    """Rounds of jobs, and what has come of them.

    Args:
        file: JSON, rewritten after each round, so that a stopped run loses one round at most.
        python: the interpreter that has the libraries.
        resume: take rounds from the file where it holds the very same jobs.
    """

    def __init__(self, file: Path, python: str, resume: bool):
        self.file, self.python = file, python
        self.done: dict[str, dict] = json.loads(file.read_text()) if resume and file.exists() else {}

    def together(self, name: str, jobs: dict[str, dict], burst: int) -> dict[str, Run]:
        """Contestant to run. Turn after turn, each unfinished worker takes `burst` steps; no two compute at a time."""
        known = self.done.get(name, {})
        if {one: run["job"] for one, run in known.items()} != jobs:
            print(f"{name}: {', '.join(jobs)}", flush=True)
            known = {one: asdict(run) for one, run in self._run(name, jobs, burst).items()}
            self.done[name] = known
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self.file.write_text(json.dumps(self.done))
        return {one: Run(**run) for one, run in known.items()}

    def _run(self, name: str, jobs: dict[str, dict], burst: int) -> dict[str, Run]:
        logs = self.file.parent / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        spent: dict[str, list[float]] = {one: [] for one in jobs}
        done: dict[str, Run] = {}
        workers: dict[str, Worker] = {}
        try:
            for one, job in jobs.items():
                workers[one] = Worker(job, self.python, logs / f"{name}-{one}.log".replace(" ", "-"))
            for worker in workers.values():
                worker.ready()
            while workers:
                for one in list(workers):
                    answer = workers[one].ask({"steps": burst})
                    spent[one] += answer["cpu_ms"]
                    if result := answer.get("result"):
                        done[one] = Run(jobs[one], spent[one], result.pop("peak_mb"), result.pop("curve"), result)
                        workers.pop(one).stop()
        finally:
            for worker in workers.values():
                worker.stop()
        return {one: done[one] for one in jobs}
