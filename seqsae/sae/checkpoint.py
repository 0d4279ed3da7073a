"""An SAE on disk: `sae.safetensors` and `config.json`, a document that says everything about it (schemas/sae.schema.json)."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from seqsae import schema, shelf
from seqsae.errors import SeqsaeError
from seqsae.sae.base import SAE, Recipe, build

WEIGHTS, CONFIG = "sae.safetensors", "config.json"
_RECIPE = ("architecture", "d_model", "width", "k", "normalisation", "seed", "options")
_NOWHERE = {"model": None, "fingerprint": None, "site": None}


def save(sae: SAE, folder: Path | str, identity: dict | None = None) -> None:
    """Write `sae.safetensors` and `config.json` into a folder, each whole or not at all.

    Args:
        identity: what the SAE reads and was trained on: `inputs` and `targets` ({model, fingerprint, site}; targets
            default to inputs), `vocabulary_hash`, `training_data` (hash of the activations' manifest), `imported` (where one
            of another tool came from). None: the SAE's own.
    Raises:
        SeqsaeError: a weight is NaN or infinite, or the identity has a field that the schema does not know.
    """
    folder = Path(folder)
    tensors = {name: _as_saved(name, value) for name, value in sae.state_dict().items()}
    folder.mkdir(parents=True, exist_ok=True)
    document = _document(sae, sae.identity if identity is None else identity)
    schema.check_document(document, "sae", str(folder / CONFIG))
    partial = folder / (WEIGHTS + ".partial")
    shelf.save_tensors(partial, tensors)
    partial.replace(folder / WEIGHTS)
    shelf.write_json(folder / CONFIG, document)


def is_one(folder: Path | str) -> bool:
    """Whether a folder has the files of one of our SAEs."""
    return (Path(folder) / WEIGHTS).exists() and (Path(folder) / CONFIG).exists()


def load(folder: Path | str) -> SAE:
    """The SAE in a folder, on the CPU, in eval mode, with its `identity`.

    Raises:
        SeqsaeError: a file is absent, cut or no checkpoint, or it is another tool's; an unknown architecture; weights that do
            not fit the config, or hold NaN or infinite values.
    """
    folder = Path(folder)
    if not is_one(folder):
        _refuse_foreign(folder)
    document = _read_document(folder / CONFIG)
    _check_size(document, folder / WEIGHTS)
    sae = build(Recipe(**{name: document[name] for name in _RECIPE}))
    tensors = _read_tensors(folder / WEIGHTS)
    _check_tensors(tensors, sae, folder / WEIGHTS)
    with torch.no_grad():  # copied in place, so that W_enc keeps its layout in memory
        for name, value in sae.state_dict().items():
            value.copy_(tensors[name])
    sae.identity = {name: value for name, value in document.items() if name not in _RECIPE}
    return sae.eval().requires_grad_(False)


def _refuse_foreign(folder: Path) -> None:
    """Raises SeqsaeError if what lies there is an SAE of another tool."""
    from seqsae.sae.formats.registry import detected

    found = detected(folder)
    if found is not None:
        raise SeqsaeError(
            f"{folder}: an SAE of {found}, not of seqsae; convert it first: seqsae convert {folder} NEW --to seqsae"
        )


def check_identity(sae: SAE, model: str, fingerprint: str, site: str) -> None:
    """Make sure that activations are of the model, weights and site that the SAE was trained on.

    Raises:
        SeqsaeError: they are not, naming both; or the SAE does not say what it reads.
    """
    reads = sae.identity.get("inputs") or _NOWHERE
    if reads["fingerprint"] is None or reads["site"] is None:
        raise SeqsaeError(
            f"this SAE does not say which model it reads, these activations are {_place(site, model, fingerprint)}; "
            "train it on harvested activations, or save it with an identity"
        )
    if (reads["fingerprint"], reads["site"]) != (fingerprint, site) or reads["model"] not in (None, model):
        raise SeqsaeError(
            f"this SAE reads {_place(reads['site'], reads['model'], reads['fingerprint'])}, these activations are "
            f"{_place(site, model, fingerprint)}; give the activations it was trained on, or another SAE"
        )


def _place(site: str, model: str | None, fingerprint: str) -> str:
    return f"{site} of {model or 'an unnamed model'} (fingerprint {fingerprint[:8]}…)"


def _document(sae: SAE, identity: dict) -> dict:
    recipe = {name: getattr(sae.config, name) for name in _RECIPE}
    inputs = identity.get("inputs", _NOWHERE)
    known = {"inputs": inputs, "targets": inputs, "vocabulary_hash": None, "training_data": None, "imported": None}
    return {**known, **identity, **recipe, "options": sae.options, "seqsae_version": _version()}


def _version() -> str:
    try:
        return version("seqsae")
    except PackageNotFoundError:
        return "unknown"


def _read_document(path: Path) -> dict:
    if not path.exists():
        raise SeqsaeError(f"{path}: no such file; give the folder of an SAE, with {CONFIG} and {WEIGHTS} in it")
    document = shelf.read_json(path, "copy the folder again or train the SAE again")
    if isinstance(document, dict):
        document.setdefault("imported", None)  # not there before SAEs could be imported
    return schema.check_document(document, "sae", str(path))


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except FileNotFoundError:
        raise SeqsaeError(f"{path}: no such file; copy it beside {CONFIG} or train the SAE again") from None
    except (OSError, SafetensorError) as cause:
        raise SeqsaeError(
            f"{path}: not a whole safetensors file ({cause}); copy it again or train the SAE again"
        ) from None


def _as_saved(name: str, value: Tensor) -> Tensor:
    """The tensor as it is written: on the CPU, numbers in float32. Raises SeqsaeError if they are not finite."""
    if not torch.isfinite(value).all():
        raise SeqsaeError(f"this SAE's {name} holds NaN or infinite values; train it again, with a lower lr")
    value = value.detach().cpu().contiguous()
    return value.float() if value.is_floating_point() else value


def _check_size(document: dict, path: Path) -> None:
    """Hold d_model and width against the file, before an SAE of that size is made."""
    wanted = [document["width"], document["d_model"]]
    try:
        with safe_open(path, "pt") as file:
            found = file.get_slice("W_dec").get_shape()
    except (OSError, SafetensorError):
        return  # told when the tensors are read
    if list(found) != wanted:
        raise SeqsaeError(
            f"{path}: W_dec is {list(found)}, {CONFIG} asks for {wanted}; take both files from one folder"
        )


def _check_tensors(tensors: dict[str, Tensor], sae: SAE, path: Path) -> None:
    expected = sae.state_dict()
    for name in sorted(set(expected) ^ set(tensors)):
        state = "is missing" if name in expected else "does not belong there"
        raise SeqsaeError(
            f"{path}: the tensor {name!r} {state}, architecture {sae.config.architecture!r} has {', '.join(expected)}; "
            f"take weights and {CONFIG} from one folder"
        )
    for name, wanted in expected.items():
        found = tensors[name]
        if found.shape != wanted.shape or found.dtype != wanted.dtype:
            raise SeqsaeError(
                f"{path}: {name} is {_form(found)}, {CONFIG} asks for {_form(wanted)}; take both files from one folder"
            )
        if not torch.isfinite(found).all():
            raise SeqsaeError(
                f"{path}: {name} holds NaN or infinite values; train the SAE again or take an earlier copy"
            )
    if not (tensors["scale"] > 0).all():
        raise SeqsaeError(
            f"{path}: the normaliser's scale is {tensors['scale'].min().item()}, not above 0; train the SAE again"
        )


def _form(tensor: Tensor) -> str:
    return f"{list(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"
