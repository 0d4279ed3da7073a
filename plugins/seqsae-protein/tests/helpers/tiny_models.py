"""Tiny models of every family with random weights, saved as a folder by transformers itself."""

import torch
import transformers
from seqsae_protein import families

from seqsae.records.record import Record

AMINO = "ACDEFGHIKLMNPQRSTVWY"
BERT = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *AMINO]
ESM = ["<cls>", "<pad>", "<eos>", "<unk>", *AMINO, "X", "B", ".", "-", "<null_1>", "<mask>"]
ESMC = ["<cls>", "<pad>", "<eos>", "<unk>", *AMINO, *"XBUZO.-|", "<mask>"]
ROBERTA = ["<s>", "<pad>", "</s>", "<unk>", *AMINO, "<mask>"]
T5 = ["<pad>", "</s>", "<unk>", *AMINO, *"XBOUZ"]
SMALL = {"hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 3, "intermediate_size": 40}
ROTARY = {"token_dropout": True, "position_embedding_type": "rotary", "mask_token_id": len(ESM) - 1}
FAMILIES = {
    "BertForMaskedLM": (BERT, dict(SMALL, max_position_embeddings=40)),
    "RobertaForMaskedLM": (ROBERTA, dict(SMALL, max_position_embeddings=42, pad_token_id=1, type_vocab_size=1)),
    "EsmForMaskedLM": (ESM, dict(SMALL, max_position_embeddings=42, pad_token_id=1, **ROTARY)),
    "EsmcForMaskedLM": (ESMC, dict(SMALL, max_position_embeddings=40, mask_token_id=len(ESMC) - 1)),
    "T5EncoderModel": (
        T5,
        {"d_model": 24, "num_layers": 3, "num_heads": 3, "d_kv": 8, "d_ff": 40, "feed_forward_proj": "gated-gelu"},
    ),
    "GPT2LMHeadModel": (
        ["<pad>", *AMINO],
        {"n_embd": 24, "n_layer": 3, "n_head": 3, "n_positions": 40, "eos_token_id": None},
    ),
}
NORMED = (
    "EsmForMaskedLM",
    "EsmcForMaskedLM",
    "T5EncoderModel",
    "GPT2LMHeadModel",
)  # a norm stands behind the last block
PROTEINS = [Record(i, f"p{i}", sequence=s) for i, s in enumerate([(AMINO * 2)[:38], "MKV", "WWYACDERT"])]


def save(kind, path, vocabulary=None, **changes):
    """The folder `path` with config, weights and vocab.txt. Every weight is random, norms and biases too."""
    known, fields = FAMILIES[kind]
    vocabulary = vocabulary or known
    config = getattr(transformers, families.FAMILIES[kind].config)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        fields = {"bos_token_id": None, **fields, "vocab_size": len(vocabulary), **changes}
        module = getattr(transformers, kind)(config(**fields))
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(torch.randn_like(parameter), alpha=0.1)
        module.save_pretrained(path)
    (path / "vocab.txt").write_text("\n".join(vocabulary))
    return path


def rows_of(model, records, sites=None):
    """Site -> rows of records in one batch."""
    return model.capture(model.collate([model.prepare(record) for record in records]), sites or model.sites)
