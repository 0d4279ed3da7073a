"""What a run says against itself, gathered for the page: controls, diagnostics, looks at the test split, limits."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from seqsae import shelf
from seqsae.associations.confounders import Confounders
from seqsae.associations.room import Associated
from seqsae.pages.limits import limits
from seqsae.sae.base import SAE

_TABLES = ("controls", "diagnostics", "omnibus", "curves")
_REMEDY = "put back a whole copy: it counts how often the test split was opened"


def trusted(associated: Associated, saes: Sequence[SAE]) -> dict:
    """Fields of `Content`. Tables that an artefact does not hold are None."""
    artefact = associated.artefact
    tables = {name: getattr(associated, name) if artefact.has(f"{name}.parquet") else None for name in _TABLES}
    limits_of = {name: artefact.setting(name) for name in ("smallest", "smallest_adjusted")}
    told = limits(facts(associated, saes), associated.table)
    return {**tables, **limits_of, "openings": openings(associated), "limits": told}


def design(associated: Associated) -> dict[str, dict]:
    """Groups of the run card: who was looked at, in which window, and by which settings the ties were judged."""
    store, artefact = associated.encoded.store, associated.artefact
    samples, timed = store.samples, store.samples["prediction_time"].null_count() < len(store.samples)
    there = store.subjects.join(samples.select("subject").unique(), on="subject", how="semi")
    strata = [one["name"] for one in associated.covariates.schema["covariates"] if one.get("role") == "stratum"]
    fewest, median, most = (samples["n_rows"].quantile(at) for at in (0.05, 0.5, 0.95))
    cohort = {
        "subjects in the view": len(there),
        "clusters": there["cluster"].n_unique(),
        "datasets": sorted(str(name) for name in there["dataset"].drop_nulls().unique()) or None,
        "window": "up to each prediction time" if timed else "each whole record",
        "samples": len(samples),
        "rows a sample": f"median {median:g}, nine tenths from {fewest:g} to {most:g}",
    }
    judged = {
        "adjusted for": Confounders(associated.covariates, store).names,
        "strata": strata or "none",
        "poolings": artefact.setting("poolings"),
        "q on select": artefact.setting("q"),
        "smallest effect of interest": artefact.setting("smallest"),
        "the same, adjusted": artefact.setting("smallest_adjusted"),
        "permutations": artefact.setting("permutations"),
        "seed": artefact.setting("seed"),
        "seqsae": artefact.manifest.get("versions", {}).get("seqsae"),
    }
    return {"cohort": cohort, "how ties are judged": judged}


def run_folder(associated: Associated) -> Path:
    """RUN, of RUN/associations/<name>/<view>."""
    return associated.artefact.path.parents[2]


def openings(associated: Associated) -> list[dict] | None:
    """Each different look at the test split in the run's ledger; None where it has none."""
    ledger = run_folder(associated) / "ledger.json"
    if not ledger.is_file():
        return None
    document = shelf.read_json(ledger, _REMEDY)
    return [{"stage": str(entry.get("stage"))} for entry in document.get("test_opened", [])]


def facts(associated: Associated, saes: Sequence[SAE]) -> dict:
    """What `limits` goes by."""
    store, artefact = associated.encoded.store, associated.artefact
    there = store.subjects.join(store.samples.select("subject").unique(), on="subject", how="semi")
    return {
        "seeds": max(1, len(saes), len(associated.encoded.siblings) + 1),
        "trained_here": (run_folder(associated) / "model" / "training.json").is_file(),
        "permutations": artefact.setting("permutations"),
        "subjects": len(there),
        "clusters": there["cluster"].n_unique(),
        "confounders": [entry["name"] for entry in Confounders(associated.covariates, store).entries],
        "random_model": not associated.baselines.filter(pl.col("source") == "random-model").is_empty(),
    }
