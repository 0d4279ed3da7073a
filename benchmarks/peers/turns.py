"""Workers that take turns, so that only one computes at a time and all are disturbed alike.

Parent and worker speak in lines of JSON. The parent sends a job; the worker answers once it has imported its library.
Then `{"steps": n}` gives it the word for n training steps, answered with the CPU milliseconds of each, and in the end
with its result. A step runs from handing a batch to the library's own loop until that loop asks for the next one.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

HERE = Path(__file__).parent.parent
TUNED_MALLOC = {"MALLOC_TRIM_THRESHOLD_": "100000000000", "MALLOC_MMAP_THRESHOLD_": "100000000000"}
QUIET = {"SPARSIFY_DISABLE_TRITON": "1", "WANDB_MODE": "disabled", "HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"}


class Worker:
    """A job in a process of its own, seen from the parent.

    Args:
        job: see `peers.worker`.
        python: the interpreter that has the library.
        log: file for what the library prints.
    """

    def __init__(self, job: dict, python: str, log: Path):
        threads = {name: str(job["threads"]) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")}
        environment = os.environ | QUIET | threads | {"PYTHONPATH": str(HERE)} | job["environment"]
        self.log = log
        with log.open("w") as errors:
            self.process = subprocess.Popen(
                [python, "-m", "peers.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
                text=True,
            )
        self._job = job

    def ready(self) -> None:
        """Hand over the job and wait until its library is imported."""
        self.ask(self._job)

    def ask(self, message: dict) -> dict:
        """Give the word, wait for the answer. Raises RuntimeError with the log's end if the worker has died."""
        with suppress(BrokenPipeError):
            print(json.dumps(message), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            self.stop()
            raise RuntimeError(f"a worker died; the end of {self.log}:\n" + self.log.read_text()[-2000:])
        return json.loads(line)

    def stop(self) -> None:
        """End the process, whatever it is at."""
        self.process.kill()
        self.process.communicate()


class Turns:
    """The worker's side: a pipe to the parent that the library cannot print into."""

    def __init__(self):
        self._out = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)
        self.job = self._hear()

    def tell(self, message: dict) -> None:
        print(json.dumps(message), file=self._out, flush=True)

    def granted(self) -> int:
        """Wait for the word; gives the number of steps."""
        return self._hear()["steps"]

    def _hear(self) -> dict:
        line = sys.stdin.readline()
        if not line:
            sys.exit(0)
        return json.loads(line)


class Feed:
    """The training rows of a worker, and the clock of its steps.

    What a library does before its first step (weights, a normaliser) is on no clock.

    Args:
        path: float32 rows of width d. They are read batch by batch, so that they count for nobody's memory.
        turns: whom to ask before each step.
    """

    def __init__(self, path: Path, turns: Turns):
        job = turns.job
        self.d, self.batch, self.steps = job["d"], job["batch"], job["steps"]
        self.curve: list[tuple[int, float, float]] = []  # steps done, their CPU seconds, FVU on held-out rows
        self.spent: list[float] = []  # CPU milliseconds of each step
        self.watch: Callable[[], float] | None = None  # gives the FVU as training stands
        self._every = job["every"]
        self._file = path.open("rb", buffering=0)
        self._total = path.stat().st_size // (4 * self.d)
        self._first = self._place = job["seed"] * 50_021 % self._total
        self._turns, self._granted, self._told = turns, 0, 0
        self._running: float | None = None

    def rows(self, n: int) -> Tensor:
        """[n, d] the next rows, round and round."""
        parts = []
        while n:
            take = min(n, self._total - self._place)
            self._file.seek(4 * self.d * self._place)
            parts.append(np.fromfile(self._file, np.float32, take * self.d).reshape(take, self.d))
            self._place = (self._place + take) % self._total
            n -= take
        return torch.from_numpy(parts[0] if len(parts) == 1 else np.concatenate(parts))

    def rewind(self) -> None:
        """Back to the first row."""
        self._place = self._first

    def step(self) -> Tensor:
        """The next batch [batch, d], when it is this worker's turn; ends the step before it."""
        self.pause()
        if self.watch and self._every and self.spent and len(self.spent) % self._every == 0:
            self.note(self.watch())
        if not self._granted:
            if self.spent:
                self._turns.tell({"cpu_ms": self._untold()})
            self._granted = self._turns.granted()
        self._granted -= 1
        rows = self.rows(self.batch)
        self.spent.append(0.0)
        self.go_on()
        return rows

    def __iter__(self) -> Iterator[Tensor]:
        for _ in range(self.steps):
            yield self.step()
        self.pause()

    def pause(self) -> None:
        """Stop the clock, for what is no part of training."""
        if self._running is not None:
            self.spent[-1] += 1e3 * (time.process_time() - self._running)
        self._running = None

    def go_on(self) -> None:
        """Let the clock run on within the same step."""
        self._running = time.process_time()

    def note(self, fvu: float) -> None:
        """A point of the curve."""
        self.curve.append((len(self.spent), sum(self.spent) / 1e3, fvu))

    def finish(self, result: dict) -> None:
        """The last word: the steps still untold, and the result."""
        self._turns.tell({"cpu_ms": self._untold(), "result": result | {"curve": self.curve}})

    def _untold(self) -> list[float]:
        untold = self.spent[self._told :]
        self._told = len(self.spent)
        return untold
