"""Whether an SAE belongs to the model that is asked, and where it reads."""

from collections.abc import Sequence
from copy import deepcopy

from seqsae import shelf
from seqsae.config import ViewConfig
from seqsae.errors import SeqsaeError
from seqsae.models.contract import SequenceModel
from seqsae.sae.base import SAE
from seqsae.sae.checkpoint import check_identity


def placed_in(sae: SAE, model: SequenceModel, site: str | None = None) -> str:
    """The site of `model` whose rows the SAE reads and writes.

    Args:
        site: where, for an SAE of another tool that does not say.
    Raises:
        SeqsaeError: it was trained on another model, other weights or another site (both are named), it writes elsewhere than
            it reads, or it is imported and no site is given.
    """
    reads, writes = sae.identity.get("inputs") or {}, sae.identity.get("targets")
    if writes is not None and writes != reads:
        raise SeqsaeError(
            f"this SAE reads {reads.get('site')} and writes {writes.get('site')}; only one that writes what it reads can be put in its place"
        )
    known = reads.get("site")
    if site is not None and known is not None and site != known:
        raise SeqsaeError(f"this SAE was trained on {known}, {site!r} was given; leave site out")
    if not sae.identity.get("imported") or reads.get("fingerprint") is not None:
        held = known if known in model.sites else ", ".join(model.sites)  # for the error that names both
        check_identity(sae, model.name, model.fingerprint, held or "")
        return known
    if (site or known) is None:
        raise SeqsaeError(f"this SAE does not say what it reads; give site=, one of {', '.join(model.sites)}")
    return model.check_site(site or known)


def viewed(view: str | ViewConfig | None, sae: SAE) -> ViewConfig:
    """`view` as a ViewConfig; None: the one that the SAE was trained on."""
    if view is None:
        return trained_view(sae)
    return ViewConfig(name=view) if isinstance(view, str) else view


def trained_view(sae: SAE) -> ViewConfig:
    """The view the SAE was trained on, if its run folder still holds it; else whole records, read where they are observed."""
    if getattr(sae, "artefact", None) is not None:
        for manifest in sorted((sae.artefact.path.parents[1] / "activations").glob(f"*/{shelf.MANIFEST}")):
            found = shelf.Artefact(manifest.parent)
            if found.hash == sae.identity.get("training_data"):
                return ViewConfig(**found.setting("view"))
    return ViewConfig()


def check_features(features: Sequence[int], width: int) -> None:
    """Raises SeqsaeError unless each is a latent of an SAE of `width` latents."""
    for feature in features:
        if isinstance(feature, bool) or not isinstance(feature, int) or not 0 <= feature < width:
            raise SeqsaeError(f"feature {feature!r}: this SAE has latents 0 to {width - 1}; give one of them")


def beside(sae: SAE, model: SequenceModel) -> SAE:
    """The SAE, in eval mode and without gradients, on the model's device; the caller's own is left as it is."""
    moved = deepcopy(sae) if sae.W_dec.device != model.device or sae.training or sae.W_dec.requires_grad else sae
    return moved.to(model.device).eval().requires_grad_(False)
