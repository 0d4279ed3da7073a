"""The fields of a config.json that the library which builds the modules takes without a look, or refuses without naming them."""

import math
from collections.abc import Callable, Iterator
from typing import Any

from transformers.activations import ACT2FN

from seqsae.errors import SeqsaeError

POSITIONS = {  # architecture -> what it can do; another name, or null, leaves it without positions and without a word
    "BertForMaskedLM": ("absolute",),
    "RobertaForMaskedLM": ("absolute",),
    "EsmForMaskedLM": ("absolute", "rotary"),
}
REMEDY = "fetch the model again"
Rule = tuple[Callable[[Any], bool], str]  # what a value must pass, and that in words


def architectures(fields: dict[str, Any], where: str) -> list[str]:
    """The names under `architectures`. Raises SeqsaeError if it is no list of names."""
    given = fields.get("architectures") or []
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        raise SeqsaeError(f"{where}: architectures is {given!r}, not a list of names; {REMEDY}")
    return given


def check(fields: dict[str, Any], kind: str, mask: int | None, where: str) -> None:
    """Raises SeqsaeError naming the first field whose value `kind` cannot be built with, or not as it was trained.

    Args:
        kind: the architecture.
        mask: id of the mask token in the vocabulary; None: it has none.
    """
    for name, wanted in _wrong(fields, kind, mask):
        raise SeqsaeError(f"{where}: {name} is {fields.get(name)!r}, expected {wanted}; {REMEDY}")


def _wrong(fields: dict[str, Any], kind: str, mask: int | None) -> Iterator[tuple[str, str]]:
    """Field and what is wanted of it."""
    for name, value in fields.items():
        if name in RULES and not RULES[name][0](value):
            yield name, RULES[name][1]
    name, choice = "position_embedding_type", POSITIONS.get(kind, ())
    if choice and fields.get(name, choice[0]) not in choice:
        yield name, " or ".join(map(repr, choice))
    if choice and fields.get("is_decoder"):
        yield "is_decoder", "false: the model is read in both directions"
    yield from _wrong_mask(fields, mask)


def _wrong_mask(fields: dict[str, Any], mask: int | None) -> Iterator[tuple[str, str]]:
    """The mask token, where config.json names one or the embedding is scaled by how many there are (ESM's token dropout)."""
    name, needed = "mask_token_id", bool(fields.get("token_dropout"))
    given = fields.get(name)
    if given is None and not needed:
        return
    if not _whole(given) or (mask is not None and given != mask):
        yield name, "a whole number" if mask is None else f"{mask}, the mask token's id in the vocabulary"


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _size(most: int) -> Rule:
    return lambda value: _whole(value) and 1 <= value <= most, f"a whole number from 1 to {most:,}"


def _activation(value: Any) -> bool:
    return isinstance(value, str) and value in ACT2FN


def _projection(value: Any) -> bool:
    return isinstance(value, str) and value.removeprefix("gated-") in ACT2FN


def _small(value: Any) -> bool:
    return _number(value) and 0 < value < math.inf


SIZES = (
    "vocab_size", "hidden_size", "num_attention_heads", "intermediate_size", "max_position_embeddings", "n_embd", "n_head", "n_positions",
    "d_model", "d_ff", "d_kv", "num_heads",
)  # fmt: skip
RULES: dict[str, Rule] = {  # the bounds lie beyond any model: one built so large would only fill the memory
    **dict.fromkeys(SIZES, _size(2**24)),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "num_layers"), _size(1000)),
    **dict.fromkeys(
        ("hidden_act", "activation_function", "dense_act_fn"), (_activation, "the name of an activation function")
    ),
    "feed_forward_proj": (_projection, "the name of an activation function, or gated- and the name"),
    **dict.fromkeys(("layer_norm_eps", "layer_norm_epsilon"), (_small, "a number above 0")),
}
