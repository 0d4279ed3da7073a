"""Blocks made one after another or side by side; they come back in their order either way."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from synthetic_lives.block import Job, Made, make

MOST = 3
"""Processes; each holds up to 200 MiB, and all of them together with the first are to stay below 1 GiB."""


def made(job: Job, workers: int) -> Iterator[Made]:
    """Every block of a job. No more blocks are under way than there are workers, so that memory stays bounded."""
    workers = min(workers, MOST, job.blocks)
    if workers == 1:
        for block in range(job.blocks):
            yield make(job, block)
        return
    # Spawned, not forked: a fork copies the locks of Arrow's threads as they happen to be.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting = deque(pool.submit(make, job, block) for block in range(workers))
        for block in range(workers, job.blocks + workers):
            done = waiting.popleft().result()
            if block < job.blocks:
                waiting.append(pool.submit(make, job, block))
            yield done
