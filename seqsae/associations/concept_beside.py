"""Features of another study, opened from their folder, to stand beside those of this one."""

from pathlib import Path

from seqsae import shelf
from seqsae.activations.store import Store
from seqsae.errors import SeqsaeError
from seqsae.features.encoding import Encoded
from seqsae.sae.room import load_sae


def open_beside(folder: Path | str) -> Encoded:
    """The features in RUN/features/NAME/VIEW, with RUN's activations and SAE of the same names.

    Raises:
        SeqsaeError: no features there, or they do not lie in a run folder.
    """
    folder = Path(folder)
    artefact = shelf.open_artefact(folder, "features")
    run = folder.absolute().parents[2]
    activations, weights = run / "activations" / folder.name, run / "sae" / folder.absolute().parent.name
    for needed in (activations, weights):
        if not needed.is_dir():
            raise SeqsaeError(
                f"{folder}: there is no {needed}; give features in a whole run folder, RUN/features/NAME/VIEW"
            )
    sae = load_sae(weights)
    site = artefact.manifest["config"].get("site") or (sae.identity.get("inputs") or {}).get("site")
    return Encoded(artefact, Store(activations), sae, site)
