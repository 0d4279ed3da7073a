"""Features of another study, opened from their folder, to stand beside those of this one on the same rows."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import numpy as np
import scipy.sparse as sp

from seqsae import shelf
from seqsae.activations.store import Store
from seqsae.config import AssociateConfig, ConceptsConfig
from seqsae.errors import SeqsaeError
from seqsae.features.encoding import Encoded
from seqsae.records.columns import short
from seqsae.sae.room import load_sae

RANDOM_MODEL = "random-model"
"""What an SAE on the same model with its weights shuffled is called."""
NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
"""A name that stands in tables, folders and lines of text as it is."""
DEPTH = 3
"""Folders above those of a view's features up to the run: RUN/features/NAME/VIEW."""


class Beside:
    """Such features under a name of their own. It is a FeatureSource."""

    def __init__(self, name: str, encoded: Encoded):
        self.name, self.encoded, self.labels = name, encoded, encoded.labels

    def values(self, rows: np.ndarray) -> sp.csr_array:
        """[len(rows), width]."""
        return self.encoded.values(rows)


def open_beside(folder: Path | str) -> Encoded:
    """The features in RUN/features/NAME/VIEW, with RUN's activations and SAE of the same names.

    Raises:
        SeqsaeError: no features there, or they do not lie in a run folder.
    """
    folder = Path(folder).resolve()
    artefact = shelf.open_artefact(folder, "features")
    if len(folder.parents) < DEPTH:
        raise SeqsaeError(f"{folder}: these features lie in no run folder; give RUN/features/NAME/VIEW")
    run = folder.parents[DEPTH - 1]
    activations, weights = run / "activations" / folder.name, run / "sae" / folder.parent.name
    for needed in (activations, weights):
        if not needed.is_dir():
            raise SeqsaeError(
                f"{folder}: there is no {needed}; give features in a whole run folder, RUN/features/NAME/VIEW"
            )
    sae = load_sae(weights)
    site = artefact.manifest["config"].get("site") or (sae.identity.get("inputs") or {}).get("site")
    return Encoded(artefact, Store(activations), sae, site)


def opened(given: list[str] | None) -> dict[str, Encoded]:
    """The features named on a command line, each as NAME=FOLDER. Raises SeqsaeError for what is written otherwise."""
    found = {}
    for text in given or []:
        name, _, folder = text.partition("=")
        if not name or not folder:
            raise SeqsaeError(
                f"--beside {text}: write NAME=FOLDER, as in {RANDOM_MODEL}=runs/random/features/NAME/full"
            )
        check_name(name)
        if name in found:
            raise SeqsaeError(f"--beside {text}: the name {name!r} stands there twice; give each its own")
        found[name] = open_beside(folder)
    return found


def check_name(name: str) -> None:
    """Raises SeqsaeError for what is no `NAME`."""
    if not NAME.fullmatch(name):
        raise SeqsaeError(
            f"beside {short(name)!r}: a name has 1 to 64 letters, digits and signs of -_. alone; choose another"
        )


def check_beside(encoded: Encoded, beside: Mapping[str, Encoded]) -> None:
    """Raises SeqsaeError for a name that a source of our own bears, or features that stand on other rows."""
    own = {"sae", *_choices(AssociateConfig, "baselines"), *_choices(ConceptsConfig, "sources")}
    for name, other in beside.items():
        if name in own or not name:
            raise SeqsaeError(f"beside {name!r}: the name is taken; choose another")
        check_name(name)
        if not _same_rows(encoded.store, other.store):
            raise SeqsaeError(
                f"beside {name!r}: {other.path} stands on other rows than {encoded.path}; harvest the same view of the same data"
            )


def inputs_of(beside: Mapping[str, Encoded]) -> dict[str, shelf.Artefact]:
    """What a stage is made from because of them."""
    return {f"beside {name}": one.artefact for name, one in beside.items()}


def _choices(room: type, option: str) -> tuple[str, ...]:
    return get_args(get_args(room.model_fields[option].annotation)[0])


def _same_rows(one: Store, other: Store) -> bool:
    keys = ["sample", "event", "position"]
    return (
        one.samples.equals(other.samples)
        and one.subjects.equals(other.subjects)
        and one.rows.select(keys).equals(other.rows.select(keys))
    )
