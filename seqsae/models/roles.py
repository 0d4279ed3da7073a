"""Encoder-decoders: which side a site's rows are of, since the two sides have different positions."""

from torch import nn

from seqsae.errors import SeqsaeError
from seqsae.models.sites import parse

SIDES = {"encoder": "token", "decoder": "decoder"}


def role_of(module: nn.Module, sites: list[str], wish: str | None) -> str:
    """The role of the rows at `sites`: `token`, or `decoder` for positions of a decoder that reads an encoder.

    Raises SeqsaeError if sites of an encoder-decoder lie on both sides, or the wish is none of the two.
    """
    if wish not in (None, *SIDES.values()):
        raise SeqsaeError(f"wrap: role = {wish!r}; it is 'token' or 'decoder'")
    if not is_encoder_decoder(module):
        return wish or "token"
    found = {role: site for site in sites for role in [_side(site)] if role is not None}
    if len(found) == 2 or (wish and found and wish not in found):
        first, other = (*found.values(), f"role {wish!r}")[:2]
        raise SeqsaeError(
            f"wrap: {first!r} and {other!r} are of different sides, encoder and decoder, whose rows are different positions; "
            "wrap the module once for each side"
        )
    return wish or next(iter(found), "token")


def is_encoder_decoder(module: nn.Module) -> bool:
    """Whether a module of transformers or torch has a decoder that reads an encoder."""
    declared = getattr(getattr(module, "config", None), "is_encoder_decoder", False)
    return bool(declared) or any(isinstance(part, nn.Transformer) for part in module.modules())


def _side(site: str) -> str | None:
    return next((SIDES[part] for part in parse(site).path.split(".") if part in SIDES), None)
