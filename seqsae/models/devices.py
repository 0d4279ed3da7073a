"""Whether a torch device is here, and how much it holds, told before anything is put on it."""

import os

import torch

from seqsae.errors import SeqsaeError


def usable(device: str | torch.device) -> torch.device:
    """The device itself. Raises SeqsaeError if torch knows none of that name, it is not here, or it holds no numbers."""
    try:
        found = torch.empty(0, device=device).device
        if found.type == "meta":
            raise RuntimeError("it holds no numbers")
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as cause:
        reason = str(cause).splitlines()[0][:120]
        raise SeqsaeError(f"device {device!r}: {reason}; choose cpu, or one that is here") from None
    return found


def memory(device: str | torch.device) -> int | None:
    """Bytes of memory on the device; None if nobody knows. Raises SeqsaeError if it is not here."""
    if usable(device).type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None
