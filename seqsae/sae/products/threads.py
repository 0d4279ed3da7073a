"""Compiled loops over rows on as many threads as torch is set to use."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import torch

_LEAST = 64  # rows that are worth a thread
_PARTS = 4  # parts a thread, so that one held up does not hold up all

Part = TypeVar("Part")


def in_parts(n: int, work: Callable[[int, int], Part]) -> list[Part]:
    """`work(first, last)` on consecutive parts of n rows, side by side; what each part gives, in order of the rows.

    Args:
        work: lets other threads run (a compiled loop with `nogil`), and writes where no other part does.
    """
    threads = min(torch.get_num_threads(), n // _LEAST)
    if threads <= 1:
        return [work(0, n)]
    parts = threads * _PARTS
    edges = [n * part // parts for part in range(parts + 1)]
    return list(_pool(threads).map(work, edges[:-1], edges[1:]))


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="seqsae")


os.register_at_fork(after_in_child=_pool.cache_clear)  # a fork has none of its parent's threads
