"""A trained model as a folder: config.json, vocabulary.json, model.safetensors, training.json."""

import json
from dataclasses import asdict, fields
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from seqsae.errors import SeqsaeError
from seqsae.shelf import digest, write_json
from seqsae_life2vec.layout import Layout
from seqsae_life2vec.network import Life2VecEncoder
from seqsae_life2vec.shape import Shape
from seqsae_life2vec.vocabulary import Vocabulary

CONFIG, VOCABULARY, WEIGHTS, TRAINING = "config.json", "vocabulary.json", "model.safetensors", "training.json"
ARCHITECTURE = "life2vec"


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
    partial = out / (WEIGHTS + ".partial")
    save_file({name: value.detach().cpu().contiguous() for name, value in _weights(network).items()}, partial)
    partial.replace(out / WEIGHTS)


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
    return _network(path / WEIGHTS, shape), words, layout


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
    return Vocabulary(**{name: document[name] for name in kinds})


def _weights(network: Life2VecEncoder) -> dict:
    """The state dict; a tied table stands in it once."""
    state = network.state_dict()
    if network.shape.head == "published" and network.shape.tied:
        del state["head.out"]
    return state


def _network(path: Path, shape: Shape) -> Life2VecEncoder:
    network = Life2VecEncoder(shape)
    try:
        state = load_file(path)
        if network.shape.head == "published" and network.shape.tied and "embedding.token.weight" in state:
            state["head.out"] = state["embedding.token.weight"]
        network.load_state_dict(state)
    except FileNotFoundError:
        raise SeqsaeError(f"{path}: no such file; the folder holds no weights, train the model again") from None
    except SafetensorError as cause:
        raise SeqsaeError(f"{path}: cut or not safetensors ({cause}); copy it again or train the model again") from None
    except RuntimeError:
        raise SeqsaeError(
            f"{path}: its tensors are not those {CONFIG} describes; put back the two files of one model"
        ) from None
    return network


def _document(path: Path) -> dict:
    try:
        document = json.loads(path.read_text())
    except FileNotFoundError:
        raise SeqsaeError(f"{path}: no such file; give the folder of a trained life2vec model") from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise SeqsaeError(f"{path}: not valid JSON; copy it again or train the model again") from None
    if not isinstance(document, dict):
        raise SeqsaeError(f"{path}: not a JSON object; copy it again or train the model again")
    return document
