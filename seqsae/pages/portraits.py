"""What feature cards show beside associations: profiles, token enrichment, kin, tracks; as few numbers as will do."""

import polars as pl

from seqsae.pages.content import Content, Portrayed

PORTRAITS = 150  # features, beyond those with a card, that bring a portrait
TOKENS = {"at": 6, "before": 4, "behind": 4}  # enriched tokens told of a feature
CHANCE = "random directions"


def shown(content: Content, cards: list[int]) -> dict | None:
    """What the script reads: by feature, its histograms, tokens, kin and tracks; None where nothing was portrayed."""
    made = content.portraits
    if made is None:
        return None
    features = portrayed(content, cards)
    words = _Words()
    near = _by(made.neighbours, features, "rank", ["other", "cosine"])
    seeds = _by(made.matches.filter(pl.col("sae") != CHANCE), features, "sae", ["cosine"])
    document = {
        "axes": axes(made.profiles),
        "bars": bars(made.profiles, features),
        "tokens": tokens(made.tokens, features, words),
        "near": {feature: [part for pair in rows for part in pair] for feature, rows in near.items()},
        "seeds": {feature: [cosine for (cosine,) in rows] for feature, rows in seeds.items()},
        "families": families(made.families, features),
        "tracks": tracks(made.tracks, cards, words),
    }
    return document | {"words": words.list}


class _Words:
    """Tokens by number."""

    def __init__(self):
        self._number: dict[str, int] = {}

    def __call__(self, token: str) -> int:
        return self._number.setdefault(token, len(self._number))

    @property
    def list(self) -> list[str]:
        return list(self._number)


def portrayed(content: Content, cards: list[int]) -> list[int]:
    """The features with a portrait: those with a card, then those that fire in most subjects."""
    live = content.profile.filter(~pl.col("dead")).sort("n_subjects", "feature", descending=[True, False])
    others = [feature for feature in live["feature"] if feature not in set(cards)]
    return [*cards, *others[: max(PORTRAITS - len(cards), 0)]]


def axes(profiles: pl.DataFrame) -> list[dict]:
    """Every kind of bins that all features share: `kind`, and of each bin its ends, rows and subjects, in order."""
    found = []
    for kind in profiles["kind"].unique().sort():
        if kind == "strength":
            continue
        bins = profiles.filter(pl.col("kind") == kind).unique("bin").sort("bin")
        found.append(
            {"kind": kind} | {name: bins[name].to_list() for name in ("bin", "low", "high", "rows", "subjects")}
        )
    return sorted(found, key=lambda axis: _ORDER.get(axis["kind"], 9))


_ORDER = {"age": 0, "years since the first row": 0, "year": 1, "position": 2}


def bars(profiles: pl.DataFrame, features: list[int]) -> dict[int, dict]:
    """By feature and kind: bins, rows and subjects in which it fires; strength brings the width of its bins."""
    kept = profiles.filter(pl.col("feature").is_in(features)).sort("feature", "kind", "bin")
    found: dict[int, dict] = {}
    grouped = kept.group_by("feature", "kind", maintain_order=True).agg(
        "bin", "n_rows", "n_subjects", pl.col("high").first(), pl.col("low").first()
    )
    for feature, kind, places, n_rows, n_subjects, high, low in grouped.iter_rows():
        here = [places, n_rows, n_subjects] + ([high - low] if kind == "strength" else [])
        found.setdefault(feature, {})[kind] = here
    return found


def tokens(table: pl.DataFrame, features: list[int], words: _Words) -> dict[int, dict]:
    """By feature and place: [token, rows, subjects, share, lift] of its most telling tokens."""
    found: dict[int, dict] = {}
    kept = table.filter(pl.col("feature").is_in(features))
    for row in kept.select("feature", "place", "token", "n_rows", "n_subjects", "share", "lift").iter_rows():
        feature, place, token, *counts = row
        here = found.setdefault(feature, {}).setdefault(place, [])
        if len(here) < TOKENS[place]:
            here.append([words(token), *counts])
    return found


def _by(table: pl.DataFrame, features: list[int], order: str, columns: list[str]) -> dict[int, list[tuple]]:
    found: dict[int, list[tuple]] = {}
    for feature, *values in (
        table.filter(pl.col("feature").is_in(features)).sort("feature", order).select("feature", *columns).iter_rows()
    ):
        found.setdefault(feature, []).append(tuple(values))
    return found


def families(table: pl.DataFrame | None, features: list[int]) -> dict[int, list]:
    """By feature: [kind, other, cosine, lift] of its relations, where the atlas tells of them; a few a kind."""
    if table is None or not {"feature", "other", "kind"} <= set(table.columns):
        return {}
    asked = [name for name in ("cosine", "lift") if name in table.columns]
    rows = _by(
        table.filter(pl.int_range(pl.len()).over("feature", "kind") < 4), features, "kind", ["kind", "other", *asked]
    )
    return {feature: [list(row) for row in found] for feature, found in rows.items()}


def tracks(table: pl.DataFrame, cards: list[int], words: _Words) -> dict[int, list]:
    """By feature: [place of the strong row, rows before the track, tokens, values, days or None]."""
    found: dict[int, list] = {}
    kept = table.filter(pl.col("feature").is_in(cards)).sort("feature", "rank")
    for feature, at, offset, named, values, days in kept.select(
        "feature", "at", "offset", "tokens", "values", "days"
    ).iter_rows():
        track = [at, offset, [words(token) for token in named], [round(value, 2) for value in values]]
        found.setdefault(feature, []).append([*track, None if days is None else [round(day, 1) for day in days]])
    return found


def spread(features: pl.DataFrame, made: Portrayed | None) -> pl.DataFrame:
    """The feature table with the share of subjects in whom each fires, and of rows where it does."""
    if made is None:
        return features
    columns = made.spread.select("feature", "share_of_subjects", "share_when_present")
    return features.join(columns, on="feature", how="left", maintain_order="left")


def named(shown: dict | None) -> list[str]:
    """Tokens that the portraits show, so that the page can say what they are called."""
    return [] if shown is None else shown["words"]
