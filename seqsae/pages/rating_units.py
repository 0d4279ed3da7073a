"""What a blind rating is of: SAE features among neurons, principal components and random directions, and what each fires on.

So that a source does not show by how often or how strongly its units fire, every unit that is no feature is cut at the firing rate
of a feature, and strengths are told as shares of the unit's largest.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
import scipy.sparse as sp

from seqsae.activations.store import Store
from seqsae.errors import SeqsaeError
from seqsae.features.encoding import Encoded
from seqsae.features.sources import Neurons, Pca, blocks, random_directions, token_codes

ROWS = 200_000  # rows of the train split that units are looked at on, at most
FEWEST = 10  # subjects in whom a feature must fire to be rated
TOP, MIDDLE = 6, 3  # strongest examples, and some of the middle of its strengths
REACH = 6  # rows on either side
TOKENS = 8
SOURCES = ("sae", "neuron", "pca", "random-dictionary")


@dataclass(frozen=True)
class Unit:
    """One thing to rate."""

    source: str
    number: int
    sign: int
    """-1: its negative side is what fires."""
    rate: float
    """Share of rows on which it fires, as shown."""
    examples: list[dict]
    """`tokens`, `values` (shares of its largest, 0 where it does not fire), `at` (which is the row), `place` in its sample, `year`, `middle`."""
    tokens: list[tuple[str, float, float]]
    """Token, share of its active rows, lift."""


def units(encoded: Encoded, n: int, seed: int) -> list[Unit]:
    """`n` units of each source (fewer where a source has fewer), drawn with the seed.

    Raises:
        SeqsaeError: no feature fires in enough subjects.
    """
    rng, store = np.random.default_rng([seed, 5]), encoded.store
    live = encoded.profile.filter(~pl.col("dead") & (pl.col("n_subjects") >= FEWEST)).sort("feature")
    if live.is_empty():
        raise SeqsaeError(f"rate: no feature fires in {FEWEST} subjects or more; train the SAE longer, or on more data")
    chosen = np.sort(rng.choice(len(live), min(n, len(live)), replace=False))
    rates = live["firing_rate"].to_numpy()[chosen]
    train = store.rows_in("train")
    rows = train[:: max(1, -(-len(train) // ROWS))]
    look = _Look(store, rows, rng)
    numbers = live["feature"].to_numpy()[chosen]
    found = look.units(encoded, numbers, np.ones(len(numbers), int), None)
    others = (
        Neurons(store, encoded.site), Pca(store, encoded.site), random_directions(store, encoded.site, encoded.sae, seed),
    )  # fmt: skip
    for source in others:
        signed = not isinstance(source.values(rows[:1]), sp.sparray)
        few = rng.choice(len(source.labels), min(len(rates), len(source.labels)), replace=False)
        signs = rng.choice([-1, 1], len(few)) if signed else np.ones(len(few), int)
        found += look.units(source, few, signs, rates[: len(few)])
    return [unit for unit in found if unit.examples]


class _Look:
    """What units fire on."""

    def __init__(self, store: Store, rows: np.ndarray, rng: np.random.Generator):
        self.store, self.rows, self.rng = store, rows, rng
        self.codes, self.names = token_codes(store)
        self.ends = np.cumsum(store.samples["n_rows"].to_numpy().astype(np.int64))
        self.years = store.rows["time"].dt.year().to_list()
        self.everywhere = np.bincount(self.codes[rows], minlength=len(self.names))

    def units(self, source, numbers: np.ndarray, signs: np.ndarray, rates: np.ndarray | None) -> list[Unit]:
        """Units of one source; `rates`: shares of rows on which each may fire at most, None: all on which it is above zero."""
        values = columns(source, self.rows, numbers)
        most = [None] * len(numbers) if rates is None else rates.tolist()
        given = zip(numbers.tolist(), signs.tolist(), most, values.T, strict=True)
        return [self.unit(source, number, sign, rate, sign * here) for number, sign, rate, here in given]

    def unit(self, source, number: int, sign: int, rate: float | None, values: np.ndarray) -> Unit:
        """One unit; values: [rows], its sign in them."""
        limit = 0.0 if rate is None else max(0.0, float(np.quantile(values, 1 - rate)))
        on = np.flatnonzero(values > limit)
        shown = self._examples(values, on)
        told = [self._track(source, number, sign, int(self.rows[place]), limit, middle) for place, middle in shown]
        top = max((max(one["values"]) for one in told), default=0.0) or 1.0
        examples = [one | {"values": [round(value / top, 3) for value in one["values"]]} for one in told]
        return Unit(source.name, number, sign, len(on) / len(self.rows), examples, self._tokens(on))

    def _examples(self, values: np.ndarray, on: np.ndarray) -> list[tuple[int, bool]]:
        """Places of the strongest rows, one a sample, then of some in the middle half by strength; whether it is one of these."""
        order = on[np.lexsort((on, -values[on]))]
        sample = self.store.row_sample[self.rows[order]]
        first = np.sort(np.unique(sample, return_index=True)[1])
        best, rest = order[first[:TOP]], order[first[TOP:]]
        between = rest[len(rest) // 4 : len(rest) - len(rest) // 4]
        few = np.sort(self.rng.choice(len(between), min(MIDDLE, len(between)), replace=False))
        return [(int(place), False) for place in best] + [(int(place), True) for place in between[few]]

    def _track(self, source, number: int, sign: int, row: int, limit: float, middle: bool) -> dict:
        sample = self.store.row_sample[row]
        end = int(self.ends[sample])
        start = end - int(self.store.samples["n_rows"][int(sample)])
        low = max(start, row - REACH)
        around = np.arange(low, min(end, row + REACH + 1))
        values = sign * columns(source, around, np.array([number]))[:, 0]
        values = np.where(values > limit, values, 0.0)
        tokens = [self.names[code] for code in self.codes[around]]
        where = {"at": row - low, "place": row - start + 1, "year": self.years[row]}
        return {"tokens": tokens, "values": values.tolist(), "middle": middle, **where}

    def _tokens(self, on: np.ndarray) -> list[tuple[str, float, float]]:
        here = np.bincount(self.codes[self.rows[on]], minlength=len(self.names))
        share, everywhere = here / max(len(on), 1), self.everywhere / len(self.rows)
        lift = np.divide(share, everywhere, out=np.zeros(len(share)), where=everywhere > 0)
        gain = share * np.log(np.maximum(lift, 1))
        best = [code for code in np.argsort(-gain, kind="stable")[:TOKENS] if lift[code] > 1 and here[code] > 1]
        return [(self.names[code], float(share[code]), float(lift[code])) for code in best]


def columns(source, rows: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """[len(rows), len(numbers)] float64 values of some units."""
    parts = [np.zeros((0, len(numbers)))]
    for block in blocks(rows):
        values = source.values(block)
        parts.append(values[:, numbers].toarray() if sp.issparse(values) else np.asarray(values)[:, numbers])
    return np.concatenate(parts).astype(np.float64)
