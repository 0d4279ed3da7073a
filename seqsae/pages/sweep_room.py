"""The door of a sweep: every SAE of the grid trained in one pass, compared, and told on a page."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from seqsae import schema, shelf
from seqsae.activations.store import Store
from seqsae.config import SaeConfig, SweepConfig, parse
from seqsae.errors import SeqsaeError
from seqsae.pages import offline, sweep_page
from seqsae.progress import say
from seqsae.sae.base import SAE
from seqsae.sae.choosing.frontier import Point
from seqsae.sae.choosing.grid import grid, sparsity_option
from seqsae.sae.choosing.recommending import Data
from seqsae.sae.choosing.sweep import Comparison, compare
from seqsae.sae.room import base_of, site_of, stream_of, train_many
from seqsae.sae.training.rows import blocks, thinned, training_rows
from seqsae.sae.training.settings import budget_of, settled, specs_of
from seqsae.sae.training.train import train as train_on

HELD_OUT = 0.1  # share of an array's rows (of its groups, if it has any) that SAEs are compared on
TABLES = ("frontier", "splitting", "stitching")


@dataclass(frozen=True)
class Sweep:
    """The SAEs of a sweep and what was found of them."""

    saes: list[SAE]
    """In the order of `frontier`."""
    comparison: Comparison
    artefact: shelf.Artefact | None
    """Where the tables and the page `sweep.html` lie; None if nothing was written."""

    @property
    def frontier(self) -> pl.DataFrame:
        """Schema `frontier`: a row for each SAE."""
        return self.comparison.frontier

    @property
    def splitting(self) -> pl.DataFrame:
        """Schema `splitting`: related latents of each width and the next."""
        return self.comparison.splitting

    @property
    def stitching(self) -> pl.DataFrame:
        """Schema `stitching`: what each latent of the larger would do in the smaller."""
        return self.comparison.stitching

    @property
    def reason(self) -> str:
        """Why the recommended SAE is, in plain words."""
        return self.comparison.recommendation["reason"]

    @property
    def cautions(self) -> list[str]:
        """What to mind about it; empty if nothing."""
        return self.comparison.recommendation["cautions"]

    @property
    def recommended(self) -> SAE | None:
        """The SAE to take; None if none is fit to use."""
        found = self.frontier["recommended"].arg_true()
        return self.saes[found[0]] if len(found) else None


def sweep(
    acts: Any,
    architecture: str | None = None,
    *,
    site: str | None = None,
    out: Path | str | None = None,
    seed: int = 0,
    device: str = "cpu",
    config: SaeConfig | None = None,
    **options: Any,
) -> Sweep:
    """SAEs of several widths and sparsities, trained side by side on one stream and compared on held-out rows.

    Args:
        acts: a Store (its train split is learnt from, its select split compared on), or an array [n, d] or `ArrayStream`, of
            which a tenth of the rows is held out (whole groups, if it knows of any).
        site: where to read; default: the only one there is.
        out: run folder; a Store's own by default. The SAEs become `out/sae/<name>`, each as if trained alone, the
            tables and the page `out/sae/sweep-<site>`; without a Store nothing is written.
        seed: seed of the order of rows.
        config: all settings at once. `options` stand over it: widths, ks, sparsities and seeds as in SweepConfig, the others
            as in SaeConfig.
    Raises:
        SeqsaeError: wrong settings, unknown site, activations that are not finite, no rows to compare on.
    """
    named = {} if architecture is None else {"architecture": architecture}
    config = sweep_config(base_of(config), **named, **options)
    if isinstance(acts, Store):
        site = site_of(acts.site_names, site)
        return _on_store(acts, site, config, Path(out) if out else acts.path.parents[1], seed, device)
    if out is not None:
        raise SeqsaeError("sweep: only a sweep over harvested activations is written; leave out=, or harvest first")
    stream = stream_of(acts, seed)
    return _on_stream(stream, site_of(list(stream.sites), site), config, device)


def sweep_config(config: SaeConfig, **options: Any) -> SaeConfig:
    """The config with options over it: widths, ks, sparsities and seeds go to its sweep. Raises SeqsaeError if one is wrong."""
    base = config.model_dump()
    base["sweep"] |= {name: options.pop(name) for name in SweepConfig.model_fields if name in options}
    return parse(SaeConfig, {**base, **options}, "sweep")


def _on_store(acts: Store, site: str, config: SaeConfig, out: Path, seed: int, device: str) -> Sweep:
    configs = grid(config)
    saes = train_many(acts, site, configs, out=out, seed=seed, device=device)
    metrics = [sae.artefact.table("metrics.parquet") for sae in saes]
    points = _points([sae.artefact.path.name for sae in saes], saes, metrics, config)
    fit, _ = training_rows(acts, configs[0])
    data = Data(len(fit), len(np.unique(acts.row_subject[fit])))
    batches = blocks(acts, site, thinned(acts.rows_in("select")))

    def write(work: Path) -> None:
        say(f"comparing {len(saes)} SAEs ...")
        for sae in saes:
            sae.to(device)
        _write(compare(points, batches(), data), site, work)
        for sae in saes:
            sae.cpu()

    name = site.replace(":", "--") if acts.view == "full" else f"{site.replace(':', '--')}-{acts.view}"
    inputs = {"activations": acts.artefact} | {sae.artefact.path.name: sae.artefact for sae in saes}
    options = {"site": site, "architecture": config.architecture, "saes": [point.name for point in points]}
    packages = ("altair", "vl-convert-python", "scipy")
    made = shelf.stage(out / "sae" / f"sweep-{name}", "sweep", options, inputs, write, packages)
    return Sweep(saes, _read(made), made)


def _on_stream(stream, site: str, config: SaeConfig, device: str) -> Sweep:
    if not hasattr(stream, "parted"):
        raise SeqsaeError("sweep: no rows can be held out of this stream to compare SAEs on; give an array or a store")
    stream, rows = stream.parted(HELD_OUT)
    validation = rows
    if config.patience is not None:
        stream, validation = stream.parted(config.validation)
    configs = [settled(one, stream.n_rows, device) for one in grid(config)]
    specs = [spec for one in configs for spec in specs_of(one)]
    trained = train_on(stream, site, specs, budget_of(configs[0], device), validation)
    metrics = [trained.metrics.filter(pl.col("sae") == place) for place in range(len(specs))]
    points = _points([spec.name(site) for spec in specs], trained.saes, metrics, config)
    return Sweep(trained.saes, compare(points, rows, Data(stream.n_rows, stream.n_groups)), None)


def _points(names: list[str], saes: list[SAE], metrics: Iterable[pl.DataFrame], config: SaeConfig) -> list[Point]:
    option = sparsity_option(config)
    values = [None if option is None else float(sae.options[option]) for sae in saes]
    return [Point(*parts) for parts in zip(names, saes, values, metrics, strict=True)]


def _write(found: Comparison, site: str, work: Path) -> None:
    for name in TABLES:
        shelf.write_table(work / f"{name}.parquet", getattr(found, name))
    shelf.write_json(work / "recommendation.json", found.recommendation)
    offline.write(sweep_page.html(found, site), work / "sweep.html")


def _read(made: shelf.Artefact) -> Comparison:
    import json

    tables = [schema.check_table(made.table(f"{name}.parquet"), name, str(made.path)) for name in TABLES]
    chosen = json.loads(made.file("recommendation.json").read_text())
    return Comparison(*tables, schema.check_document(chosen, "recommendation", str(made.path)))
