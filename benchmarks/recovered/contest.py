"""Seeds of one kind of model side by side, held against the bars: medians over seeds of data and model, each source at its best site on select."""

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
    table = pl.concat([one["table"].with_columns(data_seed=pl.lit(seed)) for seed, one in enumerate(seeds)])
    sites = ", ".join(one["site"] for one in seeds)
    print(f"\n{kind.name}: medians over {len(seeds)} seeds; the SAEs' site, chosen on select: {sites}")
    with pl.Config(tbl_rows=-1, float_precision=3):
        print(medians(table))
    _judge(kind, seeds, table, bars)


def medians(table: pl.DataFrame) -> pl.DataFrame:
    """By source and level over the seeds of data and model: median F1 with its range, median AUROC."""
    grouped = table.group_by("source", "level", maintain_order=True).agg(
        pl.col("f1").median(),
        pl.col("f1").min().alias("least"),
        pl.col("f1").max().alias("most"),
        pl.col("auroc", "trivial_f1").median(),
        pl.col("site").unique().sort().str.join(", ").alias("sites"),
    )
    return grouped.sort("level", pl.col("f1"), descending=[False, True])


def _one(kind: Kind, out: Path, seed: int, quick: bool) -> dict:
    learnt, unlearnt = (Recovered(out, kind, seed, quick, learnt) for learnt in (True, False))
    table = scored(learnt, unlearnt)
    one_name = pl.when(pl.col("source").str.starts_with("sae-")).then(pl.lit("sae")).otherwise("source")
    table = table.with_columns(source=one_name, seed=pl.col("source"))
    chosen = _chosen(table)
    site = chosen.filter(source="sae")["site"][0]
    means = table.join(chosen, on=["source", "site"], how="semi").group_by(
        "source", "seed", "site", "level", maintain_order=True
    )
    means = means.agg(pl.col("f1", "auroc", "trivial_f1").mean())
    over_seeds = means.group_by("source", "site", "level", maintain_order=True).agg(
        pl.col("f1", "auroc", "trivial_f1").mean()
    )
    mass, winning = stability(learnt.saes(site), learnt.store, site, _winners(table, site))
    told = {"gap": learnt.gap_closed(), "mass": mass, "winning": winning, "probe": probed(learnt, site), "site": site}
    print(f"{kind.name}, seed {seed}: {told}")
    return {"table": over_seeds, **told}


def _chosen(table: pl.DataFrame) -> pl.DataFrame:
    """For each source the site at which it finds spells and conjunctions best on the select split: each has the same choice."""
    deep = table.filter(pl.col("level").is_in(DEEP)).group_by("source", "site").agg(pl.col("f1_select").mean())
    best = deep.sort("f1_select", "site", descending=True).unique("source", keep="first", maintain_order=True)
    return best.select("source", "site")


def _winners(table: pl.DataFrame, site: str) -> list[int]:
    """Latents of the first SAE that find a spell or conjunction with F1 above one half on the select split, each once."""
    rows = table.filter(
        (pl.col("seed") == "sae-0")
        & (pl.col("site") == site)
        & pl.col("level").is_in(DEEP)
        & (pl.col("f1_select") > 0.5)
    )
    return sorted({int(name.split()[1].rstrip(",")) for name in rows["best_unit"].drop_nulls()})


def _judge(kind: Kind, seeds: list[dict], table: pl.DataFrame, bars: Bars) -> None:
    f1 = {
        key: part["f1"].to_list()
        for key, part in table.sort("data_seed").partition_by("source", "level", as_dict=True).items()
    }

    def median(name: str) -> float:
        return statistics.median(one[name] for one in seeds)

    if kind is not OBSERVED:
        bars.at_least(f"{kind.name}: gap from unigram to oracle closed", median("gap"), 0.6)
    for level, least in zip(DEEP, LEAST.get(kind, ()), strict=False):
        bars.at_least(f"{kind.name}: sae mean F1, {level}", statistics.median(f1["sae", level]), least)
    for level, least in zip(DEEP, PROBE.get(kind, ()), strict=False):
        bars.at_least(
            f"{kind.name}: dense probe AUROC, {level}", statistics.median(one["probe"][level] for one in seeds), least
        )
    for source, margins in OVER.get(kind, {}).items():
        for level, margin in zip(DEEP, margins, strict=True):
            if margin is not None:
                apart = [sae - other for sae, other in zip(f1["sae", level], f1[source, level], strict=True)]
                bars.at_least(f"{kind.name}: sae less {source}, {level} (same seed)", statistics.median(apart), margin)
    if kind is CAUSAL:
        bars.at_least(f"{kind.name}: activation mass matched in other seeds", median("mass"), 0.7)
        bars.at_least(f"{kind.name}: winning latents matched in other seeds", median("winning"), 0.8)
