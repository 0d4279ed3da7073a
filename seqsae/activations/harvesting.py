"""Harvest: the model is run over a view once, and every site's rows go to sharded files with their identity beside them.

A shard is a fixed run of samples and depends on nothing but them, so that a killed harvest goes on at the first shard it
has not finished and ends with the same bytes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch import Tensor

from seqsae import schema, shelf
from seqsae.activations.batches import bucketed
from seqsae.activations.store import Store, site_folder
from seqsae.activations.views import View, passes_of, view_of
from seqsae.config import HarvestConfig, ViewConfig
from seqsae.errors import SeqsaeError
from seqsae.models.contract import Sample, SequenceModel
from seqsae.progress import say, track
from seqsae.records.data import Dataset
from seqsae.records.room import fingerprint

DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}


def harvest(
    model: SequenceModel,
    data: Dataset,
    view: str | ViewConfig = "full",
    *,
    out: Path | str,
    config: HarvestConfig | None = None,
    seed: int = 0,
) -> Store:
    """The activations of `model` over a view of `data`, as the artefact `out/activations/<view>`.

    Args:
        view: `full`, the name of a label table, or a ViewConfig with its readout.
        out: run folder.
        config: sites and storage; default: all of the model's sites, float16 on disk.
        seed: decides which rows are hidden in which pass of a masked readout.
    Raises:
        SeqsaeError: unknown view or site, a record that the model cannot take, activations the number format cannot hold.
    """
    view = ViewConfig(name=view) if isinstance(view, str) else view
    config = config or HarvestConfig(sites=tuple(model.sites))
    for site in config.sites:
        model.check_site(site)
    options = {
        **config.model_dump(mode="json", exclude={"views", "token_budget"}),
        "view": view.model_dump(mode="json"),
        "seed": seed if view.readout == "masked" else None,
        "model": model.identity,
    }
    job = _Job(model, data, view_of(data, view.name), view, config, seed)
    artefact = shelf.stage(
        Path(out) / "activations" / view.folder, "activations", options, {"records": fingerprint(data)}, job.run
    )
    return Store(artefact)


class _Job:
    """One harvest: its shards, done one by one."""

    def __init__(
        self, model: SequenceModel, data: Dataset, view: View, reading: ViewConfig, config: HarvestConfig, seed: int
    ):
        self.model, self.data, self.view, self.config, self.seed = model, data, view, config, seed
        self.masked = reading.readout == "masked"

    def run(self, work: Path) -> None:
        done = work / ".done"
        done.mkdir(exist_ok=True)
        for site in self.config.sites:
            (work / site_folder(site)).mkdir(exist_ok=True)
        firsts = range(0, len(self.view), self.config.shard_samples)
        counts, offset = [], 0
        which = f"{self.view.name}{' (masked)' if self.masked else ''}"
        for number, first in enumerate(track(firsts, f"harvest {which}")):
            marker = done / f"{number:05d}.json"
            if not marker.is_file():
                n_rows = self._shard(
                    work, number, range(first, min(first + self.config.shard_samples, len(self.view))), offset
                )
                shelf.write_json(marker, {"n_rows": n_rows})
            n_rows = _read_counts(marker)
            counts.extend(n_rows)
            offset += sum(n_rows)
        for line in self.model.account():
            say(f"model {self.model.name!r}, view {which}: {line}")
        if not offset:
            raise SeqsaeError(f"view {self.view.name!r}: no activation rows at all; are the records empty?")
        shelf.write_table(work / "samples.parquet", self.view.samples(np.array(counts)))
        shelf.write_table(work / "subjects.parquet", self.data.subjects)
        shelf.write_table(work / "splits.parquet", self.data.splits)

    def _shard(self, work: Path, number: int, samples: range, offset: int) -> list[int]:
        """Write one shard; its rows a sample."""
        with _told(self.model, f"samples {samples.start} to {samples.stop - 1}"):
            prepared = [self.model.prepare(self.view.record(self.data, sample)) for sample in samples]
        starts = np.concatenate([[0], np.cumsum([len(sample) for sample in prepared])])
        lengths = np.array([sample.length for sample in prepared])
        held = {}
        parts = np.array([sample.parts for sample in prepared])
        for group in bucketed(lengths, self.config.token_budget, not self.model.pad_invariant, parts):
            places = np.concatenate([np.arange(starts[i], starts[i + 1]) for i in group])
            if not len(places):
                continue
            with _told(self.model, f"samples {', '.join(str(samples[i]) for i in group[:5])}"):
                rows = self._read([prepared[i] for i in group], [samples[i] for i in group])
            for site, value in rows.items():
                held.setdefault(site, torch.empty(starts[-1], value.shape[1], dtype=DTYPES[self.config.dtype]))
                held[site][torch.from_numpy(places)] = _narrow(value, self.config.dtype, site, self.model.name)
        for site in self.config.sites:
            value = held.get(site, torch.empty(0, self.model.sites[site] or 0, dtype=DTYPES[self.config.dtype]))
            shelf.save_tensors(work / site_folder(site) / f"shard-{number:05d}.safetensors", {"activations": value})
        shelf.write_table(work / f"rows-{number:05d}.parquet", _rows_table(prepared, samples, offset))
        return [len(sample) for sample in prepared]

    def _read(self, prepared: list[Sample], samples: list[int]) -> dict[str, Tensor]:
        batch = self.model.collate(prepared)
        if not self.masked:
            return self.model.capture(batch, self.config.sites)
        turn = [
            passes_of(sample, len(one), self.config.masked_passes, self.seed)
            for sample, one in zip(samples, prepared, strict=True)
        ]
        turn = torch.from_numpy(np.concatenate(turn))
        read: dict[str, Tensor] = {}
        for number in range(self.config.masked_passes):
            hidden = turn == number
            where = torch.zeros_like(batch.mask)
            where[batch.mask] = hidden.to(where.device)
            for site, value in self.model.capture(self.model.hide(batch, where), self.config.sites).items():
                read.setdefault(site, torch.empty_like(value))[hidden] = value[hidden]
        return read


@contextmanager
def _told(model: SequenceModel, which: str) -> Iterator[None]:
    """Whatever the model's own code raises, as one line that names the model and the samples."""
    try:
        yield
    except (SeqsaeError, OSError):
        raise
    except Exception as cause:  # a stranger's code can raise anything
        told = f"model {model.name!r} fails on {which}: {type(cause).__name__}: {cause}"
        raise SeqsaeError(f"{told}; seqsae.testing.check_model shows where") from cause


def _read_counts(marker: Path) -> list[int]:
    import json

    return json.loads(marker.read_text())["n_rows"]


def _narrow(value: Tensor, dtype: str, site: str, model: str) -> Tensor:
    narrow = value.to("cpu", DTYPES[dtype])
    if not torch.isfinite(narrow).all():
        remedy = (
            "look at the model's input"
            if not torch.isfinite(value).all()
            else 'store them with dtype = "float32" or "bfloat16"'
        )
        raise SeqsaeError(
            f"site {site!r} of model {model!r}: activations that {dtype} cannot hold (largest {value.abs().max():.3g}); {remedy}"
        )
    return narrow


def _rows_table(prepared: list[Sample], samples: range, offset: int) -> pl.DataFrame:
    """Schema `rows` of one shard."""
    counts = [len(one) for one in prepared]
    n = sum(counts)
    missing = np.datetime64("NaT", "us")

    def joined(parts: list, dtype) -> np.ndarray:
        return np.concatenate(parts).astype(dtype) if parts else np.empty(0, dtype)

    def role_of(one: Sample) -> np.ndarray:
        return np.full(len(one), one.role, dtype=object) if isinstance(one.role, str) else one.role

    times = [np.full(len(one), missing) if one.time is None else one.time.astype("datetime64[us]") for one in prepared]
    table = pl.DataFrame(
        {
            "row": np.arange(offset, offset + n, dtype=np.int64),
            "sample": np.repeat(np.array(samples, dtype=np.uint32), counts),
            "event": joined([one.event for one in prepared], np.uint32),
            "position": joined([one.position for one in prepared], np.uint32),
            "time": pl.Series(joined(times, "datetime64[us]"), dtype=pl.Datetime("us")),
            "token": pl.Series(joined([one.token for one in prepared], object).tolist(), dtype=pl.String),
            "role": pl.Series(joined([role_of(one) for one in prepared], object).tolist(), dtype=pl.String),
        }
    )
    return schema.check_table(table, "rows", "rows")
