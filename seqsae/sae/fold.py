"""An SAE with its input normaliser worked into its weights: it reads and writes raw rows, and gives the same codes."""

from dataclasses import replace

import torch

from seqsae.errors import SeqsaeError
from seqsae.sae.base import SAE, build
from seqsae.sae.normalise import BY_ROW


@torch.no_grad()
def folded(sae: SAE) -> SAE:
    """The same function of raw rows with a normalisation of "none", for formats and code that know no normaliser.

    With x_n = ((x - mean) / scale) whiten: W_enc' = diag(1/scale) whiten W_enc; W_dec' = W_dec unwhiten diag(scale);
    b_dec' likewise, plus mean. Where b_dec is not subtracted, b_enc' = b_enc - mean W_enc' instead. Codes, and so thresholds, are
    unchanged; the decoder's rows are no longer of unit length, and a tied encoder is one of its own.

    Args:
        sae: left as it is.
    Raises:
        SeqsaeError: its normaliser depends on the row ("layer-norm", "row-norm"), or the architecture has other weights that read rows.
    """
    kind = sae.config.normalisation
    if kind in BY_ROW or not sae.foldable:
        why = "each row is normalised by itself" if kind in BY_ROW else "it has further weights that read rows"
        raise SeqsaeError(
            f"SAE {sae.config.architecture!r}: its normaliser cannot be worked into the weights, {why}; keep it as it is"
        )
    options = {**sae.options, "tied": False, "unit_decoder": False}
    result = build(replace(sae.config, normalisation="none", options=options)).to(sae.W_dec)
    _copy_rest(sae, result)
    inner, outer = 1 / sae.scale.double(), sae.scale.double()
    W_enc, W_dec, b_dec = sae.W_enc.double(), sae.W_dec.double(), sae.b_dec.double()
    if kind == "whiten":
        W_enc, W_dec, b_dec = sae.whiten.double() @ W_enc, W_dec @ sae.unwhiten.double(), b_dec @ sae.unwhiten.double()
    W_enc = (inner * W_enc.T).T
    result.W_enc.copy_(W_enc)
    result.W_dec.copy_(W_dec * outer)
    result.b_dec.copy_(b_dec * outer + sae.mean)
    if not sae.options["subtract_b_dec"]:
        result.shift_encoder(-sae.mean.double() @ W_enc)
    result.identity = dict(sae.identity)
    return result.eval()


def _copy_rest(sae: SAE, result: SAE) -> None:
    """Everything that is no normaliser: biases, thresholds, gates."""
    target = result.state_dict()
    for name, value in sae.state_dict().items():
        if name in target and name not in ("mean", "scale", "W_enc", "W_dec", "b_dec"):
            target[name].copy_(value)
