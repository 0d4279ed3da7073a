"""The formats by name, and the two doors `read` and `write`."""

from pathlib import Path
from types import ModuleType
from typing import Any

from seqsae.errors import SeqsaeError
from seqsae.sae.base import SAE
from seqsae.sae.formats import (
    dictionary_learning,
    esmc,
    interplm,
    interprot,
    openai,
    overcomplete,
    saelens,
    sparsify,
)
from seqsae.sae.formats.ours import parts_of, sae_of
from seqsae.sae.formats.parts import Parts, checked
from seqsae.shelf import sha256

FORMATS: dict[str, ModuleType] = {
    module.NAME: module
    for module in (saelens, sparsify, esmc, interplm, dictionary_learning, openai, overcomplete, interprot)
}
"""Every format of another tool; `detected` asks them in this order."""


def detected(path: Path | str) -> str | None:
    """Name of the format that a path looks like, None if it is none of them."""
    path = Path(path)
    return next((name for name, module in FORMATS.items() if path.exists() and module.here(path)), None)


def read(
    path: Path | str, format: str | None = None, *, model: str | None = None, site: str | None = None, **options: Any
) -> SAE:
    """An SAE of our own from a foreign checkpoint, on the CPU, in eval mode; it gives the codes and reconstructions of the original.

    Its `identity["imported"]` says where it came from. No file names the weights of the model it reads, so that it is held
    against the activations themselves when they are encoded.

    Args:
        path: a folder, or a file where the format is one.
        format: a name of `FORMATS`; by default what the files look like.
        model: name of the model it reads, if you know it.
        site: where in the model, if you know it; else `seqsae.encode` is to be told.
        options: what the file does not say: k (active latents a row), layer (which of several), architecture (where tensors fit two),
            scale (what activations were multiplied by), scaled (codes over their largest values).
    Raises:
        SeqsaeError: no such format or none seen, an option that it does not take, an SAE that has no counterpart here, or a file that
            is cut, inconsistent, not finite, or holds more than tensors.
    """
    path = Path(path)
    name = format or detected(path)
    if name is None:
        state = "looks like none of them" if path.exists() else "is not there"
        raise SeqsaeError(
            f"{path}: {state}; formats are {', '.join(FORMATS)}, name one with --from if the files were renamed"
        )
    module = named(name)
    parts = checked(module.read(path, **_options(module, options)), str(path))
    sae = sae_of(parts)
    sae.identity = _identity(parts, name, model, site)
    return sae


def write(sae: SAE, path: Path | str, format: str) -> None:
    """One of our SAEs as a checkpoint of another tool, whole or not at all.

    Args:
        path: a new folder, or a new file where the format is one.
    Raises:
        SeqsaeError: no such format, something lies there already, or the format cannot hold this SAE; says why.
    """
    module = named(format)
    try:
        parts = checked(parts_of(sae, module.INPUTS), "its weights")
    except SeqsaeError as cause:
        raise SeqsaeError(f"{path}: {format} cannot hold this SAE: {cause}") from None
    why = _refusal(module, parts)
    if why is not None:
        raise SeqsaeError(f"{path}: {format} cannot hold this SAE: {why}; choose another format")
    reads = sae.identity.get("inputs") or {}
    said = {"model": reads.get("model"), "site": reads.get("site"), "fingerprint": reads.get("fingerprint")}
    said |= {key: (sae.identity.get("imported") or {}).get("said", {}).get(key) for key in ("layer", "reads")}
    parts.said.update({key: value for key, value in said.items() if value is not None})
    module.write(parts, Path(path))


def named(name: str) -> ModuleType:
    """The module of a format. Raises SeqsaeError if there is none of that name."""
    if name not in FORMATS:
        raise SeqsaeError(f"no format named {name!r}; choose one of {', '.join(FORMATS)}")
    return FORMATS[name]


def _refusal(module: ModuleType, parts: Parts) -> str | None:
    """Why a format cannot hold the parts, None if it can."""
    if parts.kind not in module.KINDS:
        return f"it is a {parts.kind}, that format holds {', '.join(module.KINDS)}"
    if parts.input.kind not in module.INPUTS:
        return f"that format normalises rows by {' or '.join(module.INPUTS)}, this SAE by {parts.input.kind}"
    return module.refusal(parts) if hasattr(module, "refusal") else None


def _options(module: ModuleType, options: dict[str, Any]) -> dict[str, Any]:
    """Those that were given. Raises SeqsaeError if the format's reader has no use for one."""
    given = {name: value for name, value in options.items() if value is not None and value is not False}
    for name in given:
        if name not in module.OPTIONS:
            known = ", ".join(module.OPTIONS) or "none"
            raise SeqsaeError(f"{module.NAME}: its files need no {name}; options of this format: {known}")
    return given


def _kept(said: dict) -> dict | None:
    """What one of our own SAEs reads, which a format with room for it has kept."""
    own = said.get("seqsae")
    own = {key: own.get(key) for key in ("model", "fingerprint", "site")} if isinstance(own, dict) else {}
    return own if own and all(isinstance(value, str) for value in own.values()) else None


def _identity(parts: Parts, name: str, model: str | None, site: str | None) -> dict:
    reads = _kept(parts.said) or {"model": model, "fingerprint": None, "site": site}
    imported = {
        "format": name,
        "files": {file.name: sha256(file) for file in parts.files},
        "said": parts.said,
        "notes": list(parts.notes),
    }
    return {"inputs": reads, "targets": reads, "imported": imported}
