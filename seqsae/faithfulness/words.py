"""The faithfulness room in plain lines, for a terminal."""

from collections.abc import Iterator

import polars as pl

from seqsae.faithfulness.room import Faithful
from seqsae.faithfulness.steering_room import Steered


def told(found: Faithful) -> str:
    """All that was measured, a line each."""
    summary = found.summary
    head = f"{summary['sae']} at {summary['site']} of {summary['model']}, {summary['subjects']:,} subjects of the {summary['split']} split"
    lines = [head]
    for one in summary["objectives"]:
        lines += [*_recovered(found.recovered, one), *_attribution(one)]
    return "\n".join([*lines, *_effects(found.effects)])


def _recovered(table: pl.DataFrame, about: dict) -> Iterator[str]:
    mine = table.filter(pl.col("objective") == about["objective"])
    clean, error = mine["loss_clean"][0], about["identity_error"]
    identity = "not measured" if error is None else f"{error:.1g}"
    yield f"{about['objective']} loss {clean:.4g}, {about['where']} rows replaced; L0 {about['l0']:.1f}; identity error {identity}"
    yield "  loss recovered, against zero and mean ablation:"
    for key, part in mine.filter("headline", ~pl.col("source").is_in(["zero", "mean"])).group_by(
        "source", "unit", maintain_order=True
    ):
        both = ", ".join(ratio(row) for row in part.iter_rows(named=True))
        yield f"    {key[0]:<18} {both}   loss {part['loss'][0]:.4g}   ({key[1]})"
    elsewhere = {where: value for where, value in about["recovered_against_mean"].items() if where != about["where"]}
    if elsewhere:
        yield "  the SAE put in elsewhere, against mean ablation: " + ", ".join(
            f"{where} rows {'not defined' if value is None else f'{value:.3f}'}" for where, value in elsewhere.items()
        )


def ratio(row: dict) -> str:
    """One entry of `recovered` with its interval."""
    if row["recovered"] is None:
        return f"not defined ({row['undefined']})"
    interval = "" if row["ci_low"] is None else f" [{row['ci_low']:.3f}, {row['ci_high']:.3f}]"
    return f"{row['recovered']:.3f}{interval}"


def _attribution(about: dict) -> Iterator[str]:
    sparsity = about["ablation_sparsity"]["value"]
    if sparsity is not None:
        yield f"  ablation sparsity {sparsity:.3f} (over the vocabulary at each position; near 0: few logits change, 0.64: all, at random)"
    for name, found in about["attribution"].items():
        if found["pearson"] is not None:
            yield (
                f"  {name.replace('_', ' ')} against true ablation of {about['output']}: "
                f"Pearson {found['pearson']:.3f}, Spearman {found['spearman']:.3f}"
            )


def _effects(table: pl.DataFrame) -> Iterator[str]:
    """The features whose ablation does most: that, and what steering them does."""
    for measure in ("kl", "task"):
        mine = table.filter(pl.col("measure") == measure, pl.col("value").is_not_null())
        ablated = mine.filter(pl.col("change") == "ablate").sort(
            pl.col("value").abs(), descending=True, maintain_order=True
        )
        for feature in ablated["feature"].unique(maintain_order=True).head(10):
            yield from (_effect(row) for row in mine.filter(pl.col("feature") == feature).iter_rows(named=True))


def _effect(row: dict) -> str:
    how = "ablating" if row["change"] == "ablate" else f"{row['change'].replace('scale', 'scaling by ')},"
    ends = "" if row["ci_low"] is None else f" [{row['ci_low']:.2g}, {row['ci_high']:.2g}]"
    return f"  {how} feature {row['feature']}: {row['measure']} {row['value']:.3g}{ends} {row['unit']}{_standing(row)}"


def _standing(row: dict) -> str:
    if row["percentile"] is None:
        return ""
    ends = "" if row["percentile_low"] is None else f" [{row['percentile_low']:.0f}, {row['percentile_high']:.0f}]"
    return f", percentile {row['percentile']:.0f}{ends} of {row['n_matched']} like features"


def told_steered(found: Steered) -> str:
    """What steering did, in one line or two."""
    table = found.table
    if not len(table):
        return "0 predictions"
    moved = (table["top"] != table["top_steered"]).mean()
    line = (
        f"{len(table):,} predictions, mean KL {table['kl'].mean():.3g} nats, the likeliest token changed in {moved:.1%}"
    )
    if found.generated is None:
        return line
    differ = (found.generated["tokens"] != found.generated["tokens_steered"]).mean()
    return f"{line}\n{len(found.generated):,} sequences generated, {differ:.1%} of them differ"
