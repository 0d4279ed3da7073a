"""Blind rating: a page a rater on which features stand among other units under coded names, and the key to them apart."""

from pathlib import Path

import numpy as np
import polars as pl

from seqsae import schema, shelf
from seqsae.associations.room import Associated
from seqsae.errors import SeqsaeError
from seqsae.features.encoding import Encoded
from seqsae.pages import offline
from seqsae.pages.rating_units import Unit, units
from seqsae.records.code_table import names as code_names

LETTERS = np.array(list("BCDFGHJKLMNPQRSTVWXZ23456789"))  # no vowels: no words
SCALE = {
    0: "no pattern to be seen",
    1: "a weak or mixed pattern",
    2: "mostly one thing",
    3: "one clear thing, throughout",
}
WARNING = (
    '<div class="internal"><b>Internal</b> This page shows tokens of individual subjects. '
    "It must not leave the place where the data are kept.</div>"
)


def rating(
    encoded: Encoded, names: dict[str, str] | None = None, *, out: Path | str, raters: int, features: int, seed: int = 0
) -> shelf.Artefact:
    """A set to rate, as the artefact `out`: `rater-1.html` and so on, and the key, which no page holds.

    Args:
        names: token -> what a person calls it.
        raters: pages; each has the same units in an order of its own.
        features: SAE features, and units of each other source.
    """
    if raters < 1 or features < 1:
        raise SeqsaeError("rate: --raters and --features are at least 1")
    options = {"raters": raters, "features": features, "seed": seed, "names": shelf.digest(names or {})}
    inputs = {"features": encoded.artefact, "activations": encoded.store.artefact}

    def write(work: Path) -> None:
        found = units(encoded, features, seed)
        rng = np.random.default_rng([seed, 7])
        codes = coded(len(found), rng)
        key = keyed(found, codes)
        shelf.write_table(work / "key.parquet", key)
        number = set_of(key)
        for rater in range(1, raters + 1):
            order = rng.permutation(len(found))
            document = page([(codes[place], found[place]) for place in order], number, rater, names or {})
            offline.write(document, work / f"rater-{rater}.html")

    return shelf.stage(out, "rating", options, inputs, write, ("vl-convert-python",))


def called(associated: Associated) -> dict[str, str]:
    """Token -> human name, by the code table of the data."""
    table = associated.covariates.code_table
    return {} if table is None else code_names(table, associated.encoded.store.rows["token"].unique().sort())


def coded(n: int, rng: np.random.Generator) -> list[str]:
    """`n` different names of four letters that say nothing."""
    places = rng.choice(len(LETTERS) ** 4, n, replace=False)
    return ["".join(LETTERS[(place // len(LETTERS) ** np.arange(4)) % len(LETTERS)]) for place in places]


def keyed(found: list[Unit], codes: list[str]) -> pl.DataFrame:
    """Schema `rating_key`, in the order of the codes: that of the units would tell of their sources."""
    rows = [(code, one.source, one.number, one.sign, one.rate) for code, one in zip(codes, found, strict=True)]
    table = pl.DataFrame(rows, schema=["code", "source", "unit", "sign", "rate"], orient="row").sort("code")
    return schema.check_table(table, "rating_key", "rating key")


def set_of(key: pl.DataFrame) -> str:
    """The name of a set of codes, which the ratings of it carry."""
    return shelf.digest(key["code"].to_list())[:12]


def page(items: list[tuple[str, Unit]], number: str, rater: int, names: dict[str, str]) -> str:
    """One rater's page as text; nothing in it tells what a unit is."""
    shown = [
        {"code": code, "examples": one.examples, "tokens": [list(token) for token in one.tokens]} for code, one in items
    ]
    there = {token for item in shown for token in (*(one[0] for one in item["tokens"]), *_words(item))}
    called = {token: names[token] for token in sorted(there) if token in names}
    data = {"set": number, "rater": rater, "items": shown, "names": called, "scale": list(SCALE.values())}
    section = offline.Section("rate", f"Rater {rater}: {len(items)} units", offline.asset("rating.html"), "Rate")
    return offline.document("Blind rating", [section], data, ("dom.js", "data.js", "rating.js"), WARNING)


def _words(item: dict) -> list[str]:
    return [token for example in item["examples"] for token in example["tokens"]]
