"""Sapiens (Prihoda et al. 2022, mAbs 14:2020203), from the package that ships its weights: the model `sapiens`.

Two RoBERTas of 0.57 million parameters, masked LMs on human antibody chains, one for heavy and one for light chains;
4 blocks, d = 128. The checkpoints are fairseq's; fairseq is not needed.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from seqsae.errors import SeqsaeError
from seqsae_protein import hf, weights
from seqsae_protein.alphabet import Alphabet
from seqsae_protein.packages import shipped
from seqsae_protein.reading import reading
from seqsae_protein.residues import ResidueModel

REQUIREMENT = "sapiens==1.0.5"
FOLDER = "models/v1"
FILES = {"heavy": "checkpoint_vh.pt", "light": "checkpoint_vl.pt"}
FIRST, LAST = ("<s>", "<pad>", "</s>", "<unk>"), ("<mask>",)  # around the residues of dict.txt
ENCODER = "decoder.sentence_encoder."
OUTSIDE = {  # fairseq name -> transformers name, outside the blocks
    "embed_tokens.weight": "roberta.embeddings.word_embeddings.weight",
    "embed_positions.weight": "roberta.embeddings.position_embeddings.weight",
    "emb_layer_norm.weight": "roberta.embeddings.LayerNorm.weight",
    "emb_layer_norm.bias": "roberta.embeddings.LayerNorm.bias",
}
HEAD = {
    "decoder.lm_head.weight": "lm_head.decoder.weight",
    "decoder.lm_head.bias": "lm_head.bias",
    "decoder.lm_head.dense.weight": "lm_head.dense.weight",
    "decoder.lm_head.dense.bias": "lm_head.dense.bias",
    "decoder.lm_head.layer_norm.weight": "lm_head.layer_norm.weight",
    "decoder.lm_head.layer_norm.bias": "lm_head.layer_norm.bias",
}
BLOCK = {
    "self_attn.q_proj": "attention.self.query",
    "self_attn.k_proj": "attention.self.key",
    "self_attn.v_proj": "attention.self.value",
    "self_attn.out_proj": "attention.output.dense",
    "self_attn_layer_norm": "attention.output.LayerNorm",
    "fc1": "intermediate.dense",
    "fc2": "output.dense",
    "final_layer_norm": "output.LayerNorm",
}


def open(
    path: str | Path | None = None,
    *,
    chain: Literal["heavy", "light"] = "heavy",
    sites: Iterable[str] | str | None = None,
    device: str = "cpu",
    **policies: Any,
) -> ResidueModel:
    """Sapiens with its residual stream, `roberta.encoder.layer.0` to `.3`, as sites.

    Args:
        path: folder with the checkpoint and dict.txt; default: the one in the installed package.
        chain: heavy (sequences up to 142 residues) or light (126).
        sites: other module paths, for example `roberta.encoder.layer.2.output.dense` or `...2.intermediate`, or kinds
            of sites (`families.KINDS`).
        policies: as in `seqsae_protein.hf.open`.
    Raises:
        SeqsaeError: the package is not installed, a file is missing or damaged, or there is no such chain.
    """
    if chain not in tuple(FILES):  # a list is in no dict
        raise SeqsaeError(f"model sapiens: no chain {chain!r}; it has {' and '.join(FILES)}")
    policy = reading(policies, "sapiens")
    folder = shipped("sapiens", REQUIREMENT, FOLDER) if path is None else Path(path)
    checkpoint = folder / FILES[chain]
    if not checkpoint.is_file():
        raise SeqsaeError(f"{folder}: no {FILES[chain]} there; give the folder models/v1 of {REQUIREMENT}")
    alphabet = read_dictionary(folder / "dict.txt")
    # A Namespace holds the training options; it can do nothing by itself.
    found = weights.read_file(checkpoint, allowed=(argparse.Namespace,))
    if not isinstance(found.get("model"), dict) or not isinstance(found.get("args"), argparse.Namespace):
        raise SeqsaeError(f"{checkpoint}: no fairseq checkpoint; give the folder models/v1 of {REQUIREMENT}")
    state, fields = to_roberta(found["model"], vars(found["args"]), str(checkpoint))
    module = hf.build("RobertaForMaskedLM", fields, alphabet, str(checkpoint))
    weights.fill(module, state, str(checkpoint))
    return hf.residue_model(module, alphabet, name=f"sapiens-{chain}", sites=sites, device=device, policy=policy)


def read_dictionary(path: Path) -> Alphabet:
    """fairseq's dict.txt, a token and its count on each line, between fairseq's own special tokens."""
    if not path.is_file():
        raise SeqsaeError(f"{path.parent}: no dict.txt there; give the folder models/v1 of {REQUIREMENT}")
    residues = [line.split()[0] for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return Alphabet((*FIRST, *residues, *LAST), str(path))


def to_roberta(
    state: dict[str, Tensor], options: dict[str, Any], where: str
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """A fairseq RoBERTa's tensors and training options as a RobertaForMaskedLM's tensors and config fields.

    Raises SeqsaeError at a tensor whose place is unknown, or if a needed one is missing.
    """
    renamed = {_renamed(name, where): tensor for name, tensor in state.items()}
    try:
        vocabulary, width = renamed["roberta.embeddings.word_embeddings.weight"].shape
        positions = len(renamed["roberta.embeddings.position_embeddings.weight"])
        fields = {
            "vocab_size": vocabulary,
            "hidden_size": width,
            "num_hidden_layers": options["encoder_layers"],
            "num_attention_heads": options["encoder_attention_heads"],
            "intermediate_size": options["encoder_ffn_embed_dim"],
            "hidden_act": options["activation_fn"],
        }
    except KeyError as cause:
        raise SeqsaeError(f"{where}: no {cause.args[0]} in it; is it another model than {REQUIREMENT}?") from None
    # fairseq has one kind of segment and adds nothing for it
    embeddings = renamed["roberta.embeddings.word_embeddings.weight"]
    renamed["roberta.embeddings.token_type_embeddings.weight"] = embeddings.new_zeros(1, width)
    return renamed, {
        **fields,
        "max_position_embeddings": positions,
        "type_vocab_size": 1,
        "layer_norm_eps": 1e-5,
        "pad_token_id": FIRST.index("<pad>"),
    }


def _renamed(name: str, where: str) -> str:
    if name in HEAD:
        return HEAD[name]
    inner = name.removeprefix(ENCODER)
    if inner in OUTSIDE:
        return OUTSIDE[inner]
    parts = inner.split(".")  # layers.<i>.<module>.<weight or bias>
    module = ".".join(parts[2:-1])
    if parts[0] != "layers" or module not in BLOCK:
        raise SeqsaeError(f"{where}: no place for {name!r} in a RoBERTa; is it another model than {REQUIREMENT}?")
    return f"roberta.encoder.layer.{parts[1]}.{BLOCK[module]}.{parts[-1]}"
