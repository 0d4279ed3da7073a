"""Small models of the transformers library over code ids, saved as their own pipelines save them."""

import json
from pathlib import Path

import numpy as np
import torch
import transformers
from transformers import logging

from seqsae.records.record import Record

CODES = [f"CODE//{i}" for i in range(12)]
TOKENS = ["[PAD]", "[UNK]", "[MASK]", "[CLS]", *CODES]
SMALL = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24, "max_position_embeddings": 32,
    "pad_token_id": 0, "bos_token_id": None, "eos_token_id": None,
}  # fmt: skip
KINDS = {
    "GPT2LMHeadModel": {
        "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32, "bos_token_id": None, "eos_token_id": None,
    },
    "BertForMaskedLM": SMALL,
    "RobertaForMaskedLM": SMALL,
    "LlamaForCausalLM": SMALL,
    "GPTNeoXForCausalLM": SMALL,
    "ModernBertForMaskedLM": SMALL | {"cls_token_id": None, "sep_token_id": None},
    "DistilBertForMaskedLM": {"dim": 16, "hidden_dim": 24, "n_layers": 2, "n_heads": 2, "max_position_embeddings": 32},
    "GPTJForCausalLM": {
        "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32, "rotary_dim": 4, "bos_token_id": None, "eos_token_id": None,
    },
    "GPTNeoForCausalLM": {
        "hidden_size": 16, "num_layers": 2, "num_heads": 2, "attention_types": [[["global"], 2]], "max_position_embeddings": 32,
        "bos_token_id": None, "eos_token_id": None,
    },
    "GPT2Model": {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32, "bos_token_id": None, "eos_token_id": None},
}  # fmt: skip
OTHERS = {
    "OPTForCausalLM": {
        "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "ffn_dim": 24, "max_position_embeddings": 32,
        "word_embed_proj_dim": 16, "pad_token_id": 0, "bos_token_id": None, "eos_token_id": None,
    },
    "AlbertForMaskedLM": SMALL | {"embedding_size": 16},
}  # fmt: skip


def make(kind: str, n_tokens: int, **options) -> torch.nn.Module:
    """An untrained model, the same each time."""
    config = getattr(transformers, kind).config_class(vocab_size=n_tokens, **((KINDS | OTHERS)[kind] | options))
    torch.manual_seed(0)
    return getattr(transformers, kind)(config).eval()


def save(folder: Path, module: torch.nn.Module, tokens: list[str] | None = TOKENS) -> Path:
    """`save_pretrained`, with the vocabulary beside it."""
    level = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    module.save_pretrained(folder)
    logging.set_verbosity(level)
    if tokens is not None:
        (folder / "vocabulary.json").write_text(json.dumps(tokens))
    return folder


def record(moments: list[int], static: int = 0, codes: list[str] | None = None, seed: int = 0) -> Record:
    """`static` rows without a time, then a row for each entry of `moments`, days after 2000-01-01."""
    n = static + len(moments)
    times = np.array(["NaT"] * static + [f"{np.datetime64('2000-01-01') + day}" for day in moments], "datetime64[us]")
    drawn = np.random.default_rng(seed).integers(0, len(CODES), n)
    code = np.array([CODES[i] for i in drawn] if codes is None else codes, dtype=object)
    return Record(seed, seed, times, code, np.full(n, np.nan, "float32"))


def records() -> list[Record]:
    """Four of different lengths, one with moments of several rows."""
    return [record(list(range(n)), static=n % 3, seed=n) for n in (3, 9, 14)] + [record([0, 0, 4, 4, 4], seed=5)]
