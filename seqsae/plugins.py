"""Extension by name: built-in names and entry points, found without importing anything until asked.

Groups: `seqsae.sources`, `seqsae.models`, `seqsae.saes`. A name offered by two packages is an error,
never a silent choice.
"""

from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points

from seqsae.errors import SeqsaeError

BUILTIN = {
    "sources": {
        "meds": "seqsae.records.reading:local",
        "fasta": "seqsae.records.reading:local",
        "sequences": "seqsae.records.reading:local",
    },
    "models": {"meds": "seqsae.models.meds:open"},
    "saes": {
        "relu": "seqsae.sae.architectures.relu:ReLU",
        "gated": "seqsae.sae.architectures.gated:Gated",
        "jumprelu": "seqsae.sae.architectures.jumprelu:JumpReLU",
        "topk": "seqsae.sae.architectures.topk:TopK",
        "batchtopk": "seqsae.sae.architectures.batchtopk:BatchTopK",
        "matryoshka": "seqsae.sae.architectures.matryoshka:Matryoshka",
        "switch": "seqsae.sae.architectures.switch:Switch",
        "codebook": "seqsae.sae.architectures.codebook:Codebook",
    },
}


def offered(kind: str) -> dict[str, EntryPoint]:
    """Every name offered for `kind` (a key of `BUILTIN`), unloaded. Raises SeqsaeError if two packages offer one name."""
    group = f"seqsae.{kind}"
    found = {name: EntryPoint(name, value, group) for name, value in BUILTIN[kind].items()}
    for point in entry_points(group=group):
        other = found.get(point.name)
        if other is not None and other.value != point.value:
            raise SeqsaeError(
                f"two packages offer the {group} name {point.name!r}: {other.value} and {point.value}; uninstall one"
            )
        found[point.name] = point
    return found


def find(kind: str, name: str):
    """The object that `name` stands for. Raises SeqsaeError with the nearest name and all that is offered."""
    found = offered(kind)
    if name not in found:
        near = get_close_matches(name, found, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        names = ", ".join(sorted(found)) or "nothing (is the plugin installed?)"
        raise SeqsaeError(f"no {kind[:-1]} named {name!r}; {hint}offered: {names} (see `seqsae plugins`)")
    try:
        return found[name].load()
    except (ImportError, AttributeError) as cause:
        raise SeqsaeError(
            f"the {kind[:-1]} {name!r} ({found[name].value}) does not load: {cause}; reinstall the package that offers it"
        ) from cause
