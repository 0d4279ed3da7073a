"""Where things are in each architecture of the transformers library that is read here: one line of the table a kind of site.

Which of transformers' `hidden_states` is which site: `hidden_states[0]` is the embedding, `hidden_states[i]` the residual
stream after block i - 1 - but the last one stands *behind* the final norm in the architectures that have one (ESM-2,
ESM C, T5, GPT-2), where the residual stream after the last block is in no `hidden_states` at all.
"""

from collections.abc import Iterable
from typing import NamedTuple

from torch import nn

from seqsae.errors import SeqsaeError
from seqsae_protein import asked

KINDS = ("embedding", "residual", "attention-write", "mlp-hidden", "mlp-write", "final-norm")


class Family(NamedTuple):
    """Where things are in an architecture."""

    config: str
    """Name of its config class."""
    embedding: str
    """Module path of what enters the first block."""
    blocks: str
    """Module path of the list of blocks; the output of block i is the residual stream after it."""
    attention_write: str
    """Below a block: what attention adds to the residual stream, before any scaling or norm of the sum."""
    mlp_hidden: str
    """Below a block: the hidden neurons of the MLP, after their activation function (and gate)."""
    mlp_write: str
    """Below a block: what the MLP adds to the residual stream."""
    final_norm: str
    """Module path of the norm behind the last block; "" if there is none."""
    context: str
    """Config field with the number of positions; "" if there is no limit."""
    reserved: str
    """What of these is no position: "" none, "padding" those up to the padding id."""
    spare: tuple[str, ...]
    """Prefixes of weights that are not needed: poolers, pre-training heads."""
    attention: str = "bidirectional"
    starts: bool = True
    """Whether the start token, where the vocabulary has one, stands before a sequence."""


def _like_bert(config: str, name: str, reserved: str, spare: tuple[str, ...]) -> Family:
    """BERT and RoBERTa: post-LN, so the sum of a block and what it writes is normalised."""
    paths = (
        f"{name}.embeddings",
        f"{name}.encoder.layer",
        "attention.output.dense",
        "intermediate",
        "output.dense",
        "",
    )
    return Family(config, *paths, "max_position_embeddings", reserved, spare)


FAMILIES = {
    "BertForMaskedLM": _like_bert("BertConfig", "bert", "", ("bert.pooler.", "cls.seq_relationship.")),
    "RobertaForMaskedLM": _like_bert("RobertaConfig", "roberta", "padding", ("roberta.pooler.",)),
    # RoBERTa counts positions from the padding id + 1; ESM keeps the layout, also with rotary positions.
    "EsmForMaskedLM": _like_bert(
        "EsmConfig",
        "esm",
        "padding",
        ("esm.pooler.", "esm.contact_head.", "esm.embeddings.position_embeddings."),
    )._replace(final_norm="esm.encoder.emb_layer_norm_after"),
    "EsmcForMaskedLM": Family(
        "EsmcConfig",
        "esmc.embed_tokens",
        "esmc.layers",
        "self_attn.o_proj",
        "mlp.down_proj:in",
        "mlp.down_proj",
        "esmc.norm",
        "max_position_embeddings",
        "",
        (),
    ),
    "T5EncoderModel": Family(
        "T5Config",
        "encoder.embed_tokens",
        "encoder.block",
        "layer.0.SelfAttention",
        "layer.1.DenseReluDense.wo:in",
        "layer.1.DenseReluDense",
        "encoder.final_layer_norm",
        "",
        "",
        ("decoder.", "lm_head."),
        starts=False,
    ),
    "GPT2LMHeadModel": Family(
        "GPT2Config",
        "transformer.drop",
        "transformer.h",
        "attn.c_proj",
        "mlp.act",
        "mlp.c_proj",
        "transformer.ln_f",
        "n_positions",
        "",
        ("score.",),
        "causal",
    ),
}
ALIASES = {
    "T5ForConditionalGeneration": "T5EncoderModel",
    "T5WithLMHeadModel": "T5EncoderModel",
}  # read without decoder


def family(module: nn.Module) -> Family:
    """The family of a module of one of `FAMILIES`."""
    return FAMILIES[type(module).__name__]


def places(module: nn.Module) -> dict[str, list[str]]:
    """Every site of a module of one of `FAMILIES`, by kind, from the first block to the last."""
    found = family(module)
    blocks = [f"{found.blocks}.{index}" for index in range(module.config.num_hidden_layers)]
    below = {"attention-write": found.attention_write, "mlp-hidden": found.mlp_hidden, "mlp-write": found.mlp_write}
    inner = {kind: [f"{block}.{path}" for block in blocks] for kind, path in below.items()}
    # the embedding table of T5 goes by the name of `shared` where the two are one module
    names = dict(module.named_modules())
    embedding = found.embedding if found.embedding in names else "shared"
    norm = [found.final_norm] if found.final_norm else []
    return {"embedding": [embedding], "residual": blocks, **inner, "final-norm": norm}


def hidden_state_sites(module: nn.Module) -> list[str]:
    """The site that holds each entry of transformers' `hidden_states`, in their order; its length is blocks + 1."""
    found = places(module)
    return [*found["embedding"], *found["residual"][:-1], *(found["final-norm"] or found["residual"][-1:])]


def chosen(module: nn.Module, sites: Iterable[str] | str | None) -> dict[str, int | None]:
    """Site -> width, where it is known, of what is asked for.

    Args:
        sites: module paths, and kinds (`KINDS`) for all sites of that kind; "all" for every kind; None: residual.
    Raises:
        SeqsaeError: none, what is no text, or a kind that this architecture has not.
    """
    found = places(module)
    choice = f'a list of module paths or kinds ({", ".join(KINDS)}), or "all"'
    wanted = asked.texts("protein model", "sites", "residual" if sites is None else sites, choice)
    if not wanted:
        raise SeqsaeError(f"protein model: sites = {sites!r} names none; give {choice}")
    wanted = list(KINDS) if sites == "all" else wanted
    known = {site: module.config.hidden_size for kind in KINDS if kind != "mlp-hidden" for site in found[kind]}
    paths = []
    for one in wanted:
        if one in found and not found[one] and sites != "all":
            raise SeqsaeError(f"{type(module).__name__} has no site of kind {one!r}; leave it out")
        paths.extend(found.get(one, [one]))
    return {path: known.get(path) for path in dict.fromkeys(paths)}


def context(module: nn.Module) -> int | None:
    """The longest input the module takes, special tokens included; None without a limit."""
    found = family(module)
    if not found.context:
        return None
    positions = getattr(module.config, found.context)
    return positions - module.config.pad_token_id - 1 if found.reserved == "padding" else positions
