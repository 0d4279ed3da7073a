"""The section on whether the model uses what the SAE says: loss recovered, ablations, attribution."""

import re
from html import escape

import polars as pl

from seqsae.pages import markup, offline
from seqsae.pages.compact import columns
from seqsae.pages.content import Content, Used
from seqsae.pages.parts import Part
from seqsae.pages.used_charts import attribution_chart, recovered_chart

SHOWN = 300  # features with ablation effects on the page, at most
_ORDER = {
    name: place for place, name in enumerate(("identity", "sae", "seed", "pca", "random-dictionary", "mean", "zero"))
}
_LABELS = {
    "identity": "activations themselves", "sae": "SAE", "random-dictionary": "random dictionary", "mean": "train mean", "zero": "zeros",
}  # fmt: skip
_METHODS = {"gradient_activation": "gradient times activation", "integrated_gradients": "integrated gradients"}
_READOUTS = {"masked": "hidden"}
_UNITS = {"masked-token": "nats a hidden token", "next-token": "nats a token"}


def part(content: Content) -> Part | None:
    """The section; None where the model was not asked."""
    used = content.used
    if used is None:
        return None
    rows, shown = recovered_rows(used.recovered), most_telling(used.effects)
    names = [one["objective"] for one in used.summary["objectives"]]
    drawn = {f"recovered-{i}": recovered_chart(charted(rows, name)) for i, name in enumerate(names)}
    drawn |= {f"attribution-{i}": attribution_chart(used.attribution, name) for i, name in enumerate(names)}
    charts = {name: chart for name, chart in drawn.items() if chart is not None}
    data = {
        "recovered": columns(rows.drop("mark")),
        "effects": columns(effects(used, shown)),
        "tokens": columns(used.tokens.filter(pl.col("feature").is_in(shown))),
        "attribution": columns(used.attribution.head(SHOWN)),
    }
    return Part("Does the model use it?", "Model use", _body(used, rows, charts, len(shown)), data, charts)


def tokens(content: Content) -> list[str]:
    """The tokens that the section names."""
    return [] if content.used is None else content.used.tokens["token"].unique().sort().to_list()


def telling(content: Content, most: int) -> list[int]:
    """The features that change the output most, at most so many."""
    return [] if content.used is None else most_telling(content.used.effects)[:most]


def recovered_rows(table: pl.DataFrame) -> pl.DataFrame:
    """A row a replacement and kind of rows, both ablations side by side; the kind that the SAE was trained on first.

    Columns: objective, where, headline, source, `label`, `mark` (the label in the chart), unit, loss, fvu, and for `zero` and
    `mean`: recovered (by that name), `_low`, `_high`, `_undefined`.
    """
    keys = ["objective", "where", "headline", "source", "unit"]
    wide = table.select(*keys, "loss", "fvu").unique(keys, keep="first", maintain_order=True)
    for against in ("mean", "zero"):
        one = table.filter(pl.col("against") == against).select(
            *keys,
            pl.col("recovered").alias(against),
            pl.col("ci_low").alias(f"{against}_low"),
            pl.col("ci_high").alias(f"{against}_high"),
            pl.col("undefined").alias(f"{against}_undefined"),
        )
        wide = wide.join(one, on=keys, how="left", maintain_order="left")
    labels = [label(source, unit) for source, unit in wide.select("source", "unit").iter_rows()]
    wide = wide.with_columns(
        label=pl.Series(labels, dtype=pl.String),
        order=pl.col("source").replace_strict(_ORDER, default=len(_ORDER), return_dtype=pl.Int64),
    ).with_columns(
        mark=pl.when("headline").then("label").otherwise(pl.format("{}, {} rows", "label", "where")),
    )
    order = ["objective", "headline", "where", "order", "unit"]
    return wide.sort(order, descending=[False, True, False, False, False]).drop("order")


def label(source: str, unit: str) -> str:
    """What the page calls a replacement."""
    if source == "seed":
        number = re.search(r"seed(\d+)$", unit)
        return f"SAE, seed {number[1]}" if number else f"SAE, {unit}"
    return f"PCA, {unit}" if source == "pca" else _LABELS.get(source, source)


def charted(rows: pl.DataFrame, objective: str) -> pl.DataFrame:
    """The rows that are drawn: all sources where the SAE was trained, and the SAE by itself elsewhere."""
    drawn = pl.col("source").is_in(["sae", "seed", "pca", "random-dictionary"])
    return rows.filter(drawn & (pl.col("objective") == objective) & (pl.col("headline") | (pl.col("source") == "sae")))


def most_telling(table: pl.DataFrame) -> list[int]:
    """The features that are shown: those whose ablation changes the output most.

    By KL; behind them, in an order of their own, those that only change a task's loss.
    """
    ablated = table.filter(pl.col("change") == "ablate", pl.col("value").is_not_null())
    kinds = [ablated.filter(pl.col("measure") == name) for name in ("kl", "task")]
    orders = [kind.sort(pl.col("value").abs(), "feature", descending=[True, False])["feature"] for kind in kinds]
    return pl.concat(orders).unique(maintain_order=True).head(SHOWN).to_list()


def effects(used: Used, shown: list[int]) -> pl.DataFrame:
    """A row a feature, change and measure, in the order of `shown`, without what the profile tells already."""
    place = {feature: rank for rank, feature in enumerate(shown)}
    return (
        used.effects.filter(pl.col("feature").is_in(shown))
        .drop("firing_rate", "decoder_norm", "written")
        .sort(pl.col("feature").replace_strict(place, default=None, return_dtype=pl.Int64), maintain_order=True)
    )


def _body(used: Used, rows: pl.DataFrame, charts: dict[str, dict], n_shown: int) -> str:
    about = used.summary
    several = len(about["objectives"]) > 1
    judged = "".join(_objective(used, one, rows, i, charts, several) for i, one in enumerate(about["objectives"]))
    effects = (
        offline.filled("used_effects.html", matched=_matched(used.effects), steered=_steered(used.effects))
        if n_shown
        else ""
    )
    left = used.effects["feature"].n_unique() - n_shown
    if n_shown and left:
        what, stand = ("feature", "stands") if left == 1 else ("features", "stand")
        effects += f'<p class="note">{left:,} further {what}, of smaller effect, {stand} in effects.parquet.</p>'
    told = (
        f"{about['subjects']:,} subjects of the {about['split']} split in {about['clusters']:,} clusters; "
        f"SAE {about['sae']} at {about['site']}, trained on {_READOUTS.get(about['readout'], about['readout'])} rows"
    )
    if about["readout"] == "observed" and any(one["objective"] == "masked-token" for one in about["objectives"]):
        told += " with nothing hidden, where here a share of the tokens around them is hidden"
    return offline.filled("used.html", told=escape(told), objectives=judged, effects=effects)


def _objective(used: Used, about: dict, rows: pl.DataFrame, i: int, charts: dict[str, dict], several: bool) -> str:
    """Tiles and charts of one way of judging."""
    panels = ""
    if f"recovered-{i}" in charts:
        panels += markup.panel(
            f"Loss recovered, {about['where']} rows replaced", f"recovered-{i}",
            "Bars: 95% interval over clusters. Dashed: 0, as bad as the ablation, and 1, as good as the activations themselves. "
            f"A mark at the edge lies beyond it.{_identity(about)}",
        )  # fmt: skip
    heading = f"<h3>Judged by its {escape(about['objective'])} loss</h3>" if several else ""
    gradients = _gradients(about)
    if f"attribution-{i}" in charts:
        gradients += markup.panel(
            "What gradients foretell, and what ablation does", f"attribution-{i}",
            "A mark a feature and method; on the dashed line it foretells the truth.",
        )  # fmt: skip
    grid = f'<div class="pairgrid">{gradients}</div>' if gradients else ""
    return f'{heading}<div class="tiles">{_tiles(used, about, rows)}</div>{panels}{grid}'


def _identity(about: dict) -> str:
    """What putting the activations themselves back does: it must be next to nothing."""
    error = about["identity_error"]
    if error is None:
        return ""
    told = f"by at most {error:.0e} of its size" if error else "not at all"
    return f" The activations themselves, put back, change the output {told}."


def _tiles(used: Used, about: dict, rows: pl.DataFrame) -> str:
    """What the SAE recovers, and the losses it lies between."""
    mine = rows.filter((pl.col("objective") == about["objective"]) & pl.col("headline"))
    loss = dict(mine.select("source", "loss").unique("source", keep="first", maintain_order=True).iter_rows())
    clean = used.recovered.filter(pl.col("objective") == about["objective"])["loss_clean"]
    tiles = []
    for sae in mine.filter(pl.col("source") == "sae").head(1).iter_rows(named=True):
        note = f"95% {_interval(sae, 'mean')}; against zeros {_ratio(sae, 'zero')}"
        tiles.append(markup.tile(_ratio(sae, "mean", bare=True), "recovered, against the mean", note))
        tiles.append(markup.tile(_loss(sae["loss"]), "loss with the SAE put in", f"L0 {markup.value(about['l0'])}"))
    if len(clean):
        tiles.insert(
            1,
            markup.tile(
                _loss(clean[0]),
                "loss, nothing replaced",
                escape(_UNITS.get(about["objective"], "in the task's own unit")),
            ),
        )
    for source, text in (("mean", "loss with the train mean"), ("zero", "loss with zeros")):
        if source in loss:
            tiles.append(markup.tile(_loss(loss[source]), text, f"in {escape(about['where'])} rows"))
    return "".join(tiles)


def _loss(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 100 else markup.value(value)


def _ratio(row: dict, against: str, bare: bool = False) -> str:
    if row[against] is None:
        return "not defined"
    return f"{row[against]:.3f}" + ("" if bare else f" {_interval(row, against)}")


def _interval(row: dict, against: str) -> str:
    low, high = row[f"{against}_low"], row[f"{against}_high"]
    return "" if low is None or high is None else f"[{low:.3f}, {high:.3f}]"


def _gradients(about: dict) -> str:
    """How well gradients foretell ablation, and how sparse ablations are; nothing where neither was measured."""
    entries = {}
    for name, found in about["attribution"].items():
        if found["pearson"] is not None:
            entries[_METHODS.get(name, name)] = f"Pearson {found['pearson']:.3f}, Spearman {found['spearman']:.3f}"
    sparsity = about["ablation_sparsity"]
    if sparsity["value"] is not None:
        ends = "" if sparsity["ci_low"] is None else f" [{sparsity['ci_low']:.3f}, {sparsity['ci_high']:.3f}]"
        entries["ablation sparsity (near 0: few logits change; 0.64: all, at random)"] = (
            f"{sparsity['value']:.3f}{ends}"
        )
    target = "the loss" if about["output"] == "loss" else about["output"]
    return markup.group(f"Gradients against true ablation of {target}", entries) if entries else ""


def _steered(table: pl.DataFrame) -> str:
    """By what features were scaled; nothing where they were ablated alone."""
    factors = [
        change.removeprefix("scale") for change in table["change"].unique(maintain_order=True) if change != "ablate"
    ]
    if not factors:
        return ""
    return f"Steered, its value is multiplied by {' or '.join(factors)} where it is on, and all else is done in the same way."


def _matched(table: pl.DataFrame) -> str:
    """How many features each is held against, and how like they are."""
    told = table.select(
        n=pl.col("n_matched").max(), rate=pl.col("rate_fold").max(), written=pl.col("written_fold").max()
    ).row(0, named=True)
    if not told["n"]:
        return "No like feature could be measured beside them."
    like = (
        ""
        if told["rate"] is None
        else f" (at most {told['rate']:.2g} times its rate, {told['written']:.2g} times what it writes)"
    )
    return f"Each is held against up to {told['n']} features of like firing rate and like size when on, activation times decoder norm{like}."
