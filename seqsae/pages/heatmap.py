"""Every feature against every covariate at once: the adjusted z of each pair as a letter, the verdict as another."""

import numpy as np
import polars as pl

from seqsae.pages import offline
from seqsae.pages.content import Content
from seqsae.pages.parts import Part
from seqsae.pages.shorten import shorten
from seqsae.pages.tables import pairs, tested

# Letters that JSON and HTML leave as they are, in the order of their values: z from -STEPS to STEPS steps of STEP.
LETTERS = "".join(letter for letter in map(chr, range(33, 127)) if letter not in "\"&'<>\\")[:87]
STEP = 0.25
STEPS = len(LETTERS) // 2
NONE = " "
VERDICTS = {
    "supported": "s", "unstable": "u", "token-readout": "t", "position-readout": "p", "confounded": "c", "inconclusive": "i",
    "not-replicated": "r", "not-selected": "n",
}  # fmt: skip
CELLS = 4_000_000
"""On the page at most; beyond it the features that are furthest from no tie to anything."""


def part(content: Content) -> Part | None:
    """The section; None where nothing was tested."""
    known = pairs(content)
    found = tested(content, known)
    if found.is_empty():
        return None
    order = ordered(content, found, len(known))
    z, verdict = letters(found, order, len(known))
    left = content.profile.filter(~pl.col("dead")).height - len(order)
    note = (
        f" {left:,} live features are not drawn: they fire in too few subjects to be tested, or are furthest from any tie."
        if left > 0
        else ""
    )
    data = {
        "features": order,
        "z": z,
        "verdicts": verdict,
        "names": [shorten(label, 30) for label in known["label"]],
        "letters": LETTERS,
        "step": STEP,
        "codes": {letter: name for name, letter in VERDICTS.items()},
    }
    return Part("Features by covariates", "Heatmap", offline.filled("heatmap.html", note=note), data, {})


def ordered(content: Content, found: pl.DataFrame, n_pairs: int) -> list[int]:
    """The features' order: by cluster of the atlas, those of none last; within one by the pair they are nearest to, then by z."""
    size = pl.col("z_select_adjusted").abs().fill_null(0.0)
    nearest = found.sort("feature", size, "pair", descending=[False, True, False]).unique("feature", keep="first")
    nearest = nearest.select("feature", "pair", z="z_select_adjusted").sort(
        pl.col("z").abs(), "feature", descending=[True, False], nulls_last=True
    )
    nearest = nearest.head(max(CELLS // max(n_pairs, 1), 1)).join(
        content.atlas.select("feature", "cluster"), on="feature", how="left"
    )
    last = pl.col("cluster").is_null() | (pl.col("cluster") < 0)
    return nearest.sort(
        last, "cluster", "pair", "z", "feature", descending=[False, False, False, True, False], nulls_last=True
    )["feature"].to_list()


def letters(found: pl.DataFrame, order: list[int], n_pairs: int) -> tuple[list[str], list[str]]:
    """For each pair a letter a feature, in their order: its z in steps (NONE where there is none), and its verdict."""
    place = pl.DataFrame(
        {"feature": order, "row": range(len(order))}, schema={"feature": found.schema["feature"], "row": pl.Int64}
    )
    cells = found.join(place, on="feature").select(
        "pair",
        "row",
        step=(pl.col("z_select_adjusted") / STEP).round().clip(-STEPS, STEPS).cast(pl.Int64) + STEPS,
        verdict=pl.col("verdict").replace_strict(VERDICTS, default=NONE, return_dtype=pl.String),
    )
    at = cells["row"].to_numpy(), cells["pair"].to_numpy()
    z, verdict = (np.full((n_pairs, len(order)), NONE, "U1") for _ in range(2))
    known = cells["step"].is_not_null().to_numpy()
    alphabet = np.array(list(LETTERS))
    z[at[1][known], at[0][known]] = alphabet[cells["step"].drop_nulls().to_numpy()]
    verdict[at[1], at[0]] = cells["verdict"].to_numpy().astype("U1")
    return ["".join(row) for row in z], ["".join(row) for row in verdict]
