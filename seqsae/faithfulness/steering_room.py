"""`seqsae.steer`: a feature changed at will, and what comes of it on the shelf."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from seqsae import schema, shelf
from seqsae.config import FaithfulnessConfig, ViewConfig
from seqsae.errors import SeqsaeError
from seqsae.faithfulness.changes import Change
from seqsae.faithfulness.generating import Going, generated_table, going_of
from seqsae.faithfulness.judging import BUDGET
from seqsae.faithfulness.objectives import Tokens
from seqsae.faithfulness.placing import beside, check_features, placed_in, viewed
from seqsae.faithfulness.pushing import Bench
from seqsae.faithfulness.room import identity_of, name_of
from seqsae.faithfulness.shown import Shown, shown
from seqsae.faithfulness.steering import Steer, steered_table
from seqsae.models.contract import SequenceModel
from seqsae.records.data import Dataset
from seqsae.records.room import fingerprint
from seqsae.sae.base import SAE

PLACES = ("fires", "all", "hidden", "observed")


class Steered(NamedTuple):
    """What steering gave."""

    table: pl.DataFrame
    """Schema `steered`."""
    generated: pl.DataFrame | None
    """Schema `generated`; None if nothing was asked for."""
    artefact: shelf.Artefact | None
    """Where it lies, if it was written."""


def steer(  # noqa: PLR0913  what is changed, in what, and where it goes
    model: SequenceModel,
    data: Dataset,
    sae: SAE,
    feature: int,
    *,
    scale: float | None = None,
    clamp: float | None = None,
    add: float | None = None,
    ablate: bool = False,
    where: str | Sequence[int] = "fires",
    view: str | ViewConfig | None = None,
    site: str | None = None,
    generate: int = 0,
    temperature: float = 0.0,
    out: Path | str | None = None,
    config: FaithfulnessConfig | None = None,
    seed: int = 0,
) -> Steered:
    """The model's own predictions with one feature changed: x + decode(f') - decode(f), so that the SAE's error stays.

    Args:
        scale, clamp, add, ablate: exactly one: f times a number, set to one, plus one, or set to 0 (in the SAE's units).
        where: rows at which it is changed: `fires` (there, on rows of the kind the SAE was trained on), `all`, `hidden`,
            `observed`, or numbers of events.
        view: what the model is shown, and the readout of the SAE; default: those it was trained on.
        site: where the SAE reads, for one of another tool that does not say.
        generate: tokens to go on with behind each sample, for causal models that can be extended.
        temperature: of their sampling; 0 takes the likeliest.
        out: run folder to write `steering/<sae>/<feature and change>` under; None: nothing is written.
        config: `split`, `subjects` and passes as in `[faithfulness]`.
    Raises:
        SeqsaeError: the SAE is of another model, there is no such feature or event, not exactly one change is asked for, a number
            is none that can be used, or the model says no tokens, ids that do not fit them or NaN (or cannot be extended).
    """
    view = viewed(view, sae)
    site = placed_in(sae, model, site)
    check_features([feature], sae.width)
    asked = Steer(feature, _change(scale, clamp, add, ablate), _checked(where, model))
    config = config or FaithfulnessConfig()
    job = _Job(model, data, sae, view, site, asked, going_of(model, generate, temperature, seed), config)
    job.check_events()
    return Steered(*job.tables(), None) if out is None else job.kept(Path(out))


@dataclass(frozen=True)
class _Job:
    """One steering."""

    model: SequenceModel
    data: Dataset
    sae: SAE
    view: ViewConfig
    site: str
    asked: Steer
    going: Going
    config: FaithfulnessConfig

    @cached_property
    def told(self) -> Shown:
        """The samples that are steered in."""
        config = self.config
        return shown(self.model, self.data, self.view.name, config.split, config.subjects, self.going.seed)

    def check_events(self) -> None:
        """Raises SeqsaeError if an event is asked for that none of the samples has."""
        if isinstance(self.asked.where, str):
            return
        there = {int(event) for sample in self.told.samples for event in sample.event}
        absent = [event for event in self.asked.where if event not in there]
        if absent:
            raise SeqsaeError(
                f"where = {absent[0]}: none of the {len(self.told):,} records shown has such an event; those they have are "
                f"numbered {min(there)} to {max(there)}"
            )

    def tables(self) -> tuple[pl.DataFrame, pl.DataFrame | None]:
        """Schemas `steered` and, if asked for, `generated`."""
        config, model, seed = self.config, self.model, self.going.seed
        tokens = Tokens(model, config.passes, config.masked_passes, seed)
        bench = Bench(model, self.site, beside(self.sae, model), tokens, tokens.own(self.view.readout), BUDGET)
        table = steered_table(bench, self.told, self.asked)
        return table, generated_table(bench, self.told, self.asked, self.going) if self.going.n_tokens else None

    def kept(self, out: Path) -> Steered:
        """The tables as an artefact."""
        inputs = {"records": fingerprint(self.data), "sae": identity_of(self.sae)}
        place = "events" if isinstance(self.asked.where, tuple) else self.asked.where
        name = f"feature{self.asked.feature}-{self.asked.change.told}-{place}"
        folder = out / "steering" / name_of(self.sae) / name
        artefact = shelf.stage(folder, "steering", self._options(), inputs, self._write)
        return Steered(
            _read(artefact, "steered"), _read(artefact, "generated") if self.going.n_tokens else None, artefact
        )

    def _write(self, work: Path) -> None:
        for name, table in zip(("steered", "generated"), self.tables(), strict=True):
            if table is not None:
                shelf.write_table(work / f"{name}.parquet", table)

    def _options(self) -> dict[str, Any]:
        asked, change = self.asked, self.asked.change
        return {
            **{name: getattr(self.config, name) for name in ("split", "subjects", "passes", "masked_passes")},
            "view": self.view.model_dump(mode="json"),
            "change": [asked.feature, change.kind, change.amount, asked.where],
            "generate": list(self.going),
            "site": self.site,
            "model": self.model.identity,
        }


def _read(artefact: shelf.Artefact, name: str) -> pl.DataFrame:
    file = f"{name}.parquet"
    return schema.check_table(artefact.table(file), name, str(artefact.path / file))


def _change(scale: float | None, clamp: float | None, add: float | None, ablate: bool) -> Change:
    given = {name: value for name, value in (("scale", scale), ("clamp", clamp), ("add", add)) if value is not None}
    given |= {"ablate": 0.0} if ablate else {}
    if len(given) != 1:
        told = ", ".join(given) or "none"
        raise SeqsaeError(f"steer: give exactly one of scale, clamp, add and ablate; given: {told}")
    return Change(*next(iter(given.items())))


def _checked(where: str | Sequence[int], model: SequenceModel) -> str | tuple[int, ...]:
    if not isinstance(where, str):
        return _events(where)
    if where not in PLACES:
        raise SeqsaeError(f"where = {where!r}: it is {', '.join(PLACES)}, or a list of event numbers")
    if where in ("hidden", "observed") and model.attention == "causal":
        raise SeqsaeError(f"where = {where!r}: nothing is hidden from a causal model; give fires, all, or events")
    return where


def _events(where: Any) -> tuple[int, ...]:
    given = list(where) if isinstance(where, Iterable) else [where]
    whole = [isinstance(event, Integral) and not isinstance(event, bool) and event >= 0 for event in given]
    if not given or not all(whole):
        raise SeqsaeError(f"where = {where!r}: it is {', '.join(PLACES)}, or a list of event numbers, counted from 0")
    return tuple(int(event) for event in given)
