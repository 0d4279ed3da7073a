"""Loss recovered: how much of what an ablation destroys the reconstruction brings back.

    recovered = (L_ablated - L_spliced) / (L_ablated - L_clean)

1 if the model does as well as on its own activations, 0 if as badly as with zeros (or with their mean) there; above 1 or
below 0 where it does better or worse than either. Means of the loss are ratios of sums over all that is scored.
"""

import numpy as np
import polars as pl

from seqsae import schema
from seqsae.faithfulness.bootstrap import FEWEST, by_cluster, interval, resampled
from seqsae.faithfulness.costs import CLEAN, Costs, Key
from seqsae.faithfulness.shown import Shown
from seqsae.faithfulness.splices import ABLATIONS

LEAST = 1e-3  # share of the clean loss that an ablation must add for a ratio to it to mean anything


def recovered_table(found: Costs, told: Shown, readout: str, draws: int, seed: int) -> pl.DataFrame:
    """Schema `recovered` of one objective."""
    own = found.objective.own(readout)
    rows = []
    for key in found.total:
        for against in ABLATIONS:
            ablated = next((other for other in found.total if other[0] == against and other[2] == key[2]), None)
            if key != CLEAN and ablated is not None:
                shared = {
                    "objective": found.objective.name,
                    "where": key[2],
                    "headline": key[2] == own,
                    "against": against,
                }
                rows.append(shared | _row(found, told, key, ablated, draws, seed))
    return schema.check_table(pl.DataFrame(rows, infer_schema_length=None), "recovered", "recovered")


def _row(found: Costs, told: Shown, key: Key, ablated: Key, draws: int, seed: int) -> dict:
    n, names = found.count.sum(), (CLEAN, key, ablated)
    sums = by_cluster(np.column_stack([found.total[name] for name in names]), told.clusters)
    clean, spliced, worst = sums.sum(0) / n
    value, low, high, reason = ratio(sums, draws, seed)
    return {
        "source": key[0],
        "unit": key[1],
        "n_subjects": len(np.unique(told.subjects)),
        "n_clusters": len(sums),
        "n_scored": int(n),
        "loss_clean": clean,
        "loss": spliced,
        "loss_ablated": worst,
        "recovered": value,
        "ci_low": low,
        "ci_high": high,
        "undefined": reason,
        "fvu": _finite(found.unexplained[key].value()) if key in found.unexplained else None,
    }


def ratio(sums: np.ndarray, draws: int, seed: int) -> tuple[float | None, float | None, float | None, str | None]:
    """Recovered, its 95% interval over clusters (None under five of them), and why it is not defined; from sums [C, 3] of clean, spliced, ablated.

    It is not defined where the ablation does not clearly hurt: where it adds less than a thousandth of the clean loss, or
    where the interval of what it adds holds 0.
    """
    clean, spliced, ablated = sums.sum(0)
    drawn = resampled(sums, draws, seed) if len(sums) > 1 else np.empty((0, 3))
    gap, gaps = ablated - clean, drawn[:, 2] - drawn[:, 0]
    if not gap > LEAST * abs(clean):
        return None, None, None, "the ablation does not hurt the model"
    if len(drawn) and not interval(gaps)[0] > 0:
        return None, None, None, "the ablation does not clearly hurt the model"
    if len(sums) < FEWEST:
        return (ablated - spliced) / gap, None, None, None
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = interval((drawn[:, 2] - drawn[:, 1]) / gaps)
    return (ablated - spliced) / gap, _finite(low), _finite(high), None


def subjects_table(several: list[Costs], told: Shown) -> pl.DataFrame:
    """Schema `recovered_subjects`: what each replacement costs each subject. It shows individuals."""
    parts = []
    for found in several:
        for key, total in found.total.items():
            base = {"objective": found.objective.name, "source": key[0], "unit": key[1], "where": key[2]}
            table = pl.DataFrame({"subject": told.subjects, "n_scored": found.count, "loss": total})
            parts.append(table.with_columns(**{name: pl.lit(value) for name, value in base.items()}))
    summed = pl.concat(parts).group_by("objective", "source", "unit", "where", "subject", maintain_order=True).sum()
    mean = summed.filter(pl.col("n_scored") > 0).with_columns(
        pl.col("loss") / pl.col("n_scored"), pl.col("n_scored").cast(pl.UInt32), pl.col("subject").cast(pl.UInt32)
    )
    return schema.check_table(mean, "recovered_subjects", "recovered_subjects")


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
