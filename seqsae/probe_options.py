"""Options of probing as a study of its own."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from seqsae.options import Room, each_once


class ProbeConfig(Room):
    """How much of each covariate can be read off all units of a basis, or off the few best (`seqsae probe`)."""

    bases: tuple[Literal["sae", "neuron", "pca", "random-dictionary", "token", "sites"], ...] = Field(
        ("sae", "neuron", "pca", "random-dictionary", "token", "sites"), min_length=1
    )
    """What is probed, beside the confounders alone: units of the SAE's site, tokens; `sites`: every other harvested site, all of it."""
    ks: tuple[Annotated[int, Field(ge=1, le=1000)], ...] = (1, 2, 5, 10, 50)
    """Units that the k-sparse probes read, ascending; none: dense probes alone."""
    poolings: tuple[Literal["presence", "rate", "count", "mean", "sum", "max", "last"], ...] = Field(
        ("mean", "max", "presence"), min_length=1
    )
    """How a subject's rows become one value a unit: dense probes read the first, k-sparse ones each unit under the most telling."""
    fit: Literal["ridge", "logistic"] = "ridge"
    """`logistic`: binary covariates by penalised logistic regression in the k-sparse probes, and in dense ones of at most 1,024 units;
    many times slower, and AUROCs hardly differ (by .003 in the median on the synthetic lives)."""
    choice: Literal["ranked", "greedy"] = "ranked"
    """How k units are chosen on the training folds: the most telling ones, or one after another, each by what it adds."""
    folds: int = Field(5, ge=3, le=50)
    """Folds of whole clusters; each is scored by probes that are chosen, tuned and fitted on the others."""
    min_support: int = Field(10, ge=1)
    """Clusters of the training folds in which a unit must be on to be chosen."""
    widest: int = Field(4096, ge=1)
    """Units of a sparse basis that a dense probe reads at most: those that are on in the most subjects."""
    concepts: tuple[Literal["absorption", "loss", "coverage"], ...] = ("absorption", "loss", "coverage")
    """What is measured of concepts: annotated and planted ones (rows), for `loss` binary covariates as well (subjects)."""
    rows: int = Field(200_000, ge=1)
    """Rows of the select and of the test split that concepts are measured on, at most: whole samples, evenly spaced."""

    _each_once = field_validator("bases", "poolings", "concepts")(each_once)

    @field_validator("ks")
    @classmethod
    def _ascending(cls, given: tuple[int, ...]) -> tuple[int, ...]:
        if list(given) != sorted(set(given)):
            raise ValueError("numbers of units ascend, each once")
        return given
