"""The section on seeds: would another training of the same SAE have found these features?"""

import re
from html import escape

import altair as alt
import polars as pl

from seqsae.pages import markup, offline
from seqsae.pages.charts import ACCENT, TICKS, spec
from seqsae.pages.content import Content
from seqsae.pages.parts import Part

CHANCE = "random directions"
MATCHED = (0.5, 0.7, 0.9)  # cosines from which a feature counts as found again
BIN = 0.05
GREY = "#8C8C8C"


def part(content: Content) -> Part | None:
    """The section; None where there is one seed."""
    made = content.portraits
    if made is None or made.matches.is_empty():
        return None
    table = weighed(made.matches, content.profile)
    names = {name: called(name) for name in _others(table)}
    panel = markup.panel("Best match of each feature", "seed-cosines")
    body = offline.filled("seeds.html", panel=panel, shares=_shares(shares(table), names))
    return Part("Seeds", "Seeds", body, {"others": list(names)}, {"seed-cosines": chart(histogram(table))})


def called(sae: str) -> str:
    """An SAE by its seed, as the section on the model's use calls it."""
    number = re.search(r"seed(\d+)$", sae)
    return f"seed {number[1]}" if number else sae


def weighed(matches: pl.DataFrame, profile: pl.DataFrame) -> pl.DataFrame:
    """The matches with `mass`, the share of all activation that a feature carries: firing rate times mean when active."""
    mass = profile.select(
        "feature", mass=pl.col("firing_rate") * pl.col("mean_when_active").cast(pl.Float64)
    ).fill_null(0)
    table = matches.join(mass, on="feature", how="left")
    return table.with_columns(pl.col("mass") / pl.col("mass").sum().over("sae"))


def _others(table: pl.DataFrame) -> list[str]:
    return [name for name in table["sae"].unique(maintain_order=True) if name != CHANCE]


def shares(table: pl.DataFrame) -> pl.DataFrame:
    """By `sae`: n, median cosine, and the share of features and of activation whose match reaches each cosine of MATCHED."""
    reached = [pl.col("cosine") >= limit for limit in MATCHED]
    found = [one.mean().alias(f"features_{limit}") for one, limit in zip(reached, MATCHED, strict=True)]
    found += [
        pl.col("mass").filter(one).sum().alias(f"mass_{limit}") for one, limit in zip(reached, MATCHED, strict=True)
    ]
    return table.group_by("sae", maintain_order=True).agg(
        pl.len().alias("n"), pl.col("cosine").median().alias("median"), *found
    )


def histogram(table: pl.DataFrame) -> pl.DataFrame:
    """`against` (other seeds, random directions), `low`, `high`, `n` matches and `share` of them, by bins of cosine."""
    named = pl.when(pl.col("sae") == CHANCE).then(pl.lit(CHANCE)).otherwise(pl.lit("other seeds"))
    low = ((pl.col("cosine").cast(pl.Float64) / BIN).floor() * BIN).clip(-1, 1 - BIN).round(2)
    binned = table.with_columns(against=named, low=low).group_by("against", "low").agg(n=pl.len())
    share = pl.col("n") / pl.col("n").sum().over("against")
    return binned.with_columns(high=(pl.col("low") + BIN).round(2), share=share).sort("against", "low")


def chart(rows: pl.DataFrame) -> dict:
    """Bars of the other seeds over those of random directions."""
    order = ["other seeds", CHANCE]
    bars = alt.Chart(alt.NamedData("rows")).mark_bar(opacity=0.72, binSpacing=1)
    bars = bars.encode(
        x=alt.X("low:Q", bin="binned", title="cosine of the nearest direction", scale=alt.Scale(nice=False), axis=TICKS),
        x2="high:Q",
        y=alt.Y("share:Q", title="share of features", stack=None, axis=alt.Axis(format="%", tickCount=5)),
        color=alt.Color(
            "against:N", scale=alt.Scale(domain=order, range=[ACCENT, GREY]), legend=alt.Legend(title=None)
        ),
        tooltip=[
            alt.Tooltip("against:N"), alt.Tooltip("low:Q", title="from"), alt.Tooltip("high:Q", title="to"),
            alt.Tooltip("n:Q", title="matches"), alt.Tooltip("share:Q", format=".1%"),
        ],
    )  # fmt: skip
    return spec(bars.properties(width="container", height=240), rows.to_dicts())


def _shares(table: pl.DataFrame, names: dict[str, str]) -> str:
    heads = "".join(
        f'<th class="num plain" scope="col">≥ {limit}: features</th><th class="num plain" scope="col">activation</th>'
        for limit in MATCHED
    )
    rows = []
    for row in table.iter_rows(named=True):
        cells = "".join(
            f'<td class="num">{row[f"features_{limit}"]:.0%}</td><td class="num">{row[f"mass_{limit}"]:.0%}</td>'
            for limit in MATCHED
        )
        label = escape(names.get(row["sae"], row["sae"]))
        rows.append(
            f'<tr title="{escape(row["sae"])}; {row["n"]:,} live features"><td>{label}</td><td class="num">{row["median"]:.2f}</td>{cells}</tr>'
        )
    head = f'<thead><tr><th class="plain" scope="col">Against</th><th class="num plain" scope="col">median cosine</th>{heads}</tr></thead>'
    return f"<table>{head}<tbody>{''.join(rows)}</tbody></table>"
