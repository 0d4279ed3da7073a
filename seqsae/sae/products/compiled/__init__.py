"""Loops over rows of activations, compiled by numba at first use and kept on disk; `seqsae.sae.products.kernels` is their only caller.

Everything is contiguous: float32, or int32 where it counts or names. Rows are independent of each other, so that a caller may
hand slices of rows to several threads and get the same bits.
"""

from seqsae.sae.products.compiled.cuts import cut
from seqsae.sae.products.compiled.lists import above, above_near, kept
from seqsae.sae.products.compiled.sums import (
    by_latent,
    dots,
    drop_along,
    gather_sum,
    latent_sum,
    miss,
    quantise,
    unit_rows,
)
from seqsae.sae.products.compiled.tops import top_k, top_k_near

__all__ = [
    "above", "above_near", "by_latent", "cut", "dots", "drop_along", "gather_sum", "kept", "latent_sum", "miss", "quantise",
    "top_k", "top_k_near", "unit_rows",
]  # fmt: skip
