"""Forward hooks: find a site, read it, change it, stop behind it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

import torch
from torch import Tensor, nn

from seqsae.errors import SeqsaeError


def locate(module: nn.Module, site: str) -> tuple[nn.Module, str]:
    """The submodule and the side (`in` or `out`) that a site names. Raises SeqsaeError with near names."""
    path, _, side = site.partition(":")
    if side not in ("", "in", "out"):
        raise SeqsaeError(f"site {site!r}: after the colon stands 'in' or 'out', not {side!r}")
    modules = dict(module.named_modules())
    if path not in modules:
        near = get_close_matches(path, modules, n=3) or [name for name in modules if name][:8]
        raise SeqsaeError(f"site {site!r}: the model has no module {path!r}; near it: {', '.join(near)}")
    return modules[path], side or "out"


class _Stop(Exception):
    """Ends a forward pass from inside the last hook."""


class Capture:
    """Context in which one forward pass leaves what runs through the sites in `values`, and ends after the last."""

    def __init__(self, module: nn.Module, sites: Iterable[str]):
        self.places = {site: locate(module, site) for site in sites}
        self.values: dict[str, Tensor] = {}
        self._handles = []

    def __enter__(self) -> "Capture":
        for site, (module, side) in self.places.items():
            self._handles.append(_attach(module, side, self._reader(site)))
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

    def _reader(self, site: str) -> Callable[[Any], None]:
        def read(value: Any) -> None:
            self.values[site] = tensor_of(value, site)
            if len(self.values) == len(self.places):
                raise _Stop

        return read


@contextmanager
def replacing(module: nn.Module, site: str, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Context in which what runs through `site` is replaced by `change` of it."""
    target, side = locate(module, site)
    handle = _attach(target, side, lambda value: with_tensor(value, change(tensor_of(value, site))))
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def plain_attention() -> Iterator[None]:
    """Context without torch's fused encoder path, which skips hooks and hands nested tensors to later layers."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def _attach(module: nn.Module, side: str, visit: Callable[[Any], Any]):
    """Call `visit` with the module's output or its first input; what it returns, if anything, stands in its place."""
    if side == "out":
        return module.register_forward_hook(lambda _, __, output: visit(output))

    def enter(_, args, kwargs):
        if args:
            changed = visit(args[0])
            return None if changed is None else ((changed, *args[1:]), kwargs)
        first = next(iter(kwargs))
        changed = visit(kwargs[first])
        return None if changed is None else (args, {**kwargs, first: changed})

    return module.register_forward_pre_hook(enter, with_kwargs=True)


def tensor_of(value: Any, site: str) -> Tensor:
    """The activation tensor in a module's output: itself, the first of a tuple or dict, or a dataclass's first field."""
    if isinstance(value, Tensor):
        return value.to_padded_tensor(0.0) if value.is_nested else value
    inner = _parts(value)
    if inner and isinstance(inner[0], Tensor):
        return inner[0]
    raise SeqsaeError(
        f"site {site!r} gives {type(value).__name__}, in which there is no tensor in front; choose another site"
    )


def with_tensor(value: Any, tensor: Tensor) -> Any:
    """`value` with its activation tensor replaced."""
    if isinstance(value, Tensor):
        return tensor
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return (tensor, *value[1:])
    if isinstance(value, list):
        return [tensor, *value[1:]]
    if isinstance(value, tuple):
        return value._replace(**{value._fields[0]: tensor})
    if isinstance(value, dict):
        first = next(iter(value))
        return type(value)({**value, first: tensor})
    raise SeqsaeError(f"an output of type {type(value).__name__} cannot be replaced; choose another site")


def _parts(value: Any) -> list:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, tuple | list) else []
