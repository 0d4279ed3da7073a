"""How a place in a model is spelled: `MODULE[#CALL][:SIDE[.PART]...][@POOL]`.

    encoder.layers.2            what the module gives
    encoder.layers.2:in         its first input
    gru:out.1                   the second thing it gives; `out.hidden_states` by name, `out.0.-1` step by step
    decoder:in.hidden_states    an input by the name of its parameter
    shared#2                    its second call of a forward pass in which it runs several times; `#1` the first
    encoder.layers.2@mean       one row a subject: the mean of its rows; also @cls, @last, @pooled

Without a part the first tensor of floating-point numbers, of two axes or more, is meant.
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches

from torch import nn

from seqsae.errors import SeqsaeError

POOLS = ("mean", "cls", "last", "pooled")
SPELLING = re.compile(r"(?P<path>[^:#@]*)(?:#(?P<call>\d+))?(?::(?P<side>[^@.]*)(?P<parts>[^@]*))?(?:@(?P<pool>.*))?")


@dataclass(frozen=True)
class Site:
    """A place in a model."""

    path: str
    """Dotted module path; empty for the model itself."""
    side: str = "out"
    """`in` or `out`."""
    parts: tuple[str, ...] = ()
    """Steps from what stands there to the tensor: indices or names; none: the first tensor."""
    call: int | None = None
    """Which call of the module in one forward pass, from 1; None: it runs once."""
    pool: str | None = None
    """How rows become one row a subject: one of `POOLS`; None: a row a position."""


def parse(spelling: str) -> Site:
    """The site that is spelled so. Raises SeqsaeError for a spelling that says nothing."""
    if not isinstance(spelling, str):
        raise SeqsaeError(f"site {spelling!r} is {type(spelling).__name__}; spell it as text, as in 'encoder.layers.2'")
    if not spelling:
        raise SeqsaeError(
            "site '': name a module, as in 'encoder.layers.2', or say ':out' for what the model itself gives"
        )
    found = SPELLING.fullmatch(spelling)
    if found is None:
        raise SeqsaeError(f"site {spelling!r}: write MODULE, MODULE:in, MODULE:out.1, MODULE#2 or MODULE@mean")
    side, pool, call = found["side"], found["pool"], found["call"]
    if side not in (None, "in", "out"):
        raise SeqsaeError(f"site {spelling!r}: after the colon stands 'in' or 'out', not {side!r}")
    if pool not in (None, *POOLS):
        raise SeqsaeError(f"site {spelling!r}: after the @ stands one of {', '.join(POOLS)}, not {pool!r}")
    if call == "0":
        raise SeqsaeError(f"site {spelling!r}: calls are counted from 1")
    parts = tuple((found["parts"] or "").split(".")[1:])
    if "" in parts:
        raise SeqsaeError(f"site {spelling!r}: an index or a name is missing behind a dot")
    return Site(found["path"], side or "out", parts, None if call is None else int(call), pool)


def locate(module: nn.Module, spelling: str) -> tuple[nn.Module, Site]:
    """The submodule that a site names, and the site. Raises SeqsaeError with near names if there is none."""
    site = parse(spelling)
    try:
        return module.get_submodule(site.path), site
    except AttributeError:
        modules = [name for name, _ in module.named_modules()]
        near = get_close_matches(site.path, modules, n=3) or [name for name in modules if name][:8]
        told = f"site {spelling!r}: the model has no module {site.path!r}; near it: {', '.join(near)}"
        raise SeqsaeError(told) from None
