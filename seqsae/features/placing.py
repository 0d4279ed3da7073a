"""Where an SAE is to read: the site it was trained on, or, for one of another tool, the site that is named and that it fits."""

import math

import numpy as np
import torch

from seqsae.activations.store import Store
from seqsae.errors import SeqsaeError
from seqsae.progress import say
from seqsae.sae.base import SAE
from seqsae.sae.checkpoint import check_identity
from seqsae.sae.quality.metrics import measure

ROWS = 4096  # that an imported SAE is tried on, evenly spaced

# Measured on nine layers of two protein models (d 128 and 512, TopK of d/8 and d/16): an SAE leaves .006 to .20 of the variance of
# the layer it was trained on, .07 to 1.03 of that of others, .84 to 1.01 of the same rows in a rotated basis, as another model
# of the same width would have; as many principal components as it has active latents leave about .5.
WORST = 0.7  # FVU above which it was not trained on such rows, unless as many principal components do no better
BETTER = (
    0.75  # share of the FVU at which another site is the likelier one: other layers left 1.9 times as much as its own
)
# or more, and an SAE at a wrong layer would have left .52 times as much at its own or less


def placed(sae: SAE, acts: Store, site: str | None = None) -> str:
    """The site of `acts` that the SAE is to encode.

    Args:
        site: where, for an imported SAE that does not say.
    Raises:
        SeqsaeError: it was trained elsewhere; or it is imported and no site is named, or it does not fit the one that is.
    """
    reads = sae.identity.get("inputs") or {}
    if not sae.identity.get("imported") or reads.get("fingerprint") is not None:
        return _own(sae, acts, site)
    known = reads.get("site")
    if site is not None and known is not None and site != known:
        raise SeqsaeError(
            f"this SAE was imported for site {known!r}, {site!r} was given; leave site out, or convert it again"
        )
    site = site or known
    if site is None:
        raise SeqsaeError(f"{_name(sae)} does not say what it reads; give site=, one of {', '.join(acts.sites)}")
    _check_width(sae, acts, acts.check_site(site))
    _check_fit(sae, acts, site)
    return site


def _own(sae: SAE, acts: Store, site: str | None) -> str:
    known = (sae.identity.get("inputs") or {}).get("site") or "an unknown site"
    if site is not None and site != known:
        raise SeqsaeError(f"this SAE was trained on {known}, {site!r} was given; leave site out")
    held = known if known in acts.site_names else ", ".join(acts.site_names)  # for the error that names both
    check_identity(sae, acts.model["name"], acts.model["fingerprint"], held)
    return known


def _check_width(sae: SAE, acts: Store, site: str) -> None:
    if acts.sites[site] != sae.d_model:
        raise SeqsaeError(
            f"{_name(sae)} reads rows of width {sae.d_model}, those of {site} have {acts.sites[site]}; name another site"
        )


def _check_fit(sae: SAE, acts: Store, site: str) -> None:
    """Raises SeqsaeError if the SAE reconstructs the site's rows badly, or those of another site much better."""
    like = [other for other, width in acts.sites.items() if width == sae.d_model]
    rows = np.unique(np.linspace(0, acts.n_rows - 1, min(ROWS, acts.n_rows)).astype(np.int64))
    quality = {other: _quality(sae, acts.read(other, rows)) for other in like}
    best = min(quality, key=lambda other: quality[other][0])
    fvu, l0 = quality[site]
    found = f"{_name(sae)} leaves a share of {fvu:.2f} of the variance of {site} unexplained"
    if best != site and quality[best][0] < BETTER * fvu:
        raise SeqsaeError(f"{found}, but {quality[best][0]:.2f} of that of {best}; give site={best!r}, or another SAE")
    plain = principal(acts.read(site, rows), round(l0)) if fvu > WORST else 1.0
    if fvu > WORST and fvu > plain:
        raise SeqsaeError(
            f"{found} on {len(rows):,} rows, where {l0:.0f} principal components leave {plain:.2f}: it was not trained on such "
            "activations; name the site, model and preparation that it was trained on, or take another SAE"
        )
    say(f"{found} on {len(rows):,} rows")


@torch.no_grad()
def _quality(sae: SAE, x: torch.Tensor) -> tuple[float, float]:
    """Fraction of variance unexplained (the mean alone has 1, rows that are all equal infinity), and active latents a row."""
    found = measure(sae, [x])
    return (math.inf if math.isnan(found.fvu) else found.fvu), found.l0


def principal(x: torch.Tensor, k: int) -> float:
    """Fraction of the variance of rows [n, d] that k principal components leave unexplained; 0 of none."""
    values = torch.linalg.eigvalsh(torch.cov(x.double().T)).clamp_min(0)
    total = values.sum()
    return float(values[: max(0, len(values) - k)].sum() / total) if total > 0 else 0.0


def _name(sae: SAE) -> str:
    return f"this SAE, imported from {sae.identity['imported']['format']},"
