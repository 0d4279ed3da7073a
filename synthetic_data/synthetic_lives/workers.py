"""Blocks made one after another or side by side; they come back in their order either way."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import TypeVar

from synthetic_lives.block import Job, Made, make

MOST = 3
"""Processes; each holds up to 200 MiB, and all of them together with the first are to stay below 1 GiB."""
Task = TypeVar("Task")
Result = TypeVar("Result")


def made(job: Job, workers: int) -> Iterator[Made]:
    """Every block of a job."""
    return in_order(_block, [(job, block) for block in range(job.blocks)], min(workers, MOST))


def _block(task: tuple[Job, int]) -> Made:
    return make(*task)


def in_order(work: Callable[[Task], Result], tasks: Sequence[Task], workers: int) -> Iterator[Result]:
    """The result of each task in order. No more are under way than there are workers, so that memory stays bounded."""
    workers = min(workers, len(tasks))
    if workers <= 1:
        yield from map(work, tasks)
        return
    # Spawned, not forked: a fork copies the locks of Arrow's threads as they happen to be.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_end_with_parent) as pool:
        waiting = deque(pool.submit(work, task) for task in tasks[:workers])
        for number in range(workers, len(tasks) + workers):
            done = waiting.popleft().result()
            if number < len(tasks):
                waiting.append(pool.submit(work, tasks[number]))
            yield done


def _end_with_parent() -> None:
    """End this worker when the process that started it is gone, however it went: it would wait for work for good."""
    Thread(target=_watch, daemon=True).start()


def _watch() -> None:
    parent_process().join()
    os._exit(1)
