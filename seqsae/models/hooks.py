"""Forward hooks: read a site, change it, count it, stop behind it."""

import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import torch
from torch import nn

from seqsae.errors import SeqsaeError
from seqsae.models import parts
from seqsae.models.sites import Site, locate


class _Stop(Exception):
    """Ends a forward pass from inside the last hook."""


class Capture:
    """Context in which one forward pass leaves what `read` makes of each site in `values`, and ends after the last.

    What a site gives is read when it is there: a later module may write over it in place.
    """

    def __init__(self, module: nn.Module, sites: Iterable[str], read: Callable[[str, Any], Any]):
        self.places = {site: locate(module, site) for site in sites}
        self.values: dict[str, Any] = {}
        self._read, self._handles = read, []

    def __enter__(self) -> "Capture":
        for spelling, (module, site) in self.places.items():
            self._handles.append(_attach(module, site, _Turn(spelling, site, self._keep)))
        return self

    def __exit__(self, kind, error, trace) -> bool:
        for handle in self._handles:
            handle.remove()
        return kind is _Stop

    def require(self, sites: list[str]) -> list[str]:
        """`sites` if every one of them was reached. Raises SeqsaeError otherwise."""
        for site in sites:
            if site not in self.values:
                raise SeqsaeError(f"site {site!r} did not run in the forward pass; choose a module that does")
        return sites

    def _keep(self, spelling: str, value: Any) -> None:
        self.values[spelling] = self._read(spelling, parts.get(value, self.places[spelling][1].parts, spelling))
        if len(self.values) == len(self.places):
            raise _Stop


@contextmanager
def replacing(module: nn.Module, spelling: str, change: Callable[[Any], Any]) -> Iterator[None]:
    """Context in which what runs through a site is replaced by `change` of it. Raises SeqsaeError if nothing did."""
    target, site = locate(module, spelling)

    def splice(_, value: Any) -> Any:
        return parts.put(value, site.parts, change(parts.get(value, site.parts, spelling)), spelling)

    turn = _Turn(spelling, site, splice)
    handle = _attach(target, site, turn)
    try:
        yield
    finally:
        handle.remove()
    if not turn.done:
        raise SeqsaeError(f"site {spelling!r} did not run in the forward pass; choose a module that does")


def count(module: nn.Module, sites: Iterable[str], run: Callable[[], Any]) -> dict[str, int]:
    """How often the module of each site is called while `run` does a forward pass, to its end or to where it fails."""
    calls = dict.fromkeys(sites, 0)

    def visit(site: str) -> Callable:
        def note(*_) -> None:
            calls[site] += 1

        return note

    with ExitStack() as stack:
        for site in calls:
            stack.callback(locate(module, site)[0].register_forward_pre_hook(visit(site)).remove)
        with torch.no_grad(), suppress(Exception):  # a head that wants more input is no concern of the sites before it
            run()
    return calls


def several(site: str, times: int | str) -> SeqsaeError:
    """The refusal of a site whose module runs more than once."""
    path = site.partition(":")[0].partition("@")[0]
    return SeqsaeError(
        f"site {site!r} runs {times} times in one forward pass: its rows would be of different depths or steps; "
        f"say which call, as in {path}#1, or choose the module around them"
    )


@contextmanager
def plain_kernels(module: nn.Module) -> Iterator[None]:
    """Context without two fast paths: torch's fused encoder, which skips hooks, and cuDNN's recurrence under gradients.

    The first hands nested tensors to later layers; the second refuses a backward pass in eval mode.
    """
    before = torch.backends.mha.get_fastpath_enabled()
    recurrent = torch.is_grad_enabled() and any(isinstance(one, nn.RNNBase) for one in module.modules())
    with ExitStack() as stack:
        torch.backends.mha.set_fastpath_enabled(False)
        stack.callback(torch.backends.mha.set_fastpath_enabled, before)
        if recurrent:
            stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        yield


class _Turn:
    """Lets a hook act on one call of a module in a forward pass: the named one, or the only one."""

    def __init__(self, spelling: str, site: Site, act: Callable[[str, Any], Any]):
        self.spelling, self.call, self.act = spelling, site.call, act
        self.seen, self.done = 0, False

    def __call__(self, value: Any) -> Any:
        self.seen += 1
        if self.call is None and self.seen > 1:
            raise several(self.spelling, "several")
        if self.seen != (self.call or 1):
            return None
        self.done = True
        return self.act(self.spelling, value)


def _attach(module: nn.Module, site: Site, turn: _Turn):
    """Call `turn` with the module's output or its inputs; what it returns, if anything, stands in their place."""
    if site.side == "out":
        return module.register_forward_hook(lambda _, __, output: turn(output))
    names = [
        name for name, one in inspect.signature(module.forward).parameters.items() if one.kind is not one.VAR_KEYWORD
    ]

    def enter(_, args, kwargs):
        given = dict(zip(names, args, strict=False)) if len(args) <= len(names) else dict(enumerate(args))
        changed = turn({**given, **kwargs})
        if changed is None:
            return None
        values = list(changed.values())
        return tuple(values[: len(args)]), dict(zip(kwargs, values[len(args) :], strict=True))

    return module.register_forward_pre_hook(enter, with_kwargs=True)
