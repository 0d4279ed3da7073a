"""A clinical MEDS data set of other people's making, through a whole study: a small GPT-2 learns it, is saved as the
transformers library saves, and is then looked into with a config alone."""

import json

import numpy as np
import polars as pl
import pytest
import torch
from models import code_models
from records import clinical

import seqsae
from seqsae.activations.store import Store
from seqsae.maps import umap_layout
from seqsae.progress import shown

STEPS, BATCH, LENGTH = 60, 12, 48
CONFIG = """
seed = 3
[records]
source = "meds"
path = "hospital"
labels = ["tasks/dies", "tasks/days"]
covariates = "sexes.csv"
covariate_schema = "sexes.json"
[model]
name = "meds"
path = "model"
options = {{ max_length = {length} }}
[harvest]
sites = ["transformer.h.0", "transformer.h.1.mlp.c_proj:in"]
views = [{{ name = "dies" }}, {{ name = "full" }}, {{ name = "days" }}]
[sae]
site = "transformer.h.0"
width = 32
k = 4
seeds = 2
steps = 100
batch = 256
[associate]
min_support = 5
baselines = ["neuron", "token"]
[associate.captions]
make = false
[faithfulness]
features = 4
samples = 8
[atlas]
neighbours = 5
seeds = 1
nulls = 0
persons = 0
[report]
features = 8
"""


def train(folder, data) -> list[float]:
    """A GPT-2 that guesses the next code; the loss at every step. Saved with its vocabulary, without one lab code."""
    codes = data.table["code"].unique().sort().to_list()
    tokens = ["[PAD]", "[BOS]", "[UNK]", *(code for code in codes if code != clinical.LACTATE)]
    module = code_models.make("GPT2LMHeadModel", len(tokens), n_positions=LENGTH, n_embd=32).train()
    number = {token: i for i, token in enumerate(tokens)}
    lives = [[1, *(number.get(code, 2) for code in data[who].code)][-LENGTH:] for who in data.in_split("train")]
    optimiser, rng, losses = torch.optim.AdamW(module.parameters(), lr=8e-3), np.random.default_rng(0), []
    for _ in range(STEPS):
        batch = [torch.tensor(lives[i]) for i in rng.integers(0, len(lives), BATCH)]
        ids = torch.nn.utils.rnn.pad_sequence(batch, batch_first=True)
        loss = module(input_ids=ids, attention_mask=ids != 0, labels=ids.masked_fill(ids == 0, -100)).loss
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(loss.item())
    code_models.save(folder, module, tokens)
    return losses


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The run folder, the data, the losses, and all that was said."""
    import contextlib
    import io

    place = tmp_path_factory.mktemp("study")
    data = seqsae.dataset(clinical.build(place / "hospital"))
    losses = train(place / "model", data)
    sexes = [{"subject_id": one.subject_id, "sex": one.code[0].removeprefix("GENDER//")} for one in data]
    pl.DataFrame(sexes).write_csv(place / "sexes.csv")
    (place / "sexes.json").write_text(json.dumps({"covariates": [{"name": "sex", "type": "binary"}]}))
    (place / "study.toml").write_text(CONFIG.format(length=LENGTH))
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(umap_layout, "FEWEST", 10_000)  # the map is not looked at here, and compiling UMAP takes long
    with shown(), contextlib.redirect_stderr(io.StringIO()) as said:
        seqsae.run(place / "study.toml", out=place / "run")
    yield place / "run", data, losses, said.getvalue()
    monkeypatch.undo()


def test_the_model_learns_what_follows_what(study):
    losses = study[2]
    assert np.mean(losses[-20:]) < np.mean(losses[:5]) - 1


def test_what_was_cut_counted_and_unknown_is_said(study):
    said = study[3]
    for words in (
        "columns beyond MEDS are not read: hadm_id",
        "moved to the front of their subject",
        f"codes of the data ({clinical.GLUCOSE}): shown without a name",
        "model 'meds': causal, 48 positions; start [BOS] (1), padding [PAD] (0), unknown [UNK] (2)",
        f"of 1 codes outside the vocabulary read as the unknown token: {clinical.LACTATE}",
        "records exceed the model",
        "model 'meds', view full: ",
        "model 'meds', view dies: ",
        "rows have values, which this model does not read",
    ):
        assert words in said, (words, said)


def test_no_row_of_a_label_s_view_lies_behind_its_prediction_time(study):
    out, data, _, _ = study
    store, whole = Store(out / "activations" / "dies"), Store(out / "activations" / "full")
    rows = store.rows.join(store.samples, on="sample")
    tasks = [pl.read_parquet(path) for path in (out.parent / "tasks" / "dies").rglob("*.parquet")]
    assert len(store.samples) == sum(len(task) for task in tasks) and len(whole.samples) == len(data) == 200
    assert (rows["time"].is_null() | (rows["time"] <= rows["prediction_time"])).all()
    last = rows.group_by("sample").agg(pl.col("time").max() == pl.col("prediction_time").first())["time"]
    assert last.all(), "the prediction time itself belongs to what is known"
    assert store.samples["subject"].is_duplicated().any()


def test_each_label_is_a_covariate_of_its_own_view(study):
    tables = {
        path.parent.name: pl.read_parquet(path) for path in (study[0] / "associations").rglob("associations.parquet")
    }
    kinds = {view: dict(table.select("covariate", "kind").unique().iter_rows()) for view, table in tables.items()}
    assert kinds == {
        "dies": {"sex": "binary", "dies boolean": "binary"},
        "days": {"sex": "binary", "days float": "continuous"},
        "full": {"sex": "binary"},
    }


def test_the_report_calls_codes_by_their_names(study):
    text = (study[0] / "report" / "index.html").read_text()
    data = json.loads(text.split('id="data">')[1].split("</script>")[0]) if 'id="data">' in text else None
    shown_names = text if data is None else json.dumps(data["names"])
    assert "Type 2 diabetes mellitus" in shown_names and "Creatinine, serum" in shown_names
    assert (study[0] / "records" / "code_table.parquet").is_file()


def test_a_second_run_keeps_everything_and_an_other_window_does_not(study):
    out = study[0]
    before = (out / "activations" / "dies" / "manifest.json").read_bytes()
    again = seqsae.run(out.parent / "study.toml", out=out)
    assert (out / "activations" / "dies" / "manifest.json").read_bytes() == before
    model = again.model
    other = seqsae.open_model("meds", path=str(out.parent / "model"), max_length=32)
    assert other.fingerprint == model.fingerprint and other.identity != model.identity
