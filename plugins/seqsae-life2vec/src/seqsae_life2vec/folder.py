"""A trained model as a folder: config.json, vocabulary.json, model.safetensors, training.json."""

import json
from dataclasses import asdict, fields
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from seqsae.errors import SeqsaeError
from seqsae.shelf import digest, write_json
from seqsae_life2vec.network import Life2VecEncoder, Shape
from seqsae_life2vec.vocabulary import Vocabulary

CONFIG, VOCABULARY, WEIGHTS, TRAINING = "config.json", "vocabulary.json", "model.safetensors", "training.json"
ARCHITECTURE = "life2vec"


def save(out: Path, network: Life2VecEncoder, words: Vocabulary, max_length: int, training: dict) -> None:
    """Write the four files, each replaced whole."""
    config = {
        "architecture": ARCHITECTURE,
        "shape": asdict(network.shape),
        "max_length": max_length,
        "vocabulary_sha256": digest(words.tokens),
    }
    write_json(out / VOCABULARY, {"tokens": words.tokens, "left_out": words.left_out})
    write_json(out / CONFIG, config)
    write_json(out / TRAINING, training)
    partial = out / (WEIGHTS + ".partial")
    save_file({name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}, partial)
    partial.replace(out / WEIGHTS)


def load(path: Path) -> tuple[Life2VecEncoder, Vocabulary, dict]:
    """Network, vocabulary and config of a folder.

    Raises:
        SeqsaeError: the folder or a file is missing, a file is cut or of another model, or the vocabulary is not the one
            that the weights were trained with.
    """
    if not path.is_dir():
        raise SeqsaeError(f"{path}: no such folder; give the folder of a trained life2vec model")
    config, document = _document(path / CONFIG), _document(path / VOCABULARY)
    shape = _shape(path / CONFIG, config)
    if not isinstance(document.get("tokens"), list):
        raise SeqsaeError(f"{path / VOCABULARY}: has no list `tokens`; train the model again")
    words = Vocabulary(document["tokens"], document.get("left_out", {}))
    if len(words) != shape.n_tokens or digest(words.tokens) != config.get("vocabulary_sha256"):
        raise SeqsaeError(
            f"{path / VOCABULARY}: {len(words)} tokens that are not those the weights were trained with ({shape.n_tokens}); "
            "put back the vocabulary of this model"
        )
    return _network(path / WEIGHTS, shape), words, config


def _shape(path: Path, config: dict) -> Shape:
    given, wanted = config.get("shape"), {field.name for field in fields(Shape)}
    if config.get("architecture") != ARCHITECTURE or not isinstance(given, dict) or set(given) != wanted:
        raise SeqsaeError(f"{path}: does not describe a {ARCHITECTURE} model of this version; train the model again")
    if not isinstance(config.get("max_length"), int):
        raise SeqsaeError(f"{path}: has no max_length; train the model again")
    return Shape(**given)


def _network(path: Path, shape: Shape) -> Life2VecEncoder:
    network = Life2VecEncoder(shape)
    try:
        network.load_state_dict(load_file(path))
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
