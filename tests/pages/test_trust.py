"""What the run card says against the run: controls, inflation, looks at the test split, and what it cannot say."""

import polars as pl
import pytest
from pages import made_study
from pages.conftest import PAIRS

from seqsae.pages import trust, worth
from seqsae.pages.limits import ALWAYS, limits


def test_the_banner_is_green_only_where_every_control_came_out_as_it_must(fake):
    assert 'id="controls-fine"' in trust.controls(fake(controls=made_study.controls()))
    for failed in (made_study.controls(supported=1), made_study.controls(found=False)):
        assert 'id="controls-fine"' not in trust.controls(fake(controls=failed))
    assert 'id="controls-failed"' in trust.controls(fake(controls=made_study.controls(supported=2)))
    assert 'id="controls-lost"' in trust.controls(fake(controls=made_study.controls(found=False)))


def test_a_negative_control_among_the_covariates_counts_as_well(fake):
    content = fake(controls=made_study.controls())
    held = content.associations.with_columns(
        verdict=pl.when((pl.col("covariate") == "coin") & (pl.col("feature") == 3))
        .then(pl.lit("supported"))
        .otherwise("verdict")
    )
    told = trust.controls(fake(controls=made_study.controls(), associations=held))
    assert 'id="controls-fine"' not in told
    assert "coin" in told.split("</aside>")[0]


def test_without_any_control_there_is_no_banner(fake):
    plain = [entry for entry in fake().covariates if entry["role"] != "negative-control"]
    assert trust.texts(fake(covariates=plain))["controls"] == ""


def test_inflation_is_a_row_a_covariate_in_their_order(fake):
    told = trust.inflation(fake(diagnostics=made_study.diagnostics(PAIRS)))
    places = [told.index(f">{name}</bdi>") for name in ("sex", "region", "age", "coin")]
    assert places == sorted(places)
    assert told.count(">4.00<") == told.count(">1.50<") == 4
    assert trust.inflation(fake()) == ""


@pytest.mark.parametrize(
    ("openings", "said"),
    [(None, "not recorded"), ([], "never"), ([{"stage": "associate"}], "once"), (made_study.OPENINGS, "3 times")],
)
def test_looks_at_the_test_split_are_counted(fake, openings, said):
    told = trust.openings(fake(openings=openings))
    assert said in told
    assert ("more than one look" in told) == (openings is made_study.OPENINGS)


FACTS = {
    "seeds": 3, "trained_here": True, "permutations": 200, "subjects": 6000, "clusters": 2600, "confounders": ["age"], "random_model": True,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seeds": 1}, "one seed"),
        ({"trained_here": False}, "not trained in this run"),
        ({"permutations": 0}, "by luck alone"),
        ({"clusters": 40}, "40 clusters"),
        ({"clusters": 6000}, "kinship"),
        ({"confounders": []}, "no covariate is a confounder"),
        ({"random_model": False}, "shuffled weights"),
    ],
)
def test_each_lack_has_its_sentence(fake, changes, said):
    table = fake().associations.with_columns(n_seeds=pl.lit(3, pl.UInt32))
    assert limits(FACTS, table) == ALWAYS
    more = limits(FACTS | changes, table)
    assert len(more) == len(ALWAYS) + 1 and said in more[0]


def test_names_are_text(fake, nasty):
    covariates = [{"name": nasty, "type": "binary", "role": "negative-control", "n": {}}]
    table = fake().associations.with_columns(covariate=pl.lit(nasty))
    told = "".join(
        trust.texts(
            fake(
                covariates=covariates,
                associations=table,
                diagnostics=made_study.diagnostics([(nasty, None)]),
                limits=(nasty,),
                openings=[{"stage": nasty}],
            )
        ).values()
    )
    assert "<img" not in told and "</script" not in told and "&lt;img" in told


def test_the_best_feature_is_counted_against_each_source(fake):
    told = worth.compared(fake())
    rows = {row["source"]: row for row in told.iter_rows(named=True)}
    assert list(rows) == ["neuron", "pca", "random-dictionary", "token", "position"]
    # strengths of the SAE: .76 .4 .24 .55; the coin (.04) is left out; a token reads .46 for north and .3 for south.
    assert (rows["token"]["better"], rows["token"]["alike"], rows["token"]["worse"]) == (2, 0, 2)
    assert rows["neuron"]["better"] == rows["neuron"]["n"] == 4
    assert rows["neuron"]["median"] == pytest.approx(0.12)
    assert "2 better, 0 alike, 2 worse of 4" in worth.headline(fake())
    assert worth.headline(fake(baselines=fake().baselines.clear())) == ""
