"""How each source of units is named and drawn: Okabe and Ito's palette, and a shape of its own for each."""

import polars as pl

# source: (what the page calls it, colour, vega shape)
SOURCES = {
    "sae": ("SAE feature", "#0072B2", "circle"),
    "neuron": ("neuron", "#E69F00", "square"),
    "mlp-neuron": ("MLP neuron", "#8A5A00", "square"),
    "pca": ("PCA", "#56B4E9", "diamond"),
    "ica": ("ICA", "#1B5E86", "diamond"),
    "random-dictionary": ("random dictionary", "#8C8C8C", "cross"),
    "random-model": ("random model", "#4A4A4A", "cross"),
    "token": ("token", "#D55E00", "triangle-up"),
    "token-seen": ("token seen", "#009E73", "triangle-down"),
    "token-last": ("last token of a family", "#8F2D00", "triangle-up"),
    "token-pair": ("two tokens side by side", "#005C43", "triangle-down"),
    "position": ("position", "#CC79A7", "triangle-right"),
    "composition": ("composition", "#7A4E9E", "triangle-left"),
    "confounders": ("confounders", "#111111", "square"),
    "k-sparse-1": ("probe of 1 feature", "#A8D0E8", "triangle-right"),
    "k-sparse-2": ("probe of 2 features", "#86BCDD", "triangle-right"),
    "k-sparse-5": ("probe of 5 features", "#5F9FCB", "triangle-right"),
    "k-sparse-10": ("probe of 10 features", "#357FB5", "triangle-right"),
    "k-sparse-50": ("probe of 50 features", "#0B4F80", "triangle-right"),
    "dense-probe": ("dense probe", "#111111", "triangle-left"),
}


def in_order(names: set[str]) -> list[str]:
    """`names` in the order above; sources the page does not know come last, by name."""
    return [name for name in SOURCES if name in names] + sorted(names - SOURCES.keys())


def legend(names: list[str]) -> list[dict]:
    """Name, label, colour and shape of each source."""
    known = [(name, *SOURCES.get(name, (name, "#8C8C8C", "circle"))) for name in names]
    return [{"name": name, "label": label, "color": color, "shape": shape} for name, label, color, shape in known]


def strength(effect: str = "effect", effect_name: str = "effect_name") -> pl.Expr:
    """Distance of an effect from no association, 0 to 1: 2|AUROC - 1/2|, the same of a C-index, or |Spearman's rho|."""
    away = (pl.col(effect) - 0.5).abs() * 2
    return pl.when(pl.col(effect_name) == "spearman").then(pl.col(effect).abs()).otherwise(away)
