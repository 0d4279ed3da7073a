import os

import pytest
import torch

from seqsae.sae.products.threads import in_parts


def _span(first, last):
    return first, last


def test_parts_come_in_order_and_cover_all_rows():
    torch.set_num_threads(3)
    parts = in_parts(1000, _span)
    assert len(parts) > 3 and parts[0][0] == 0 and parts[-1][1] == 1000
    assert all(one[1] == two[0] for one, two in zip(parts, parts[1:], strict=False))


def test_few_rows_or_one_thread_are_one_part():
    torch.set_num_threads(3)
    assert in_parts(10, _span) == [(0, 10)] and in_parts(0, _span) == [(0, 0)]
    torch.set_num_threads(1)
    assert in_parts(10_000, _span) == [(0, 10_000)]


def test_errors_come_through():
    torch.set_num_threads(2)
    with pytest.raises(ZeroDivisionError):
        in_parts(1000, lambda first, last: 1 // first)


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded, use of fork")
def test_a_fork_has_threads_of_its_own():
    torch.set_num_threads(2)
    whole = in_parts(1000, _span)
    child = os.fork()
    if child == 0:  # with its parent's pool this would wait for ever
        os._exit(0 if in_parts(1000, _span) == whole else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
