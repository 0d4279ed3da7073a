"""Do planted links come out, and nothing else? Over fresh cohorts of lives, read by one model and its SAEs.

A link is a concept and a covariate that it moves; it comes out if any row of the two (a category, a pooling) is `supported`.
A decoy is a covariate that no concept moves; it fools if any feature is `supported` for it.
"""

from pathlib import Path

import polars as pl
from bars import Bars
from scipy.stats import binomtest
from sheet import Sheet

from recovered.links_cohort import BEST, cohort_tables
from recovered.links_probes import probed_concepts
from recovered.links_study import SITE, Home
from seqsae.associations.verdicts import VERDICTS

COHORTS, LIVES = 20, 8000
QUICK_COHORTS, QUICK_LIVES = 2, 4000
FOUND_BY_PROBE = 0.9
KINDS = {
    "confounded-by": "confounded",
    "readable-from-token": "token-readable",
    "leaking": "leaking",
    "household": "noise, shared by household",
    "null": "noise",
}
"""By status of a covariate in truth.json, the kind of decoy."""


def links(out: Path, bars: Bars, sheet: Sheet, quick: bool, n_cohorts: int | None = None) -> None:
    """Judge all cohorts, tell what came out on the sheet, and note the bars."""
    n, lives = (QUICK_COHORTS, QUICK_LIVES) if quick else (COHORTS, LIVES)
    home = Home(out / ("links-quick" if quick else "links") / "home", quick)
    truth = home.study.data.truth
    probes = probed_concepts(home.store, home.study.data.covariates, SITE)
    cohorts = [cohort_tables(home, home.study.out.parent, 1000 + i, lives) for i in range(n_cohorts or n)]
    found, fooled = link_table(truth, cohorts, probes), decoy_table(truth, cohorts)
    leaks = pl.concat([one["leak"].with_columns(cohort=i) for i, one in enumerate(cohorts)])
    sheet.part(f"links: {len(cohorts)} cohorts of {lives:,} lives")
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_width_chars=200, fmt_str_lengths=60, float_precision=3):
        for table in (by_link(found), by_kind(found), by_verdict(found), shares(fooled), by_view(leaks)):
            sheet.line(str(table))
    _judge(found, fooled, leaks, bars)


def planted(truth: dict) -> list[tuple[str, str]]:
    """(concept, covariate) of every link."""
    return [(concept, one["name"]) for one in truth["covariates"] for concept in one["concepts"]]


def link_table(truth: dict, cohorts: list[dict[str, pl.DataFrame]], probes: dict[str, float]) -> pl.DataFrame:
    """A row a cohort and link: the oracle's best verdict and effect, and whether the SAE's best feature, one of the five best, or any comes out."""
    number = {one["name"]: i for i, one in enumerate(truth["concepts"])}
    rows = []
    for cohort, tables in enumerate(cohorts):
        won = tables["sae"].filter(verdict="supported")
        for concept, covariate in planted(truth):
            mine = tables["oracle"].filter(feature=number[concept], covariate=covariate)
            features = set(won.filter(covariate=covariate)["feature"])
            best = tables["best"].filter(concept=concept).sort("rank")["feature"].to_list()
            rows.append(
                {
                    "cohort": cohort, "concept": concept, "covariate": covariate, "kind": mine["kind"].first(),
                    "oracle": verdict_of(mine), "effect": mine["effect_adjusted"].abs().max(), "probe": probes.get(concept),
                    "one": bool(features & set(best[:1])), "five": bool(features & set(best)), "any": bool(features),
                }
            )  # fmt: skip
    return pl.DataFrame(rows, infer_schema_length=None)


def verdict_of(rows: pl.DataFrame) -> str:
    """The most favourable of some rows' verdicts; `not-tested` without any."""
    there = set(rows["verdict"])
    return next((verdict for verdict in VERDICTS if verdict in there), "not-tested")


def decoy_table(truth: dict, cohorts: list[dict[str, pl.DataFrame]]) -> pl.DataFrame:
    """A row a cohort, decoy and source (sae, oracle): how many of its units are supported for it."""
    decoys = [one for one in truth["covariates"] if not one["concepts"]]
    return pl.DataFrame(
        [
            {
                "cohort": cohort, "covariate": one["name"], "kind": KINDS[one["status"]], "source": source,
                "supported": tables[source].filter(covariate=one["name"], verdict="supported")["feature"].n_unique(),
            }
            for cohort, tables in enumerate(cohorts)
            for one in decoys
            for source in ("sae", "oracle")
        ]
    )  # fmt: skip


def eligible(found: pl.DataFrame) -> pl.DataFrame:
    """Links that the oracle gets and whose concept the dense probe finds."""
    return found.filter(pl.col("oracle") == "supported", pl.col("probe") >= FOUND_BY_PROBE)


def by_link(found: pl.DataFrame) -> pl.DataFrame:
    """Shares of cohorts in which each link comes out, the strongest first; the SAE's are of all cohorts, not of the eligible alone."""
    grouped = found.group_by("concept", "covariate", "kind", maintain_order=True).agg(
        pl.col("effect", "probe").median(), *_shares()
    )
    return grouped.sort("effect", descending=True)


def by_kind(found: pl.DataFrame) -> pl.DataFrame:
    """The same by kind of covariate."""
    return found.group_by("kind", maintain_order=True).agg(pl.len().alias("links"), *_shares())


def _shares() -> list[pl.Expr]:
    return [
        (pl.col("oracle") == "supported").mean().alias("truth"),
        *[pl.col(name).mean() for name in ("one", "five", "any")],
    ]


def by_verdict(found: pl.DataFrame) -> pl.DataFrame:
    """What the oracle says of each link that it misses."""
    missed = found.filter(pl.col("oracle") != "supported")
    return missed.group_by("concept", "covariate", "oracle", maintain_order=True).agg(pl.len().alias("cohorts"))


def shares(fooled: pl.DataFrame) -> pl.DataFrame:
    """By source, kind and covariate: the share with anything supported, and its 95% interval (Clopper & Pearson 1934)."""
    rows = []
    for keys in (["source"], ["source", "kind"], ["source", "kind", "covariate"]):
        for part in fooled.partition_by(keys, maintain_order=True):
            hits, n = int((part["supported"] > 0).sum()), len(part)
            ends = binomtest(hits, n).proportion_ci()
            named = {key: part[key][0] for key in keys}
            rows.append(
                {
                    "source": None,
                    "kind": "all",
                    "covariate": "all",
                    **named,
                    "n": n,
                    "with any": hits,
                    "share": hits / n,
                    "low": ends.low,
                    "high": ends.high,
                }
            )
    return pl.DataFrame(rows, infer_schema_length=None)


def by_view(leaks: pl.DataFrame) -> pl.DataFrame:
    """Over cohorts: features chosen, holding and supported for the leaking covariate, and the dense probe."""
    counted = [pl.col(name).mean() for name in ("chosen", "holding", "probe")]
    return leaks.group_by("view", "covariate", maintain_order=True).agg(
        *counted,
        (pl.col("holding") > 0).mean().alias("any holds"),
        (pl.col("supported") > 0).mean().alias("any supported"),
    )


def _judge(found: pl.DataFrame, fooled: pl.DataFrame, leaks: pl.DataFrame, bars: Bars) -> None:
    bars.at_least(
        "links: the concepts themselves, share of planted links supported", (found["oracle"] == "supported").mean(), 0.9
    )
    bars.at_least(
        f"links: the SAE's {BEST} best features, share of links that these get and a probe finds",
        eligible(found)["five"].mean(),
        0.8,
    )
    table = shares(fooled).filter(source="sae", covariate="all")
    for kind, share in table.select("kind", "share").iter_rows():
        bars.at_most(f"links: decoys with any supported feature, {kind}", share, 0.05)
    told = by_view(leaks)
    full, cut = (told.filter((pl.col("view") == "full") == whole).row(0, named=True) for whole in (True, False))
    bars.at_most("links: leak, cohorts with any tie that holds, window set", cut["any holds"], 0.05)
    bars.at_least("links: leak, cohorts with any tie that holds, no window", full["any holds"], 0.95)
    bars.at_most("links: leak, mean AUROC of the dense probe, window set", cut["probe"], 0.55)
    bars.at_least("links: leak, mean AUROC of the dense probe, no window", full["probe"], 0.6)
