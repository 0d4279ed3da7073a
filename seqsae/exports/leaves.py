"""Every data set of a release, made from evidence under a policy."""

import polars as pl

from seqsae.disclosure.policy import Policy
from seqsae.disclosure.rules import d1_reason
from seqsae.disclosure.safe import LABEL, NUMBER_LABEL, STATISTIC, TEXT, without
from seqsae.disclosure.table import aggregate
from seqsae.disclosure.told import authored, d12_hexbins, stated
from seqsae.exports.evidence import Evidence
from seqsae.exports.leaf import Leaf
from seqsae.exports.tables_features import feature_leaves
from seqsae.exports.tables_ties import tie_leaves

VIGNETTE = {"vignette": LABEL, "place": NUMBER_LABEL, "token": TEXT, "feature": NUMBER_LABEL, "activation": STATISTIC}


def leaves(evidence: Evidence, policy: Policy) -> list[Leaf]:
    """All tables that may leave; a table without rows is not among them.

    Raises:
        SeqsaeError: fewer subjects or clusters altogether, or in the test split, than the policy asks for.
    """
    listed = evidence.listed(policy)
    everybody = evidence.base(policy)
    splits = without(aggregate(_with_large_splits(evidence.people, policy), ("split",), everybody, policy), "reason")
    made = [
        Leaf(
            "facts",
            "setting",
            "how the study was made: settings, of which none is data",
            stated(evidence.facts, policy),
        ),
        Leaf("splits", "split", "subjects by split", splits),
        *feature_leaves(evidence, policy, listed),
        *tie_leaves(evidence, policy, listed),
        *_more(evidence, policy, listed),
    ]
    return [leaf for leaf in made if len(leaf.table)]


def _with_large_splits(people: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """`people` with the splits that are too small merged with the next in size, under the names of both (D3)."""
    sizes = people.group_by("split").agg(pl.len().alias("size")).drop_nulls().sort("size", "split")
    groups: list[list[str]] = []
    for split in sizes["split"]:
        if groups and not _enough(people, groups[-1], policy):
            groups[-1].append(split)
        else:
            groups.append([split])
    if len(groups) > 1 and not _enough(people, groups[-1], policy):
        groups[-2:] = [groups[-2] + groups[-1]]
    names = {split: " and ".join(sorted(group)) for group in groups for split in group}
    return people.with_columns(pl.col("split").replace(names))


def _enough(people: pl.DataFrame, splits: list[str], policy: Policy) -> bool:
    there = people.filter(pl.col("split").is_in(splits))
    return d1_reason(len(there), there["cluster"].n_unique(), policy) is None


def _more(evidence: Evidence, policy: Policy, listed: list[int]) -> list[Leaf]:
    """The map of persons in hexagons, and authored vignettes, where there are any."""
    found = []
    if evidence.persons is not None:
        hexagons = d12_hexbins(evidence.persons.drop_nulls(["x", "y"]).join(evidence.people, on="subject"), policy)
        what = "subjects by place on a map of them, in hexagons of enough; no point is a subject"
        found.append(Leaf("persons", "hexagon", what, hexagons))
    if evidence.vignettes is not None:
        rows = [row for row in evidence.vignettes.iter_rows(named=True) if row["feature"] in listed]
        what = "activations on sequences that a researcher wrote; none is a record"
        found.append(
            Leaf(
                "vignettes",
                "place in a vignette",
                what,
                authored(rows, VIGNETTE, policy),
                dict(evidence.authored),
            )
        )
    return found
