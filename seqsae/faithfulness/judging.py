"""The order in which a model and its SAEs are judged."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
import torch

from seqsae.config import FaithfulnessConfig, ViewConfig
from seqsae.errors import SeqsaeError
from seqsae.faithfulness.attribution import Target
from seqsae.faithfulness.changes import Change
from seqsae.faithfulness.costs import Costs, costs
from seqsae.faithfulness.effects import Sampled, agreement, attribution_table, effects_table, tokens_table
from seqsae.faithfulness.fitting import Fit, Habits, fitted
from seqsae.faithfulness.matching import Matched, matched, most_active, written_when_on
from seqsae.faithfulness.measuring import Ask, Measured, measured
from seqsae.faithfulness.objectives import Objective, Tokens, objectives_of, token_classes
from seqsae.faithfulness.placing import beside
from seqsae.faithfulness.pushing import Bench
from seqsae.faithfulness.recovered import recovered_table, subjects_table
from seqsae.faithfulness.shown import Shown, shown
from seqsae.faithfulness.splices import splices_of
from seqsae.models.contract import SequenceModel
from seqsae.progress import say
from seqsae.records.data import Dataset
from seqsae.sae.base import SAE

BUDGET = 8192  # padded positions in one forward pass, at most (one sequence at least)


@dataclass(frozen=True)
class Judge:
    """A model at one site, on held-out subjects."""

    model: SequenceModel
    data: Dataset
    view: ViewConfig
    site: str
    config: FaithfulnessConfig
    more: Sequence[int]
    """Features that are changed beside those of the config."""
    seed: int

    @cached_property
    def told(self) -> Shown:
        """The subjects that are judged on."""
        return self._shown(self.config.split)

    def judged(
        self, saes: Sequence[SAE], loss: Callable | None, classes: Mapping[str, str] | None
    ) -> tuple[dict[str, pl.DataFrame], dict[str, Any]]:
        """The tables by name, and the summary."""
        names = [_name(sae, i) for i, sae in enumerate(saes)]
        saes, config = [beside(sae, self.model) for sae in saes], self.config
        passes = (config.passes, config.masked_passes)
        objectives = objectives_of(self.model, self.told, loss, passes, self.seed)
        train, tables, summaries, several = self._shown("train"), [], [], []
        for objective in objectives:
            fits = fitted(self.model, self.site, objective, train, BUDGET)
            own = objective.own(self.view.readout)
            check_rows(fits[own], own, self.view)
            habits = Habits(saes[0], fits[own].rows)
            found = self._costs(saes, names, objective, fits, habits)
            several.append(found)
            effects, about = self._effects(saes[0], objective, habits, classes)
            recovered = recovered_table(found, self.told, self.view.readout, config.bootstrap, self.seed)
            tables.append({"recovered": recovered, **effects})
            summaries.append(
                {"objective": objective.name, "where": own, "l0": habits.l0, **about} | _shift(recovered, found)
            )
        merged = {name: pl.concat([part[name] for part in tables]) for name in tables[0]}
        return merged | {"subjects": subjects_table(several, self.told)}, self._summary(summaries, names[0])

    def _shown(self, split: str) -> Shown:
        return shown(self.model, self.data, self.view.name, split, self.config.subjects, self.seed)

    def _costs(
        self, saes: list[SAE], names: list[str], objective: Objective, fits: Mapping[str, Fit], habits: Habits
    ) -> Costs:
        kinds = {*self.config.rows} & {*fits} or {"all"}  # causal models and tasks have no others
        splices = {
            kind: splices_of(saes, names, fit, habits.l0, self.seed, self.config.beside)
            for kind, fit in fits.items()
            if len(fit.rows) and kind in kinds
        }
        return costs(self.model, self.site, objective, self.told, splices, BUDGET)

    def _effects(
        self, sae: SAE, objective: Objective, habits: Habits, classes: Mapping[str, str] | None
    ) -> tuple[dict[str, pl.DataFrame], dict[str, Any]]:
        config, own = self.config, objective.own(self.view.readout)
        bench = Bench(self.model, self.site, sae, objective, own, BUDGET)
        norm = bench.writer.norms.double().cpu().numpy()
        profile = {"rate": habits.rate, "norm": norm, "written": written_when_on(habits.rate, habits.mean, norm)}
        chosen = (
            most_active(habits.rate, habits.mean, norm, config.features)
            if isinstance(config.features, int)
            else config.features
        )
        chosen = list(dict.fromkeys([*chosen, *self.more]))
        partners = {one: matched(one, habits.rate, profile["written"], config.matched, self.seed) for one in chosen}
        names, ask = self._ask(bench, partners, classes)
        found = measured(bench, objective.turns(self.told), ask) if chosen else []
        sampled = Sampled(self.told.clusters, config.bootstrap, self.seed)
        tables = {
            "effects": effects_table(found, partners, profile, sampled),
            "tokens": tokens_table(found, names, sampled),
            "attribution": attribution_table(found, objective.name),
        }
        return tables, _about(found, tables["attribution"], partners, sampled, config)

    def _ask(
        self, bench: Bench, partners: Mapping[int, Matched], classes: Mapping[str, str] | None
    ) -> tuple[list[str], Ask]:
        """The names of the token classes, none for a task, and what is wanted of the ablations."""
        config, names, class_of = self.config, [], None
        if isinstance(bench.objective, Tokens):
            names, class_of = token_classes(self.model.vocabulary, self._n_tokens(bench.objective), classes)
        every = {*partners, *(int(other) for one in partners.values() for other in one.features)}
        output = config.output if class_of is not None else "loss"
        target = Target(bench.objective, output, classes)
        changes = (Change("ablate"), *(Change("scale", factor) for factor in config.scales))
        most, steps = config.samples, config.ig_steps
        return names, Ask(sorted(every), changes, frozenset(partners), most, steps, class_of, target, self.seed)

    @torch.no_grad()
    def _n_tokens(self, objective: Tokens) -> int:
        laid = objective.lay(objective.turns(self.told)[:1])
        return objective.logits(self.model.forward(laid.batch), laid).shape[2]

    def _summary(self, summaries: list[dict], name: str) -> dict[str, Any]:
        told = self.told
        return {
            "model": self.model.name,
            "site": self.site,
            "sae": name,
            "view": self.view.name,
            "readout": self.view.readout,
            "split": self.config.split,
            "subjects": len(np.unique(told.subjects)),
            "clusters": len(np.unique(told.clusters)),
            "objectives": summaries,
        }


def check_rows(fit: Fit, kind: str, view: ViewConfig) -> None:
    """Raises SeqsaeError if there is nothing to fit on."""
    if not len(fit.rows):
        raise SeqsaeError(
            f"view {view.name!r}: the train split has no {kind} rows; give more subjects or longer records"
        )


def _name(sae: SAE, number: int) -> str:
    return f"sae {number}" if getattr(sae, "artefact", None) is None else sae.artefact.path.name


def _shift(recovered: pl.DataFrame, found: Costs) -> dict[str, Any]:
    """How well the own reconstruction does at rows of each kind, and what the identity changed."""
    own = recovered.filter((pl.col("source") == "sae") & (pl.col("against") == "mean"))
    by_kind = dict(zip(own["where"].to_list(), own["recovered"].to_list(), strict=True))
    return {"identity_error": found.identity_error, "recovered_against_mean": by_kind}


def _about(
    found: list[Measured],
    attribution: pl.DataFrame,
    partners: Mapping[int, Matched],
    sampled: Sampled,
    config: FaithfulnessConfig,
) -> dict[str, Any]:
    ablated = [one for one in found if one.feature in partners and one.change == "ablate"]
    sparsity = sampled.mean(ablated, "sparsity")
    short = sum(len(one.features) < config.matched for one in partners.values())
    if short:
        say(f"  {short} features have fewer than {config.matched} living ones to be held against")
    names = ("value", "ci_low", "ci_high")
    return {
        "output": config.output,
        "features": len(partners),
        "ablation_sparsity": {
            key: float(value) if np.isfinite(value) else None for key, value in zip(names, sparsity, strict=True)
        },
        "attribution": agreement(attribution),
    }
