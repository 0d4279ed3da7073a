"""Seeds of one kind of model side by side, held against the bars: medians over data and model seeds, sites chosen on select."""

import statistics
from pathlib import Path

import polars as pl
from bars import Bars

from recovered.scores import probed, scored, stability
from recovered.study import CAUSAL, MASKED, OBSERVED, Kind, Recovered

SEEDS = 3
DEEP = ("spell", "conjunction")
LEAST = {CAUSAL: (0.65, 0.40), MASKED: (0.45, 0.35)}
OVER = {
    CAUSAL: {
        "random-dictionary": (0.12, 0.08),
        "neuron": (0.15, 0.08),
        "random-model": (0.40, 0.20),
        "pca": (None, 0.05),
    },
    MASKED: {"pca": (0.05, 0.05)},
}
PROBE = {CAUSAL: (0.95, 0.90)}


def contest(kind: Kind, out: Path, bars: Bars, quick: bool, n_seeds: int = SEEDS) -> None:
    """Train, harvest and score every seed of a kind, print what was found, and note the bars."""
    seeds = [_one(kind, out, seed, quick) for seed in range(1 if quick else n_seeds)]
    table = pl.concat([one["table"] for one in seeds]).group_by("source", "level", maintain_order=True)
    table = table.agg(pl.col("f1").median(), pl.col("auroc").median(), pl.col("trivial_f1").median())
    print(
        f"\n{kind.name}: medians over {len(seeds)} seeds; site chosen on select: {', '.join(one['site'] for one in seeds)}"
    )
    with pl.Config(tbl_rows=-1, float_precision=3):
        print(table.sort("level", pl.col("f1"), descending=[False, True]))
    _judge(kind, seeds, {(row["source"], row["level"]): row["f1"] for row in table.iter_rows(named=True)}, bars)


def _one(kind: Kind, out: Path, seed: int, quick: bool) -> dict:
    learnt, unlearnt = (Recovered(out, kind, seed, quick, learnt) for learnt in (True, False))
    table = scored(learnt, unlearnt)
    table = table.with_columns(
        source=pl.when(pl.col("source").str.starts_with("sae-")).then(pl.lit("sae")).otherwise("source"),
        seed=pl.col("source"),
    )
    site = _best_site(table)
    here = table.filter(pl.col("site").is_in([site, "input"]) | (pl.col("source") == "mlp-neuron"))
    means = here.group_by("source", "seed", "site", "level", maintain_order=True).agg(
        pl.col("f1", "auroc", "trivial_f1").mean()
    )
    best = means.sort("f1", descending=True).group_by("source", "level", maintain_order=True)
    sae = (
        means.filter(pl.col("source") == "sae")
        .group_by("source", "level", maintain_order=True)
        .agg(pl.col("f1", "auroc", "trivial_f1").mean())
    )
    others = best.agg(pl.col("f1", "auroc", "trivial_f1").first()).filter(pl.col("source") != "sae")
    mass, winning = stability(learnt.saes(site), learnt.store, site, _winners(table, site))
    told = {"gap": learnt.gap_closed(), "mass": mass, "winning": winning, "probe": probed(learnt, site), "site": site}
    print(f"{kind.name}, seed {seed}: {told}")
    return {"table": pl.concat([sae, others]), **told}


def _best_site(table: pl.DataFrame) -> str:
    """The site at which SAEs find spells and conjunctions best on the select split."""
    deep = table.filter((pl.col("source") == "sae") & pl.col("level").is_in(DEEP))
    means = deep.group_by("site").agg(pl.col("f1_select").mean()).sort("f1_select", "site", descending=True)
    return means["site"][0]


def _winners(table: pl.DataFrame, site: str) -> list[int]:
    """Latents of the first SAE that find a spell or conjunction with F1 above one half."""
    rows = table.filter(
        (pl.col("seed") == "sae-0") & (pl.col("site") == site) & pl.col("level").is_in(DEEP) & (pl.col("f1") > 0.5)
    )
    return [int(name.split()[1].rstrip(",")) for name in rows["best_unit"].drop_nulls()]


def _judge(kind: Kind, seeds: list[dict], f1: dict[tuple[str, str], float], bars: Bars) -> None:
    def median(name: str) -> float:
        return statistics.median(one[name] for one in seeds)

    if kind is not OBSERVED:
        bars.at_least(f"{kind.name}: gap from unigram to oracle closed", median("gap"), 0.6)
    for level, least in zip(DEEP, LEAST.get(kind, ()), strict=False):
        bars.at_least(f"{kind.name}: sae mean F1, {level}", f1["sae", level], least)
    for level, least in zip(DEEP, PROBE.get(kind, ()), strict=False):
        bars.at_least(
            f"{kind.name}: dense probe AUROC, {level}", statistics.median(one["probe"][level] for one in seeds), least
        )
    for source, margins in OVER.get(kind, {}).items():
        for level, margin in zip(DEEP, margins, strict=True):
            if margin is not None:
                bars.at_least(f"{kind.name}: sae less {source}, {level}", f1["sae", level] - f1[source, level], margin)
    if kind is CAUSAL:
        bars.at_least(f"{kind.name}: activation mass matched in other seeds", median("mass"), 0.7)
        bars.at_least(f"{kind.name}: winning latents matched in other seeds", median("winning"), 0.8)
