"""The sae room: several seeds trained in one pass over the train split, each left on the shelf as its own artefact."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from seqsae import schema, shelf
from seqsae.activations.store import Store
from seqsae.activations.stream import StoreStream
from seqsae.config import SaeConfig
from seqsae.errors import SeqsaeError
from seqsae.progress import say
from seqsae.sae import checkpoint
from seqsae.sae.base import SAE
from seqsae.sae.quality.evaluating import FILE as QUALITY
from seqsae.sae.quality.evaluating import Rows, evaluate_quality
from seqsae.sae.spec import Spec
from seqsae.sae.training import live
from seqsae.sae.training.rows import FIT_ROWS, blocks, thinned, training_rows
from seqsae.sae.training.settings import budget_of, name_of, settled, specs_of
from seqsae.sae.training.stream import ArrayStream
from seqsae.sae.training.train import Trained
from seqsae.sae.training.train import train as train_on
from seqsae.sae.training.watching import watched


def train(
    acts: Any,
    architecture: str = "topk",
    *,
    site: str | None = None,
    out: Path | str | None = None,
    seed: int = 0,
    device: str = "cpu",
    config: SaeConfig | None = None,
    **options: Any,
) -> list[SAE]:
    """SAEs that differ in the seed of their initial weights, trained side by side on one stream.

    Args:
        acts: a Store (its train split is read, its select split is held out), a Stream (`ArrayStream` takes the subject of
            each row, for early stopping), or an array [n, d].
        site: where to read; default: the only one there is.
        out: run folder; a Store's own by default. Each SAE becomes `out/sae/<name>`; without a Store nothing is written.
        seed: seed of the order of rows.
        config: all settings at once; `options` (width, k, seeds, steps, ... as in SaeConfig) stand over it.
    Returns:
        The SAEs, the one of seed 0 first; `sae.artefact` is where it lies, or None.
    Raises:
        SeqsaeError: wrong settings, unknown site, activations that are not finite.
    """
    from seqsae.config import parse

    base = (config or SaeConfig()).model_dump()
    config = parse(SaeConfig, {**base, "architecture": architecture, **options}, "train")
    if isinstance(acts, Store):
        site = site_of(acts.artefact.manifest["config"]["sites"], site)
        return train_many(
            acts, site, [config], out=Path(out) if out else acts.path.parents[1], seed=seed, device=device
        )
    stream = ArrayStream(acts, seed=seed) if isinstance(acts, np.ndarray | Tensor) else acts
    return _train_on_stream(stream, site_of(list(stream.sites), site), config, device)


def site_of(sites: list[str], site: str | None) -> str:
    """`site`, or the only one there is. Raises SeqsaeError if there are several."""
    if site is None and len(sites) != 1:
        raise SeqsaeError(f"these activations hold {len(sites)} sites ({', '.join(sites)}); say which with site=")
    return sites[0] if site is None else site


def _train_on_stream(stream, site: str, config: SaeConfig, device: str) -> list[SAE]:
    heldout = []
    if config.patience is not None:
        if not hasattr(stream, "parted"):
            raise SeqsaeError(
                "train: early stopping has no rows to hold out of this stream; give an array, or no patience"
            )
        stream, heldout = stream.parted(config.validation)
    config = settled(config, stream.n_rows, device)
    specs = specs_of(config)
    with live.shown([spec.name(site) for spec in specs]) as tell:
        return train_on(stream, site, specs, budget_of(config, device), heldout, tell=tell).saes


def train_many(
    acts: Store, site: str, configs: list[SaeConfig], *, out: Path, seed: int = 0, device: str = "cpu"
) -> list[SAE]:
    """The SAEs of several configs in one pass over a store, each an artefact as if trained alone.

    Args:
        configs: may differ in all that is an SAE's own (architecture, width, k, lr, options, ...); what belongs to the pass
            (steps, epochs, batch, check_every, dead_after, patience on or off, validation) is read from the first.
        out: run folder.
        seed: seed of the order of rows.
    Returns:
        The SAEs of the first config's seeds, then of the second's, and so on.
    """
    fit, held = training_rows(acts, configs[0])
    configs = [settled(config, len(fit), device) for config in configs]
    asked = [(config, spec) for config in configs for spec in specs_of(config)]
    for _, spec in asked:
        spec.recipe(acts.sites[acts.check_site(site)])  # wrong widths are told before anything is read
    inputs = {"activations": acts.artefact}
    folders = [out / "sae" / name_of(spec, site, acts.view) for _, spec in asked]
    options = [_options(config, spec, site, seed) for config, spec in asked]
    missing = [
        index
        for index, folder in enumerate(folders)
        if shelf.existing(folder, shelf.key_of("sae", options[index], inputs)) is None
    ]
    state = _state_folder(acts, folders[0], options)
    todo = _todo(state, missing)

    @cache
    def trained() -> Trained:
        stream = StoreStream(acts, [site], fit, seed)
        specs, names = [asked[index][1] for index in todo], [folders[index].name for index in todo]
        with watched(names, out / "sae", configs[0].tensorboard, configs[0].wandb) as tell:
            return train_on(stream, site, specs, budget_of(configs[0], device), blocks(acts, site, held), state, tell)

    final = blocks(acts, site, thinned(acts.rows_in("select"))), blocks(acts, site, thinned(fit, FIT_ROWS))

    identity, artefacts = _identity(acts, site), []
    for index, folder in enumerate(folders):
        write = _writer(trained, todo.index(index) if index in todo else None, identity, final)
        artefacts.append(shelf.stage(folder, "sae", options[index], inputs, write))
    _clear(state)
    return [load(artefact) for artefact in artefacts]


def _options(config: SaeConfig, spec: Spec, site: str, seed: int) -> dict:
    """All that shapes an SAE's bytes, the same whatever is trained beside it."""
    options = {"site": site, "seed": spec.seed, "stream_seed": seed}
    return options | config.model_dump(mode="json", exclude={"seeds", "site", "sweep", "tensorboard", "wandb"})


def _state_folder(acts: Store, first: Path, options: list[dict]) -> Path:
    """Where an interrupted training left its state, if it was this one: same activations, options, order and versions.

    What another training of the same name has left is thrown away.
    """
    made_from = {"activations": acts.artefact.hash, "saes": options, "versions": shelf.versions()}
    stem = f".{first.name}.training-"
    state = first.with_name(f"{stem}{shelf.digest(made_from)[:12]}")
    for other in first.parent.glob(f"{stem}*"):
        if other != state:
            _clear(other)
    if state.is_dir():
        say(f"{first.name}: going on with an interrupted training")
    return state


def _todo(state: Path, missing: list[int]) -> list[int]:
    """Which of the SAEs are in the pass: those that are missing, or those that were when an interrupted pass began."""
    note = state / "todo.json"
    begun = json.loads(note.read_text())["saes"] if note.is_file() else []
    if set(missing) <= set(begun):
        return begun
    _clear(state)
    state.mkdir(parents=True)
    shelf.write_json(note, {"saes": missing})
    return missing


def _writer(
    trained: Callable[[], Trained], index: int | None, identity: dict, final: tuple[Rows, Rows]
) -> Callable[[Path], None]:
    """A function that fills an SAE's folder. `final`: rows that its quality is measured on, and rows to fit on for that."""

    def write(work: Path) -> None:
        result = trained()
        shelf.write_json(work / QUALITY, evaluate_quality(result.saes[index], *final))
        checkpoint.save(result.saes[index].cpu(), work, identity)
        metrics = result.metrics.filter(pl.col("sae") == index).drop("sae")
        schema.check_table(metrics, "metrics", str(work)).write_parquet(work / "metrics.parquet")

    return write


def _identity(acts: Store, site: str) -> dict:
    reads = {"model": acts.model["name"], "fingerprint": acts.model["fingerprint"], "site": site}
    return {
        "inputs": reads,
        "targets": reads,
        "vocabulary_hash": acts.model["vocabulary_hash"],
        "training_data": acts.artefact.hash,
    }


def load(artefact: shelf.Artefact) -> SAE:
    """The SAE of an artefact, its files checked against the manifest, with `artefact` on it."""
    for name in (checkpoint.WEIGHTS, checkpoint.CONFIG):
        artefact.file(name)
    sae = checkpoint.load(artefact.path)
    sae.artefact = artefact
    return sae


def load_sae(path: Path | str) -> SAE:
    """An SAE from its folder: an artefact of a run, or `sae.safetensors` and `config.json` alone.

    Raises:
        SeqsaeError: naming the file that is absent, cut, changed, or does not fit.
    """
    path = Path(path)
    if (path / shelf.MANIFEST).is_file():
        return load(shelf.open_artefact(path, "sae"))
    sae = checkpoint.load(path)
    sae.artefact = None
    return sae


def _clear(state: Path) -> None:
    import shutil

    shutil.rmtree(state, ignore_errors=True)


@torch.no_grad()
def stability(saes: list[SAE]) -> np.ndarray | None:
    """[width] mean over the other SAEs of the best cosine of each decoder row of the first; None with one SAE."""
    from seqsae.sae.quality.metrics import best_match

    if len(saes) < 2:
        return None
    return torch.stack([best_match(saes[0].W_dec, other.W_dec).cosine for other in saes[1:]]).mean(0).double().numpy()
