"""Places of a product above a bound, row by row."""

import numpy as np

from seqsae.sae.products.compiled.decorator import compiled
from seqsae.sae.products.compiled.near import factors, floats, most

_BLOCK = 16  # numbers looked at together for any above its bound


@compiled
def _list_above(row, bound, values, latents):
    """Lists the latents j with row[j] > bound[j], and their numbers, in order; how many."""
    count = 0
    for start in range(0, row.shape[0], _BLOCK):
        part, low = row[start : start + _BLOCK], bound[start : start + _BLOCK]
        some = np.int32(0)
        for j in range(part.shape[0]):
            some += np.int32(1) if part[j] > low[j] else np.int32(0)
        if some:
            for j in range(part.shape[0]):
                values[count], latents[count] = part[j], start + j
                count += part[j] > low[j]
    return count


@compiled
def above(product, bound, out_values, out_latents, counts):
    """Places of a float32 product above a bound [width], row by row, at most one row short of the room in `out_*`.

    Returns their number, or -1 if the room does not do. counts [n]: how many of each row.
    """
    found, width = 0, product.shape[1]
    for i in range(product.shape[0]):
        if found + width > out_values.shape[0]:
            return -1
        counts[i] = _list_above(product[i], bound, out_values[found:], out_latents[found:])
        found += counts[i]
    return found


@compiled
def _list_above_near(row, rough, fine, bound, values, latents):
    """As `_list_above`, of the numbers that a row of a product stands for, as far below the bound as their slack reaches."""
    count, scale = 0, rough[0]
    for start in range(0, row.shape[0], _BLOCK):
        stop = start + _BLOCK
        part, times, plus, low = row[start:stop], fine[0, start:stop], fine[1, start:stop], bound[start:stop]
        some = np.int32(0)
        for j in range(part.shape[0]):
            number = np.float32(part[j]) * (scale * times[j]) + plus[j]
            some += np.int32(1) if number + rough[3] > low[j] else np.int32(0)
        if some:
            for j in range(part.shape[0]):
                number, place = np.float32(part[j]) * (scale * times[j]) + plus[j], start + j
                values[count], latents[count] = number, place
                count += number + rough[1] * fine[2, place] + rough[2] * fine[3, place] > low[j]
    return count


@compiled
def above_near(product, rough, fine, bound, out_values, out_latents, counts):
    """As `above`, of numbers that only stand near: all places that could be above the bound, with the near numbers."""
    found, width = 0, product.shape[1]
    wide, row = np.empty(width, np.float32), np.empty(4, np.float32)
    greatest = most(fine)
    for i in range(product.shape[0]):
        if found + width > out_values.shape[0]:
            return -1
        values, latents = out_values[found:], out_latents[found:]
        factors(rough[i], greatest, row)
        counts[i] = _list_above_near(floats(product[i], wide), row, fine, bound, values, latents)
        found += counts[i]
    return found


@compiled
def kept(keep, values, latents, counts, out_values, out_latents):
    """Listed places for which `keep` is not 0; counts [n], how many of each row, are brought up to date. Their number."""
    place, found = 0, 0
    for i in range(counts.shape[0]):
        before = found
        for _ in range(counts[i]):
            out_values[found], out_latents[found] = values[place], latents[place]
            found += keep[place]
            place += 1
        counts[i] = found - before
    return found
