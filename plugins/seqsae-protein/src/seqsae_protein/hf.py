"""Protein language models in the folder format of the transformers library, read offline: the model `hf-protein`."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn

from seqsae.errors import SeqsaeError
from seqsae_protein import asked, config_fields, weights
from seqsae_protein.alphabet import Alphabet, read
from seqsae_protein.families import ALIASES, FAMILIES, chosen, context, family
from seqsae_protein.reading import STRICT, Reading, reading
from seqsae_protein.residues import ResidueModel

SHAPE = (  # config fields that change what the weights compute: part of the fingerprint
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "n_inner",
    "hidden_act",
    "activation_function",
    "layer_norm_eps",
    "layer_norm_epsilon",
    "position_embedding_type",
    "token_dropout",
    "emb_layer_norm_before",
    "pad_token_id",
    "mask_token_id",
    "d_ff",
    "d_kv",
    "feed_forward_proj",
    "relative_attention_num_buckets",
    "relative_attention_max_distance",
    "rope_parameters",
)
LEAST = 3  # positions: a residue between a start and an end token
UNUSED = ("architectures", "auto_map", "_name_or_path", "transformers_version", "model_type", "dtype", "torch_dtype")


def open(
    path: str | Path | None = None,
    *,
    name: str | None = None,
    sites: Iterable[str] | str | None = None,
    untrained: bool = False,
    device: str = "cpu",
    **policies: Any,
) -> ResidueModel:
    """The model in a folder with config.json, weights and vocab.txt, tokenizer.json or spiece.model. Nothing is fetched.

    Args:
        name: how to call it in manifests; default: the folder's name.
        sites: module paths or kinds of sites (`families.KINDS`); default: the residual stream after every block.
        untrained: leave the weights as the architecture starts them (seeded), the control that a learnt feature must beat.
        policies: `gaps`, `stops`, `rare`, `unknown`, `long`, `overlap`, `longest`, as in `Reading`.
    Raises:
        SeqsaeError: no such folder, another architecture, tokens of several characters, damaged weights, a wrong option.
    """
    if path is None:
        raise SeqsaeError("model hf-protein: no path; give the folder that holds config.json and the weights")
    _check(path, name, untrained)
    folder, policy = Path(path), reading(policies, "hf-protein")
    fields = read_config(folder)
    kind = _architecture(fields, folder)
    alphabet = read(folder)
    module = build(kind, fields, alphabet, str(folder))
    if not untrained:
        weights.fill(module, weights.read_folder(folder), str(folder), FAMILIES[kind].spare)
    called = name or folder.resolve().name
    return residue_model(module, alphabet, name=called, sites=sites, device=device, policy=policy)


def _check(path: Any, name: Any, untrained: Any) -> None:
    """Raises SeqsaeError for an option of another type."""
    asked.text("model hf-protein", "path", path, "the folder that holds config.json and the weights")
    asked.text("model hf-protein", "name", name, "a text, or leave it out: the folder's name is taken")
    asked.flag("model hf-protein", "untrained", untrained)
    if isinstance(name, Path):
        raise SeqsaeError(f"model hf-protein: name = {name!r}; give a text")


def _architecture(fields: dict[str, Any], folder: Path) -> str:
    """The first of `FAMILIES` among the config's architectures."""
    where = folder / "config.json"
    given = config_fields.architectures(fields, str(where))
    named = [ALIASES.get(kind, kind) for kind in given]
    found = next((kind for kind in named if kind in FAMILIES), None)
    if found is None:
        told = ", ".join(given) or "none"
        raise SeqsaeError(f"{where}: architectures: {told}; expected one of {', '.join(FAMILIES)}")
    return found


def read_config(folder: Path) -> dict[str, Any]:
    """config.json as a dict. Raises SeqsaeError if the folder, the file or its JSON is missing."""
    path = folder / "config.json"
    if not path.is_file():
        raise SeqsaeError(f"{folder}: no config.json there; give the folder of a model in the transformers format")
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as cause:
        raise SeqsaeError(f"{path}: not valid JSON ({cause}); fetch the model again") from None
    if not isinstance(fields, dict):
        raise SeqsaeError(f"{path}: not a JSON object; fetch the model again")
    return fields


def build(kind: str, fields: dict[str, Any], alphabet: Alphabet, where: str) -> nn.Module:
    """A module of one of `FAMILIES` with the config's shape and untrained weights; torch's random state is kept.

    Raises SeqsaeError if the config cannot be used or does not fit the alphabet.
    """
    config_fields.check(fields, kind, alphabet.mask, f"{where}: config.json")
    try:
        config = getattr(transformers, FAMILIES[kind].config)(**_usable(fields, alphabet))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            module = getattr(transformers, kind)(config)
    except Exception as cause:  # the library checks a config in many ways
        reason = " ".join(str(cause).split())[:240] or type(cause).__name__
        raise SeqsaeError(f"{where}: config.json makes no {kind} ({reason}); fetch the model again") from None
    _check_fit(module, alphabet, where)
    return module


def _check_fit(module: nn.Module, alphabet: Alphabet, where: str) -> None:
    """Raises SeqsaeError if module and alphabet are of different models, or no residue fits between the special tokens."""
    config, found = module.config, family(module)
    if config.vocab_size < len(alphabet.tokens):
        raise SeqsaeError(
            f"{where}: {len(alphabet.tokens)} tokens in the vocabulary but vocab_size {config.vocab_size} in "
            "config.json; they are of different models"
        )
    if found.reserved == "padding" and config.pad_token_id != alphabet.pad:
        raise SeqsaeError(
            f"{where}: padding is id {config.pad_token_id} in config.json, {alphabet.pad} in the vocabulary; "
            "they are of different models"
        )
    room = context(module)
    if room is not None and room < LEAST:
        raise SeqsaeError(
            f"{where}: {found.context} is {getattr(config, found.context)} in config.json, which leaves no room for a residue; "
            "fetch the model again"
        )


def residue_model(
    module: nn.Module,
    alphabet: Alphabet,
    *,
    name: str,
    sites: Iterable[str] | str | None = None,
    device: str = "cpu",
    policy: Reading = STRICT,
) -> ResidueModel:
    """A filled module of one of `FAMILIES` as a SequenceModel."""
    config = module.config
    fields = {key: getattr(config, key) for key in SHAPE if hasattr(config, key)}
    return ResidueModel(
        module,
        chosen(module, sites),
        alphabet,
        context(module),
        policy,
        family(module).starts,
        name=name,
        attention=family(module).attention,
        config={"architecture": type(module).__name__, **fields},
        device=device,
    )


def _usable(fields: dict[str, Any], alphabet: Alphabet) -> dict[str, Any]:
    """The config without what shapes no module, and with the vocabulary's own special tokens.

    Small causal models often carry the start and end ids of a text model that has 50,257 tokens.
    """
    ids = {"bos_token_id": alphabet.start, "eos_token_id": alphabet.end, "mask_token_id": alphabet.mask}
    return {key: value for key, value in fields.items() if key not in UNUSED} | ids
