"""Steered predictions and generated sequences against the same worked out by hand."""

import numpy as np
import polars as pl
import pytest
import torch
from faithfulness.toys import MASK, WORDS, Toy, V, people, sae_for
from scipy.special import log_softmax

import seqsae
from seqsae import schema
from seqsae.activations.views import passes_of
from seqsae.config import FaithfulnessConfig, ViewConfig
from seqsae.errors import SeqsaeError


@pytest.fixture(scope="module", params=[True, False], ids=["causal", "masked"])
def toy(request):
    model = Toy(request.param)
    return model, people(40), sae_for(model)


def probabilities(model, x):
    net = model.module
    mixed = x.cumsum(0) / np.arange(1, len(x) + 1)[:, None] if net.causal else x.mean(0)
    head = net.head
    return log_softmax(
        (x + mixed) @ head.weight.detach().double().numpy().T + head.bias.detach().double().numpy(), axis=1
    )


def states(model, token):
    return model.module.embed.weight.detach().double().numpy()[[V, *token]]


def value(sae, x, feature):
    codes = sae.encode(torch.from_numpy(x))
    return torch.where(codes.indices == feature, codes.values, 0).sum(1).double().numpy()


@pytest.mark.parametrize("where", ["fires", "all", [1, 3]])
def test_every_prediction_is_that_of_a_loop(toy, where):
    model, data, sae = toy
    feature, clamp = 4, 2.5
    table = seqsae.steer(model, data, sae, feature, clamp=clamp, where=where).table
    write, seen = sae.W_dec[feature].double().numpy(), 0
    for subject in data.in_split("test"):
        token = np.array(data[int(subject)].item["token"])
        turn = passes_of(int(subject), len(token), 4, 0)
        for hidden in [np.zeros(len(token), bool)] if model.module.causal else [turn == 0, turn == 1]:
            x = states(model, np.where(hidden, MASK, token))
            f = value(sae, x[1:], feature)
            own = ~hidden  # the readout is observed
            places = {"fires": (f > 0) & own, "all": np.ones(len(f), bool)}.get(
                str(where), np.isin(np.arange(len(f)), [1, 3])
            )
            changed = x.copy()
            changed[1:][places] += (clamp - f[places])[:, None] * write
            p, q = probabilities(model, x), probabilities(model, changed)
            scored = np.arange(len(token)) if model.module.causal else np.flatnonzero(hidden)
            for i in scored:
                row = table.filter(subject=subject, event=int(i)).row(0, named=True)
                at = i if model.module.causal else i + 1
                assert row["position"] == i + 1 and row["token"] == WORDS[token[i]]
                assert row["probability"] == pytest.approx(np.exp(p[at, token[i]]), rel=1e-4)
                assert row["probability_steered"] == pytest.approx(np.exp(q[at, token[i]]), rel=1e-3, abs=1e-9)
                assert row["kl"] == pytest.approx((np.exp(p[at]) * (p[at] - q[at])).sum(), rel=1e-3, abs=1e-7)
                assert (
                    row["top"] == [*WORDS, "7"][p[at].argmax()] and row["top_steered"] == [*WORDS, "7"][q[at].argmax()]
                )
                said = at - 1  # the row that makes the prediction; the start token is none
                assert row["changed"] == bool(said >= 0 and places[said] and f[said] != clamp)
                seen += 1
    assert seen == len(table) > 20


@pytest.mark.parametrize("move", [{"scale": 1.0}, {"add": 0.0}])
def test_no_change_is_no_change(toy, move):
    model, data, sae = toy
    table = seqsae.steer(model, data, sae, 2, where="all", **move).table
    assert table["probability"].equals(table["probability_steered"]) and table["kl"].max() == 0
    assert table["top"].equals(table["top_steered"]) and not table["changed"].any()


def test_scale_by_nothing_is_ablation_and_rows_of_other_kinds_stay(toy):
    model, data, sae = toy
    one, other = (seqsae.steer(model, data, sae, 4, **move).table for move in ({"scale": 0.0}, {"ablate": True}))
    assert one.equals(other) and one["kl"].max() > 0
    if not model.module.causal:
        masked = seqsae.steer(model, data, sae, 4, ablate=True, view=ViewConfig(readout="masked")).table
        hidden = seqsae.steer(model, data, sae, 4, ablate=True, where="hidden").table
        assert masked.equals(hidden) and not masked.equals(one)


def test_what_is_written_is_what_is_returned(toy, tmp_path):
    model, data, sae = toy
    config = FaithfulnessConfig(subjects=3)
    plain = seqsae.steer(model, data, sae, 1, add=1.0, config=config)
    kept = seqsae.steer(model, data, sae, 1, add=1.0, config=config, out=tmp_path)
    assert plain.artefact is None and kept.table.equals(plain.table)
    assert kept.artefact.path == tmp_path / "steering" / "sae" / "feature1-add1-fires"
    assert kept.table["subject"].n_unique() == 3
    schema.check_table(pl.read_parquet(kept.artefact.path / "steered.parquet"), "steered", "here")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "give exactly one of scale, clamp, add and ablate; given: none"),
        ({"scale": 2.0, "ablate": True}, "given: scale, ablate"),
        ({"scale": float("nan")}, "scale by nan: give a finite number"),
        ({"scale": 2.0, "where": "somewhere"}, "where = 'somewhere': it is fires, all, hidden, observed"),
        ({"scale": 2.0, "feature": 12}, "feature 12: this SAE has latents 0 to 11"),
        ({"scale": 2.0, "feature": -1}, "feature -1"),
        ({"scale": 2.0, "view": "later"}, "no view 'later'"),
    ],
)
def test_what_cannot_be_is_one_line(toy, options, words):
    model, data, sae = toy
    with pytest.raises(SeqsaeError, match=words) as caught:
        seqsae.steer(model, data, sae, **{"feature": 1, **options})
    assert "\n" not in str(caught.value)


def grown_by_hand(model, sae, token, n, feature=None, amount=0.0):
    for _ in range(n):
        x = states(model, token)
        if feature is not None:
            f = value(sae, x[1:], feature)
            x[1:] += ((f > 0) * (amount - f))[:, None] * sae.W_dec[feature].double().numpy()
        token = [*token, min(int(probabilities(model, x)[-1].argmax()), V - 1)]
    return [WORDS[i] for i in token[-n:]]


def test_greedy_sequences_are_those_of_a_loop():
    model, data = Toy(causal=True), people(60)
    sae, feature = sae_for(model), 9
    found = seqsae.steer(model, data, sae, feature, clamp=8.0, generate=6).generated
    assert found["subject"].to_list() == data.in_split("test").tolist()
    for row in found.iter_rows(named=True):
        token = data[row["subject"]].item["token"]
        assert row["prompt"] == len(token)
        assert row["tokens"] == grown_by_hand(model, sae, token, 6)
        assert row["tokens_steered"] == grown_by_hand(model, sae, token, 6, feature, 8.0)
    assert (found["tokens"] != found["tokens_steered"]).any()


def test_drawn_sequences_follow_the_seed_and_share_their_random_numbers():
    model, data = Toy(causal=True), people(60)
    sae = sae_for(model)

    def drawn(seed, **move):
        return seqsae.steer(model, data, sae, 3, generate=5, temperature=2.0, seed=seed, **move).generated

    assert drawn(0, scale=1.0).equals(drawn(0, scale=1.0)) and not drawn(0, scale=1.0).equals(drawn(1, scale=1.0))
    same = drawn(0, scale=1.0)
    assert same["tokens"].equals(same["tokens_steered"])
    moved = drawn(0, clamp=9.0, where="all")
    assert moved["tokens"].equals(same["tokens"]) and (moved["tokens"] != moved["tokens_steered"]).any()


def test_models_that_generate_nothing_say_so():
    model, data = Toy(), people(40)
    with pytest.raises(SeqsaeError, match="is bidirectional and generates nothing"):
        seqsae.steer(model, data, sae_for(model), 1, ablate=True, generate=3)

    class Still(Toy):
        extend = seqsae.models.contract.SequenceModel.extend

    still = Still(causal=True)
    with pytest.raises(SeqsaeError, match="cannot be given further tokens; define extend"):
        seqsae.steer(still, data, sae_for(still), 1, ablate=True, generate=3)
    with pytest.raises(SeqsaeError, match="nothing is hidden from a causal model"):
        seqsae.steer(still, data, sae_for(still), 1, ablate=True, where="hidden")
