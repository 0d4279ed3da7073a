"""One piece of memory for what is large and short-lived: fresh memory costs a page fault every 4 kB, more than the work on it."""

import threading

import torch
from torch import Tensor

_kept = threading.local()


def scratch(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """An uninitialised tensor, good until this thread's next call for the same device, and as large as the largest so far
    keeps."""
    size = dtype.itemsize * torch.Size(shape).numel()
    kept = _kept.__dict__.get(str(device))
    if kept is None or len(kept) < size:
        kept = _kept.__dict__[str(device)] = torch.empty(size, dtype=torch.uint8, device=device)
    return kept[:size].view(dtype).view(shape)
