"""Small untrained encoders of every kind, each with the collate that a user would write for it."""

from dataclasses import dataclass

import numpy as np
import torch
import transformers
from torch import nn

import seqsae
from seqsae.records.record import Record

LENGTHS = (3, 9, 5, 12)
PAD, MASK, CLS, SEP, N_TOKENS = 0, 1, 2, 3, 24
HF = {"vocab_size": N_TOKENS, "pad_token_id": PAD, "bos_token_id": None, "eos_token_id": None}
BERT = {**HF, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}


def records(lengths=LENGTHS, seed=0) -> list[Record]:
    """Items of four channels; tokens are whole numbers from 4 on."""
    rng = np.random.default_rng(seed)
    items = [
        {
            "token": rng.integers(4, N_TOKENS, n).tolist(),
            "age": np.sort(rng.uniform(0, 90, n)).round(1).tolist(),
            "time": np.sort(rng.integers(0, 9000, n)).tolist(),
            "value": rng.normal(size=n).tolist(),
            "decoder_token": rng.integers(4, N_TOKENS, n + 2).tolist(),
        }
        for n in lengths
    ]
    return [Record(i, i, item=item) for i, item in enumerate(items)]


def column(items: list[dict], name: str, filler: float = 0) -> torch.Tensor:
    """[B, T] of one channel, padded on the right."""
    return nn.utils.rnn.pad_sequence(
        [torch.tensor(item[name]) for item in items], batch_first=True, padding_value=filler
    )


def ids_and_mask(items: list[dict]):
    ids = column(items, "token")
    return ids, ids != PAD


def named(items: list[dict]):
    """transformers' inputs without special tokens."""
    ids, mask = ids_and_mask(items)
    return {"input_ids": ids, "attention_mask": mask.long()}


def with_ends(items: list[dict]):
    """transformers' inputs with [CLS] before and [SEP] behind, which are no rows."""
    ends = [{"token": [CLS, *item["token"], SEP]} for item in items]
    ids = column(ends, "token")
    return {"input_ids": ids, "attention_mask": (ids != PAD).long()}, ids > SEP


def two_sided(items: list[dict]):
    """An encoder-decoder's inputs; the decoder's first token is a start, and no row."""
    starts = [{"token": [CLS, *item["decoder_token"]]} for item in items]
    decoder = column(starts, "token")
    inputs = {**named(items), "decoder_input_ids": decoder, "decoder_attention_mask": (decoder != PAD).long()}
    return inputs, decoder > SEP


def encoder_side(items: list[dict]):
    inputs, _ = two_sided(items)
    return inputs, inputs["attention_mask"].bool()


def mask_out(inputs: dict, where: torch.Tensor) -> dict:
    return {**inputs, "input_ids": inputs["input_ids"].masked_fill(where, MASK)}


class FourChannels(nn.Module):
    """Token, age, time and value are added up; a transformer reads them."""

    def __init__(self):
        super().__init__()
        self.token = nn.Embedding(N_TOKENS, 16, padding_idx=PAD)
        self.rest = nn.Linear(3, 16)
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), 2)
        self.head = nn.Linear(16, N_TOKENS)

    def forward(self, token, age, time, value, padding):
        channels = torch.stack([age / 90, time / 9000, value], -1)
        states = self.encoder(self.token(token) + self.rest(channels.float()), src_key_padding_mask=padding)
        return {"states": states, "logits": self.head(states)}


def four(items: list[dict]):
    ids, mask = ids_and_mask(items)
    rest = {name: column(items, name) for name in ("age", "time", "value")}
    return {"token": ids, **rest, "padding": ~mask}, mask


class Recurrent(nn.Module):
    """A GRU, an LSTM over it, logits; `packed` runs them over packed sequences."""

    def __init__(self, packed=False):
        super().__init__()
        self.packed = packed
        self.embed = nn.Embedding(N_TOKENS, 8)
        self.gru = nn.GRU(8, 12, batch_first=True)
        self.lstm = nn.LSTM(12, 10, batch_first=True)
        self.head = nn.Linear(10, N_TOKENS)

    def forward(self, ids, lengths):
        states = self.embed(ids)
        if self.packed:
            states = nn.utils.rnn.pack_padded_sequence(states, lengths.cpu(), batch_first=True, enforce_sorted=False)
        states, (last, _) = self.lstm(self.gru(states)[0])
        if self.packed:
            states, _ = nn.utils.rnn.pad_packed_sequence(states, batch_first=True)
        return self.head(states), last[-1]


def with_lengths(items: list[dict]):
    ids, mask = ids_and_mask(items)
    return (ids, mask.sum(1)), mask


@dataclass(frozen=True)
class States:
    steps: torch.Tensor
    hidden: torch.Tensor


class Scan(nn.Module):
    """A diagonal state-space layer, h_t = a h_(t-1) + b x_t and y_t = c h_t + x_t, which gives a dataclass."""

    def __init__(self, width=16):
        super().__init__()
        self.decay = nn.Parameter(torch.rand(width))
        self.into, self.out = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x):
        state, driven, found = torch.zeros_like(x[:, 0]), self.into(x), []
        for step in range(x.shape[1]):
            state = torch.sigmoid(self.decay) * state + driven[:, step]
            found.append(state)
        hidden = torch.stack(found, 1)
        return States(torch.tensor(float(x.shape[1])), self.out(hidden) + x)


class StateSpace(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(N_TOKENS, 16)
        self.layers = nn.ModuleList([Scan(), Scan()])

    def forward(self, ids):
        x = self.embed(ids)
        for layer in self.layers:
            x = layer(x).hidden
        return x @ self.embed.weight.T


def hf(kind: str, **options) -> nn.Module:
    """An untrained model of transformers."""
    return getattr(transformers, kind)(getattr(transformers, kind).config_class(**options))


def t5() -> nn.Module:
    size = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2}
    return hf("T5ForConditionalGeneration", **size, vocab_size=N_TOKENS, pad_token_id=PAD, decoder_start_token_id=CLS)


def gpt2() -> nn.Module:
    return hf("GPT2LMHeadModel", **HF, n_embd=16, n_layer=2, n_head=2, n_positions=32)


BLOCKS = ["bert.embeddings", "bert.encoder.layer.0", "bert.encoder.layer.1:in", "bert.encoder.layer.1.output.dense"]
MODELS = {
    "Bert": lambda: seqsae.wrap(hf("BertForMaskedLM", **BERT), BLOCKS, with_ends, hide=mask_out),
    "Bert without ends": lambda: seqsae.wrap(hf("BertModel", **BERT), ["encoder.layer.1"], named),
    "Bert @mean": lambda: seqsae.wrap(hf("BertModel", **BERT), ["encoder.layer.0@mean"], with_ends),
    "Bert @cls": lambda: seqsae.wrap(hf("BertModel", **BERT), ["encoder.layer.0@cls", "pooler@pooled"], with_ends),
    "GPT2": lambda: seqsae.wrap(gpt2(), ["transformer.drop", "transformer.h.1"], named, attention="causal"),
    "GPT2 @last": lambda: seqsae.wrap(gpt2(), ["transformer.h.1@last", "transformer.h.0@mean"], named),
    "T5 encoder": lambda: seqsae.wrap(t5(), ["encoder.block.0", "encoder.block.1"], encoder_side),
    "T5 decoder": lambda: seqsae.wrap(t5(), ["decoder.block.0", "decoder.block.1"], two_sided, attention="causal"),
    "four channels": lambda: seqsae.wrap(
        FourChannels(), ["rest", "encoder.layers.0", "encoder"], four, ids=lambda inputs: inputs["token"]
    ),
    "four channels @mean": lambda: seqsae.wrap(FourChannels(), ["encoder.layers.0@mean"], four),
    "GRU": lambda: seqsae.wrap(
        Recurrent(),
        ["embed", "gru", "lstm", "lstm:out.0"],
        with_lengths,
        attention="causal",
        ids=lambda inputs: inputs[0],
        logits=lambda output: output[0],
    ),
    "packed GRU": lambda: seqsae.wrap(Recurrent(packed=True), ["gru", "lstm"], with_lengths, attention="causal"),
    "last state": lambda: seqsae.wrap(Recurrent(packed=True), ["lstm:out.1.0.-1@pooled", "gru@last"], with_lengths),
    "state space": lambda: seqsae.wrap(
        StateSpace(),
        ["layers.0", "layers.1:out.hidden"],
        ids_and_mask,
        attention="causal",
        ids=lambda inputs: inputs,
        logits=lambda output: output,
    ),
}


def make(name: str, seed: int = 0):
    """One of `MODELS`, the same each time."""
    torch.manual_seed(seed)
    return MODELS[name]()
