"""The sae room: several seeds trained in one pass over the train split, each left on the shelf as its own artefact."""

from collections.abc import Callable, Iterator
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
from seqsae.sae.spec import Budget, Spec
from seqsae.sae.stream import ArrayStream
from seqsae.sae.train import Trained
from seqsae.sae.train import train as train_on

HELDOUT_ROWS = 65_536  # rows of the select split that FVU and L0 are measured on, evenly spaced, at most
BLOCK = 8_192  # of them read at a time


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
        acts: a Store (its train split is read, its select split is held out), a Stream, or an array [n, d].
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
    stream = acts
    if isinstance(acts, Store):
        site = _site(acts.artefact.manifest["config"]["sites"], site)
        return _train_on_store(acts, site, Path(out) if out else acts.path.parents[1], seed, device, config)
    if isinstance(acts, np.ndarray | Tensor):
        stream = ArrayStream(acts, seed=seed)
    site = _site(list(stream.sites), site)
    return train_on(stream, site, specs_of(config), _budget(config, device)).saes


def specs_of(config: SaeConfig) -> list[Spec]:
    """One Spec a seed."""
    return [
        Spec(
            config.width,
            config.k,
            config.architecture,
            seed=seed,
            lr=config.lr,
            normalisation=config.normalise,
            options=dict(config.options),
        )
        for seed in range(config.seeds)
    ]


def name_of(spec: Spec, site: str, view: str) -> str:
    """The artefact's name; the view stands in it unless it is the full one."""
    return spec.name(site.replace(":", "--") if view == "full" else f"{site.replace(':', '--')}-{view}")


def _site(sites: list[str], site: str | None) -> str:
    if site is None and len(sites) != 1:
        raise SeqsaeError(f"these activations hold {len(sites)} sites ({', '.join(sites)}); say which with site=")
    return sites[0] if site is None else site


def _budget(config: SaeConfig, device: str) -> Budget:
    return Budget(config.steps, config.batch, every=config.check_every, device=device)


def _train_on_store(acts: Store, site: str, out: Path, seed: int, device: str, config: SaeConfig) -> list[SAE]:
    specs = specs_of(config)
    for spec in specs:
        spec.recipe(acts.sites[acts.check_site(site)])  # wrong widths are told before anything is read
    state = _state_folder(acts, site, specs, out, seed, config)
    trained = cache(lambda: _trained(acts, site, specs, _budget(config, device), seed, state))
    identity = _identity(acts, site)
    artefacts = []
    for index, spec in enumerate(specs):
        options = {
            "site": site,
            "seed": spec.seed,
            "stream_seed": seed,
            **config.model_dump(mode="json", exclude={"seeds"}),
        }
        write = _writer(trained, index, identity)
        artefacts.append(
            shelf.stage(
                out / "sae" / name_of(spec, site, acts.view),
                "sae",
                options,
                {"activations": acts.artefact},
                write,
            )
        )
    _clear(state)
    return [load(artefact) for artefact in artefacts]


def _state_folder(acts: Store, site: str, specs: list[Spec], out: Path, seed: int, config: SaeConfig) -> Path:
    """Where an interrupted training left its state, if it was this one: same activations, options, order and versions.

    What another training of the same name has left is thrown away.
    """
    made_from = {
        "activations": acts.artefact.hash,
        "seed": seed,
        "config": config.model_dump(mode="json"),
        "versions": shelf.versions(),
    }
    stem = f".{name_of(specs[0], site, acts.view)}.training-"
    state = out / "sae" / f"{stem}{shelf.digest(made_from)[:12]}"
    for other in (out / "sae").glob(f"{stem}*"):
        if other != state:
            _clear(other)
    if state.is_dir():
        say(f"{site}: going on with an interrupted training")
    return state


def _trained(acts: Store, site: str, specs: list[Spec], budget: Budget, seed: int, state: Path) -> Trained:
    stream = StoreStream(acts, [site], acts.rows_in("train"), seed)
    heldout = acts.rows_in("select")
    rows = heldout[:: max(1, -(-len(heldout) // HELDOUT_ROWS))]

    def blocks() -> Iterator[Tensor]:
        return (acts.read(site, rows[start : start + BLOCK]) for start in range(0, len(rows), BLOCK))

    return train_on(stream, site, specs, budget, blocks, state)


def _writer(trained: Callable[[], Trained], index: int, identity: dict) -> Callable[[Path], None]:
    def write(work: Path) -> None:
        result = trained()
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
    from seqsae.sae.metrics import best_match

    if len(saes) < 2:
        return None
    return torch.stack([best_match(saes[0].W_dec, other.W_dec).cosine for other in saes[1:]]).mean(0).double().numpy()
