"""What a finished study prints: plain aligned tables."""

import polars as pl

from seqsae.associations.concept_scores import LEVELS, found
from seqsae.associations.resplits import paired
from seqsae.associations.room import Associated
from seqsae.faithfulness import words
from seqsae.maps import quality_words
from seqsae.pages import captions, concept_text
from seqsae.pages.lines import aligned

SOURCES = ("sae", "neuron", "pca", "random-dictionary", "token", "token-seen")
CONCEPTS = (("concepts", "concept_features"), ("concepts_by_domain", "concept_features_by_domain"))
SHOWN = 40  # covariate categories printed; all of them stand in the tables


def whole(study) -> str:
    """Everything `seqsae run` prints at the end."""
    associated = study.told
    several = len(study.associated) > 1
    parts = [
        f"View {view}. {covariates(one)}" if several else covariates(one) for view, one in study.associated.items()
    ]
    if associated.resplits is not None:
        parts.append(resplit_lines(associated.resplits))
    if associated.captions is not None:
        parts.append(captions.told(associated.captions))
    if associated.concepts is not None:
        parts.append(concepts(associated))
    if study.annotated is not None:
        parts.append(concept_text.told(study.annotated))
    if study.faithful is not None:
        parts.append(words.told(study.faithful))
    parts.append(quality_words.said(study.atlas.table("map_quality.parquet")))
    if study.layers is not None:
        parts.append(layers(study.layers.table("layers.parquet")))
    parts += [losses(study), quality(study), times(study), *reports(study)]
    return "\n\n".join(part for part in parts if part)


def layers(table: pl.DataFrame) -> str:
    """A line a site of [layers]."""
    rows = []
    for row in table.iter_rows(named=True):
        kept = (
            "-" if row["recovered"] is None else f"{row['recovered']:.3f} [{row['ci_low']:.3f}, {row['ci_high']:.3f}]"
        )
        fvu, tokens = (("-" if row[name] is None else f"{row[name]:.3f}") for name in ("fvu", "token_detectors"))
        counts = [f"{row[name]} ({row[units]})" if row[name] is not None else "-" for name, units in CONCEPTS]
        rows.append([row["site"], fvu, kept, tokens, *counts])
    header = [
        "site",
        "held-out FVU",
        "loss recovered against mean",
        "token detectors",
        "concepts (features) by F1",
        "by F1 per domain",
    ]
    return "The same SAE at each site:\n" + aligned(header, rows)


def reports(study) -> list[str]:
    """Where the pages lie: that of the first view, then those of the others."""
    first = f"report: {study.report}"
    others = [f"report of view {view}: {path}" for view, path in study.reports.items() if path != study.report]
    return ["\n".join([first, *others])]


def covariates(associated: Associated) -> str:
    """Per covariate category: discoveries, and the best unit of each source with its interval, on the test split."""
    baselines = associated.baselines
    sources = baselines["source"].unique(maintain_order=True).to_list()
    counts = associated.table.group_by("covariate", "category", maintain_order=True).agg(
        pl.col("feature").filter((pl.col("verdict") == "supported").fill_null(False)).n_unique().alias("held")
    )
    rows = []
    for covariate, category, held in counts.head(SHOWN).iter_rows():
        mine = baselines.filter(
            (pl.col("covariate") == covariate) & pl.col("category").eq_missing(pl.lit(category, pl.String))
        )
        by_source = {row["source"]: row for row in mine.iter_rows(named=True)}
        name = covariate if category is None else f"{covariate} = {category}"
        shown = [_effect(by_source.get(source), source == "sae") for source in sources]
        rows.append([name, str(held), *shown])
    note = f"\n({len(counts) - SHOWN} more in associations.parquet)" if len(counts) > SHOWN else ""
    title = (
        "Best unit of each source, chosen on the select split, scored on the test split: AUROC, Spearman for numbers. Confounders, position,\n"
        "last tokens, composition and the probes are fits; all intervals are in baselines.parquet. Supported: features whose tie is repeated\n"
        "there beyond the confounders (Holm), is large enough to be of interest, and is more than the best token and the position say."
    )
    table = aligned(["associated with", "supported", *sources], rows)
    return f"{title}\n{table}{note}\n{controls(associated)}"


def controls(associated: Associated) -> str:
    """How the run's own controls came out, and how inflated the tests are, before and after adjustment."""
    negative, positive = (associated.controls.filter(pl.col("kind") == kind) for kind in ("negative", "positive"))
    lines = [f"Controls: {len(negative)} labels that mean nothing, {negative['supported'].sum()} features supported"]
    for row in positive.iter_rows(named=True):
        came = "found" if row["as_expected"] else "NOT found: this run finds little"
        lines.append(f"a label planted on feature {row['feature']}: {came}")
    told = associated.diagnostics.drop_nulls("inflation_adjusted")
    if len(told):
        crude, adjusted = (told[name].median() for name in ("inflation", "inflation_adjusted"))
        lines.append(
            f"inflation of the tests, median over covariates: {crude:.2f} crude, {adjusted:.2f} beyond the confounders"
        )
    return "; ".join(lines) + "."


def _effect(row: dict | None, with_interval: bool) -> str:
    if row is None or row["effect"] is None:
        return "-"
    interval = "" if row["ci_low"] is None or not with_interval else f" [{row['ci_low']:.2f}, {row['ci_high']:.2f}]"
    return f"{row['effect']:.2f}{interval}"


def resplit_lines(table: pl.DataFrame) -> str:
    """Mean of the five best units over random cuts, and paired differences from the SAE, by covariate."""
    lines = []
    for covariate in table["covariate"].unique(maintain_order=True).sort():
        mine = table.filter(pl.col("covariate") == covariate).with_columns(
            (pl.col("covariate") + pl.lit(" ") + pl.col("category").fill_null("")).alias("covariate")
        )
        for source in [source for source in SOURCES if source in mine["source"]]:
            per_split = (
                mine.filter(pl.col("source") == source)
                .group_by("split")
                .agg(pl.col("top").mean(), pl.col("best").mean())
            )
            gap = (
                "" if source == "sae" else "sae less it {0.mean:+.3f} +- {0.sd:.3f}".format(paired(mine, "sae", source))
            )
            n = mine["covariate"].n_unique()
            lines.append([f"{covariate} ({n})", source, _spread(per_split["top"]), _spread(per_split["best"]), gap])
    n_splits = table["split"].n_unique()
    title = f"Over {n_splits} random cuts of the held-out clusters (units picked on one half, AUROC on the other, mean +- sd over cuts):"
    return (
        title
        + "\n"
        + aligned(["covariate (targets)", "source", "mean of 5 best units", "best unit", "paired difference"], lines)
    )


def _spread(values: pl.Series) -> str:
    return f"{values.mean():.3f} +- {values.std() or 0:.3f}"


def concepts(associated: Associated) -> str:
    """Planted concepts that one unit finds, by level and source."""
    table = found(associated.concepts)
    rows = []
    for level in LEVELS:
        for row in table.filter(pl.col("level") == level).iter_rows(named=True):
            auroc = "-" if row["auroc"] is None else f"{row['auroc']:.2f}"
            rows.append(
                [
                    level,
                    row["source"],
                    f"{row['found']} of {row['concepts']}",
                    f"{row['f1']:.2f}",
                    auroc,
                    f"{row['trivial_f1']:.2f}",
                ]
            )
    title = "Planted concepts that one unit finds on held-out subjects (F1 > 0.5, and a fifth of the way from always yes to 1):"
    return title + "\n" + aligned(["level", "source", "found", "mean F1", "mean AUROC", "F1 of always yes"], rows)


def losses(study) -> str:
    """The base model's loss between code frequencies and the true process, where both are known."""
    import json

    path = study.out / "model" / "training.json"
    if not path.is_file():
        return ""
    model = json.loads(path.read_text())["losses"]
    line = f"base model: held-out loss {model['model']:.3f} {model['unit']} (code frequencies {model['unigram']:.3f}"
    truth = (study.data.truth or {}).get("loss")
    if truth is None:
        return line + ")"
    closed = (model["unigram"] - model["model"]) / (truth["unigram"] - truth["oracle"])
    return f"{line}, the true process given the true states {truth['oracle']:.3f}: {closed:.0%} of the way)"


def quality(study) -> str:
    """Held-out reconstruction of each seed."""
    rows = []
    for sae in study.saes:
        last = sae.artefact.table("metrics.parquet").row(-1, named=True)
        rows.append(
            [
                sae.artefact.path.name,
                f"{last['fvu']:.4f}",
                f"{last['l0']:.2f}",
                f"{last['dead']:.2%}",
                f"{last['rows']:,}",
            ]
        )
    return aligned(["SAE", "held-out FVU", "L0", "dead in training", "training rows"], rows)


def times(study) -> str:
    """Seconds by stage of this call; a kept stage costs next to nothing."""
    total = sum(study.seconds.values())
    return (
        "seconds: "
        + ", ".join(f"{name} {seconds:.1f}" for name, seconds in study.seconds.items())
        + f", all {total:.1f}"
    )
