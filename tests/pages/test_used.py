"""What the page says of the model's use of features: the tables behind it, counted on made-up ones."""

import json
import re
from dataclasses import replace

import polars as pl
import pytest
from pages import made_up

from seqsae import schema
from seqsae.pages import used
from seqsae.pages.page import html


def part_of(fake, **changes):
    return used.part(fake(used=made_up.used(**changes)))


def test_both_ablations_stand_side_by_side_the_saes_own_rows_first(fake):
    table = made_up.recovered()
    rows = used.recovered_rows(table.sample(fraction=1.0, shuffle=True, seed=1))
    assert len(rows) == len(table) / 2 == 14
    assert rows["headline"].to_list() == [True] * 7 + [False] * 7
    assert rows["label"].to_list()[:5] == [
        "activations themselves", "SAE", "SAE, seed 1", "PCA, 4 components", "random dictionary",
    ]  # fmt: skip
    sae = rows.filter(pl.col("source") == "sae")
    assert sae["mark"].to_list() == ["SAE", "SAE, observed rows"]
    for against in ("mean", "zero"):
        there = table.filter((pl.col("source") == "sae") & (pl.col("against") == against)).sort(
            "headline", descending=True
        )
        assert (
            sae.select(against, f"{against}_low", f"{against}_high").rows()
            == there.select("recovered", "ci_low", "ci_high").rows()
        )


def test_the_chart_has_every_source_where_the_sae_was_trained_and_the_sae_elsewhere(fake):
    drawn = part_of(fake).charts["recovered-0"]["datasets"]["rows"]
    assert sorted({row["label"] for row in drawn}) == [
        "PCA, 4 components", "SAE", "SAE, observed rows", "SAE, seed 1", "random dictionary",
    ]  # fmt: skip
    assert len(drawn) == 10  # each against zeros and against the mean
    shift = next(row for row in drawn if row["label"] == "SAE, observed rows")
    assert shift["recovered"] == pytest.approx(0.59) and shift["low"] == pytest.approx(0.57)


def test_a_ratio_that_is_not_defined_is_said_and_not_drawn(fake):
    nothing = {"recovered": None, "ci_low": None, "ci_high": None, "undefined": "the ablation does not hurt the model"}
    part = part_of(fake, recovered=made_up.recovered(**nothing))
    assert not [name for name in part.charts if name.startswith("recovered")]
    assert 'data-chart="recovered-0"' not in part.body and "not defined" in part.body
    assert set(part.data["recovered"]["mean_undefined"]) == {"the ablation does not hurt the model"}


def test_a_wild_ratio_does_not_stretch_the_axis(fake):
    wild = made_up.recovered().with_columns(
        recovered=pl.when(pl.col("source") == "random-dictionary").then(-40.0).otherwise("recovered")
    )
    document = json.dumps(part_of(fake, recovered=wild).charts["recovered-0"])
    assert '"domain": [-0.3, 1.03]' in document and '"clamp": true' in document


def test_the_tiles_tell_the_losses(fake):
    figures = re.findall(r'<div class="tile"><b>(.*?)</b><span>(.*?)</span>', part_of(fake).body)
    assert figures == [
        ("0.990", "recovered, against the mean"), ("1.2500", "loss, nothing replaced"), ("1.2700", "loss with the SAE put in"),
        ("3.2500", "loss with the train mean"), ("3.6500", "loss with zeros"),
    ]  # fmt: skip


def test_two_ways_of_judging_have_a_chart_each(fake):
    summary = made_up.used().summary
    both = replace(
        made_up.used(),
        recovered=pl.concat([made_up.recovered(), made_up.recovered("task")]),
        effects=made_up.effects([0, 2], ("kl", "task")),
        summary=summary | {"objectives": [made_up.objective(), made_up.objective("task", pearson=None)]},
    )
    part = used.part(fake(used=both))
    assert {"recovered-0", "recovered-1", "attribution-0"} == set(part.charts)
    assert part.body.count("Judged by its") == 2
    assert len(part.data["recovered"]["label"]) == 28
    assert "Judged by its" not in part_of(fake).body


def test_the_features_that_change_most_come_first_and_at_most_some(fake):
    table = made_up.effects(list(range(used.SHOWN + 20)))
    part = part_of(fake, effects=table.sample(fraction=1.0, shuffle=True, seed=0))
    told = part.data["effects"]["feature"]
    shown = list(dict.fromkeys(told["of"][place] for place in told["at"]))
    assert shown == list(range(used.SHOWN))
    assert "20 further features" in part.body
    assert (
        "20 features of like firing rate" in part.body and "1.2 times its rate, 1.1 times what it writes" in part.body
    )


def test_kl_and_a_tasks_loss_are_never_put_in_one_order(fake):
    kl, task = made_up.effects([4, 1], ("kl",)), made_up.effects([1, 7, 4, 9], ("task",))
    task = task.with_columns(value=pl.when(pl.col("feature") == 9).then(-50.0).otherwise(pl.col("value") * 1e3))
    assert used.most_telling(pl.concat([task, kl])) == [4, 1, 9, 7]  # 9 by its size, though it helps


def test_what_an_sae_of_observed_rows_was_not_trained_on_is_said(fake):
    summary = made_up.used().summary
    assert "nothing hidden" in part_of(fake, summary=summary | {"readout": "observed"}).body
    assert "nothing hidden" not in part_of(fake).body


def test_a_model_judged_without_features_has_no_table_of_them(fake):
    bare = {"effects": "effects", "tokens": "effect_tokens", "attribution": "attribution"}
    summary = made_up.used().summary
    nothing = {"ablation_sparsity": {"value": None, "ci_low": None, "ci_high": None}}
    objectives = [made_up.objective(features=0, pearson=None) | nothing]
    part = part_of(
        fake, **{name: schema.empty(kind) for name, kind in bare.items()}, summary=summary | {"objectives": objectives}
    )
    assert "effect-table" not in part.body and "Gradients against" not in part.body
    assert set(part.charts) == {"recovered-0"}
    html(fake(used=made_up.used(**{name: schema.empty(kind) for name, kind in bare.items()})))


def test_names_are_given_to_the_tokens_that_move(fake):
    text = html(fake(used=made_up.used(), names={"ICD//F32": "Depression", "UNSEEN": "nobody"}))
    names = json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])["names"]
    assert names == {"ICD//F32": "Depression"}


def test_hidden_rows_are_called_so(fake):
    assert "trained on hidden rows" in part_of(fake).body


def test_nobody_stands_in_it(fake):
    assert "subject" not in {name for table in part_of(fake).data.values() for name in table}


def test_what_putting_the_activations_back_does_is_said(fake):
    assert "change the output by at most 1e-08 of its size" in part_of(fake).body
    summary = made_up.used().summary
    exact = summary | {"objectives": [made_up.objective() | {"identity_error": 0.0}]}
    assert "put back, change the output not at all" in part_of(fake, summary=exact).body


def test_features_that_change_the_output_and_those_of_concepts_have_cards(fake):
    def cards(**parts) -> list[int]:
        text = html(fake(cards=12, **parts))
        return json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])["cards"]

    usual = cards()
    others = [feature for feature in range(48) if feature % 8 != 7 and feature not in usual]
    asked = {"used": made_up.used(effects=made_up.effects(others[:2])), "annotated": made_up.annotated()}
    found = cards(**asked)
    assert {*others[:2], 0, 2} <= set(found) and len(found) == 12
