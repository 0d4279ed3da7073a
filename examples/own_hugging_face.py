"""Your own encoder, 2: a folder that `save_pretrained` wrote, read offline, from its tokens to a report."""

import tempfile

import polars as pl
import torch
import transformers
from torch import nn

import seqsae
from seqsae.testing import check_model

# Stand-ins for what you have: the folder of a model (here untrained) and its vocabulary, sequences, a table about them.
torch.manual_seed(0)
PAD, CLS, SEP, MASK = 0, 1, 2, 3
WORDS = {name: number for number, name in enumerate(["[PAD]", "[CLS]", "[SEP]", "[MASK]", *"ABCDEFGHIJKLMNOPQRST"])}
folder = tempfile.mkdtemp()
size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
config = transformers.BertConfig(vocab_size=len(WORDS), max_position_embeddings=64, pad_token_id=PAD, **size)
transformers.BertForMaskedLM(config).save_pretrained(folder)
letters = torch.randint(4, len(WORDS), (300, 20))
items = [{"token": [list(WORDS)[i] for i in row[: 8 + number % 12]]} for number, row in enumerate(letters.tolist())]
table = pl.DataFrame({"subject_id": range(300), "has_C": ["C" in item["token"] for item in items]})


# From here on: seqsae.
def pad(batch):  # [CLS] and [SEP] stand in the input, but are no rows: the mask is False there
    ids = [torch.tensor([CLS, *(WORDS[name] for name in item["token"]), SEP]) for item in batch]
    ids = nn.utils.rnn.pad_sequence(ids, batch_first=True, padding_value=PAD)
    return {"input_ids": ids, "attention_mask": (ids != PAD).long()}, ids > MASK


def hide(inputs, where):  # so that the model can be read where its input was masked
    return {**inputs, "input_ids": inputs["input_ids"].masked_fill(where, MASK)}


bert = transformers.AutoModelForMaskedLM.from_pretrained(folder, local_files_only=True)
data = seqsae.dataset(items, covariates=table)
model = seqsae.wrap(bert, sites=["bert.embeddings", "bert.encoder.layer.1"], collate=pad, hide=hide)
check_model(model, data)
acts = seqsae.harvest(model, data, out="runs/own_hugging_face")
saes = seqsae.train(acts, "topk", site="bert.encoder.layer.1", width=64, k=8, seeds=2, steps=200)
codes = seqsae.encode(saes, acts)
page = seqsae.report(seqsae.associate(codes, data.covariates), out="runs/own_hugging_face/report")
print(page)
