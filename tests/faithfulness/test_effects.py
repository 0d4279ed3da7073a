"""Ablations and attributions of single features against the same worked out by hand in float64."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from faithfulness.toys import MASK, WORDS, Toy, V, people, sae_for
from scipy.special import log_softmax
from scipy.stats import pearsonr, spearmanr

import seqsae
from seqsae.config import FaithfulnessConfig, ViewConfig
from seqsae.errors import SeqsaeError
from seqsae.faithfulness.attribution import Target, slopes
from seqsae.faithfulness.changes import Change, Writer
from seqsae.faithfulness.differences import Said, Sum
from seqsae.faithfulness.effects import Sampled, attribution_table, effects_table
from seqsae.faithfulness.matching import Matched
from seqsae.faithfulness.measuring import Ask, Guess, Measured, class_changes, firing, measured
from seqsae.faithfulness.objectives import Tokens, token_classes
from seqsae.faithfulness.placing import beside
from seqsae.faithfulness.pushing import Bench, look
from seqsae.faithfulness.shown import shown

CHANGES = (Change("ablate"), Change("scale", 3.0), Change("scale", -0.5))


def bench_of(causal: bool, readout: str = "observed", normalisation: str = "none", output: str = "loss"):
    model, data = Toy(causal), people(40)
    sae = sae_for(model, normalisation=normalisation)
    tokens = Tokens(model, 2, 4, 0)
    told = shown(model, data, "full", "test", 50, 0)
    bench = Bench(model, "site", beside(sae, model), tokens, tokens.own(readout), 60)
    every, target = range(12), Target(tokens, output)
    ask = Ask(list(every), CHANGES, frozenset(every), 10**6, 4, torch.arange(V + 1), target, 0)
    return bench, told, data, ask


def one_sample(bench, token, hidden):
    """x [n + 1, d] at the site, which rows may be changed, where is scored, and what; float64."""
    net = bench.model.module
    x = net.embed.weight.detach().double().numpy()[[V, *np.where(hidden, MASK, token)]]
    own = {"all": np.ones(len(token), bool), "hidden": hidden, "observed": ~hidden}[bench.kind]
    where = np.arange(len(token)) if net.causal else 1 + np.flatnonzero(hidden)
    return x, own, where, token if net.causal else token[hidden]


def logits_of(bench, x):
    net = bench.model.module
    mixed = x.cumsum(0) / np.arange(1, len(x) + 1)[:, None] if net.causal else x.mean(0)
    return (x + mixed) @ net.head.weight.detach().double().numpy().T + net.head.bias.detach().double().numpy()


def values(bench, x):
    """[n, width] codes of rows."""
    codes = bench.sae.encode(torch.from_numpy(x))
    return torch.zeros(len(x), bench.sae.width).scatter_add_(1, codes.indices, codes.values).double().numpy()


@pytest.mark.parametrize(("causal", "readout"), [(True, "observed"), (False, "observed"), (False, "masked")])
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.told)
def test_every_change_is_that_of_a_loop(causal, readout, change):
    bench, told, data, ask = bench_of(causal, readout)
    turns = bench.objective.turns(told)
    pairs = zip(*_with_turns(bench, turns, ask), strict=True)
    found = {(one.feature, id(turn)): one for one, turn in pairs if one.change == change.told}
    factor = {"ablate": 0.0, "scale3": 3.0, "scale-0.5": -0.5}[change.told]
    assert len(found) > 40
    write = bench.sae.W_dec.double().numpy()
    for turn in turns:
        token = np.array(turn.sample.inputs)
        x, own, where, wanted = one_sample(bench, token, turn.hidden)
        f, before = values(bench, x[1:]), log_softmax(logits_of(bench, x), axis=1)
        for j in range(12):
            at = own & (f[:, j] > 0)
            one = found.get((j, id(turn)))
            assert (one is not None) == at.any()
            if one is None:
                continue
            changed = x.copy()
            changed[1:][at] += (factor - 1) * f[at, j][:, None] * write[j]
            after = log_softmax(logits_of(bench, changed), axis=1)
            p, q = before[where], after[where]
            assert one.sums["kl"].total == pytest.approx((np.exp(p) * (p - q)).sum(), rel=1e-3, abs=1e-8)
            assert one.sums["tv"].total == pytest.approx(np.abs(np.exp(p) - np.exp(q)).sum() / 2, rel=1e-3, abs=1e-6)
            rise = (p - q)[np.arange(len(where)), wanted].sum()
            assert one.sums["loss"].total == pytest.approx(rise, rel=1e-3, abs=1e-5)
            assert one.sums["kl"].count == len(where) and one.sums["kl-own"].count == at.sum()
            p, q = before[1:][at], after[1:][at]
            assert one.sums["kl-own"].total == pytest.approx((np.exp(p) * (p - q)).sum(), rel=1e-3, abs=1e-8)
            added = (np.exp(before[where]) - np.exp(after[where])).sum(0) * (-1 if factor > 1 else 1)
            assert one.classes.added == pytest.approx(added, rel=1e-3, abs=1e-5)
            assert one.classes.before == pytest.approx(np.exp(before[where]).sum(0), rel=1e-3, abs=1e-5)
            assert (one.guess is None) == (change.kind != "ablate")


def _with_turns(bench, turns, ask):
    """What was measured, and the turn each is of; samples are cut so that one has one turn."""
    numbered = [replace(turn, place=i) for i, turn in enumerate(turns)]
    found = measured(bench, numbered, ask)
    return found, [turns[one.place] for one in found]


@pytest.mark.parametrize("normalisation", ["none", "standardise"])
def test_for_a_linear_output_both_attributions_are_the_ablation(normalisation):
    bench, told, _, ask = bench_of(False, normalisation=normalisation, output="t3")
    found = measured(bench, bench.objective.turns(told), ask)
    true, gradient, integrated = np.array([one.guess for one in found if one.change == "ablate"]).T
    assert np.abs(true).max() > 0.1
    assert gradient == pytest.approx(true, rel=1e-3, abs=1e-4)
    assert integrated == pytest.approx(true, rel=1e-3, abs=1e-4)


def test_integrated_gradients_of_the_loss_sum_to_what_ablating_all_features_changes():
    bench, told, _, ask = bench_of(True)
    turns = bench.objective.turns(told)[:6]
    seen = look(bench, turns)
    found = slopes(bench, seen, ask.target, 200)
    writer, codes = Writer(bench.sae), seen.codes
    along = torch.einsum("nd,nkd->nk", found.integrated, writer.rows[codes.indices]) * codes.values
    explained = torch.einsum("nk,nkd->nd", codes.values, writer.rows[codes.indices])
    output = bench.model.replace(seen.laid.batch, "site", lambda x: x - explained)
    change = (ask.target(seen.output, seen.laid) - ask.target(output, seen.laid)).sum().item()
    assert along.sum().item() == pytest.approx(change, rel=1e-3)


def test_gradients_that_cannot_flow_are_one_line():
    bench, told, _, ask = bench_of(True)
    net, forward = bench.model.module, type(bench.model.module).forward

    with torch.no_grad():
        seen = look(bench, bench.objective.turns(told)[:2])
    try:
        type(net).forward = torch.no_grad()(forward)
        with pytest.raises(SeqsaeError, match="no gradient from its output to site 'site'"):
            slopes(bench, seen, ask.target, 2)
    finally:
        type(net).forward = forward


def test_where_features_fire_is_what_encoding_says():
    bench, told, *_ = bench_of(False, "masked")
    turns = bench.objective.turns(told)
    found = firing(bench, turns, range(12))
    for feature in range(12):
        by_hand = [
            i
            for i, turn in enumerate(turns)
            if values(bench, one_sample(bench, np.array(turn.sample.inputs), turn.hidden)[0][1:])[
                turn.hidden, feature
            ].any()
        ]
        assert found[feature].tolist() == by_hand


def test_classes_of_tokens_are_summed():
    logits = torch.randn(2, 5, V + 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    before, after = (Said(part, torch.zeros(5, dtype=torch.long), part) for part in logits)
    names, of = token_classes(WORDS, V + 1, {"t0": "low", "t1": "low", "t6": "high", "nowhere": "x"})
    assert names == ["high", "low"] and of.tolist() == [1, 1, -1, -1, -1, -1, 0, -1]
    found = class_changes(before, after, of, before)
    p, q = (part.softmax(1).numpy() for part in logits)
    sums = [(part[:, 6], part[:, 0] + part[:, 1]) for part in (p, q)]
    for i in range(2):
        assert found.added[i] == pytest.approx((sums[0][i] - sums[1][i]).sum(), rel=1e-5)
        assert found.added_log[i] == pytest.approx((np.log(sums[0][i]) - np.log(sums[1][i])).sum(), rel=1e-5)
        assert found.before[i] == pytest.approx(sums[0][i].sum(), rel=1e-5)
    with pytest.raises(SeqsaeError, match="none of its tokens is in the model's vocabulary"):
        token_classes(WORDS, V + 1, {"A": "x"})


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """All of the room, on a toy."""
    model, data = Toy(), people(120)
    config = FaithfulnessConfig(features=5, matched=6, bootstrap=100)
    sae = sae_for(model, width=24)
    options = {"classes": {"t1": "odd", "t3": "odd", "t5": "odd"}, "loss": lambda output, batch: output[:, 0, 0]}
    return seqsae.evaluate(model, data, sae, out=tmp_path_factory.mktemp("run"), config=config, **options), sae


def test_a_feature_stands_among_those_like_it(found):
    faithful, sae = found
    table = faithful.effects
    assert table.filter(measure="kl")["feature"].n_unique() == 5
    assert table["change"].unique(maintain_order=True).to_list() == ["ablate", "scale2"]
    assert set(table["measure"]) == {"kl", "tv", "loss", "kl-own", "tv-own", "sparsity", "task"}
    row = table.filter(measure="kl").row(0, named=True)
    assert row["ci_low"] <= row["value"] <= row["ci_high"] and row["n_matched"] == 6
    assert 0 <= row["percentile"] <= 100 and row["rate_fold"] >= 1 and row["written_fold"] >= 1
    assert row["written"] > 0 and row["percentile_low"] <= row["percentile"] <= row["percentile_high"]
    assert row["decoder_norm"] == pytest.approx(sae.W_dec[row["feature"]].norm().item(), rel=1e-5)


def test_a_signed_measure_is_ranked_by_its_size():
    def of(feature, loss):
        return [Measured(feature, "ablate", i, {"loss": Sum(loss, 1.0)}, None, None) for i in range(6)]

    pushes = {0: -3.0, 1: 1.0, 2: -2.0, 3: 4.0}
    found = [one for feature, loss in pushes.items() for one in of(feature, loss)]
    profile = {name: np.ones(4) for name in ("rate", "norm", "written")}
    partners = {0: Matched(np.array([1, 2, 3]), 1.0, 1.0)}
    row = effects_table(found, partners, profile, Sampled(np.arange(6), 100, 0)).row(0, named=True)
    assert row["value"] == -3 and row["percentile"] == pytest.approx(200 / 3) and row["matched_median"] == 2


def test_attribution_that_is_no_number_is_refused():
    bad = [Measured(3, "ablate", 0, {}, Guess(0.1, np.nan, 0.2), None)]
    with pytest.raises(SeqsaeError, match="attribution of feature 3 to the task loss is NaN or infinite"):
        attribution_table(bad, "task")


def test_labels_that_are_missing_must_be_masked_before_the_arithmetic(tmp_path):
    def late(output, batch):
        label = torch.where(torch.arange(output.shape[1]) % 2 == 1, 1.0, torch.nan)
        return (output[..., 0] - label) ** 2

    def early(output, batch):
        there = torch.arange(output.shape[1]) % 2 == 1
        return torch.where(there, (output[..., 0] - 1.0) ** 2, torch.nan)

    model, data, config = Toy(), people(), FaithfulnessConfig(features=2, matched=2, bootstrap=100, ig_steps=2)
    with pytest.raises(SeqsaeError, match="mask the labels before the arithmetic") as caught:
        seqsae.evaluate(model, data, sae_for(model), out=tmp_path / "late", config=config, loss=late)
    assert "\n" not in str(caught.value)
    kept = seqsae.evaluate(model, data, sae_for(model), out=tmp_path / "early", config=config, loss=early)
    assert kept.attribution.filter(objective="task")["gradient_activation"].is_finite().all()


def test_the_sparsity_of_the_summary_is_over_the_chosen_features_alone(found):
    table = found[0].effects.filter(measure="sparsity", change="ablate").drop_nulls("value")
    mean = (table["value"] * table["n_scored"]).sum() / table["n_scored"].sum()
    assert found[0].summary["objectives"][0]["ablation_sparsity"]["value"] == pytest.approx(mean)


def test_tokens_are_told_by_class_and_direction(found):
    tokens = found[0].tokens
    assert set(tokens["token"]) == {"odd"}
    assert (tokens.filter(direction="raised")["added_probability"] > 0).all()
    assert (tokens.filter(direction="lowered")["added_probability"] < 0).all()


def test_the_correlations_of_the_summary_are_those_of_the_table(found):
    faithful, _ = found
    about = faithful.summary["objectives"][0]
    table = faithful.attribution.filter(objective="masked-token")
    assert len(table) >= 5
    for name in ("gradient_activation", "integrated_gradients"):
        pair = table["ablation"].to_numpy(), table[name].to_numpy()
        assert about["attribution"][name]["pearson"] == pytest.approx(pearsonr(*pair).statistic)
        assert about["attribution"][name]["spearman"] == pytest.approx(spearmanr(*pair).statistic)
    task = faithful.summary["objectives"][1]
    assert task["objective"] == "task" and task["ablation_sparsity"]["value"] is None
    assert task["attribution"]["gradient_activation"]["pearson"] == pytest.approx(1)  # the task is linear


def test_an_output_that_is_none_is_refused(tmp_path):
    model, data = Toy(), people()
    with pytest.raises(
        SeqsaeError, match="output = 'Z': neither 'loss' nor a token or class of model 'toy'; it has t0"
    ):
        seqsae.evaluate(model, data, sae_for(model), out=tmp_path, config=FaithfulnessConfig(features=1, output="Z"))


def test_a_masked_readout_changes_hidden_rows_only(tmp_path):
    model, data = Toy(), people()
    config = FaithfulnessConfig(features=(0, 1, 2), matched=2, bootstrap=100, ig_steps=0)
    faithful = seqsae.evaluate(
        model, data, sae_for(model), view=ViewConfig(readout="masked"), out=tmp_path, config=config
    )
    assert faithful.summary["objectives"][0]["where"] == "hidden" and not len(faithful.attribution)
