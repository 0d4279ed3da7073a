"""Weights stay, unless a sign-off and a passed test of memorisation let the decoder's directions go (D17, D18)."""

import json
import struct
from pathlib import Path
from typing import Any

from seqsae.exports.audit.findings import Notes
from seqsae.exports.audit.folder import WEIGHTS
from seqsae.exports.audit.manifest import Manifest

__all__ = ["WEIGHTS", "check_memorisation", "check_weights"]
TENSORS = {"W_enc", "W_dec", "b_enc", "b_dec"}
HALF = {"F16", "BF16"}
SIGNED = ("name", "statement")
AUC_HIGH = 0.55
"""Upper end of the interval of the membership attack's AUROC, at most (D18)."""
TPR = 0.02
"""Its true positive rate at one false positive in a hundred, at most (D18)."""
KEPT = "leave weights out; they may go only with a sign-off and a passed test of memorisation"


def check_weights(content: bytes, place: str, manifest: Manifest, notes: Notes) -> None:
    """A file of weights: signed for, safetensors, half precision, the four tensors of an SAE and nothing else (D17)."""
    signoff = (manifest.weights or {}).get("signoff")
    if not isinstance(signoff, dict) or not all(
        isinstance(signoff.get(name), str) and signoff[name] for name in SIGNED
    ):
        notes.against("D17", place, "weights without a sign-off in the manifest", KEPT)
        return
    if Path(place).suffix != ".safetensors":
        notes.against("D17", place, "weights in a form that holds more than tensors", "write safetensors")
        return
    head = _head(content)
    if head is None:
        notes.against("D17", place, "is no whole safetensors file", "write it again")
        return
    if note := head.pop("__metadata__", None):
        notes.against(
            "D17", f"{place} __metadata__", f"says more than the weights ({', '.join(map(str, note))})", "drop it"
        )
    for name, tensor in head.items():
        kind = tensor.get("dtype") if isinstance(tensor, dict) else None
        if name not in TENSORS:
            notes.against("D17", f"{place} {name}", "is no weight of the encoder or decoder", "write only those")
        elif kind not in HALF:
            notes.against("D17", f"{place} {name}", f"has precision {kind}", "write half precision")
    _features(head, place, manifest, notes)


def _head(content: bytes) -> dict | None:
    """The head of a safetensors file whose tensors fill it to the end, or None."""
    try:
        (length,) = struct.unpack("<Q", content[:8])
        head = json.loads(content[8 : 8 + length])
        ends = [one["data_offsets"][1] for name, one in head.items() if name != "__metadata__"]
    except (struct.error, ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return None
    return head if ends and max(ends) == len(content) - 8 - length else None


def _features(head: dict, place: str, manifest: Manifest, notes: Notes) -> None:
    """As many directions as there are released features."""
    listed = next((one.n_rows for one in manifest.datasets if one.id == "features"), None)
    shape = head.get("W_dec", {}).get("shape") if isinstance(head.get("W_dec"), dict) else None
    if not shape or shape[0] != listed:
        what = f"holds {shape[0] if shape else 'no'} directions for {listed} released features"
        notes.against("D9", f"{place} W_dec", what, "write the released features alone, and list them as `features`")


def check_memorisation(manifest: Manifest, notes: Notes) -> None:
    """The test of memorisation was made and passed, where weights go (D18)."""
    if manifest.weights is None:
        return
    place = "manifest.json: weights.memorisation"
    given: Any = manifest.weights.get("memorisation")
    given = given if isinstance(given, dict) else {}
    for name, most in (("auc_high", AUC_HIGH), ("tpr_at_1_fpr", TPR)):
        value = given.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            notes.against("D18", f"{place}.{name}", "is missing: weights go only after a test of memorisation", KEPT)
        elif value > most:
            notes.against(
                "D18", f"{place}.{name}", f"is {value}, more than {most}", "train with less capacity, or keep weights"
            )
