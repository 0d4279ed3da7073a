"""What ablating and steering a feature does, beside what it does for features that fire as often and write as much when they do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import polars as pl

from seqsae import schema
from seqsae.errors import SeqsaeError
from seqsae.faithfulness.bootstrap import mean_interval
from seqsae.faithfulness.matching import Matched
from seqsae.faithfulness.measuring import Measured
from seqsae.faithfulness.standing import Standing, standing

MEASURES = {
    "kl": "nats", "tv": "probability", "loss": "nats", "kl-own": "nats", "tv-own": "probability", "sparsity": "share", "task": "loss",
}  # fmt: skip

TOP = 5  # tokens, or classes of them, told of each feature and direction


@dataclass(frozen=True)
class Sampled:
    """How intervals are drawn."""

    clusters: np.ndarray
    """[S] cluster of each sample shown."""
    draws: int
    seed: int

    def mean(self, found: Sequence[Measured], measure: str) -> tuple[float, float, float]:
        """A measure's mean over turns, and its interval; NaN where nothing was measured."""
        parts = [(one.sums[measure], one.place) for one in found if measure in one.sums]
        return self.ratio([(part.total, part.count) for part, _ in parts], [place for _, place in parts])

    def ratio(self, parts: Sequence[tuple[float, float]], places: Sequence[int]) -> tuple[float, float, float]:
        """Sum over count of pairs (sum, count), and its interval over the clusters of the samples `places`."""
        if not parts:
            return np.nan, np.nan, np.nan
        sums = np.array(parts, float)
        return mean_interval(sums[:, 0], sums[:, 1], self.clusters[np.array(places)], self.draws, self.seed)

    def standing(self, found: Sequence[Measured], rivals: Sequence[Sequence[Measured]], measure: str) -> Standing:
        """Where a measure's size stands among that of its rivals."""
        own, *others = (self._by_cluster(one, measure) for one in (found, *rivals))
        rivals = np.array(others) if others else np.zeros((0, *own.shape))
        return standing(own, rivals, self.draws, self.seed)

    def _by_cluster(self, found: Sequence[Measured], measure: str) -> np.ndarray:
        """[C, 2] sum and count of each cluster."""
        table = np.zeros((len(self._names), 2))
        for one in found:
            if measure in one.sums:
                table[self._place[one.place]] += (one.sums[measure].total, one.sums[measure].count)
        return table

    @cached_property
    def _names(self) -> np.ndarray:
        return np.unique(self.clusters)

    @cached_property
    def _place(self) -> np.ndarray:
        return np.searchsorted(self._names, self.clusters)


def by_feature(found: Sequence[Measured]) -> dict[tuple[int, str], list[Measured]]:
    """Feature and change to its turns."""
    grouped: dict[tuple[int, str], list[Measured]] = {}
    for one in found:
        grouped.setdefault((one.feature, one.change), []).append(one)
    return grouped


def effects_table(
    found: Sequence[Measured], partners: Mapping[int, Matched], profile: Mapping[str, np.ndarray], sampled: Sampled
) -> pl.DataFrame:
    """Schema `effects`: a row a feature, change and measure.

    Args:
        partners: feature to those it is held against; only these features get rows.
        profile: rate, norm and written (when on) [width] of all features.
    """
    grouped, rows = by_feature(found), []
    changes = list(dict.fromkeys(one.change for one in found))
    measures = [name for name in MEASURES if any(name in one.sums for one in found)]
    for feature, matched in partners.items():
        about = {
            "firing_rate": profile["rate"][feature],
            "decoder_norm": profile["norm"][feature],
            "written": profile["written"][feature],
            "rate_fold": _number(matched.rate_fold),
            "written_fold": _number(matched.written_fold),
        }
        for change, measure in product(changes, measures):
            mine, *rivals = (grouped.get((int(one), change), []) for one in (feature, *matched.features))
            row = _row(mine, rivals, measure, sampled)
            key = {"feature": feature, "change": change, "measure": measure, "unit": MEASURES[measure]}
            rows.append(key | row | about)
    table = pl.DataFrame(rows, infer_schema_length=None) if rows else schema.empty("effects")
    return schema.check_table(table, "effects", "effects")


def sampled_mean(found: Sequence[Measured], measure: str) -> float:
    """A measure's mean over turns; NaN where nothing was measured."""
    parts = [one.sums[measure] for one in found if measure in one.sums]
    count = sum(part.count for part in parts)
    return sum(part.total for part in parts) / count if count else np.nan


def _row(found: list[Measured], rivals: list[list[Measured]], measure: str, sampled: Sampled) -> dict:
    """One measure of one feature; loss and task go either way, and are ranked by their size."""
    value, low, high = sampled.mean(found, measure)
    sizes = np.abs([sampled_mean(one, measure) for one in rivals])
    sizes = sizes[np.isfinite(sizes)]
    rank = sampled.standing(found, rivals, measure)
    places = np.unique([one.place for one in found]).astype(int)
    return {
        "value": _number(value),
        "ci_low": _number(low),
        "ci_high": _number(high),
        "percentile": rank.value,
        "percentile_low": rank.low,
        "percentile_high": rank.high,
        "matched_median": _number(np.median(sizes)) if len(sizes) else None,
        "n_matched": len(sizes),
        "n_samples": len(places),
        "n_clusters": len(np.unique(sampled.clusters[places])),
        "n_scored": int(sum(one.sums[measure].count for one in found if measure in one.sums)),
    }


def tokens_table(found: Sequence[Measured], names: Sequence[str], sampled: Sampled) -> pl.DataFrame:
    """Schema `effect_tokens`: the tokens, or classes of them, whose probability a feature raises and lowers most."""
    rows = []
    for (feature, change), several in by_feature([one for one in found if one.classes is not None]).items():
        count = np.array([one.sums["kl"].count for one in several])
        added, logs, before = (
            np.array([getattr(one.classes, part) for one in several], float)
            for part in ("added", "added_log", "before")
        )
        mean = added.sum(0) / count.sum()
        order = np.argsort(-mean, kind="stable")
        ends = [("raised", i) for i in order[:TOP] if mean[i] > 0] + [
            ("lowered", i) for i in order[::-1][:TOP] if mean[i] < 0
        ]
        for direction, i in ends:
            _, low, high = sampled.ratio(list(zip(added[:, i], count, strict=True)), [one.place for one in several])
            rows.append(
                {
                    "feature": feature,
                    "change": change,
                    "direction": direction,
                    "token": names[i],
                    "added_probability": mean[i],
                    "ci_low": _number(low),
                    "ci_high": _number(high),
                    "added_log_probability": logs[:, i].sum() / count.sum(),
                    "probability": before[:, i].sum() / count.sum(),
                }
            )
    table = pl.DataFrame(rows, infer_schema_length=None) if rows else schema.empty("effect_tokens")
    return schema.check_table(table, "effect_tokens", "effect_tokens")


def attribution_table(found: Sequence[Measured], objective: str) -> pl.DataFrame:
    """Schema `attribution`: what gradients foretell of each feature's ablation, beside what it does; per sample."""
    rows = []
    for (feature, _), several in by_feature([one for one in found if one.guess is not None]).items():
        mean = np.mean([one.guess for one in several], axis=0)
        if not np.isfinite(mean).all():
            raise SeqsaeError(
                f"attribution of feature {feature} to the {objective} loss is NaN or infinite; look at the loss"
            )
        names = ("ablation", "gradient_activation", "integrated_gradients")
        guesses = dict(zip(names, mean.tolist(), strict=True))
        rows.append({"feature": feature, "objective": objective, **guesses, "n_samples": len(several)})
    table = pl.DataFrame(rows, infer_schema_length=None) if rows else schema.empty("attribution")
    return schema.check_table(table, "attribution", "attribution")


def agreement(table: pl.DataFrame) -> dict[str, dict[str, float | None]]:
    """Correlation over features of each kind of attribution with true ablation: Pearson and Spearman, None under 3 features."""
    from scipy import stats

    true, found = table["ablation"].to_numpy(), {}
    for name in ("gradient_activation", "integrated_gradients"):
        guess = table[name].to_numpy()
        varies = len(true) > 2 and np.ptp(true) > 0 and np.ptp(guess) > 0
        found[name] = {
            "pearson": float(stats.pearsonr(true, guess).statistic) if varies else None,
            "spearman": float(stats.spearmanr(true, guess).statistic) if varies else None,
        }
    return found


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
