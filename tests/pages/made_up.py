"""Made-up tables of the sections that a page need not have: the model's use of features, annotated concepts, layers."""

from itertools import product

import polars as pl

from seqsae import schema
from seqsae.pages.content import Annotated, Portrayed, Used

SOURCES = {"sae": 0.99, "seed": 0.98, "pca": 0.6, "random-dictionary": 0.3, "mean": 0.0, "zero": -0.2, "identity": 1.0}
UNITS = {"sae": "x-seed0", "seed": "x-seed1", "pca": "4 components", "random-dictionary": "48 random directions"}
CONCEPTS = [("region", "CDR1"), ("region", "CDR2"), ("chain", "<b>heavy</b>")]
FEATURES = [0, 2, 9]


def table(name: str, rows: list[dict]) -> pl.DataFrame:
    return schema.check_table(pl.DataFrame(rows, infer_schema_length=None), name, "made up")


def recovered(objective: str = "masked-token", **changes) -> pl.DataFrame:
    """SAE, another seed, PCA, random dictionary, zeros, mean and identity at hidden (its own) and observed rows."""
    rows = []
    for where, less in (("hidden", 0.0), ("observed", 0.4)):
        for source, value in SOURCES.items():
            for against in ("zero", "mean"):
                rows.append(
                    {
                        "objective": objective, "where": where, "headline": where == "hidden", "source": source,
                        "unit": UNITS.get(source, source), "against": against, "n_subjects": 300, "n_clusters": 280,
                        "n_scored": 9000, "loss_clean": 1.25, "loss": 3.25 - 2 * (value - less), "loss_ablated": 3.25,
                        "recovered": value - less, "ci_low": value - less - 0.02, "ci_high": value - less + 0.02,
                        "undefined": None, "fvu": 1 - value,
                    } | changes
                )  # fmt: skip
    return table("recovered", rows)


def effects(features: list[int], measures: tuple[str, ...] = ("kl", "tv", "loss")) -> pl.DataFrame:
    """The further behind, the smaller; steering does half of what ablation does."""
    rows = []
    for place, feature in enumerate(features):
        for change, measure in product(("ablate", "scale2"), measures):
            value = 0.08 / (place + 1) / (1 if change == "ablate" else 2)
            rows.append(
                {
                    "feature": feature, "change": change, "measure": measure, "unit": "nats", "value": value, "ci_low": value / 2,
                    "ci_high": 2 * value, "percentile": 95.0 - 40 * (place % 3), 
                    "percentile_low": 90.0 - 40 * (place % 3), "percentile_high": 98.0 - 40 * (place % 3), "matched_median": 0.004,
                    "n_matched": 20, "n_samples": 32, "n_clusters": 30, "n_scored": 800, "firing_rate": 0.04,
                    "decoder_norm": 1.0, "written": 2.4, "rate_fold": 1.2, "written_fold": 1.1,
                }
            )  # fmt: skip
    return table("effects", rows)


def tokens(features: list[int], raised: str = "ICD//F32") -> pl.DataFrame:
    """One token raised and one lowered by each feature."""
    rows = [
        {
            "feature": feature, "change": "ablate", "direction": direction, "token": token, "added_probability": sign * 0.03,
            "ci_low": sign * 0.03 - 0.01, "ci_high": sign * 0.03 + 0.01, "added_log_probability": sign * 0.8,
            "probability": 0.05,
        }
        for feature in features
        for direction, token, sign in (("raised", raised, 1), ("lowered", "JOB//A1", -1))
    ]  # fmt: skip
    return table("effect_tokens", rows)


def attribution(features: list[int], objective: str = "masked-token") -> pl.DataFrame:
    rows = [
        {
            "feature": feature, "objective": objective, "ablation": 0.1 * place, "gradient_activation": 0.08 * place,
            "integrated_gradients": 0.1 * place + 0.002, "n_samples": 32,
        }
        for place, feature in enumerate(features)
    ]  # fmt: skip
    return table("attribution", rows)


def objective(name: str = "masked-token", features: int = 3, pearson: float | None = 0.97) -> dict:
    correlations = {"pearson": pearson, "spearman": pearson}
    return {
        "objective": name, "where": "hidden", "l0": 4.0, "identity_error": 1e-8,
        "recovered_against_mean": {"hidden": 0.99, "observed": 0.59}, "output": "loss", "features": features,
        "ablation_sparsity": {"value": 0.2, "ci_low": 0.1, "ci_high": 0.3},
        "attribution": {"gradient_activation": correlations, "integrated_gradients": correlations},
    }  # fmt: skip


def used(raised: str = "ICD//F32", **changes) -> Used:
    """A whole section on what the model makes of three features."""
    summary = {
        "model": "life2vec", "site": "blocks.1", "sae": "blocks.1-topk-48x4-seed0", "view": "full", "readout": "masked",
        "split": "test", "subjects": 300, "clusters": 280, "objectives": [objective()],
    }  # fmt: skip
    parts = {
        "recovered": recovered(), "effects": effects(FEATURES), "tokens": tokens(FEATURES, raised),
        "attribution": attribution(FEATURES), "summary": summary,
    }  # fmt: skip
    return Used(**(parts | changes))


def matches() -> pl.DataFrame:
    """F1 per domain matches everything, token F1 little."""
    rows = []
    for score, found in (("f1_per_domain", (3, 3, 1)), ("f1", (2, 0, 0))):
        for source, n in zip(("sae", "random-dictionary", "random-model"), found, strict=True):
            rows.append(
                {
                    "source": source, "score": score, "units": 48, "units_matched": 5 * n, "concepts": 3,
                    "concepts_matched": n, "concepts_beyond": max(n - 1, 0), "null_units": 0.5, "null_concepts": 0.2,
                    "mean_f1": 0.2 * n, "mean_f1_null": 0.1,
                }
            )  # fmt: skip
    return table("concept_matches", rows)


def pairs(concepts: list[tuple[str, str]] = CONCEPTS) -> pl.DataFrame:
    """Feature 2 * i is the best of concept i by token F1, 2 * i + 1 by F1 per domain; feature 0 goes with two."""
    rows = []
    for place, (covariate, value) in enumerate(concepts):
        for score, first in (("f1", 0), ("f1_per_domain", 1)):
            several = [("sae", 2 * place + first, True), ("random-dictionary", 7, True)]
            several += [("sae", 0, False)] if place == 1 and score == "f1" else []
            for source, unit, best in several:
                f1 = (0.7 if source == "sae" else 0.3) - 0.1 * place - 0.3 * (not best)
                rows.append(
                    {
                        "score": score, "source": source, "unit": unit, "unit_name": f"feature {unit}",
                        "covariate": covariate, "value": value, "best": best, "threshold": 0.15, "f1_select": f1 + 0.02,
                        "f1_per_domain": f1 + 0.2, "f1": f1, "domain_f1": f1, "ci_low": f1 - 0.05 if best else None,
                        "ci_high": f1 + 0.05 if best else None, "f1_null": 0.2, "auroc": 0.8, "precision": f1 + 0.1,
                        "recall": f1 - 0.05, "domain_precision": 0.6, "domain_recall": 0.9, "tp": 900, "fp": 400,
                        "n_positive": 2500, "hits": 200, "n_instances": 310, "false_domains": 130,
                    }
                )  # fmt: skip
    return table("concept_pairs", rows)


def concepts(named: list[tuple[str, str]] = CONCEPTS, rare: int = 2) -> pl.DataFrame:
    """Schema `annotated_concepts`: those scored, and `rare` that are not."""
    rows = [
        {
            "covariate": covariate, "value": value, "kept": kept, "left_out": None if kept else "rare",
            "n_rows_select": 1200, "n_rows_test": 2500, "n_instances_select": 150, "n_instances_test": 310,
            "n_clusters_select": 31, "n_clusters_test": 60, "instance_length": 8, "trivial_f1": 0.13,
        }
        for covariate, value, kept in [(*name, True) for name in named] + [("site", f"rare {i}", False) for i in range(rare)]
    ]  # fmt: skip
    return table("annotated_concepts", rows)


def patterns(width: int = 48) -> pl.DataFrame:
    """Motifs, and points for every third feature; the dead are dead."""
    rows = []
    for feature in range(width):
        dead = feature % 8 == 7
        kind = "dead" if dead else "point" if feature % 3 == 0 else "motif"
        rows.append(
            {
                "feature": feature, "pattern": kind, "n_samples": 0 if dead else 230, "n_runs": 0 if dead else 260,
                "run_length": None if dead else 4.0, "runs_per_sample": None if dead else 1.0,
                "coverage": None if dead else 0.04, "period": None, "periodicity": None,
            }
        )  # fmt: skip
    return table("patterns", rows)


def annotated(**changes) -> Annotated:
    """A whole section on annotated concepts."""
    counted = patterns()
    kinds = counted.group_by("pattern").agg(
        pl.len().alias("features"), pl.col("run_length", "runs_per_sample", "coverage", "period").median()
    )
    parts = {
        "patterns": counted, "kinds": kinds.sort("pattern"), "matches": matches(), "pairs": pairs(), "concepts": concepts(),
    }  # fmt: skip
    return Annotated(**(parts | changes))


def captions(width: int = 48, text: str = "token is one of ICD//F32, JOB//A1") -> pl.DataFrame:
    """Every third feature has a caption, the next has a rule that chance reaches, the third fires too rarely."""
    rows = []
    for feature in range(width):
        good, looked = feature % 3 == 0, feature % 3 < 2
        f1 = 0.9 - feature / 100 if good else 0.05
        figures = {
            "rule": text, "n_rows": 70000, "n_fired": 2100, "n_subjects": 600, "n_fired_subjects": 300,
            "balanced_accuracy": 0.9, "ci_low": 0.88, "ci_high": 0.92, "precision": f1, "recall": f1, "f1": f1,
            "f1_ci_low": f1 - 0.03, "f1_ci_high": f1 + 0.03, "f1_select": f1, "f1_always": 0.06, "token": "ICD//F32",
            "balanced_accuracy_token": 0.7, "precision_token": 0.5, "recall_token": 0.4, "f1_token": 0.45, "null_95": 0.1,
            "subject_balanced_accuracy": 0.8, "subject_precision": 0.8, "subject_recall": 0.8, "subject_f1": 0.8,
        }  # fmt: skip
        caption = text if good else "no short rule found" if looked else "fires too rarely for a rule"
        row = {"feature": feature, "caption": caption, "kind": "token" if good else "none", "n_literals": 2 * looked}
        rows.append(row | (figures if looked else dict.fromkeys(figures)))
    return table("captions", rows)


def layers(n: int = 4, **changes) -> pl.DataFrame:
    """One row a site: each explains a little less."""
    rows = [
        {
            "site": f"bert.encoder.layer.{i}", "sae": f"bert.encoder.layer.{i}-topk-48x4-seed0", "width": 48, "l0": 4.0,
            "fvu": 0.1 + 0.05 * i, "dead": 0.01 * i, "against": "mean", "recovered": 0.99 - 0.02 * i,
            "ci_low": 0.97 - 0.02 * i, "ci_high": 1.0 - 0.02 * i, "token_detectors": 0.6 - 0.1 * i, "concepts": i,
            "concept_features": 2 * i, "concepts_by_domain": 3, "concept_features_by_domain": 20 * i,
        } | changes
        for i in range(n)
    ]  # fmt: skip
    return table("layers", rows)


def portraits(width: int = 48, seeds: bool = True, token: str = "JOB//A1", families: bool = False) -> Portrayed:
    """Portraits of features 0 to width - 1, of which every eighth is dead; feature 2 fires between 1995 and 2000 alone."""
    live = [feature for feature in range(width) if feature % 8 != 7]
    profiles = [
        {"feature": f, "kind": kind, "bin": b, "low": low + b * step, "high": low + (b + 1) * step, "n_rows": 10 + b, "n_subjects": 5 + b,
         "n_clusters": 5, "rows": None if kind == "strength" else 1000, "subjects": None if kind == "strength" else 400}
        for f in live
        for kind, low, step, n in (("strength", 0.0, 0.5, 6), ("position", 0.0, 10.0, 8), ("year", 1985.0, 5.0, 8), ("age", 20.0, 5.0, 9))
        for b in range(n) if not (f == 2 and kind == "year" and b != 2)
    ]  # fmt: skip
    enriched = [
        {"feature": f, "place": place, "token": name, "n_rows": 40 - 9 * rank, "n_subjects": 30 - 9 * rank, "n_clusters": 4,
         "share": 0.4 / (rank + 1), "lift": 12.5 / (rank + 1), "token_rows": 800, "token_subjects": 300}
        for f in live for place in ("at", "before") for rank, name in enumerate((token, f"DIAG//F{f}", "MOVE//OUT"))
    ]  # fmt: skip
    spread = [
        {"feature": f, "n_rows": 100 * (f % 8 != 7), "n_subjects": 20 * f, "n_clusters": 20 * f,
         "share_of_subjects": 0 if f % 8 == 7 else (f + 1) / (width + 2),
         "share_when_present": None if f % 8 == 7 else 0.5 / (f + 1), "n_subjects_test": 8 * f, "n_clusters_test": 8 * f}
        for f in range(width)
    ]  # fmt: skip
    near = [
        {"feature": f, "rank": rank, "other": other, "cosine": 0.9 - rank / 10}
        for f in live
        for rank, other in enumerate([g for g in live if g != f][:3])
    ]
    others = {"x-seed1": 0.95, "x-seed2": 0.6, "random directions": 0.2} if seeds else {}
    matches = [
        {"feature": f, "sae": name, "other": f, "cosine": cosine - f / 500}
        for name, cosine in others.items()
        for f in live
    ]
    tracks = [
        {"feature": f, "rank": rank, "at": 2, "offset": 9, "tokens": ["DIAG//F32", token, "MOVE//C2", "INCOME//D9"], "values": [0.0, 1.0, 3.0, 0.5],
         "days": None if f % 2 else [-400.0, -30.5, 0.0, 12.0]}
        for f in live for rank in range(3)
    ]  # fmt: skip
    related = (
        [{"feature": f, "other": 0, "kind": "child", "cosine": 0.4, "lift": 3.0} for f in live if f]
        if families
        else None
    )
    return Portrayed(
        table("feature_profiles", profiles),
        table("token_enrichment", enriched),
        table("spread", spread),
        table("neighbours", near),
        table("seed_matches", matches) if matches else schema.empty("seed_matches"),
        table("tracks", tracks),
        None if related is None else pl.DataFrame(related),
    )
