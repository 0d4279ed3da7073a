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
from seqsae.config import SaeConfig, parse
from seqsae.errors import SeqsaeError
from seqsae.progress import say
from seqsae.sae import checkpoint
from seqsae.sae.base import SAE
from seqsae.sae.quality.evaluating import FILE as QUALITY
from seqsae.sae.quality.evaluating import evaluate_quality
from seqsae.sae.spec import Spec
from seqsae.sae.training import live
from seqsae.sae.training.feasible import checked
from seqsae.sae.training.settings import budget_of, names_of, settled, specs_of
from seqsae.sae.training.sources import Source, of_store, of_stream
from seqsae.sae.training.stream import ArrayStream
from seqsae.sae.training.train import Trained
from seqsae.sae.training.train import train as train_on
from seqsae.sae.training.watching import watched

METRICS = "metrics.parquet"


def train(
    acts: Any,
    architecture: str | None = None,
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
        acts: a Store (its train split is read, its select split is held out), an array [n, d], an `ArrayStream` (which
            takes the subject of each row), or another Stream. Of rows in memory a tenth (`validation`) is held out, of whole
            subjects if they are known.
        architecture: its name; default: the config's, or topk.
        site: where to read; default: the only one there is.
        out: run folder; a Store's own by default. Each SAE becomes `out/sae/<name>`, and an interrupted training goes on when
            it is called again. Without a Store and without `out` nothing is written.
        seed: seed of the order of rows.
        config: all settings at once; `options` (width, k, seeds, steps, ... as in SaeConfig) stand over it.
    Returns:
        The SAEs, the one of seed 0 first, on the CPU if they are kept on the shelf: `sae.artefact` is where one lies, or None,
        `sae.metrics` the table of its training (schema `metrics`).
    Raises:
        SeqsaeError: wrong settings, unknown site, activations that are not finite.
    """
    base = base_of(config).model_dump()
    named = {} if architecture is None else {"architecture": architecture}
    config = parse(SaeConfig, {**base, **named, **options}, "train")
    if isinstance(acts, Store):
        site = site_of(acts.site_names, site)
        return train_many(
            acts, site, [config], out=Path(out) if out else acts.path.parents[1], seed=seed, device=device
        )
    stream = stream_of(acts, seed)
    site = site_of(list(stream.sites), site)
    source = of_stream(stream, site, config)
    if out is None:
        return _in_memory(source, site, config, device)
    if not source.inputs:
        raise SeqsaeError("train: what is written must say what it was made from; give an array or a store, or no out")
    return _kept(source, site, [config], Path(out), seed, device)


def base_of(config: SaeConfig | None) -> SaeConfig:
    """Settings to stand under options. Raises SeqsaeError for what is no SaeConfig."""
    if not isinstance(config, SaeConfig | None):
        raise SeqsaeError(
            f"config of type {type(config).__name__}; give a seqsae.config.SaeConfig, or the settings by name"
        )
    return config or SaeConfig()


def stream_of(acts: Any, seed: int) -> Any:
    """A Stream over an array, or the Stream that was given. Raises SeqsaeError if it is neither."""
    if isinstance(acts, np.ndarray | Tensor):
        return ArrayStream(acts, seed=seed)
    if not hasattr(acts, "sites") or not hasattr(acts, "next"):
        raise SeqsaeError(
            f"activations of type {type(acts).__name__}; give a harvest, an array [rows, d_model] or a Stream"
        )
    return acts


def site_of(sites: list[str], site: str | None) -> str:
    """`site`, or the only one there is. Raises SeqsaeError if there are several."""
    if site is None and len(sites) != 1:
        raise SeqsaeError(f"these activations hold {len(sites)} sites ({', '.join(sites)}); say which with site=")
    return sites[0] if site is None else site


def train_many(
    acts: Store, site: str, configs: list[SaeConfig], *, out: Path, seed: int = 0, device: str = "cpu"
) -> list[SAE]:
    """The SAEs of several configs in one pass over a store, each an artefact as if trained alone.

    Args:
        configs: may differ in all that is an SAE's own (architecture, width, k, lr, options, ...), and then bear in their names
            what they differ in; what belongs to the pass (steps, epochs, batch, check_every, dead_after, patience on or off,
            validation) is read from the first.
        out: run folder.
        seed: seed of the order of rows.
    Returns:
        The SAEs of the first config's seeds, then of the second's, and so on.
    """
    return _kept(of_store(acts, site, configs[0], seed), site, configs, out, seed, device)


def _in_memory(source: Source, site: str, config: SaeConfig, device: str) -> list[SAE]:
    config = settled(config, source.n_rows, device)
    specs = checked(specs_of(config), source.d_model, device)
    with live.shown([spec.name(site) for spec in specs]) as tell:
        saes, metrics = train_on(source.stream(), site, specs, budget_of(config, device), source.heldout, tell=tell)
    for index, sae in enumerate(saes):
        sae.metrics = _of_one(metrics, index)
    return saes


def _kept(source: Source, site: str, configs: list[SaeConfig], out: Path, seed: int, device: str) -> list[SAE]:
    """The SAEs as artefacts under `out`; those that are there already are not trained again."""
    configs = [settled(config, source.n_rows, device) for config in configs]
    asked = [(config, spec) for config in configs for spec in specs_of(config)]
    checked([spec for _, spec in asked], source.d_model, device)  # told before anything is read or written
    folders = [out / "sae" / name for name in names_of(asked, site, source.view)]
    options = [_options(config, spec, site, seed) for config, spec in asked]
    missing = [
        index
        for index, folder in enumerate(folders)
        if shelf.existing(folder, "sae", shelf.key_of("sae", options[index], source.inputs)) is None
    ]
    state = _state_folder(source, folders[0], options)
    todo = _todo(state, missing)

    @cache
    def trained() -> Trained:
        specs, names = [asked[index][1] for index in todo], [folders[index].name for index in todo]
        with watched(names, out / "sae", configs[0].tensorboard, configs[0].wandb) as tell:
            budget = budget_of(configs[0], device)
            return train_on(source.stream(), site, specs, budget, source.heldout, state, tell)

    artefacts = []
    for index, folder in enumerate(folders):
        write = _writer(trained, todo.index(index) if index in todo else None, source)
        artefacts.append(shelf.stage(folder, "sae", options[index], source.inputs, write))
    _clear(state)
    return [load(artefact) for artefact in artefacts]


def _options(config: SaeConfig, spec: Spec, site: str, seed: int) -> dict:
    """All that shapes an SAE's bytes, the same whatever is trained beside it."""
    options = {"site": site, "seed": spec.seed, "stream_seed": seed}
    return options | config.model_dump(mode="json", exclude={"seeds", "site", "sweep", "tensorboard", "wandb"})


def _state_folder(source: Source, first: Path, options: list[dict]) -> Path:
    """Where an interrupted training left its state, if it was this one: same activations, options, order and versions.

    What another training of the same name has left is thrown away.
    """
    made_from = {
        **{name: found if isinstance(found, str) else found.hash for name, found in source.inputs.items()},
        "saes": options,
        "versions": shelf.versions(),
    }
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
    begun = _begun(note)
    if begun is not None and set(missing) <= set(begun):
        return begun
    _clear(state)
    state.mkdir(parents=True)
    shelf.write_json(note, {"saes": missing})
    return missing


def _begun(note: Path) -> list[int] | None:
    """The SAEs of an interrupted pass; None if there is none, or its note cannot be read: the pass then begins anew."""
    try:
        found = json.loads(note.read_text())["saes"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, list) and all(isinstance(one, int) for one in found) else None


def _writer(trained: Callable[[], Trained], index: int | None, source: Source) -> Callable[[Path], None]:
    """A function that fills an SAE's folder."""

    def write(work: Path) -> None:
        result = trained()
        shelf.write_json(work / QUALITY, evaluate_quality(result.saes[index], *source.final))
        checkpoint.save(result.saes[index].cpu(), work, source.identity)
        shelf.write_table(work / METRICS, schema.check_table(_of_one(result.metrics, index), "metrics", str(work)))

    return write


def _of_one(metrics: pl.DataFrame, index: int) -> pl.DataFrame:
    return metrics.filter(pl.col("sae") == index).drop("sae")


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
    if not isinstance(path, Path | str):
        raise SeqsaeError(f"load_sae: {type(path).__name__} where the path of an SAE's folder belongs")
    path = Path(path)
    if (path / shelf.MANIFEST).is_file():
        return load(shelf.open_artefact(path, "sae"))
    return checkpoint.load(path)


def save_sae(sae: SAE, path: Path | str) -> None:
    """Write an SAE into a folder that `load_sae` reads: `sae.safetensors` and `config.json`.

    Raises:
        SeqsaeError: a weight is NaN or infinite.
    """
    checkpoint.save(sae, path)


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
