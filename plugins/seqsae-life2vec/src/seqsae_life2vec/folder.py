"""A trained model as a folder: config.json, vocabulary.json, model.safetensors, training.json."""

from dataclasses import asdict, fields
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from seqsae.errors import SeqsaeError
from seqsae.models.devices import memory
from seqsae.shelf import digest, read_json, save_tensors, write_json
from seqsae_life2vec.layout import Layout
from seqsae_life2vec.network import Life2VecEncoder
from seqsae_life2vec.shape import Shape
from seqsae_life2vec.vocabulary import Vocabulary

CONFIG, VOCABULARY, WEIGHTS, TRAINING = "config.json", "vocabulary.json", "model.safetensors", "training.json"
FILES = (CONFIG, VOCABULARY, WEIGHTS, TRAINING)
ARCHITECTURE = "life2vec"
AGAIN = "copy the folder again or train the model again"


def save(out: Path, network: Life2VecEncoder, words: Vocabulary, layout: Layout, training: dict) -> None:
    """Write the four files, each replaced whole."""
    document = {"tokens": words.tokens, "edges": words.edges, "rolled": words.rolled}
    config = {
        "architecture": ARCHITECTURE,
        "shape": asdict(network.shape),
        "layout": asdict(layout),
        "vocabulary_sha256": digest(document),
    }
    write_json(out / VOCABULARY, document | {"counts": words.counts})
    write_json(out / CONFIG, config)
    write_json(out / TRAINING, training)
    save_whole(out / WEIGHTS, _weights(network))


def save_whole(path: Path, state: dict[str, Tensor], note: dict[str, str] | None = None) -> None:
    """Write tensors so that a reader sees the old or the new file; what does not fit on the disk is taken away again."""
    partial = path.with_suffix(".partial")
    try:
        save_tensors(partial, {name: value.detach().cpu().contiguous() for name, value in state.items()}, note)
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def kept(out: Path, key: str) -> dict | None:
    """What training.json says of the finished model in `out`, if it is the one of `key`; None where a model can be written.

    Raises:
        SeqsaeError: there is another model, or something that is none of ours, where the files would stand.
    """
    for name in FILES:
        if (out / name).is_dir():
            raise SeqsaeError(f"{out / name}: is a folder, where the model's file would stand; give another --out")
    if not (out / CONFIG).exists():
        return None
    config = read_json(out / CONFIG, "it is no model's; give another folder")
    if not isinstance(config, dict) or config.get("architecture") != ARCHITECTURE:
        raise SeqsaeError(f"{out / CONFIG}: is of something else than a {ARCHITECTURE} model; give another folder")
    if not all((out / name).is_file() for name in FILES):
        return None  # killed while it was written
    report = read_json(out / TRAINING, AGAIN)
    if not isinstance(report, dict) or report.get("key") != key:
        raise SeqsaeError(
            f"{out}: holds a model of other data, options or another seed; give another folder, or delete this one"
        )
    return report


def load(path: Path) -> tuple[Life2VecEncoder, Vocabulary, Layout]:
    """Network, vocabulary and document layout of a folder.

    Raises:
        SeqsaeError: the folder or a file is missing, a file is cut or of another model, or the vocabulary is not the one
            that the weights were trained with.
    """
    if not path.is_dir():
        raise SeqsaeError(f"{path}: no such folder; give the folder of a trained life2vec model")
    config, document = _document(path / CONFIG), _document(path / VOCABULARY)
    if config.get("architecture") != ARCHITECTURE:
        raise SeqsaeError(f"{path / CONFIG}: does not describe a {ARCHITECTURE} model; give the folder of one")
    shape, layout = (_made(path / CONFIG, config, kind) for kind in (Shape, Layout))
    words = _words(path / VOCABULARY, document)
    learnt = {"tokens": words.tokens, "edges": words.edges, "rolled": words.rolled}
    if len(words) != shape.n_tokens or digest(learnt) != config.get("vocabulary_sha256"):
        raise SeqsaeError(
            f"{path / VOCABULARY}: {len(words)} tokens that are not those the weights were trained with ({shape.n_tokens}); "
            "put back the vocabulary of this model"
        )
    return _network(path / WEIGHTS, checked_size(shape, "cpu", 4, str(path / CONFIG))), words, layout


def checked_size(shape: Shape, device: str, n_bytes: int, where: str) -> Shape:
    """The shape itself. Raises SeqsaeError if its weights, at `n_bytes` each, are more than the device has memory."""
    needed, there = shape.n_weights * n_bytes, memory(device)
    if there is not None and needed > there:
        raise SeqsaeError(
            f"{where}: a network of {shape.n_weights:,} weights needs {needed / 2**30:,.0f} GiB, {device} has "
            f"{there / 2**30:,.0f}; give smaller sizes"
        )
    return shape


def _made(path: Path, config: dict, kind: type):
    """The Shape or Layout that a config holds under its name."""
    given, wanted = config.get(kind.__name__.lower()), {field.name: field.type for field in fields(kind)}
    right = isinstance(given, dict) and set(given) == set(wanted)
    if not right or any(type(value) is not wanted[name] for name, value in given.items()):
        raise SeqsaeError(f"{path}: does not describe a {ARCHITECTURE} model of this version; train the model again")
    return kind(**given)


def _words(path: Path, document: dict) -> Vocabulary:
    kinds = {"tokens": list, "edges": dict, "rolled": dict, "counts": dict}
    for name, kind in kinds.items():
        if not isinstance(document.get(name), kind):
            raise SeqsaeError(f"{path}: has no {kind.__name__} `{name}`; train the model again")
    texts = [*document["tokens"], *document["rolled"].values()]
    edges = document["edges"].values()
    if not all(isinstance(text, str) for text in texts) or not all(isinstance(found, list) for found in edges):
        raise SeqsaeError(f"{path}: a token is no text, or an edge no list of numbers; {AGAIN}")
    return Vocabulary(**{name: document[name] for name in kinds})


def _weights(network: Life2VecEncoder) -> dict:
    """The state dict; a tied table stands in it once."""
    state = network.state_dict()
    if network.shape.head == "published" and network.shape.tied:
        del state["head.out"]
    return state


def _network(path: Path, shape: Shape) -> Life2VecEncoder:
    if not path.is_file():
        raise SeqsaeError(f"{path}: no such file; the folder holds no weights, train the model again")
    network = Life2VecEncoder(shape)
    try:
        state = load_file(path)
        if network.shape.head == "published" and network.shape.tied and "embedding.token.weight" in state:
            state["head.out"] = state["embedding.token.weight"]
        network.load_state_dict(state)
    except (SafetensorError, OSError) as cause:
        raise SeqsaeError(f"{path}: cut or not safetensors ({cause}); copy it again or train the model again") from None
    except RuntimeError:
        raise SeqsaeError(
            f"{path}: its tensors are not those {CONFIG} describes; put back the two files of one model"
        ) from None
    if not all(torch.isfinite(value).all() for value in state.values()):
        raise SeqsaeError(f"{path}: its weights hold NaN or infinite numbers; {AGAIN}")
    return network


def _document(path: Path) -> dict:
    document = read_json(path, "give the folder of a trained life2vec model, or " + AGAIN)
    if not isinstance(document, dict):
        raise SeqsaeError(f"{path}: not a JSON object; {AGAIN}")
    return document
