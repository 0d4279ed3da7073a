"""Which modules hooks can reach: the network inside what wraps it, and a reason where there is no way in."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from seqsae.errors import SeqsaeError
from seqsae.models.sites import parse

SHARDED = ("FullyShardedDataParallel", "FSDPModule")


def plain(module: Any) -> nn.Module:
    """The network itself: `DataParallel`, `DistributedDataParallel` and `torch.compile` are taken off.

    It is the same network with the same weights; it then runs on one device, as it was written.

    Raises:
        SeqsaeError: no `nn.Module`, TorchScript, or parameters that are sharded over processes.
    """
    if not isinstance(module, nn.Module):
        kind = module.__name__ if isinstance(module, type) else type(module).__name__
        raise SeqsaeError(f"wrap: {kind} is no nn.Module object; give the network itself (of a pipeline, its .model)")
    if isinstance(module, torch.jit.ScriptModule):
        raise SeqsaeError(
            "wrap: a TorchScript module cannot be hooked: its inner modules run outside of Python; give the original nn.Module"
        )
    if any(base.__name__ in SHARDED for base in type(module).__mro__):
        raise SeqsaeError(
            "wrap: parameters sharded over processes (FSDP) are not whole here; load the weights unsharded"
        )
    inner = getattr(module, "_orig_mod", None)  # what torch.compile makes of a module
    if inner is None and isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
        inner = module.module
    return module if inner is None else plain(inner)


def check_reach(module: nn.Module, sites: Iterable[str]) -> None:
    """Raises SeqsaeError if a site lies in a part of the network that was compiled or scripted: no hook fires there."""
    shut = {path: reason for path, part in module.named_modules() if (reason := _shut(part)) is not None}
    for site in sites:
        path = parse(site).path
        for outer, reason in shut.items():
            if outer in ("", path) or path.startswith(f"{outer}."):
                raise SeqsaeError(f"site {site!r}: module {outer!r} {reason}")


def _shut(part: nn.Module) -> str | None:
    if isinstance(part, torch.jit.ScriptModule):
        return "is TorchScript, which has no hooks; put the original nn.Module in its place"
    if hasattr(part, "_orig_mod") or part._compiled_call_impl is not None:
        return "is compiled, and hooks set later are skipped; wrap the network before torch.compile"
    return None
