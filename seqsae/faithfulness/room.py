"""The faithfulness room: model and SAE together, what the reconstruction keeps and what each feature does to the output."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from seqsae import schema, shelf
from seqsae.config import FaithfulnessConfig, ViewConfig
from seqsae.errors import SeqsaeError
from seqsae.faithfulness.judging import Judge
from seqsae.faithfulness.placing import check_features, placed_in, viewed
from seqsae.models.contract import SequenceModel
from seqsae.models.wrapping import source_of
from seqsae.records.data import Dataset
from seqsae.records.room import fingerprint
from seqsae.sae.base import SAE

SUMMARY = "faithfulness.json"
TABLES = {
    "recovered": "recovered",
    "subjects": "recovered_subjects",
    "effects": "effects",
    "tokens": "effect_tokens",
    "attribution": "attribution",
}


@dataclass(frozen=True)
class Faithful:
    """A `faithfulness` artefact."""

    artefact: shelf.Artefact

    @cached_property
    def recovered(self) -> pl.DataFrame:
        """Schema `recovered`: loss recovered by the reconstruction and by what it is held against."""
        return self._table("recovered")

    @cached_property
    def subjects(self) -> pl.DataFrame:
        """Schema `recovered_subjects`; internal, it shows individuals."""
        return self._table("subjects")

    @cached_property
    def effects(self) -> pl.DataFrame:
        """Schema `effects`: what ablating and steering each feature does."""
        return self._table("effects")

    @cached_property
    def tokens(self) -> pl.DataFrame:
        """Schema `effect_tokens`: what each feature raises and lowers."""
        return self._table("tokens")

    @cached_property
    def attribution(self) -> pl.DataFrame:
        """Schema `attribution`."""
        return self._table("attribution")

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Schema `faithfulness`: the single numbers."""
        path = self.artefact.file(SUMMARY)
        document = shelf.read_json(path, f"delete {self.artefact.path} and run the stage again")
        return schema.check_document(document, "faithfulness", str(path))

    def _table(self, name: str) -> pl.DataFrame:
        file = f"{name}.parquet"
        return schema.check_table(self.artefact.table(file), TABLES[name], str(self.artefact.path / file))


def evaluate(  # noqa: PLR0913  what is judged, by what, and where it goes
    model: SequenceModel,
    data: Dataset,
    saes: SAE | Sequence[SAE],
    *,
    view: str | ViewConfig | None = None,
    site: str | None = None,
    loss: Callable | None = None,
    classes: Mapping[str, str] | None = None,
    more: Sequence[int] = (),
    out: Path | str | None = None,
    config: FaithfulnessConfig | None = None,
    seed: int = 0,
) -> Faithful:
    """Whether the model uses what the SAE says, as the artefact `out/faithfulness/<sae>`.

    The SAE's reconstruction is put in the place of the activations and the model's own loss measured; features are ablated
    and steered one by one and the change of the model's own predictions set beside that of like features; gradients are held against that.

    Args:
        saes: one SAE, or the seeds of one training: the first is judged, of the others only the loss recovered.
        view: what the model is shown, and the readout of the SAE; default: those it was trained on.
        site: where the SAE reads, for one of another tool that does not say.
        loss: `loss(output, batch)` -> [B] or [B, T], a task head's loss, NaN where nothing is scored; judged beside the
            model's own tokens, or alone if it says none.
        classes: token to class, for the probabilities that a feature raises and lowers; default: each token by itself.
        more: numbers of features that are changed beside those that `config` chooses.
        out: run folder; default: that of the SAE.
    Raises:
        SeqsaeError: the SAE is of another model or site, nobody is in the split, a feature it does not have, or the model has no
            objective and no loss is given.
    """
    saes = [saes] if isinstance(saes, SAE) else list(saes)
    config = config or FaithfulnessConfig()
    if not saes:
        raise SeqsaeError("evaluate: no SAE; give one, or the seeds of one training")
    view = viewed(view, saes[0])
    site = [placed_in(sae, model, site) for sae in saes][0]
    check_features([*more, *(() if isinstance(config.features, int) else config.features)], saes[0].width)
    folder = _folder(saes[0], out)
    options = {
        **config.model_dump(mode="json"),
        "view": view.model_dump(mode="json"),
        "more": sorted(more),
        "site": site,
        "seed": seed,
        "model": model.identity,
        "loss": None if loss is None else source_of(loss),
        "classes": None if classes is None else dict(sorted(classes.items())),
    }
    inputs = {"records": fingerprint(data), **{f"sae{i}": identity_of(sae) for i, sae in enumerate(saes)}}

    def write(work: Path) -> None:
        tables, summary = Judge(model, data, view, site, config, tuple(more), seed).judged(saes, loss, classes)
        for name, table in tables.items():
            shelf.write_table(work / f"{name}.parquet", table)
        shelf.write_json(work / SUMMARY, schema.check_document(summary, "faithfulness", SUMMARY))

    return Faithful(shelf.stage(folder, "faithfulness", options, inputs, write))


def identity_of(sae: SAE) -> shelf.Artefact | str:
    """The SAE's artefact, or a hash of its weights if it lies on no shelf."""
    if getattr(sae, "artefact", None) is not None:
        return sae.artefact
    state = hashlib.sha256(repr(sae.config).encode())
    for name, value in sorted(sae.state_dict().items()):
        state.update(name.encode() + value.detach().cpu().double().contiguous().numpy().tobytes())
    return state.hexdigest()


def name_of(sae: SAE) -> str:
    """The name of the SAE's folder, or `sae`."""
    return "sae" if getattr(sae, "artefact", None) is None else sae.artefact.path.name


def _folder(sae: SAE, out: Path | str | None) -> Path:
    if out is None and getattr(sae, "artefact", None) is None:
        raise SeqsaeError("this SAE lies on no shelf; say with out= where the results go")
    return (Path(out) if out else sae.artefact.path.parents[1]) / "faithfulness" / name_of(sae)
