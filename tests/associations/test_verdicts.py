"""Each verdict from the columns that its rule names."""

import polars as pl
import pytest

from seqsae.associations.verdicts import VERDICTS, verdicts

GOOD = {
    "selected": True, "direction": 1.0, "effect_name": "AUROC",
    "effect": 0.7, "ci_low": 0.6, "ci_high": 0.8, "p_test_holm": 0.001,
    "effect_adjusted": 0.5, "ci_low_adjusted": 0.3, "ci_high_adjusted": 0.7, "p_test_adjusted_holm": 0.001,
    "rival_token": 0.1, "rival_position": 0.1, "effect_given_token": 0.4, "ci_low_given_token": 0.2, "ci_high_given_token": 0.6,
    "effect_given_products": 0.4, "ci_low_given_products": 0.2, "ci_high_given_products": 0.6, "n": 1000, "n_adjusted": 1000,
    "looks_ahead": False, "lost_in_products": False, "replicated_seeds": 3, "n_seeds": 3,
}  # fmt: skip
UNKNOWN = dict.fromkeys(("effect", "ci_low", "ci_high", "effect_adjusted", "ci_low_adjusted", "ci_high_adjusted"))


def turned(row):
    """The same in the other direction."""
    out = dict(row, direction=-1.0)
    for low, high in (
        ("ci_low", "ci_high"),
        ("ci_low_adjusted", "ci_high_adjusted"),
        ("ci_low_given_token", "ci_high_given_token"),
        ("ci_low_given_products", "ci_high_given_products"),
    ):
        centre = 1.0 if low == "ci_low" and row["effect_name"] == "AUROC" else 0.0
        if row[low] is not None:
            out[low], out[high] = centre - row[high], centre - row[low]
    for name in ("effect", "effect_adjusted", "effect_given_token", "effect_given_products"):
        centre = 1.0 if name == "effect" and row["effect_name"] == "AUROC" else 0.0
        out[name] = None if row[name] is None else centre - row[name]
    return out


CASES = [
    ("supported", {}),
    ("supported", {"rival_token": None, "effect_given_token": None, "ci_low_given_token": None, "ci_high_given_token": None}),
    ("supported", {"n_seeds": None, "replicated_seeds": None}),
    ("supported", {"effect_name": "spearman", "effect": 0.2, "ci_low": 0.1, "ci_high": 0.3}),
    ("supported", {"effect": 0.5, "ci_low": 0.4, "ci_high": 0.6, "p_test_holm": 0.9, "rival_token": None, "rival_position": None}),
    ("supported", {"replicated_seeds": 2}),
    ("unstable", {"replicated_seeds": 1}),
    ("unstable", {"replicated_seeds": 2, "n_seeds": 4}),
    ("inconclusive", {"ci_low_given_token": -0.1}),
    ("position-readout", {"rival_position": 0.2}),
    ("supported", {"rival_token": 0.3}),  # the token's tie is another one
    ("token-readout", {"rival_token": 0.2001, "ci_low_given_token": -0.1}),
    ("token-readout", {"rival_token": 0.2001, "effect_given_token": 0.09, "ci_low_given_token": 0.05}),
    ("token-readout", {"rival_token": 0.2001, "effect_given_token": None, "ci_low_given_token": None, "ci_high_given_token": None}),
    ("token-readout", {"rival_token": 0.495}),  # nothing is left to tell beyond it
    ("token-readout", {"effect_name": "spearman", "effect": 0.2, "ci_low": 0.1, "ci_high": 0.3, "rival_token": 0.99}),
    ("supported", {"effect_name": "spearman", "effect": 0.2, "ci_low": 0.1, "ci_high": 0.3, "rival_token": 0.9}),
    ("token-readout", {"effect_given_token": 0.01, "ci_low_given_token": -0.05, "ci_high_given_token": 0.09}),
    ("inconclusive", {"effect_given_token": 0.01, "ci_low_given_token": -0.15, "ci_high_given_token": 0.2}),
    ("inconclusive", {"p_test_adjusted_holm": 0.06}),
    ("inconclusive", {"effect_adjusted": 0.09, "ci_low_adjusted": 0.02}),  # smaller than what is of interest
    ("inconclusive", {"effect_adjusted": 0.2, "ci_low_adjusted": -0.2, "p_test_adjusted_holm": 0.5}),  # low power is no verdict
    ("inconclusive", UNKNOWN),
    ("confounded", {"effect_adjusted": 0.01, "ci_low_adjusted": -0.08, "ci_high_adjusted": 0.09, "p_test_adjusted_holm": 1.0}),
    ("not-replicated", {"effect": 0.5, "ci_low": 0.46, "ci_high": 0.54, "effect_adjusted": 0.0, "ci_low_adjusted": -0.09, "ci_high_adjusted": 0.09}),
    ("not-replicated", {"effect": 0.3, "ci_low": 0.2, "ci_high": 0.4, "effect_adjusted": -0.5, "ci_low_adjusted": -0.7, "ci_high_adjusted": -0.3}),
    ("not-selected", {"selected": False}),
    ("supported", {"effect_given_products": None, "ci_low_given_products": None, "ci_high_given_products": None}),
    ("confounded", {"effect_given_products": 0.01, "ci_low_given_products": -0.05, "ci_high_given_products": 0.09}),
    ("inconclusive", {"ci_low_given_products": -0.01}),
    ("inconclusive", {"effect_given_products": 0.09, "ci_low_given_products": 0.02}),
    ("inconclusive", {"effect_given_products": 0.01, "ci_low_given_products": -0.05, "ci_high_given_products": 0.09, "n_adjusted": 500}),
    ("inconclusive", {"effect_given_products": None, "ci_low_given_products": None, "ci_high_given_products": None, "lost_in_products": True}),
    ("inconclusive", {"looks_ahead": True}),
    ("inconclusive", {"looks_ahead": True, "rival_token": 0.495}),
    ("not-selected", {"looks_ahead": True, "selected": False}),
    ("supported", {"n_adjusted": 500}),
    ("inconclusive", {"n_adjusted": 899, "effect_adjusted": 0.01, "ci_low_adjusted": -0.08, "ci_high_adjusted": 0.09, "p_test_adjusted_holm": 1.0}),
]  # fmt: skip


@pytest.mark.parametrize("way", [1, -1])
@pytest.mark.parametrize(("verdict", "changed"), CASES)
def test_the_verdict(verdict, changed, way):
    row = GOOD | changed
    row = row if way == 1 else turned(row)
    table = pl.DataFrame([GOOD, row]).tail(1)
    assert verdicts(table, 0.05, 0.1).to_list() == [verdict]


def test_every_verdict_is_one_of_those_that_are_told():
    assert {verdict for verdict, _ in CASES} == set(VERDICTS)
