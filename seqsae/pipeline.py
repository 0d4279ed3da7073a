"""The order of the rooms: a study as a chain of artefacts, each made when it is first asked for and kept when nothing changed."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from seqsae import besides, plugins, shelf
from seqsae import config as options
from seqsae.activations.harvesting import harvest
from seqsae.activations.store import Store
from seqsae.activations.views import view_of
from seqsae.associations.concept_room import Concepts
from seqsae.associations.room import Associated
from seqsae.config import RunConfig
from seqsae.errors import SeqsaeError
from seqsae.faithfulness.room import Faithful
from seqsae.features.encoding import Encoded, encode
from seqsae.models.contract import SequenceModel
from seqsae.models.opening import open_model
from seqsae.pages.room import report
from seqsae.pages.sweep_room import Sweep, sweep, sweep_config
from seqsae.pages.training import training_page
from seqsae.progress import say
from seqsae.records import room as records
from seqsae.records.data import Dataset
from seqsae.sae.base import SAE
from seqsae.sae.choosing.grid import grid
from seqsae.sae.room import train
from seqsae.sae.training.feasible import feasible


class Study:
    """A run folder and the config it follows; each room is a property, in the order in which data passes through them.

    Args:
        config: a RunConfig or the path of its TOML file.
        out: run folder; default: `runs/<name of the config file>`.
        data: path that stands over `records.path`.
    """

    def __init__(self, config: RunConfig | Path | str, out: Path | str | None = None, data: Path | str | None = None):
        self.config = config if isinstance(config, RunConfig) else options.read(config)
        if out is None and isinstance(config, RunConfig):
            raise SeqsaeError("run: a config without a file has no default run folder; give out=")
        self.out = Path(out) if out is not None else Path("runs") / Path(config).stem
        if data is not None:
            records.check_alone(self.config.records)
            moved = self.config.records.model_copy(update={"path": str(data)})
            self.config = self.config.model_copy(update={"records": moved})
        self.seconds: dict[str, float] = {}
        self.beside: dict[str, Encoded] = {}
        """Features of other studies that `associated` sets beside, by name, each in the view it is of."""

    def check(self) -> None:
        """Look up every name in config and data before anything long is begun. Raises SeqsaeError for one that is not there."""
        self.check_names()
        for view in self.config.harvest.views:
            view_of(self.data, view.name)
        besides.check_data(self)
        if not any(self.has_targets(view.name) for view in self.config.harvest.views):
            raise SeqsaeError(
                "there is nothing to tie features of whole records to, only labels at prediction times; read the views of the "
                f'label tables, as in views = [{{ name = "{next(iter(self.data.labels), "label table")}" }}], or give covariates'
            )
        if not self.data.covariates.schema["covariates"] and not self.data.labels:
            raise SeqsaeError(
                "the data has no covariates to tie features to; put covariates.parquet (or .csv) and "
                "covariates.schema.json beside it, or name them in [records]"
            )

    def check_names(self) -> None:
        """Look at what the config alone can be judged by. Raises SeqsaeError for a name that is not there, or a wrong option."""
        plugins.find("models", self.config.model.name)
        feasible(self.config.sae, self.config.device)
        besides.check_names(self.config)

    def check_sweep(self, **lists) -> None:
        """The same for a sweep, before anything long is begun."""
        for one in grid(sweep_config(self.config.sae, **lists)):
            feasible(one, self.config.device)

    @cached_property
    def records(self) -> shelf.Artefact:
        with self.stage("records"):
            return records.keep(self.config.records, self.out / "records")

    @cached_property
    def data(self) -> Dataset:
        return records.load(self.records)

    @cached_property
    def model(self) -> SequenceModel:
        with self.stage("model"):
            return self.open_model()

    def open_model(self) -> SequenceModel:
        """The model, with a module of its own each time."""
        room, data = self.config.model, self.data
        extra = {} if self.config.device == "cpu" else {"device": self.config.device}
        path = room.path if room.train is None else self._trained_model(data).path
        extra |= {} if path is None else {"path": path}
        if twice := sorted(room.options.keys() & extra.keys()):
            raise SeqsaeError(f"model: {twice[0]} stands in [model.options] and beside it; give it once")
        return open_model(room.name, **room.options, **extra)

    @cached_property
    def acts(self) -> dict[str, Store]:
        """The harvested views by folder name, in the config's order."""
        room, model, data = self.config.harvest, self.model, self.data
        with self.stage("harvest"):
            stores = [
                harvest(model, data, view, out=self.out, config=room, seed=self.config.seed) for view in room.views
            ]
        return {store.view: store for store in stores}

    @property
    def first(self) -> Store:
        """The view that SAEs are trained on."""
        return next(iter(self.acts.values()))

    @cached_property
    def saes(self) -> list[SAE]:
        room, acts = self.config.sae, self.first
        site = room.site or self.config.harvest.sites[-1]
        with self.stage("train"):
            return train(
                acts,
                room.architecture,
                site=site,
                out=self.out,
                seed=self.config.seed,
                device=self.config.device,
                config=room,
            )

    def swept(self, **lists) -> Sweep:
        """The sweep that `sae.sweep` asks for; `lists` (widths, ks, sparsities) stand over it. Not a part of `run`."""
        room, acts = self.config.sae, self.first
        site = room.site or self.config.harvest.sites[-1]
        with self.stage("sweep"):
            return sweep(
                acts,
                room.architecture,
                site=site,
                out=self.out,
                seed=self.config.seed,
                device=self.config.device,
                config=room,
                **lists,
            )

    @cached_property
    def training(self) -> Path:
        """The page that shows how the SAEs were trained."""
        return training_page(self.saes, self.out / "sae" / "training.html")

    @cached_property
    def encoded(self) -> dict[str, Encoded]:
        saes, acts = self.saes, self.acts
        with self.stage("encode"):
            return {
                view: encode(saes, store, out=self.out, config=self.config.features) for view, store in acts.items()
            }

    @cached_property
    def associated(self) -> dict[str, Associated]:
        """Features tied to covariates by view; what stands in `beside` is among the baselines."""
        encoded, names = self.encoded, {view.folder: view.name for view in self.config.harvest.views}
        return besides.associated(self, {view: encoded[view] for view in encoded if self.has_targets(names[view])})

    @cached_property
    def random_model(self) -> Encoded | None:
        """The same SAE on the same model with its weights shuffled, in the first view, if a run is to set it beside."""
        return besides.random_model(self)

    def concepts(self, beside: Mapping[str, Encoded] | None = None) -> dict[str, Concepts]:
        """Concepts against single units by view; `beside` as in `concepts`, each in the view it is of."""
        mine = besides.beside(self, beside or {})
        return {view: besides.scored(self, codes, mine[view]) for view, codes in self.encoded.items()}

    @cached_property
    def annotated(self) -> Concepts | None:
        """Concepts in the view that the report is of, if a run is to score them and anything is annotated."""
        return besides.annotated(self) if besides.has_concepts(self) else None

    @cached_property
    def faithful(self) -> Faithful | None:
        """What the model keeps of the SAE, if a run is to judge it; None where the model has no objective of its own."""
        return besides.judged(self, self.saes, self.config.faithfulness)

    @cached_property
    def layers(self) -> shelf.Artefact | None:
        """The same SAE at each of the sites of [layers]; None if none are named."""
        return besides.layered(self)

    @property
    def told(self) -> Associated:
        """What map and report are of: the first view, or the first that has something to be tied to."""
        return self.associated.get(self.first.view) or next(iter(self.associated.values()))

    def has_targets(self, view: str) -> bool:
        """Whether there is anything to tie features of a view to; labels belong to their own views."""
        return view != "full" or bool(self.data.covariates.schema["covariates"]) or not self.data.labels

    @cached_property
    def atlas(self) -> shelf.Artefact:
        return besides.laid_out(self)

    @cached_property
    def report(self) -> Path:
        return self.reports[self.told.encoded.store.view]

    @cached_property
    def reports(self) -> dict[str, Path]:
        """A page for each view that features are tied in; that of `told` is `report/index.html`."""
        return self.reported("html")

    def reported(self, form: str) -> dict[str, Path]:
        """The same as `html`, `parquet`, `csv` or `png`: a page or a folder for each view."""
        told, map_of_features, saes, made = self.told, self.atlas, self.saes, {}
        layers = None if self.layers is None else self.layers.table("layers.parquet")
        beside = {"faithful": self.faithful, "concepts": self.annotated, "layers": layers}
        with self.stage("report"):
            for view, one in self.associated.items():
                folder, more = ("report", beside) if one is told else (f"report-{view}", {})
                more = more | {"portraits": besides.portrayed(self, one), "config": self.config.report, "format": form}
                made[view] = report(one, map_of_features, saes, out=self.out / folder, **more)
        return made

    def _trained_model(self, data: Dataset) -> shelf.Artefact:
        room = self.config.model
        factory = plugins.find("models", room.name)
        if not hasattr(factory, "train"):
            raise SeqsaeError(f"model {room.name!r} cannot be trained here; take [model.train] out of the config")
        train_subjects, heldout_subjects = data.in_split("train"), data.in_split("select")
        config = {"name": room.name, "train": room.train, "seed": self.config.seed}

        def write(work: Path) -> None:
            factory.train(data, train_subjects, heldout_subjects, work, seed=self.config.seed, **room.train)

        return shelf.stage(self.out / "model", "model", config, {"records": self.records}, write)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        say(f"{name} ...")
        start = time.perf_counter()
        with limited_threads(self.config.threads):
            yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


def run(config: RunConfig | Path | str, *, out: Path | str | None = None, data: Path | str | None = None) -> Study:
    """The whole study, from records to report. A stage whose inputs and config are unchanged is kept, and said so.

    Raises:
        SeqsaeError: in one line, whatever is wrong with config or data.
    """
    study = Study(config, out, data)
    with shelf.locked(study.out):
        study.check()
        study.training  # noqa: B018
        study.report  # noqa: B018  the last room asks for all before it
        _write_config(study)
        seconds = {name: round(seconds, 3) for name, seconds in study.seconds.items()}
        shelf.write_json(study.out / "timings.json", seconds)
    return study


@contextmanager
def limited_threads(n: int) -> Iterator[None]:
    """Inside, torch and the BLAS libraries use n threads: the same number gives the same bytes."""
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        with threadpool_limits(n):
            yield
    finally:
        torch.set_num_threads(before)


def _write_config(study: Study) -> None:
    """config.toml as resolved; its paths are absolute, so that it can be run from where it lies."""
    import tomli_w

    document = study.config.model_dump(mode="json", exclude_none=True)
    for room, names in {"records": ("path", "covariates", "covariate_schema"), "model": ("path",)}.items():
        document[room] |= {name: str(Path(document[room][name]).resolve()) for name in names if name in document[room]}
    document["records"]["labels"] = [str(Path(path).resolve()) for path in document["records"]["labels"]]
    (study.out / "config.toml").write_text(tomli_w.dumps(document))
