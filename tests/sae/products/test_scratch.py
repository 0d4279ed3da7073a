from threading import Thread

import torch

from seqsae.sae.products.scratch import scratch

CPU = torch.device("cpu")


def test_the_same_memory_is_handed_out_again_whatever_is_asked_of_it():
    first = scratch((100, 7), torch.float32, CPU)
    second = scratch((50, 7), torch.int32, CPU)
    assert second.shape == (50, 7) and second.dtype == torch.int32 and second.is_contiguous()
    assert first.data_ptr() == second.data_ptr()
    assert scratch((3,), torch.bfloat16, CPU).data_ptr() == first.data_ptr()
    assert scratch((0, 5), torch.float32, CPU).shape == (0, 5)


def test_more_is_made_when_more_is_asked_and_each_thread_has_its_own():
    large = scratch((2_000_000,), torch.float32, CPU)
    large.fill_(1)
    found = []
    thread = Thread(target=lambda: found.append(scratch((2_000_000,), torch.float32, CPU).fill_(2).data_ptr()))
    thread.start()
    thread.join()
    assert found[0] != large.data_ptr() and (large == 1).all()
