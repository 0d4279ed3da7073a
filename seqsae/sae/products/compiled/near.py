"""Products in low precision, and the float32 numbers they stand near.

A product [n, width] of int32 (of int8 factors), or of bfloat16, given as uint16, together with two tables:

    rough [n, 3]      of a row i: its scale, and two factors of slack
    fine  [4, width]  of a latent j: its scale, its bias, and two factors of slack
    number = product[i, j] * rough[i, 0] * fine[0, j] + fine[1, j],  slack = rough[i, 1] * fine[2, j] + rough[i, 2] * fine[3, j]

They only propose: a place is proposed if its number plus its slack could reach a bound.
"""

import numpy as np
from numba import types
from numba.extending import overload

from seqsae.sae.products.compiled.decorator import compiled


def floats(row, room):
    """A row of a product as numbers: itself, or of bfloat16 (given as uint16) its float32 in `room`."""
    raise NotImplementedError  # only compiled, for one of the two


@overload(floats)
def _floats_of(row, room):
    if row.dtype != types.uint16:
        return lambda row, room: row

    def widened(row, room):
        bits = room.view(np.uint32)
        for j in range(row.shape[0]):
            bits[j] = np.uint32(row[j]) << np.uint32(16)
        return room

    return widened


@compiled
def most(fine):
    """The largest of both factors of slack."""
    one, two = np.float32(0), np.float32(0)
    for j in range(fine.shape[1]):
        one, two = max(one, fine[2, j]), max(two, fine[3, j])
    return one, two


@compiled
def factors(rough, most, out):
    """out [4]: those of a row, and the most slack that any of its numbers has."""
    out[0], out[1], out[2] = rough[0], rough[1], rough[2]
    out[3] = rough[1] * most[0] + rough[2] * most[1]
