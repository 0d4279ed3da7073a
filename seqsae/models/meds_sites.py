"""Where things are in the architectures of the transformers library: embedding, residual stream, what attention and MLP write."""

from torch import nn

# embedding; then for block {i}: residual stream after it, attention's write, MLP's write, MLP's hidden neurons.
# In post-norm blocks (BERT) a write is what goes into the sum before the norm.
FAMILIES = {
    "GPT-2": ("drop", "h.{i}", "h.{i}.attn.c_proj", "h.{i}.mlp.c_proj", "h.{i}.mlp.c_proj:in"),
    "GPT-J": ("drop", "h.{i}", "h.{i}.attn.out_proj", "h.{i}.mlp.fc_out", "h.{i}.mlp.fc_out:in"),
    "GPT-Neo": ("drop", "h.{i}", "h.{i}.attn.attention.out_proj", "h.{i}.mlp.c_proj", "h.{i}.mlp.c_proj:in"),
    "GPT-NeoX": (
        "embed_in", "layers.{i}", "layers.{i}.attention.dense", "layers.{i}.mlp.dense_4h_to_h", "layers.{i}.mlp.dense_4h_to_h:in",
    ),
    "Llama": (
        "embed_tokens", "layers.{i}", "layers.{i}.self_attn.o_proj", "layers.{i}.mlp.down_proj", "layers.{i}.mlp.down_proj:in",
    ),
    "BERT": (
        "embeddings", "encoder.layer.{i}", "encoder.layer.{i}.attention.output.dense", "encoder.layer.{i}.output.dense",
        "encoder.layer.{i}.output.dense:in",
    ),
    "DistilBERT": (
        "embeddings", "transformer.layer.{i}", "transformer.layer.{i}.attention.out_lin", "transformer.layer.{i}.ffn.lin2",
        "transformer.layer.{i}.ffn.lin2:in",
    ),
    "ModernBERT": ("embeddings", "layers.{i}", "layers.{i}.attn.Wo", "layers.{i}.mlp.Wo", "layers.{i}.mlp.Wo:in"),
}  # fmt: skip
CAUSAL = {
    "gpt2", "gpt_neo", "gpt_neox", "gptj", "gpt_bigcode", "llama", "mistral", "mixtral", "qwen2", "qwen3", "gemma", "gemma2",
    "phi", "phi3", "opt", "bloom", "falcon", "olmo", "olmo2", "starcoder2", "stablelm", "mamba", "mamba2",
}  # fmt: skip
BIDIRECTIONAL = {
    "bert", "roberta", "xlm-roberta", "camembert", "electra", "distilbert", "deberta", "deberta-v2", "mpnet",
    "modernbert", "esm", "big_bird", "convbert", "roformer", "nomic_bert",
}  # fmt: skip


def attention_of(config) -> str | None:
    """`causal` or `bidirectional` as the architecture declares it; None for one that is not known here."""
    if config.model_type in CAUSAL or getattr(config, "is_decoder", False):
        return "causal"
    return "bidirectional" if config.model_type in BIDIRECTIONAL else None


def sites_of(module: nn.Module) -> list[str]:
    """Every site of a known family; of another the blocks of its longest list of modules.

    None if that list is shorter than the model is deep: then a module runs several times in one pass (ALBERT).
    """
    prefix = getattr(module, "base_model_prefix", "")
    base = f"{prefix}." if prefix and hasattr(module, prefix) else ""
    there = {name for name, _ in module.named_modules()}
    for paths in FAMILIES.values():
        if all(f"{base}{path.format(i=0)}".partition(":")[0] in there for path in paths):
            embedding, *parts = (base + path for path in paths)
            n = sum(parts[0].format(i=i) in there for i in range(len(there)))
            return [embedding, *(part.format(i=i) for i in range(n) for part in parts)]
    lists = [(name, len(part)) for name, part in module.named_modules() if isinstance(part, nn.ModuleList)]
    longest = max(lists, key=lambda pair: pair[1], default=("", 0))
    depth = getattr(module.config, "num_hidden_layers", 1)
    return [f"{longest[0]}.{i}" for i in range(longest[1])] if longest[1] >= depth else []


def positions_of(module: nn.Module) -> int | None:
    """Positions that the model takes, None if nothing says it. RoBERTa counts from behind the id of its padding."""
    for name, part in module.named_modules():
        if isinstance(part, nn.Embedding) and name.endswith(("position_embeddings", ".wpe")):
            return part.num_embeddings - (0 if part.padding_idx is None else part.padding_idx + 1)
    return getattr(module.config, "max_position_embeddings", None) or getattr(module.config, "n_positions", None)
