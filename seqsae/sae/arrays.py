"""Rows that a caller gives, as a tensor, or one line that says why they cannot be."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from seqsae.errors import SeqsaeError


def as_rows(given: Any, where: str) -> Tensor:
    """A tensor [n, d] of real numbers, dense, in its own format; an array shares its memory where it can.

    Raises:
        SeqsaeError: masked, sparse, quantised, without data, not two-dimensional, or not real numbers.
    """
    if isinstance(given, np.ma.MaskedArray):
        raise SeqsaeError(f"{where}: a masked array; give the rows that count, as in array[~mask.any(axis=1)].data")
    if isinstance(given, np.ndarray):
        given = _native(given, where)
    try:
        rows = torch.as_tensor(given)
    except (TypeError, ValueError, RuntimeError):
        raise SeqsaeError(f"{where}: a {type(given).__name__}; give an array of real numbers [rows, d_model]") from None
    plain = rows.layout == torch.strided and rows.device.type != "meta" and not rows.is_quantized
    real = (
        rows.dtype not in (torch.bool, torch.complex64, torch.complex128, torch.complex32) and rows.element_size() > 0
    )
    if rows.ndim != 2 or not plain or not real or (rows.is_floating_point() and rows.element_size() == 1):
        raise SeqsaeError(
            f"{where}: an array of shape {tuple(rows.shape)} and type {rows.dtype}{'' if plain else ', not dense'}; "
            "give real numbers [rows, d_model]"
        )
    return rows


def _native(array: np.ndarray, where: str) -> np.ndarray:
    """In this machine's byte order, strides ascending."""
    if array.dtype.kind not in "fiu" or array.dtype.itemsize > 8:
        raise SeqsaeError(
            f"{where}: an array of shape {array.shape} and type {array.dtype}; give real numbers [rows, d_model]"
        )
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    return array if all(step >= 0 for step in array.strides) else np.ascontiguousarray(array)
