"""What a run does besides: names that are not there are told before anything long is begun."""

import pytest

from seqsae import besides, schema
from seqsae.associations.leading import leading
from seqsae.config import RunConfig
from seqsae.errors import SeqsaeError
from seqsae.options import parse

HARVEST = {"sites": ["a", "b"]}


@pytest.mark.parametrize(
    ("layers", "told"),
    [
        ({"sites": ["a", "c"]}, r"\[layers\] sites: 'c' is not harvested; \[harvest\] sites has a, b"),
        ({"sites": ["a", "a"]}, r"\[layers\] sites: 'a' stands there twice; name each site once"),
        ({"sites": ["a"], "width": 8, "k": 9}, "k"),
    ],
)
def test_layers_that_cannot_be_compared(layers, told):
    config = parse(RunConfig, {"model": {"name": "x"}, "harvest": HARVEST, "layers": layers}, "here")
    with pytest.raises(SeqsaeError, match=told) as caught:
        besides.check_names(config)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("scales", [[0.0], [1.0], [2.0, 2.0], [float("inf")], [1e9]])
def test_factors_that_steer_nothing(scales):
    document = {"model": {"name": "x"}, "harvest": HARVEST, "faithfulness": {"scales": scales}}
    with pytest.raises(SeqsaeError, match="here: option 'faithfulness.scales") as caught:
        parse(RunConfig, document, "here")
    assert "\n" not in str(caught.value)


def table(rows):
    import polars as pl

    names = ("feature", "covariate", "category", "p_select_adjusted", "z_select_adjusted")
    assert set(names) <= set(schema.columns("associations"))
    return pl.DataFrame([dict(zip(names, row, strict=True)) for row in rows], infer_schema_length=None)


def test_the_leading_feature_of_each_category():
    found = table(
        [
            (0, "species", "human", 1e-3, 3.0), (1, "species", "human", 1e-4, -4.0), (2, "species", "human", None, 9.0),
            (3, "species", "mouse", 0.01, 2.0), (0, "species", "mouse", 0.02, 1.9), (4, "age", None, 1e-300, -60.0),
            (1, "age", None, 1e-300, 50.0), (2, "age", None, 0.5, 99.0), (5, "other", None, 0.0, 9.0),
        ]
    )  # fmt: skip
    assert leading(found, ["species"]) == [1, 3]
    assert sorted(leading(found, ["age", "species"])) == [1, 3, 4]
    with pytest.raises(SeqsaeError, match="covariate 'locus' is tied to no feature; there are species, age, other"):
        leading(found, ["locus"])
