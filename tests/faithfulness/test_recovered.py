"""Loss recovered against the same thing worked out sample by sample in float64."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
import torch
from faithfulness.toys import MASK, Toy, V, people, sae_for
from scipy.special import log_softmax
from sklearn.decomposition import PCA

import seqsae
from seqsae.activations.views import passes_of
from seqsae.config import FaithfulnessConfig, ViewConfig
from seqsae.errors import NoObjective, SeqsaeError
from seqsae.faithfulness.bootstrap import by_cluster, mean_interval, resampled
from seqsae.faithfulness.recovered import ratio
from seqsae.faithfulness.words import told
from seqsae.models.contract import Batch

QUICK = FaithfulnessConfig(features=0, bootstrap=100)


def judged(tmp_path, model, data, saes, config=QUICK, **options):
    return seqsae.evaluate(model, data, saes, out=tmp_path, config=config, **options)


def hidden_rows(causal: bool, number: int, n: int) -> list[np.ndarray]:
    if causal:
        return [np.zeros(n, bool)]
    turn = passes_of(number, n, 4, 0)
    return [turn == i for i in range(2) if (turn == i).any()]


def by_hand(model, data, subjects, kind, change):
    """Sum of nats, and how many tokens they are of: one sample at a time, in float64."""
    net, total, count = model.module.double(), 0.0, 0
    weight, bias = (part.detach().numpy() for part in (net.head.weight, net.head.bias))
    for subject in subjects:
        token = np.array(data[int(subject)].item["token"])
        for hidden in hidden_rows(net.causal, int(subject), len(token)):
            seen = np.where(hidden, MASK, token)
            x = net.embed.weight.detach().numpy()[[V, *seen]]
            rows = {"all": np.ones(len(token), bool), "hidden": hidden, "observed": ~hidden}[kind]
            at = 1 + np.flatnonzero(rows)
            if len(at):
                x[at] = change(x[at])
            mixed = x.cumsum(0) / np.arange(1, len(x) + 1)[:, None] if net.causal else x.mean(0)
            logs = log_softmax((x + mixed) @ weight.T + bias, axis=1)
            where, wanted = (
                (np.arange(len(token)), token) if net.causal else (1 + np.flatnonzero(hidden), token[hidden])
            )
            total, count = total - logs[where, wanted].sum(), count + len(wanted)
    net.float()
    return total, count


@pytest.mark.parametrize(("causal", "readout"), [(True, "observed"), (False, "observed"), (False, "masked")])
def test_every_loss_is_that_of_a_loop(tmp_path, causal, readout):
    model, data = Toy(causal), people()
    sae = sae_for(model, normalisation="center-scale")
    view = ViewConfig(readout=readout)
    table = judged(tmp_path, model, data, sae, view=view).recovered
    told, train = data.in_split("test"), data.in_split("train")
    assert table["n_subjects"][0] == len(told)
    kinds = ["all"] if causal else ["all", "hidden", "observed"]
    assert table["where"].unique(maintain_order=True).to_list() == kinds
    own = "all" if causal else {"observed": "observed", "masked": "hidden"}[readout]
    assert table.filter("headline")["where"].unique().to_list() == [own]
    for kind in kinds:
        rows = []
        by_hand(model, data, train, kind, lambda x, rows=rows: rows.append(x.copy()) or x)
        train_rows = np.concatenate(rows)
        low = PCA(3).fit(train_rows) if kind != "hidden" else None  # hidden rows are all the same here
        changes = {
            "identity": lambda x: x,
            "zero": np.zeros_like,
            "mean": lambda x, rows=train_rows: np.broadcast_to(rows.mean(0), x.shape),
            "sae": lambda x: sae(torch.from_numpy(x)).double().numpy(),
        }
        if low is not None:
            changes["pca"] = lambda x, low=low: low.inverse_transform(low.transform(x))
        for source, change in changes.items():
            found = table.filter(source=source, where=kind)
            if source == "identity" and kind != "all":
                assert not len(found)
                continue
            total, count = by_hand(model, data, told, kind, change)
            assert found["n_scored"].unique().to_list() == [count]
            assert found["loss"].to_numpy() == pytest.approx([total / count] * 2, rel=2e-5), (kind, source)


def trained(causal: bool, steps: int = 150):
    """A toy that has learnt its tokens' frequencies and neighbours, so that ablation hurts it."""
    model, data = Toy(causal), people(120)
    net, generator = model.module, np.random.default_rng(0)
    optimiser = torch.optim.Adam(net.parameters(), 0.05)
    for _ in range(steps):
        samples = [model.prepare(data[int(i)]) for i in generator.choice(len(data), 32)]
        batch = model.collate(samples)
        logits = net(**batch.inputs)
        ids, mask = batch.inputs["ids"], batch.mask
        loss = torch.nn.functional.cross_entropy(logits[mask][:, :V], ids[mask])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    model.module.eval()
    return model, data


class Echo(Toy):
    """Its tokens are judged where they are seen, so that what is at the site matters."""

    def hide(self, batch, where):
        return Batch({**batch.inputs, "hidden": where}, batch.mask, batch.samples)


def test_identity_recovers_one_zero_recovers_none_and_the_rest_lies_about_between(tmp_path):
    model, data = trained(False)
    echo = Echo()
    echo.module.load_state_dict(model.module.state_dict())
    saes = [sae_for(echo, k=6), sae_for(echo, k=6, seed=1)]
    found = judged(tmp_path, echo, data, saes, config=FaithfulnessConfig(features=0))
    table, summary = found.recovered.filter(where="all"), found.summary["objectives"][0]
    assert summary["identity_error"] < 1e-6
    assert table.filter(source="identity")["recovered"].to_list() == [1.0, 1.0]
    for source in ("zero", "mean"):
        assert table.filter(source=source, against=source)["recovered"].to_list() == [0.0]
    assert set(table["source"]) == {"identity", "zero", "mean", "sae", "seed", "pca", "random-dictionary"}
    pca = table.filter(source="pca", against="mean").row(0, named=True)
    assert pca["unit"] == f"{round(summary['l0'])} components"
    assert pca["ci_low"] <= pca["recovered"] <= pca["ci_high"] and 0.3 < pca["recovered"] < 1.2
    by_kind = found.recovered.filter(source="sae", against="mean")
    assert summary["recovered_against_mean"] == dict(zip(by_kind["where"], by_kind["recovered"], strict=True))


class Shaky(Toy):
    """A faulty wrapping: whatever is put back, the output moves."""

    def replace(self, batch, site, change):
        return super().replace(batch, site, change) * 1.5


@pytest.mark.parametrize("rows", [("all",), ("hidden",), ("observed", "hidden")])
def test_the_identity_is_measured_whatever_rows_are_judged(tmp_path, rows):
    model, config = Shaky(), QUICK.model_copy(update={"rows": rows, "beside": ()})
    found = judged(tmp_path, model, people(), sae_for(model), config, view=ViewConfig(readout="masked"))
    assert found.summary["objectives"][0]["identity_error"] == pytest.approx(0.5)
    assert len(found.recovered.filter(source="identity")["where"].unique()) == 1


def test_what_has_no_hidden_rows_is_judged_at_all_of_them(tmp_path):
    model, config = Toy(), QUICK.model_copy(update={"rows": ("hidden",), "beside": ()})
    found = judged(tmp_path, model, people(), sae_for(model), config, loss=lambda output, batch: output[:, 0, 0])
    places = found.recovered.select("objective", "where").unique().sort("objective").rows()
    assert places == [("masked-token", "hidden"), ("task", "all")]


def test_an_identity_that_was_not_measured_is_no_zero(tmp_path):
    found = judged(tmp_path, Toy(), people(), sae_for(Toy()))
    [about] = found.summary["objectives"]
    bare = SimpleNamespace(
        summary=found.summary | {"objectives": [about | {"identity_error": None}]},
        recovered=found.recovered,
        effects=found.effects,
    )
    assert "identity error not measured" in told(bare)


def test_a_hide_that_hides_nothing_is_refused(tmp_path):
    class Bare(Toy):
        def hide(self, batch, where):
            return Batch({name: part.clone() for name, part in batch.inputs.items()}, batch.mask, batch.samples)

    class InPlace(Toy):
        def hide(self, batch, where):
            batch.inputs["ids"][where] = MASK
            return batch

    with pytest.raises(SeqsaeError, match="hide changes nothing of its inputs"):
        judged(tmp_path, Bare(), people(), sae_for(Bare()))
    one, other = (judged(tmp_path / kind.__name__, kind(), people(), sae_for(kind())) for kind in (InPlace, Toy))
    assert one.recovered.equals(other.recovered)


def test_an_ablation_that_does_not_hurt_gives_no_number(tmp_path):
    model = Toy(causal=True)
    with torch.no_grad():
        model.module.head.weight.zero_()
    table = judged(tmp_path, model, people(), sae_for(model)).recovered
    assert table["recovered"].null_count() == len(table) == table["ci_low"].null_count()
    assert set(table["undefined"]) == {"the ablation does not hurt the model"}


def test_the_ratio_by_numbers():
    assert ratio(np.array([[1.0, 1.2, 2.0]]), 100, 0) == (pytest.approx(0.8), None, None, None)
    several = np.array([[1.0, 1.2, 2.0], [1.0, 1.1, 3.0], [2.0, 2.1, 4.0]])
    assert ratio(several, 500, 0) == (pytest.approx((9 - 4.4) / 5), None, None, None)  # too few for an interval
    value, low, high, reason = ratio(np.tile(several, (2, 1)), 500, 0)
    assert value == pytest.approx((9 - 4.4) / 5) and low < value < high and reason is None
    unsure = np.array([[1.0, 1.0, 9.0], [1.0, 1.0, -6.9], [1.0, 1.0, 1.0]])
    assert ratio(unsure, 500, 0) == (None, None, None, "the ablation does not clearly hurt the model")
    assert ratio(np.array([[5.0, 5.0, 5.001]]), 100, 0)[3] == "the ablation does not hurt the model"


def test_intervals_are_those_of_whole_clusters():
    rng = np.random.default_rng(0)
    sums, counts = rng.normal(3, 1, 400), np.ones(400)
    value, low, high = mean_interval(sums, counts, np.arange(400), 4000, 0)
    assert value == pytest.approx(sums.mean())
    assert high - low == pytest.approx(2 * 1.96 * sums.std() / 20, rel=0.1)
    repeated = np.repeat(rng.normal(3, 1, 40), 10)
    apart, together = (mean_interval(repeated, counts, c, 2000, 0) for c in (np.arange(400), np.arange(400) // 10))
    assert (together[2] - together[1]) > 2.5 * (apart[2] - apart[1])
    assert np.isnan(mean_interval(sums, counts, np.zeros(400), 100, 0)[1:]).all()
    for n, none in ((4, True), (5, False)):
        assert np.isnan(mean_interval(sums, counts, np.arange(400) % n, 100, 0)[1:]).tolist() == [none] * 2
    table = by_cluster(np.array([[1.0, 2], [3, 4], [5, 6]]), np.array([7, 2, 7]))
    assert table.tolist() == [[3, 4], [6, 8]]
    assert np.array_equal(resampled(table, 50, 3), resampled(table, 50, 3))


def test_subjects_add_up_to_the_table(tmp_path):
    model, data = Toy(causal=True), people(150, clusters=40)
    found = judged(tmp_path, model, data, sae_for(model))
    for source in ("sae", "clean"):
        part = found.subjects.filter(source=source)
        mean = (part["loss"] * part["n_scored"]).sum() / part["n_scored"].sum()
        row = found.recovered.filter(source="sae").row(0, named=True)
        assert mean == pytest.approx(row["loss" if source == "sae" else "loss_clean"])
    assert found.recovered["n_clusters"][0] < found.recovered["n_subjects"][0]


def test_a_task_head_is_judged_by_the_loss_that_is_given(tmp_path):
    model, data = Toy(), people()

    def each(output, batch):
        return output[:, 0, 0].square()

    def places(output, batch):
        return torch.where(torch.arange(output.shape[1]) % 2 == 0, output[..., 1].square(), torch.nan)

    table = judged(tmp_path / "a", model, data, sae_for(model), loss=each).recovered
    assert table["objective"].unique(maintain_order=True).to_list() == ["masked-token", "task"]
    task = table.filter(objective="task", source="zero")
    bias = model.module.head.bias[0].item()
    assert task["where"].unique().to_list() == ["all"] and task["n_scored"][0] == len(data.in_split("test"))
    start = model.module.embed.weight[V] @ model.module.head.weight[0]
    lengths = np.array([len(data[int(i)].item["token"]) for i in data.in_split("test")]) + 1
    assert task["loss"][0] == pytest.approx(((start.item() * (1 + 1 / lengths) + bias) ** 2).mean(), rel=1e-5)
    scored = judged(tmp_path / "b", model, data, sae_for(model), loss=places).recovered.filter(objective="task")
    assert scored["n_scored"][0] == sum(length // 2 if length % 2 else (length - 1) // 2 for length in lengths)


def test_a_loss_that_cannot_be_used_is_one_line(tmp_path):
    model, data = Toy(), people()
    with pytest.raises(SeqsaeError, match="loss= gave 3.14|loss= gave float"):
        judged(tmp_path, model, data, sae_for(model), loss=lambda output, batch: 3.14)
    with pytest.raises(SeqsaeError, match="loss= fails: KeyError: 'label'"):
        judged(tmp_path, model, data, sae_for(model), loss=lambda output, batch: {}["label"])


def test_a_model_that_says_no_tokens_is_judged_by_its_task_alone(tmp_path):
    class Mute(Toy):
        def logits(self, output):
            raise SeqsaeError("model 'toy': no logits; define logits, or give loss=")

    model, data = Mute(), people()
    with pytest.raises(SeqsaeError, match="define logits, or give loss="):
        judged(tmp_path, model, data, sae_for(model))
    found = judged(tmp_path, model, data, sae_for(model), loss=lambda output, batch: output[..., 0].square().mean(1))
    assert found.recovered["objective"].unique().to_list() == ["task"]


def test_it_is_the_same_to_the_byte_and_made_once(tmp_path):
    model, data, config = Toy(), people(), FaithfulnessConfig(features=2, matched=3, bootstrap=100)
    one, other = (judged(tmp_path / name, model, data, sae_for(model), config=config) for name in "ab")
    assert one.artefact.hash == other.artefact.hash
    before = one.artefact.file("recovered.parquet").stat().st_mtime_ns
    again = judged(tmp_path / "a", model, data, sae_for(model), config=config)
    assert again.artefact.file("recovered.parquet").stat().st_mtime_ns == before
    assert again.artefact.path == tmp_path / "a" / "faithfulness" / "sae"
    moved = judged(tmp_path / "a", model, data, sae_for(model), config=config, seed=1)
    assert moved.artefact.hash != one.artefact.hash


def test_fewer_subjects_are_a_seeded_draw(tmp_path):
    model, data = Toy(), people(200)
    config = FaithfulnessConfig(features=0, bootstrap=100, subjects=7, split="select")
    found = judged(tmp_path, model, data, sae_for(model), config=config)
    subjects = found.subjects["subject"].unique().to_numpy()
    assert len(subjects) == 7 and np.isin(subjects, data.in_split("select")).all()
    assert found.subjects.schema["subject"] == pl.UInt32 and found.summary["split"] == "select"


def broken(tmp_path, change, match, data=None, **options):
    model = Toy()
    sae = sae_for(model)
    change(model, sae)
    with pytest.raises(SeqsaeError, match=match) as caught:
        judged(tmp_path, model, data or people(), sae, **options)
    assert "\n" not in str(caught.value)


def test_what_does_not_fit_is_refused_by_name(tmp_path):
    def other_weights(model, sae):
        with torch.no_grad():
            model.module.head.bias += 1

    def other_site(model, sae):
        sae.identity["inputs"]["site"] = sae.identity["targets"]["site"] = "blocks.7"

    def transcoder(model, sae):
        sae.identity["targets"] = {**sae.identity["inputs"], "site": "embed"}

    def poisoned(model, sae):
        with torch.no_grad():
            model.module.embed.weight[0] = torch.nan
        sae.identity["inputs"]["fingerprint"] = sae.identity["targets"]["fingerprint"] = model.fingerprint

    broken(tmp_path, other_weights, r"this SAE reads site of toy \(fingerprint .*are site of toy")
    broken(tmp_path, other_site, r"this SAE reads blocks.7 of toy .* these activations are site, embed of toy")
    broken(tmp_path, transcoder, "reads site and writes embed")
    broken(tmp_path, poisoned, "NaN or infinite")
    broken(tmp_path, lambda *_: None, "no view 'later'", view="later")
    broken(
        tmp_path,
        lambda *_: None,
        "feature 12: this SAE has latents 0 to 11",
        config=FaithfulnessConfig(features=(3, 12)),
    )
    broken(tmp_path, lambda *_: None, "site 'embed' was given|'embed' was given", site="embed")
    few = people(1)
    split = "test" if len(few.in_split("test")) == 0 else "select"
    broken(
        tmp_path, lambda *_: None, f"no subject in the {split} split", data=few, config=FaithfulnessConfig(split=split)
    )


def test_a_site_by_its_own_name_is_needed_for_an_sae_that_does_not_say(tmp_path):
    model, data = Toy(), people()
    sae = sae_for(model)
    sae.identity = {"inputs": {"model": None, "fingerprint": None, "site": None}, "imported": {"format": "foreign"}}
    with pytest.raises(SeqsaeError, match="does not say what it reads; give site=, one of site, embed"):
        judged(tmp_path, model, data, sae)
    assert len(judged(tmp_path, model, data, sae, site="site").recovered)


def test_records_in_windows_are_refused_in_one_line(tmp_path):
    model = Toy()
    plain = model.prepare
    model.prepare = lambda record: replace(plain(record), parts=2)
    with pytest.raises(NoObjective, match="reads long records in windows"):
        seqsae.evaluate(model, people(), sae_for(model), out=tmp_path)


def test_rows_and_what_stands_beside_can_be_fewer(tmp_path):
    model, few = Toy(), QUICK.model_copy(update={"rows": ("all",), "beside": ()})
    table = judged(tmp_path, model, people(), sae_for(model), few).recovered
    whole = judged(tmp_path / "whole", model, people(), sae_for(model)).recovered
    assert set(table["where"]) == {"all"} and set(table["source"]) == {"identity", "zero", "mean", "sae"}
    assert table.equals(
        whole.filter((pl.col("where") == "all") & pl.col("source").is_in(table["source"].unique().implode()))
    )
